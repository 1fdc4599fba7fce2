//go:build e2e

package e2e

import (
	"fmt"
	"net"
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

// flooded is a town whose upstream knows all names but those below acqua.example, on which it sits until they are released, and a client
// without limits at 127.20.0.1 and 127.20.0.2 each.
func flooded(t *testing.T, release <-chan struct{}) *daemon {
	t.Helper()
	up := dnstest.Start(t, func(q dnstest.Query) []dnstest.Send {
		if !strings.HasSuffix(strings.ToLower(q.Name()), ".acqua.example.") {
			return honest(q)
		}
		if release == nil {
			return nil
		}
		m := dnstest.Reply(q, q.Name()+" 60 A "+honestAddress)
		for i := range 60 {
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Name(), Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(203, 0, 113, byte(i))})
		}
		return []dnstest.Send{dnstest.Message(m).After(release)}
	})
	d := manager(t, "--upstream", up.Addr.String())
	d.must("host", "add", "127.20.0.2", "--seat", "dirigente")
	return d
}

// latencies asks new names one after another in some lanes, and returns how long each took, sorted, and how many were not resolved.
func (d *daemon) latencies(t *testing.T, many int, pattern string) (took []time.Duration, lost int) {
	t.Helper()
	var mu sync.Mutex
	var lanes sync.WaitGroup
	const width = 4
	for lane := range width {
		lanes.Go(func() {
			for i := range many / width {
				q, _ := question(fmt.Sprintf(pattern, lane, i), dns.TypeA).Pack()
				begun := time.Now()
				raw, err := dnstest.ExchangeRaw("udp", d.addr.String(), "127.20.0.1", q, patience)
				var m dns.Msg
				ok := err == nil && m.Unpack(raw) == nil && slices.Equal(addresses(&m), []string{honestAddress})
				mu.Lock()
				took = append(took, time.Since(begun))
				if !ok {
					lost++
				}
				mu.Unlock()
			}
		})
	}
	lanes.Wait()
	slices.Sort(took)
	return took, lost
}

// One client asks for names that nobody asked before, and whose servers do not answer: others do not notice.
func TestS14AFloodOfRandomNamesHarmsNobodyElse(t *testing.T) {
	d := flooded(t, nil)
	many := max(400, part(t, 8000))
	quiet, lost := d.latencies(t, many, "prima%d-%d.example")
	if lost > 0 {
		t.Fatalf("%d lost before there is a flood", lost)
	}
	stop := make(chan struct{})
	var flood sync.WaitGroup
	sent := 0
	flood.Go(func() {
		conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 20, 0, 2)}, net.UDPAddrFromAddrPort(d.addr))
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		tick := time.NewTicker(10 * time.Millisecond) // 2,000 a second
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			for range 20 {
				q, _ := question(fmt.Sprintf("n%d.acqua.example", sent), dns.TypeA).Pack()
				if _, err := conn.Write(q); err == nil {
					sent++
				}
			}
		}
	})
	time.Sleep(time.Second)
	during, lost := d.latencies(t, many, "dopo%d-%d.example")
	close(stop)
	flood.Wait()
	few(t, fmt.Sprintf("new names not resolved for others while one client asks %d that are not answered", sent), lost, len(during))
	p99 := func(all []time.Duration) time.Duration { return all[len(all)*99/100] }
	inTime(t, fmt.Sprintf("their slowest hundredth, %s before", p99(quiet).Round(10*time.Microsecond)), p99(during), max(2*p99(quiet), 5*time.Millisecond))
}

// Somebody has answers held back and released at once, to have them sent to a victim in one pulse (DNSBomb).
func TestS14AnswersReleasedAtOnceAreAFewOnly(t *testing.T) {
	release := make(chan struct{})
	d := flooded(t, release)
	conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 20, 0, 2)}, net.UDPAddrFromAddrPort(d.addr))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	many := max(1000, part(t, 5000))
	for i := range many {
		q, _ := question(fmt.Sprintf("n%d.acqua.example", i), dns.TypeA).Pack()
		if _, err := conn.Write(q); err != nil {
			t.Fatal(err)
		}
		if i%50 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	buf := make([]byte, 1<<16)
	replies := func(wait time.Duration) (n, octets int) {
		for {
			conn.SetReadDeadline(time.Now().Add(wait))
			size, err := conn.Read(buf)
			if err != nil {
				return n, octets
			}
			n, octets = n+1, octets+size
		}
	}
	replies(200 * time.Millisecond) // those told at once that too much is under way
	close(release)
	n, octets := replies(500 * time.Millisecond)
	if n == 0 {
		t.Error("nothing was held back: this shows nothing")
	}
	atMost(t, fmt.Sprintf("replies in the pulse, of %d questions", many), n, 200, "")
	atMost(t, "octets in it", octets, 200*1232, "")
}

// The same flood from the outside in: what a cached name costs does not grow while thousands of new ones are asked.
func TestS14CachedNamesDoNotWaitForNewOnes(t *testing.T) {
	d := flooded(t, nil)
	known := write(t, filepath.Join(t.TempDir(), "queries"), "www.example A\n")
	perf(t, exec.Command(tool(t, "dnsperf"), "-s", "127.0.0.1", "-p", portOf(d.addr), "-a", "127.20.0.1", "-n", "1", "-d", known))
	var flood sync.WaitGroup
	flood.Go(func() {
		out, err := exec.Command(tool(t, "dnsperf"), "-s", "127.0.0.1", "-p", portOf(d.addr), "-a", "127.20.0.2", "-n", "1", "-Q", "2000", "-q", "60000", "-t", "1",
			"-d", manyNames(t, max(4000, part(t, 20_000)), "m%d.acqua.example")).CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	sent, lost, codes := perf(t, exec.Command(tool(t, "dnsperf"), "-s", "127.0.0.1", "-p", portOf(d.addr), "-a", "127.20.0.1", "-Q", "2000",
		"-n", fmt.Sprint(max(4000, part(t, 20_000))), "-d", known))
	few(t, "cached answers lost while a flood of new names goes on", lost+sent-codes["NOERROR"], sent)
	flood.Wait()
}
