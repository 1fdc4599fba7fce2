//go:build e2e

package upstream

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"usciere/resolver/dnstest"
)

// realServer is unbound or knotd on a port of its own, answering every name below example. with rightAddr, and with texts that
// need TCP.
type realServer struct {
	t       testing.TB
	addr    netip.AddrPort
	command []string
	process *exec.Cmd
}

// longTexts are more than fits into ednsSize octets.
var longTexts = slices.Repeat([]string{`"` + strings.Repeat("x", 200) + `"`}, 8)

func startUnbound(t testing.TB) *realServer {
	data := fmt.Sprintf("  local-data: 'example. 60 IN A %s'\n", rightAddr)
	for i, text := range longTexts {
		data += fmt.Sprintf("  local-data: 'example. 60 IN TXT \"%d\" %s'\n", i, text)
	}
	return startReal(t, "unbound", "unbound.conf", `
server:
  interface: %[1]s@%[2]d
  num-threads: 1
  username: ""
  chroot: ""
  directory: "%[3]s"
  pidfile: "%[3]s/unbound.pid"
  use-syslog: no
  do-daemonize: no
  incoming-num-tcp: 100
  access-control: 127.0.0.0/8 allow
  local-zone: "example." redirect
`+data+`
remote-control:
  control-enable: no
`, "-d")
}

func startKnot(t testing.TB) *realServer {
	zone := "@ 60 SOA ns host 1 3600 600 86400 60\n@ 60 NS ns\nns 60 A 192.0.2.2\n* 60 A " + rightAddr.String() + "\n"
	for i, text := range longTexts {
		zone += fmt.Sprintf("* 60 TXT \"%d\" %s\n", i, text)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "zone")
	if err := os.WriteFile(path, []byte(zone), 0o600); err != nil {
		t.Fatal(err)
	}
	return startReal(t, "knotd", "knot.conf", `
server:
  listen: %[1]s@%[2]d
  rundir: "%[3]s"
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "%[3]s"
zone:
  - domain: example
    file: "`+path+`"
`)
}

// startReal starts a program with a configuration of address, port and folder.
func startReal(t testing.TB, program, file, config string, flags ...string) *realServer {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + program); err != nil {
			t.Fatalf("%s is not installed: make e2e installs it", program)
		}
	}
	dir := t.TempDir()
	addr := freePort(t)
	conf := filepath.Join(dir, file)
	if err := os.WriteFile(conf, fmt.Appendf(nil, config, addr.Addr(), addr.Port(), dir), 0o600); err != nil {
		t.Fatal(err)
	}
	command := append([]string{path, "-c", conf}, flags...)
	s := &realServer{t: t, addr: addr, command: command}
	t.Cleanup(s.kill)
	s.start()
	return s
}

func freePort(t testing.TB) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// start runs the program and waits until it answers.
func (s *realServer) start() {
	s.t.Helper()
	s.process = exec.Command(s.command[0], s.command[1:]...)
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	q, err := new(dns.Msg).SetQuestion("up.example.", dns.TypeA).Pack()
	if err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, s.command[0]+" answers", func() bool {
		raw, err := dnstest.ExchangeRaw("udp", s.addr.String(), "", q, 200*time.Millisecond)
		m := new(dns.Msg)
		return err == nil && m.Unpack(raw) == nil && len(m.Answer) == 1
	})
}

// kill is what happens to a server without warning.
func (s *realServer) kill() {
	if s.process.Process.Kill() == nil {
		_ = s.process.Wait()
	}
}

func (s *realServer) signal(sig syscall.Signal) {
	if err := s.process.Process.Signal(sig); err != nil {
		s.t.Error(err)
	}
}

// workers ask for new names without pause, every tenth for texts that need TCP, and keep the figures.
type workers struct {
	group *Group
	names atomic.Uint64
	stop  atomic.Bool
	work  sync.WaitGroup

	mu   sync.Mutex
	took []time.Duration
	lost []error
}

func (w *workers) run(t testing.TB, n int) {
	for range n {
		w.work.Go(func() {
			for !w.stop.Load() {
				w.ask(t)
			}
		})
	}
}

func (w *workers) ask(t testing.TB) {
	n := w.names.Add(1)
	qtype, records := dns.TypeA, 1
	if n%10 == 0 {
		qtype, records = dns.TypeTXT, len(longTexts)
	}
	q := question(t, fmt.Sprintf("name%d.example.", n), qtype)
	start := time.Now()
	a, err := w.group.Resolve(context.Background(), q)
	took := time.Since(start)
	m := new(dns.Msg)
	if err == nil && (m.Unpack(a.Msg) != nil || m.Rcode != 0 || len(m.Answer) != records) {
		err = fmt.Errorf("wrong answer:\n%v", m)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.took = append(w.took, took)
	if err != nil {
		w.lost = append(w.lost, err)
	}
}

// figures returns what was measured since the last call.
func (w *workers) figures() (asked int, median, p99, slowest time.Duration, lost []error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	took := w.took
	lost, w.took, w.lost = w.lost, nil, nil
	if len(took) == 0 {
		return 0, 0, 0, 0, lost
	}
	slices.Sort(took)
	return len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1], lost
}

// TestNoQuestionIsLostWhileAnotherServerIsThere kills, restarts and cuts off real servers under load. The group's clock runs ten
// times as fast as ours, so that pauses are short.
func TestNoQuestionIsLostWhileAnotherServerIsThere(t *testing.T) {
	for _, strategy := range []Strategy{Strict, Fastest, Parallel} {
		t.Run(string(strategy), func(t *testing.T) {
			unbound, knot := startUnbound(t), startKnot(t)
			epoch := time.Now()
			g := group(t, Config{
				Name: "real", Strategy: strategy, Servers: []netip.AddrPort{unbound.addr, knot.addr}, RandomCase: true,
				TryTimeout: DefaultTryTimeout, Timeout: DefaultTimeout,
				Now: func() time.Time { return epoch.Add(10 * time.Since(epoch)) },
			})
			w := &workers{group: g}
			w.run(t, 20)
			defer w.work.Wait()
			defer w.stop.Store(true)
			recovered := func(i int) func() {
				return func() { eventually(t, "the server is ok", func() bool { return g.Servers()[i].State == OK }) }
			}
			for _, step := range []struct {
				name string
				do   func()
			}{
				{"both well", func() {}},
				{"unbound killed", unbound.kill},
				{"unbound started", unbound.start},
				{"unbound back", recovered(0)},
				{"knotd killed", knot.kill},
				{"knotd started", knot.start},
				{"knotd back", recovered(1)},
				{"unbound stopped (SIGSTOP)", func() { unbound.signal(syscall.SIGSTOP) }},
				{"unbound goes on", func() { unbound.signal(syscall.SIGCONT) }},
				{"unbound back", recovered(0)},
				{"knotd stopped (SIGSTOP)", func() { knot.signal(syscall.SIGSTOP) }},
				{"knotd goes on", func() { knot.signal(syscall.SIGCONT) }},
				{"knotd back", recovered(1)},
			} {
				step.do()
				time.Sleep(2 * time.Second) // of load
				asked, median, p99, slowest, lost := w.figures()
				t.Logf("%-26s %6d asked, %d lost, median %7v, 99 %% %7v, slowest %7v", step.name, asked, len(lost),
					median.Round(10*time.Microsecond), p99.Round(10*time.Microsecond), slowest.Round(time.Millisecond))
				if len(lost) > 0 {
					t.Errorf("lost: %v", lost[0])
				}
				if slowest > DefaultTimeout {
					t.Errorf("a question took %v", slowest)
				}
			}
			for _, s := range g.Servers() {
				t.Logf("%+v", s)
			}
		})
	}
}
