package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"usciere/bench/measure"
	"usciere/bench/officeload"
	"usciere/policy/admin"
)

// server is what the load goes to. Of one that exists already only the address is known.
type server struct {
	addr  netip.AddrPort
	cmd   *exec.Cmd     // nil: not ours
	admin *admin.Client // nil: it has none, or not ours
}

// launch starts a program that serves; what it writes goes to a file of that name. It ends with this program, however that does.
func launch(ctx context.Context, log, program string, args ...string) (*exec.Cmd, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, cmd.Start()
}

func (s *server) stop() {
	if s.cmd != nil {
		_ = s.cmd.Cancel() // it may have ended by itself
		_ = s.cmd.Wait()
	}
}

// startUsciere starts the program on the settings in a folder, and gives it the town.
func startUsciere(ctx context.Context, program, folder string, addr netip.AddrPort) (*server, error) {
	socket := filepath.Join(folder, officeload.Socket)
	s := &server{addr: addr, admin: admin.Dial(socket)}
	if err := s.serve(ctx, program, folder); err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, program, "apply", "--socket", socket, "-f", filepath.Join(folder, officeload.TownFile)).CombinedOutput()
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("%s apply: %w\n%s", program, err, out)
	}
	return s, nil
}

// serve starts the program, at first or again.
func (s *server) serve(ctx context.Context, program, folder string) (err error) {
	log := filepath.Join(folder, "log")
	if s.cmd, err = launch(ctx, log, program, "serve", "--config", filepath.Join(folder, officeload.SettingsFile)); err != nil {
		return err
	}
	if err := s.await(ctx); err != nil {
		s.stop()
		text, _ := os.ReadFile(log)
		return fmt.Errorf("%s serve does not answer: %w\n%s", program, err, text)
	}
	return nil
}

// await returns when the daemon answers on its socket.
func (s *server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		_, err := s.admin.Status(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// startEcho builds the echo beside the program and starts it.
func startEcho(ctx context.Context, folder string, addr netip.AddrPort) (*server, error) {
	program := filepath.Join(folder, "echo")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "usciere/bench/echo")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the echo: %w\n%s", err, out)
	}
	cmd, err := launch(ctx, filepath.Join(folder, "echo.log"), program, addr.String())
	if err != nil {
		return nil, err
	}
	return &server{addr: addr, cmd: cmd}, nil
}

// freePort is a UDP port of 127.0.0.1 that nobody has, for a server that is about to start.
func freePort() (netip.AddrPort, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort(), nil
}

// cpu is the processor time of the server so far; 0 of one that is not ours.
func (s *server) cpu() (time.Duration, error) {
	if s.cmd == nil {
		return 0, nil
	}
	return measure.CPUOf(s.cmd.Process.Pid)
}

// rss is the resident memory of the server in octets; 0 of one that is not ours.
func (s *server) rss() (int64, error) {
	if s.cmd == nil {
		return 0, nil
	}
	m, err := measure.MemoryOf(s.cmd.Process.Pid)
	return m.RSS, err
}

// cache are the hits and misses of the answer cache so far; both 0 where that cannot be known.
func (s *server) cache(ctx context.Context) (hits, misses uint64, err error) {
	if s.admin == nil {
		return 0, 0, nil
	}
	stats, err := s.admin.CacheStats(ctx)
	if err != nil {
		return 0, 0, err
	}
	return stats.Hits, stats.Misses, nil
}
