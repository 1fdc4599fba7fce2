//go:build e2e

package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/resolver/dnstest"
)

// perf asks what the file says from an address with dnsperf, and returns how many were sent, lost, and answered with each RCODE.
func perf(t testing.TB, cmd *exec.Cmd) (sent, lost int, codes map[string]int) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("dnsperf: %v\n%s", err, out)
	}
	codes = map[string]int{}
	for _, m := range codePattern.FindAllSubmatch(out, -1) {
		var n int
		fmt.Sscan(string(m[2]), &n)
		codes[string(m[1])] = n
	}
	return firstNumber(sentPattern, out), firstNumber(lostPattern, out), codes
}

// manyNames is a file of questions for dnsperf.
func manyNames(t testing.TB, many int, pattern string) string {
	t.Helper()
	var b strings.Builder
	for i := range many {
		fmt.Fprintf(&b, pattern+" A\n", i)
	}
	return write(t, filepath.Join(t.TempDir(), "queries"), b.String())
}

// Each question upstream has a port and an ID that nobody can guess.
func TestS10PortsAndIDsAreUniform(t *testing.T) {
	up := dnstest.Start(t, honest)
	d := manager(t, "--upstream", up.Addr.String())
	many := part(t, 10_000)
	sent, lost, _ := perf(t, exec.Command(tool(t, "dnsperf"), "-s", "127.0.0.1", "-p", portOf(d.addr), "-a", "127.20.0.1", "-n", "1", "-q", "50",
		"-d", manyNames(t, many, "n%d.example"), "-t", "10"))
	if sent != many || lost > 0 {
		t.Fatalf("%d of %d lost", lost, sent)
	}
	var ports, ids []int
	for _, q := range up.Queries() {
		ports = append(ports, int(q.From.Port()))
		ids = append(ids, int(q.Msg.Id))
	}
	low, high := slices.Min(ports), slices.Max(ports)
	promised(t, "ports used for questions upstream", fmt.Sprintf("%d to %d", low, high), "≥ 47000 of them", high-low >= 46_000)
	// Beyond 103.4 one uniform sample in a thousand lies (63 degrees of freedom).
	atMost(t, fmt.Sprintf("chi-square of %d ports in 64 bins", len(ports)), chiSquare(ports, low, high), 103.4, "")
	atMost(t, fmt.Sprintf("chi-square of %d IDs in 64 bins", len(ids)), chiSquare(ids, 0, 65535), 103.4, "")
}

// chiSquare says how far the values are from being spread evenly over 64 bins of low to high.
func chiSquare(values []int, low, high int) (sum float64) {
	var bins [64]float64
	for _, v := range values {
		bins[(v-low)*64/(high-low+1)]++
	}
	want := float64(len(values)) / 64
	for _, n := range bins {
		sum += (n - want) * (n - want) / want
	}
	return sum
}

// A name that fails is not asked upstream again and again (RFC 9520).
func TestS11AFailingNameIsAskedSeldom(t *testing.T) {
	up := dnstest.Start(t, func(q dnstest.Query) []dnstest.Send {
		if strings.HasPrefix(strings.ToLower(q.Name()), "rotto") {
			return []dnstest.Send{honest(q)[0].Rcode(dns.RcodeServerFailure)}
		}
		return nil
	})
	d := manager(t, "--upstream", up.Addr.String())
	seconds := 6 + part(t, 54)
	var lanes sync.WaitGroup
	for name, what := range map[string]string{"rotto.example": "fails", "muto.example": "is not answered"} {
		queries := write(t, filepath.Join(t.TempDir(), "queries"), name+" A\n")
		lanes.Go(func() {
			begun := time.Now()
			sent, _, codes := perf(t, exec.Command(tool(t, "dnsperf"), "-s", "127.0.0.1", "-p", portOf(d.addr), "-a", "127.20.0.1", "-Q", "200", "-q", "2000",
				"-l", fmt.Sprint(seconds), "-t", "10", "-d", queries))
			took := int(time.Since(begun).Seconds())
			if codes["SERVFAIL"] < sent/2 {
				t.Errorf("%d sent, %v", sent, codes)
			}
			// In a round a question that is not answered is sent three times, within the five seconds that a client waits.
			rounds, last := 0, time.Time{}
			for _, q := range up.Queries() {
				if strings.EqualFold(q.Name(), name+".") && q.At.Sub(last) > 4*time.Second {
					rounds++
					last = q.At
				}
			}
			atMost(t, fmt.Sprintf("rounds upstream for a name that %s, asked %d times in %d s", what, sent, took), rounds, 1+took/5, "")
		})
	}
	lanes.Wait()
}

// When all upstreams are silent, what was known is served stale, soon, for a short time, and says so (RFC 8767).
func TestS12AStaleAnswerIsServedWhenAllUpstreamsAreSilent(t *testing.T) {
	brief := func(q dnstest.Query) []dnstest.Send {
		return []dnstest.Send{dnstest.Message(dnstest.Reply(q, q.Name()+" 1 A "+honestAddress))}
	}
	up := dnstest.Start(t, brief)
	d := manager(t, "--upstream", up.Addr.String())
	many := part(t, 200)
	name := func(i int) string { return fmt.Sprintf("n%d.example", i) }
	for i := range many {
		if got, _, _ := d.believed(name(i)); got != honestAddress {
			t.Fatalf("before: %q", got)
		}
	}
	time.Sleep(1500 * time.Millisecond) // their second is over
	up.SetHandler(func(dnstest.Query) []dnstest.Send { return nil })
	query := func(i int) []byte {
		q, err := question(name(i), dns.TypeA).Pack()
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	var mu sync.Mutex
	wrong, ttl, slowest := 0, uint32(0), time.Duration(0)
	askAll := func() {
		var lanes sync.WaitGroup
		for i := range many {
			q := query(i)
			lanes.Go(func() {
				begun := time.Now()
				raw, err := dnstest.ExchangeRaw("udp", d.addr.String(), "127.20.0.1", q, patience)
				took := time.Since(begun)
				mu.Lock()
				defer mu.Unlock()
				slowest = max(slowest, took)
				var m dns.Msg
				if err != nil || m.Unpack(raw) != nil || !slices.Equal(addresses(&m), []string{honestAddress}) || ede(&m) != int(dns.ExtendedErrorCodeStaleAnswer) {
					wrong++
					t.Errorf("%s: %v, %s", name(i), err, m.String())
					return
				}
				ttl = max(ttl, m.Answer[0].Header().Ttl)
			})
		}
		lanes.Wait()
	}
	askAll()
	inTime(t, "the slowest stale answer", slowest, 1900*time.Millisecond)
	eventually(t, "the upstream is known to be silent", func() bool { return d.upstreams()[0].State != "ok" })
	before, begun := len(up.Queries()), time.Now()
	slowest = 0
	for range 5 {
		askAll()
	}
	none(t, "stale answers that did not come or did not say what they are (EDE 3)", wrong, 6*many)
	inTime(t, "the slowest once all upstreams are known to be silent", slowest, 200*time.Millisecond)
	atMost(t, "lifetime of a stale answer", ttl, 30, " s")
	if took := time.Since(begun); took < 30*time.Second {
		atMost(t, fmt.Sprintf("questions upstream for %d stale names asked five times more, per name", many), float64(len(up.Queries())-before)/float64(many), 3, "")
	}
}

// cabled is a resolver and its upstream, each on a machine of its own, with a cable between them.
type cabled struct {
	*daemon
	hall, far *machine
}

func cabledTown(t *testing.T) *cabled {
	t.Helper()
	c := &cabled{hall: newMachine(t), far: newMachine(t)}
	c.hall.do("ip", "addr", "add", "10.90.0.1/32", "dev", "lo")
	c.hall.connect(c.far, "cable", "10.90.0.2")
	answer := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		rr, _ := dns.NewRR(q.Question[0].Name + " 300 IN A " + honestAddress)
		m.Answer = append(m.Answer, rr)
		_ = w.WriteMsg(m)
	})
	for _, s := range []*dns.Server{{PacketConn: c.far.listenPacket("10.90.0.2:53"), Handler: answer}, {Listener: c.far.listen("10.90.0.2:53"), Handler: answer}} {
		go func() { _ = s.ActivateAndServe() }()
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	dir := t.TempDir()
	c.daemon = &daemon{state: filepath.Join(dir, "state"), socket: filepath.Join(dir, "state", "admin.sock")}
	c.daemon.process = start(t, c.hall.command(program, "serve", "--state", c.state, "--listen", "127.0.0.1:5300", "--upstream", "10.90.0.2:53"))
	c.awaitReady()
	c.must("office", "add", "segreteria", "--name", "Segreteria", "--mailbox", "segreteria@comune.it", "--network", "127.20.0.0/24")
	c.must("seat", "add", "dirigente", "--office", "segreteria", "--role", "manager", "--holder", "M. Rossi", "--from", "2026-01-01", "--host", "127.20.0.1")
	return c
}

func (c *cabled) perf(args ...string) *exec.Cmd {
	return c.hall.command(append([]string{tool(c.t, "dnsperf"), "-s", "127.0.0.1", "-p", portOf(c.addr), "-a", "127.20.0.1", "-t", "6"}, args...)...)
}

// The cable loses packets in both directions: a question that got no reply is asked again, in time for the client.
func TestS12ACableThatLosesPackets(t *testing.T) {
	c := cabledTown(t)
	c.far.do("nft", "add table inet loss; add chain inet loss in { type filter hook input priority 0; }; add chain inet loss out { type filter hook output priority 0; }; "+
		"add rule inet loss in numgen random mod 100 < 5 drop; add rule inet loss out numgen random mod 100 < 5 drop")
	many := part(t, 5000)
	sent, lost, codes := perf(t, c.perf("-n", "1", "-q", "200", "-Q", "500", "-d", manyNames(t, many, "n%d.example")))
	none(t, "clients without any reply while one packet in ten is lost on the way upstream and back", lost, sent)
	unresolved := codes["SERVFAIL"]
	promised(t, "of these told SERVFAIL", fmt.Sprintf("%d of %d", unresolved, sent), "≤ 0.5 %", 200*unresolved <= sent)
}

// The cable is slow and narrow: what is known is answered all the same, and what is not, late but right.
func TestS12ANarrowCable(t *testing.T) {
	c := cabledTown(t)
	for _, end := range []struct {
		m      *machine
		device string
	}{{c.hall, "cable"}, {c.far, "eth0"}} {
		end.m.do("tc", "qdisc", "add", "dev", end.device, "root", "tbf", "rate", "256kbit", "burst", "2kb", "latency", "300ms")
	}
	known := manyNames(t, 1, "noto%d.example")
	perf(t, c.perf("-n", "1", "-d", known))
	many := part(t, 2000)
	var busy sync.WaitGroup
	busy.Go(func() {
		sent, lost, codes := perf(t, c.perf("-n", "1", "-q", "50", "-Q", "300", "-d", manyNames(t, many, "n%d.example")))
		none(t, "clients without any reply over a cable of 256 kbit/s that is full", lost, sent)
		few(t, "of these told SERVFAIL", codes["SERVFAIL"], sent)
	})
	sent, lost, codes := perf(t, c.perf("-n", fmt.Sprint(many), "-q", "50", "-Q", "500", "-d", known))
	none(t, "cached answers lost meanwhile", lost+sent-codes["NOERROR"], sent)
	busy.Wait()
}

// The cable is pulled and plugged in again: what is known is answered as if nothing were, the rest ends soon and comes back soon.
func TestS12ACableThatFlaps(t *testing.T) {
	c := cabledTown(t)
	known := manyNames(t, 20, "noto%d.example")
	perf(t, c.perf("-n", "1", "-d", known))
	flaps := part(t, 30)
	var busy sync.WaitGroup
	finished := make(chan struct{})
	busy.Go(func() {
		sent, lost, codes := perf(t, c.perf("-l", fmt.Sprint(flaps*2), "-q", "50", "-Q", "500", "-d", known))
		none(t, fmt.Sprintf("cached answers lost while the cable is pulled %d times", flaps), lost+sent-codes["NOERROR"], sent)
	})
	go func() { busy.Wait(); close(finished) }()
	var longestDown, longestBack time.Duration
	ask := func(name string) (ok bool, took time.Duration) {
		begun := time.Now()
		out, err := c.hall.command("dig", "+tries=1", "+timeout=8", "-b", "127.20.0.1", "@127.0.0.1", "-p", portOf(c.addr), name).CombinedOutput()
		if err != nil {
			t.Errorf("dig: %v\n%s", err, out)
		}
		return strings.Contains(string(out), honestAddress), time.Since(begun)
	}
	for i := range flaps {
		c.hall.do("ip", "link", "set", "cable", "down")
		ok, took := ask(fmt.Sprintf("giu%d.example", i))
		if ok {
			t.Error("the cable is pulled, and yet there is an answer")
		}
		longestDown = max(longestDown, took)
		c.hall.do("ip", "link", "set", "cable", "up")
		c.hall.do("ip", "route", "replace", "10.90.0.2/32", "dev", "cable")
		begun := time.Now()
		for n := 0; ; n++ {
			if ok, _ := ask(fmt.Sprintf("su%d-%d.example", i, n)); ok {
				break
			}
			if time.Since(begun) > 3*patience {
				t.Fatal("the cable is back, and yet nothing is resolved")
			}
		}
		longestBack = max(longestBack, time.Since(begun))
	}
	<-finished
	inTime(t, "until SERVFAIL for a new name while the cable is pulled", longestDown, 5*time.Second)
	inTime(t, "until new names are resolved once it is back", longestBack, 2*time.Second)
}
