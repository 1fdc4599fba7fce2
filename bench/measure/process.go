// Package measure starts servers each on one core, reads from the kernel what they cost, and puts load on them: the parts that every
// measured run is made of. It knows no server.
package measure

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a running program that is kept on some cores. What it prints goes to a file.
type Process struct {
	name  string
	log   string
	cmd   *exec.Cmd
	began time.Time
	ended chan struct{}
}

// patience is how long a program may take to end after SIGTERM before it is killed.
const patience = 10 * time.Second

// Start runs a program on some cores, in a folder of its own, until Stop or the end of ctx. The threads that it makes stay there too.
// Its output goes to the file "log" in the folder.
func Start(ctx context.Context, cores []int, folder, program string, args ...string) (*Process, error) {
	p := &Process{name: program, log: folder + "/log", ended: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.CommandContext(ctx, program, args...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = folder, log, log
	p.cmd.Cancel, p.cmd.WaitDelay = p.terminate, patience
	p.began = time.Now()
	if err := OnCores(cores, p.cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended does not matter: what it said is in the log
		close(p.ended)
	}()
	return p, nil
}

// priority is the nice value of what is measured, where that is permitted (root): other programs of the machine then take little of the
// cores. What takes from them all the same is seen by Busy.
const priority = -15

// OnCores runs start with the thread on some cores and at the priority, which the process that it starts inherits.
func OnCores(cores []int, do func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, wanted unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	for _, core := range cores {
		wanted.Set(core)
	}
	if err := unix.SchedSetaffinity(0, &wanted); err != nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	usual, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // as 20 - nice
	if err == nil && unix.Setpriority(unix.PRIO_PROCESS, 0, priority) == nil {
		defer func() { _ = unix.Setpriority(unix.PRIO_PROCESS, 0, 20-usual) }() // down is always permitted
	}
	return errors.Join(do(), os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &before)))
}

// Cores are the first and the last core that this process may use: one for the load, one for the server. On a machine of one core
// they are the same.
func Cores() (load, server int, err error) {
	var may unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		return 0, 0, os.NewSyscallError("sched_getaffinity", err)
	}
	load = -1
	for core := range 64 * len(may) {
		if may.IsSet(core) {
			server = core
			if load < 0 {
				load = core
			}
		}
	}
	return load, server, nil
}

// Await asks until a reply has the response code wanted, and says how long after the start that was.
func (p *Process) Await(ctx context.Context, server netip.AddrPort, name string, code int) (time.Duration, error) {
	got := errors.New("no reply")
	for {
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%s does not answer %s with response code %d (%w)\n%s", p.name, name, code, got, p.Output())
		case <-p.ended:
			return 0, fmt.Errorf("%s ended\n%s", p.name, p.Output())
		default:
		}
		switch answered, err := Ask(server, name); {
		case err != nil:
			got = err
			time.Sleep(2 * time.Millisecond) // nobody listens yet, and says so at once
		case answered == code:
			return time.Since(p.began), nil
		default:
			got = fmt.Errorf("it is %d", answered)
			time.Sleep(2 * time.Millisecond)
		}
	}
}

// Output is the end of what the program printed.
func (p *Process) Output() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

// Pause stops the program where it is, so that it costs nothing while another is measured.
func (p *Process) Pause() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets it go on.
func (p *Process) Resume() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

// Stop ends the program and returns when it has ended.
func (p *Process) Stop() {
	_ = p.terminate() // it may have ended by itself
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

func (p *Process) terminate() error {
	return errors.Join(p.cmd.Process.Signal(syscall.SIGTERM), p.Resume())
}
