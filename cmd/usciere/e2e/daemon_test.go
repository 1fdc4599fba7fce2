//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"usciere/policy/admin"
)

// transcript is what a process writes, readable while it does.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *transcript) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// process is a program in the background; it ends with its test at the latest.
type process struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	out  transcript // standard output
	log  transcript // standard error
	done chan struct{}
	err  error // of its end, once done
}

func start(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, name: filepath.Base(cmd.Path), cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.out, &p.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.err = cmd.Wait()
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s wrote:\n%s%s", p.name, p.out.String(), tail(p.log.String(), 60))
		}
	})
	return p
}

// tail is the last lines of a text.
func tail(text string, lines int) string {
	all := strings.SplitAfter(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "")
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.done
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// end sends the signal and returns the exit code and how long the end took.
func (p *process) end(s os.Signal) (code int, took time.Duration) {
	p.t.Helper()
	begun := time.Now()
	p.signal(s)
	select {
	case <-p.done:
	case <-time.After(2 * patience):
		p.t.Fatalf("%s did not end within %s of %s", p.name, 2*patience, s)
	}
	return p.cmd.ProcessState.ExitCode(), time.Since(begun)
}

// setup is how a daemon is started.
type setup struct {
	args   []string // of serve, beside --state, --socket and a --listen on 127.0.0.1:0 when there is none
	state  string   // folder; a new one if empty
	socket string   // in the state folder if empty
	attr   *syscall.SysProcAttr
}

// daemon is a running `usciere serve`.
type daemon struct {
	*process
	state  string
	socket string
	addrs  []netip.AddrPort // where it answers
	addr   netip.AddrPort   // the first of them
}

// demo starts a demo town on a port of its own.
func demo(t testing.TB) *daemon {
	t.Helper()
	return serve(t, setup{args: []string{"--demo"}})
}

// serve starts a daemon and returns when it answers.
func serve(t testing.TB, s setup) *daemon {
	t.Helper()
	d := &daemon{state: s.state, socket: s.socket}
	if d.state == "" {
		d.state = filepath.Join(t.TempDir(), "state")
	}
	args := append([]string{"serve", "--state", d.state}, s.args...)
	if d.socket == "" {
		d.socket = filepath.Join(d.state, "admin.sock")
	} else {
		args = append(args, "--socket", d.socket)
	}
	if !slices.ContainsFunc(s.args, func(a string) bool { return a == "--listen" || a == "--config" }) {
		args = append(args, "--listen", "127.0.0.1:0")
	}
	cmd := exec.Command(program, args...)
	cmd.SysProcAttr = s.attr
	d.process = start(t, cmd)
	d.awaitReady()
	t.Cleanup(func() {
		for _, sign := range []string{"panic:", "fatal error:", "DATA RACE"} {
			if log := d.log.String(); strings.Contains(log, sign) {
				t.Errorf("the daemon's log has %q:\n%s", sign, tail(log, 80))
			}
		}
	})
	return d
}

// awaitReady waits until the socket answers, and learns from it where DNS does.
func (d *daemon) awaitReady() {
	d.t.Helper()
	var status admin.Status
	eventually(d.t, "the daemon answers on its socket", func() bool {
		if d.ended() {
			d.t.Fatalf("usciere serve ended: %v\n%s", d.err, d.log.String())
		}
		code, err := d.try("GET", "/v1/status", nil, &status)
		return err == nil && code == 200
	})
	for _, text := range status.Daemon.Listen {
		a, err := netip.ParseAddrPort(text)
		if err != nil {
			d.t.Fatal(err)
		}
		d.addrs = append(d.addrs, a)
	}
	d.addr = d.addrs[0]
}

// stop ends the daemon as systemd does and checks that it ends well.
func (d *daemon) stop() {
	d.t.Helper()
	if code, took := d.end(syscall.SIGTERM); code != 0 || took > 5*time.Second {
		d.t.Fatalf("after SIGTERM: exit code %d after %s; want 0 within 5s\n%s", code, took, tail(d.log.String(), 20))
	}
}

// again starts the daemon anew on the state it had.
func (d *daemon) again(args ...string) *daemon {
	d.t.Helper()
	return serve(d.t, setup{args: args, state: d.state})
}

// served runs `usciere serve` where it is expected to refuse.
func served(t testing.TB, args ...string) result {
	t.Helper()
	return run(t, exec.Command(program, append([]string{"serve"}, args...)...))
}

// exitOf is the exit code that an error of exec means.
func exitOf(t testing.TB, err error) int {
	t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	t.Fatal(err)
	return -1
}
