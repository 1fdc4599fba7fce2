//go:build e2e

package e2e

import (
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/resolver/dnstest"
)

const honestAddress = "192.0.2.10"

// honest knows every name, at one address.
func honest(q dnstest.Query) []dnstest.Send {
	if q.Msg.Question[0].Qtype != dns.TypeA {
		return []dnstest.Send{dnstest.Message(dnstest.ReplyNegative(q, dns.RcodeSuccess))}
	}
	return []dnstest.Send{dnstest.Message(dnstest.Reply(q, q.Name()+" 60 A "+honestAddress))}
}

// addresses are those of a message's answer.
func addresses(m *dns.Msg) (all []string) {
	for _, rr := range m.Answer {
		if a, ok := rr.(*dns.A); ok {
			all = append(all, a.A.String())
		}
	}
	return all
}

// believed asks from the manager's workstation and says which address is believed, "" for none.
func (d *daemon) believed(name string) (address string, rcode int, took time.Duration) {
	d.t.Helper()
	begun := time.Now()
	m := d.ask("127.20.0.1", name, dns.TypeA)
	return strings.Join(addresses(m), " "), m.Rcode, time.Since(begun)
}

// lyingScripts are what an upstream, or somebody in its name, sends over UDP and over TCP; see dnstest.Script. What final says is a
// server's last word, after which no truth is waited for.
var lyingScripts = []struct {
	udp, tcp string
	final    bool
}{
	{udp: "wrong-id 200"}, {udp: "wrong-question"}, {udp: "wrong-case"}, {udp: "other-port"}, {udp: "not-a-response"}, {udp: "empty"},
	{udp: "garbage"}, {udp: "header"}, {udp: "wrong-id,wrong-question,other-port,not-a-response,empty,garbage,header"}, {udp: "truncated"},
	{udp: "cut 13"}, {udp: "cut 40"}, {udp: "loop 1"}, {udp: "loop 3"}, {udp: "chain 60"}, {udp: "nothing"},
	// Questions share connections: who lies over TCP comes after those who are to be heard there.
	{udp: "truncated", tcp: "truncated", final: true}, {udp: "truncated", tcp: "cut 20", final: true}, {udp: "truncated", tcp: "hang-up", final: true},
	{udp: "truncated", tcp: "wrong-id", final: true}, {udp: "SERVFAIL", final: true}, {udp: "REFUSED", final: true}, {udp: "NOTIMP", final: true},
}

// lying is the handler of a script, with the truth after the lies over UDP or without.
func lying(t testing.TB, udp, tcp string, andThenTruth bool) dnstest.Handler {
	t.Helper()
	over := func(text string) dnstest.Handler {
		if text == "" {
			return honest
		}
		lines := strings.Split(text, ",")
		if andThenTruth {
			lines = append(lines, "truth")
		}
		h, err := dnstest.Script(honest, lines)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	datagram, stream := over(udp), over(tcp)
	return func(q dnstest.Query) []dnstest.Send {
		if q.Transport == dnstest.TCP {
			return stream(q)
		}
		return datagram(q)
	}
}

// Each lie is told to some names: alone, and before the truth. Afterwards the upstream is honest, and what it says is believed at once or
// after the pause that a failing name has: nothing of a lie was kept.
func TestS5ALyingUpstreamIsNotBelieved(t *testing.T) {
	up := dnstest.Start(t, honest)
	d := manager(t, "--upstream", up.Addr.String())
	wrong, missed, asked := 0, 0, 0
	var slowest time.Duration
	var names []string
	told := map[string]dnstest.Handler{} // by the label before the last
	up.SetHandler(func(q dnstest.Query) []dnstest.Send {
		return told[dns.SplitDomainName(strings.ToLower(q.Name()))[1]](q)
	})
	var lanes sync.WaitGroup
	var overTCP sync.Once
	places := make(chan struct{}, 150) // one client may wait for 200 answers
	var mu sync.Mutex
	for i, lie := range lyingScripts {
		for _, truth := range []bool{false, true} {
			label := fmt.Sprintf("lie%d-%t", i, truth)
			told[label] = lying(t, lie.udp, lie.tcp, truth)
			for k := range part(t, 20) {
				names = append(names, fmt.Sprintf("n%d.%s.example", k, label))
			}
		}
	}
	for _, name := range names {
		var i int
		var truth bool
		fmt.Sscanf(name[strings.Index(name, ".lie"):], ".lie%d-%t", &i, &truth)
		lie := lyingScripts[i]
		if lie.tcp != "" {
			overTCP.Do(lanes.Wait)
		}
		places <- struct{}{}
		lanes.Go(func() {
			defer func() { <-places }()
			q, _ := question(name, dns.TypeA).Pack()
			begun := time.Now()
			raw, err := dnstest.ExchangeRaw("udp", d.addr.String(), "127.20.0.1", q, patience)
			took := time.Since(begun)
			mu.Lock()
			defer mu.Unlock()
			asked++
			slowest = max(slowest, took)
			var m dns.Msg
			if err != nil || m.Unpack(raw) != nil {
				missed++
				t.Errorf("%+v, truth %t: %v", lie, truth, err)
				return
			}
			switch got := strings.Join(addresses(&m), " "); {
			case got == honestAddress:
			case got != "":
				wrong++
				t.Errorf("%+v, truth %t: %s is believed", lie, truth, got)
			case m.Rcode != dns.RcodeServerFailure || truth && !lie.final:
				missed++
				t.Errorf("%+v, truth %t: %s", lie, truth, dns.RcodeToString[m.Rcode])
			}
		})
	}
	lanes.Wait()
	up.SetHandler(honest)
	none(t, fmt.Sprintf("forged answers passed, of %d ways to lie", 2*len(lyingScripts)), wrong, asked)
	none(t, "questions without a reply, or told SERVFAIL though the truth came too", missed, asked)
	inTime(t, "the slowest answer or SERVFAIL", slowest, 5500*time.Millisecond)
	kept := 0
	for _, name := range names {
		eventually(t, name+" is known", func() bool {
			got, _, _ := d.believed(name)
			if got != "" && got != honestAddress {
				kept++
			}
			return got != ""
		})
	}
	none(t, "forged answers kept in the cache", kept, len(names))
}

// Lifetimes that nobody may believe (RFC 2181 §8) leave nothing for another client.
func TestS5LifetimesNobodyMayBelieve(t *testing.T) {
	kept, asked := 0, 0
	for _, ttl := range []uint32{0, 1 << 31, math.MaxUint32} {
		up := dnstest.Start(t, func(q dnstest.Query) []dnstest.Send {
			m := dnstest.Reply(q, q.Name()+" 60 A "+honestAddress)
			m.Answer[0].Header().Ttl = ttl
			return []dnstest.Send{dnstest.Message(m)}
		})
		d := manager(t, "--upstream", up.Addr.String())
		for range 3 {
			m := d.ask("127.20.0.1", "www.example", dns.TypeA)
			if asked++; len(m.Answer) != 1 || m.Answer[0].Header().Ttl > 0 {
				kept++
			}
		}
		if n := up.Asked("www.example."); n != 3 {
			kept++
			t.Errorf("TTL %d: asked upstream %d times; want 3", ttl, n)
		}
	}
	none(t, "answers without a lifetime that were kept", kept, asked)
}

// Records beside the answer, and addresses of private networks from outside, go no further.
func TestS6RecordsBesideTheAnswerGoNoFurther(t *testing.T) {
	const forged = dnstest.Forged
	up := dnstest.Start(t, func(q dnstest.Query) []dnstest.Send {
		switch {
		case strings.HasPrefix(strings.ToLower(q.Name()), "privato"):
			return []dnstest.Send{dnstest.Message(dnstest.Reply(q, q.Name()+" 60 A 10.20.1.5", q.Name()+" 60 A 127.0.0.1", q.Name()+" 60 A 192.168.1.1"))}
		case strings.HasPrefix(strings.ToLower(q.Name()), "banca"):
			return honest(q)
		}
		m := dnstest.Reply(q, q.Name()+" 60 A "+honestAddress, "banca.example. 3600 A "+forged)
		for _, line := range []string{"banca.example. 3600 NS ns.banca.example.", "ns.banca.example. 3600 A " + forged, "banca.example. 3600 A " + forged} {
			rr, err := dns.NewRR(line)
			if err != nil {
				panic(err)
			}
			m.Ns = append(m.Ns, rr)
			m.Extra = append(m.Extra, rr)
		}
		return []dnstest.Send{dnstest.Message(m)}
	})
	d := manager(t, "--upstream", up.Addr.String())
	passed, kept, asked := 0, 0, part(t, 1000)
	for i := range asked {
		if m := d.ask("127.20.0.1", fmt.Sprintf("n%d.example", i), dns.TypeA); strings.Contains(m.String(), forged) || len(m.Answer) != 1 {
			passed++
		}
		if got, _, _ := d.believed(fmt.Sprintf("privato%d.example", i)); got != "" {
			passed++
		}
		if got, _, _ := d.believed("banca.example"); got != honestAddress {
			kept++
		}
	}
	none(t, "records beside the question, and private addresses from outside, passed", passed, 2*asked)
	none(t, "records beside the question believed later", kept, asked)
}

// Many clients who ask for the same at once are one question upstream.
func TestS9IdenticalQuestionsAreOneUpstream(t *testing.T) {
	release := make(chan struct{})
	up := dnstest.Start(t, func(q dnstest.Query) []dnstest.Send {
		return []dnstest.Send{honest(q)[0].After(release)}
	})
	d := serve(t, setup{args: []string{"--upstream", up.Addr.String()}})
	d.must("office", "add", "tutti", "--name", "Tutti", "--mailbox", "t@comune.it", "--network", "127.20.0.0/16")
	d.must("seat", "add", "dirigente", "--office", "tutti", "--role", "manager", "--holder", "M. Rossi", "--from", "2026-01-01")
	d.must("allow", "www.example.org", "--office", "tutti", "--protocol", "1/2026", "--reason", "prova")
	query, err := question("www.example.org", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	const clients = 1000
	var answered atomic.Int64
	var sent, all sync.WaitGroup
	for i := range clients {
		sent.Add(1)
		all.Go(func() {
			conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 20, byte(i/200), byte(1+i%200))}, net.UDPAddrFromAddrPort(d.addr))
			if err == nil {
				defer conn.Close()
				_, err = conn.Write(query)
			}
			sent.Done()
			if err != nil {
				t.Error(err)
				return
			}
			conn.SetReadDeadline(time.Now().Add(patience))
			var m dns.Msg
			buf := make([]byte, 1232)
			if n, err := conn.Read(buf); err == nil && m.Unpack(buf[:n]) == nil && slices.Equal(addresses(&m), []string{honestAddress}) {
				answered.Add(1)
			}
		})
	}
	sent.Wait()
	eventually(t, "the question is upstream", func() bool { return up.Asked("www.example.org.") > 0 })
	eventually(t, "all have asked", func() bool { return d.status().Counters.Allowed >= clients })
	close(release)
	all.Wait()
	atMost(t, fmt.Sprintf("questions upstream for %d clients who ask the same at once", clients), up.Asked("www.example.org."), 1, "")
	none(t, "of these clients without an answer", clients-int(answered.Load()), clients)
}
