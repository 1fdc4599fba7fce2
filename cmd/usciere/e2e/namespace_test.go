//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// machine is a machine of the test: a network and mount namespace of its own, which ends with the test.
type machine struct {
	t   testing.TB
	pid string // of the process that keeps it
}

func newMachine(t testing.TB) *machine {
	t.Helper()
	asRoot(t)
	keeper := exec.Command("sleep", "infinity")
	keeper.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS}
	m := &machine{t: t, pid: strconv.Itoa(start(t, keeper).cmd.Process.Pid)}
	m.do("ip", "link", "set", "lo", "up")
	return m
}

// command is a program on the machine.
func (m *machine) command(args ...string) *exec.Cmd {
	m.t.Helper()
	return exec.Command(tool(m.t, "nsenter"), append([]string{"-t", m.pid, "-n", "-m", "--"}, args...)...)
}

func (m *machine) do(args ...string) {
	m.t.Helper()
	if out, err := m.command(args...).CombinedOutput(); err != nil {
		m.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// connect gives another machine the address, on a cable to this one, and this one as its way to everywhere.
func (m *machine) connect(other *machine, cable, address string) {
	m.t.Helper()
	m.do("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", other.pid)
	m.do("ip", "link", "set", cable, "up")
	m.do("ip", "route", "add", address+"/32", "dev", cable)
	other.do("ip", "addr", "add", address+"/32", "dev", "eth0")
	other.do("ip", "link", "set", "eth0", "up")
	other.do("ip", "route", "add", "default", "dev", "eth0", "src", address)
}

// resolves makes a server the only one that the machine asks for names, as DHCP does.
func (m *machine) resolves(server string) {
	m.t.Helper()
	conf := write(m.t, filepath.Join(m.t.TempDir(), "resolv.conf"), "nameserver "+server+"\n")
	m.do("mount", "--bind", conf, "/etc/resolv.conf")
	hosts := write(m.t, filepath.Join(m.t.TempDir(), "hosts"), "127.0.0.1 localhost\n")
	m.do("mount", "--bind", hosts, "/etc/hosts")
}

// inside runs fn with this process's sockets on the machine: those that fn opens stay there.
func (m *machine) inside(fn func() error) error {
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer own.Close()
	its, err := os.Open("/proc/" + m.pid + "/ns/net")
	if err != nil {
		return err
	}
	defer its.Close()
	if err := unix.Setns(int(its.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the machine: %w", err)
	}
	failed := fn()
	if err := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("leave the machine: %w", err) // the thread ends with its goroutine, as it is still locked
	}
	runtime.UnlockOSThread()
	return failed
}

// listen opens a TCP socket on the machine.
func (m *machine) listen(addr string) (l net.Listener) {
	m.t.Helper()
	if err := m.inside(func() (err error) {
		l, err = net.Listen("tcp4", addr)
		return err
	}); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { l.Close() })
	return l
}

// listenPacket opens a UDP socket on the machine.
func (m *machine) listenPacket(addr string) (c net.PacketConn) {
	m.t.Helper()
	if err := m.inside(func() (err error) {
		c, err = net.ListenPacket("udp4", addr)
		return err
	}); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { c.Close() })
	return c
}
