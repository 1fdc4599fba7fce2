package resolver

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/resolver/dnstest"
	"usciere/resolver/listen"
	"usciere/resolver/upstream"
)

func TestTTLsAgeInTheCacheAndAreCapped(t *testing.T) {
	h := open(t)
	ttl := func(text string, want uint32) {
		t.Helper()
		m := h.exchange("udp", anagrafe, question(t, text))
		if len(m.Answer) != 1 || m.Answer[0].Header().Ttl != want {
			t.Errorf("%s: want one record of TTL %d: %v", text, want, m.Answer)
		}
	}
	ttl("www.inps.it A", 300) // 3600 upstream
	ttl("servizi.inps.it A", 100)
	h.clock.advance(40 * time.Second)
	ttl("www.inps.it A", 300)
	ttl("servizi.inps.it A", 60)
	h.clock.advance(59 * time.Second)
	ttl("servizi.inps.it A", 1)
	h.clock.advance(time.Second)
	ttl("servizi.inps.it A", 100) // asked anew
	h.clock.advance(3400 * time.Second)
	ttl("www.inps.it A", 100) // 3500 s old
	if n, m := h.upstream.Asked("www.inps.it"), h.upstream.Asked("servizi.inps.it"); n != 1 || m != 2 {
		t.Errorf("asked upstream %d and %d times, want once and twice", n, m)
	}
}

func TestNegativeAnswersAreKeptWithTheSOAAsItCame(t *testing.T) { // RFC 2308
	h := open(t)
	for range 2 {
		for text, rcode := range map[string]int{"none.inps.it A": dns.RcodeNameError, "www.inps.it TXT": dns.RcodeSuccess} {
			m := h.exchange("udp", anagrafe, question(t, text))
			soa, ok := m.Ns[0].(*dns.SOA)
			if m.Rcode != rcode || !ok || soa.Hdr.Name != "inps.it." || soa.Minttl != 600 || soa.Hdr.Ttl != 300 {
				t.Errorf("%s: got %v", text, m)
			}
		}
	}
	h.clock.advance(599 * time.Second)
	h.ask(anagrafe, "none.inps.it A")
	if n := h.upstream.Asked("none.inps.it"); n != 1 {
		t.Errorf("asked %d times upstream, want once", n)
	}
	h.clock.advance(time.Second)
	h.ask(anagrafe, "none.inps.it A")
	if n := h.upstream.Asked("none.inps.it"); n != 2 {
		t.Errorf("asked %d times upstream after the MINIMUM, want twice", n)
	}
}

func TestAFailureUpstreamIsSERVFAILAndAskedAgainAfterAWhile(t *testing.T) { // RFC 9520
	h := open(t)
	h.upstream.SetHandler(func(q dnstest.Query) []dnstest.Send {
		return []dnstest.Send{dnstest.Message(dnstest.ReplyNegative(q, dns.RcodeRefused))}
	})
	h.expect([3]string{anagrafe, "www.inps.it A", "SERVFAIL"})
	if got := h.ask(anagrafe, "www.inps.it A", edns); got != "SERVFAIL, ede 13, ede 22" {
		t.Errorf("got %s", got)
	}
	if n := h.upstream.Asked("www.inps.it"); n != 1 {
		t.Errorf("asked %d times upstream, want once", n)
	}
	if s := h.resolver.Stats(); s.Failures != 2 || s.Shed != 0 {
		t.Errorf("got %+v", s)
	}
	h.clock.advance(5 * time.Second)
	if got := h.ask(anagrafe, "www.inps.it A", edns); got != "SERVFAIL, ede 22" {
		t.Errorf("got %s", got)
	}
	h.upstream.SetHandler(dnstest.Records(records...))
	h.clock.advance(10 * time.Second)
	h.expect([3]string{anagrafe, "www.inps.it A", "NOERROR, 192.0.2.1"})
}

func TestSERVFAILFromUpstreamIsPassedOnAndKeptAsAFailureOnly(t *testing.T) {
	h := open(t)
	h.upstream.SetHandler(func(q dnstest.Query) []dnstest.Send {
		return []dnstest.Send{dnstest.Message(dnstest.ReplyNegative(q, dns.RcodeServerFailure))}
	})
	h.expect([3]string{anagrafe, "www.inps.it A", "SERVFAIL"})
	h.upstream.SetHandler(dnstest.Records(records...))
	if got := h.ask(anagrafe, "www.inps.it A", edns); got != "SERVFAIL, ede 13" {
		t.Errorf("got %s", got)
	}
	if got := h.ask(anagrafe, "www.inps.it A", cd); got != "NOERROR, 192.0.2.1" {
		t.Errorf("without validation: got %s", got)
	}
	h.clock.advance(5 * time.Second)
	h.expect([3]string{anagrafe, "www.inps.it A", "NOERROR, 192.0.2.1"})
}

func TestOfTooManyQuestionsUnderWayTheOldestIsShed(t *testing.T) {
	release := make(chan struct{})
	held := make(chan struct{}, 1)
	h := open(t)
	honest := dnstest.Records(records...)
	h.upstream.SetHandler(func(q dnstest.Query) []dnstest.Send {
		held <- struct{}{}
		return []dnstest.Send{honest(q)[0].After(release)}
	})
	h.setup.Upstream = upstream.New(upstream.Config{Servers: []netip.AddrPort{h.upstream.Addr}, MaxInFlight: 1, TryTimeout: 20 * time.Second, Timeout: 20 * time.Second})
	t.Cleanup(h.setup.Upstream.Close)
	h.resolver.Use(h.setup)
	first := h.askMeanwhile("www.inps.it A")
	<-held
	second := h.askMeanwhile("inps.it A")
	if got := <-first; got != "SERVFAIL, ede 0+" {
		t.Errorf("the first: got %s", got)
	}
	if s := h.resolver.Stats(); s.Shed != 1 || s.Failures != 0 {
		t.Errorf("got %+v", s)
	}
	<-held
	close(release)
	if got := <-second; got != "NOERROR, 192.0.2.3" {
		t.Errorf("the second: got %s", got)
	}
	h.expect([3]string{anagrafe, "www.inps.it A", "NOERROR, 192.0.2.1"}) // not held against the name
}

// askMeanwhile asks with EDNS from anagrafe while the test goes on.
func (h *house) askMeanwhile(text string) <-chan string {
	h.Helper()
	pkt, err := question(h, text, edns).Pack()
	if err != nil {
		h.Fatal(err)
	}
	got := make(chan string, 1)
	go func() {
		reply, err := dnstest.ExchangeRaw("udp", h.addr, anagrafe, pkt, 10*time.Second)
		m := new(dns.Msg)
		if err != nil || m.Unpack(reply) != nil {
			got <- "no reply"
			return
		}
		got <- short(m)
	}()
	return got
}

func TestTooManyRequestsPendingAreShedByTheListener(t *testing.T) {
	h := open(t)
	full, err := listen.Open(listen.Config{Addrs: []string{"127.0.0.1:0"}, Readers: 1, MaxPending: 1, Now: h.clock.Now, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- full.Serve(h.resolver) }()
	defer func() { full.Shutdown(context.Background()); <-served }()
	release, held := make(chan struct{}), make(chan struct{}, 1)
	honest := dnstest.Records(records...)
	h.upstream.SetHandler(func(q dnstest.Query) []dnstest.Send {
		held <- struct{}{}
		return []dnstest.Send{honest(q)[0].After(release)}
	})
	addr := full.Addrs()[0].String()
	var first sync.WaitGroup
	first.Go(func() {
		pkt, _ := question(t, "www.inps.it A").Pack()
		if _, err := dnstest.ExchangeRaw("udp", addr, anagrafe, pkt, 10*time.Second); err != nil {
			t.Error(err)
		}
	})
	<-held
	if got := short(dnstest.Exchange(t, "udp", addr, anagrafe, question(t, "inps.it A", edns))); got != "SERVFAIL, ede 0+" {
		t.Errorf("got %s", got)
	}
	if got := short(dnstest.Exchange(t, "udp", addr, tributi, question(t, "inps.it A"))); got != page {
		t.Errorf("what needs no upstream: got %s", got)
	}
	close(release)
	first.Wait()
}

func TestDOAndCDPassUpstreamAndAreKeptApart(t *testing.T) {
	h := open(t)
	for _, options := range [][]option{nil, {do}, {cd}, {do, cd}, nil, {do}, {cd}, {do, cd}, {edns}, {ad}} {
		if got := h.ask(anagrafe, "www.inps.it A", options...); got != "NOERROR, 192.0.2.1" {
			t.Errorf("got %s", got)
		}
	}
	seen := map[[2]bool]int{}
	for _, q := range h.upstream.Queries() {
		seen[[2]bool{q.Msg.IsEdns0().Do(), q.Msg.CheckingDisabled}]++
	}
	if len(h.upstream.Queries()) != 4 || len(seen) != 4 {
		t.Errorf("upstream was asked %v, want each of DO and CD once", seen)
	}
}

func TestADIsTheTrustedValidatorsForWhoWantsToKnow(t *testing.T) {
	h := open(t)
	h.upstream.SetHandler(func(q dnstest.Query) []dnstest.Send {
		m := dnstest.Reply(q, q.Name()+" 60 IN A 192.0.2.1")
		m.AuthenticatedData = true
		return []dnstest.Send{dnstest.Message(m)}
	})
	for range 2 { // from the upstream, then from the cache
		h.rows(t, []row{
			{"who did not ask is not told", anagrafe, "www.inps.it A", "NOERROR, 192.0.2.1", nil},
			{"AD asks", anagrafe, "www.inps.it A", "NOERROR, ad, 192.0.2.1", []option{ad}},
			{"DO asks", anagrafe, "www.inps.it A", "NOERROR, ad, 192.0.2.1", []option{do}},
			{"a sinkhole answer is never authentic", tributi, "www.inps.it A", page, []option{ad}},
			{"nor is a local one", tributi, "localhost A", "NOERROR, aa, 127.0.0.1", []option{ad}},
		})
	}
	h.setup.Upstream = h.plainGroup() // not trusted
	h.resolver.Use(h.setup)
	h.cache.Flush()
	for range 2 {
		if got := h.ask(anagrafe, "www.inps.it A", ad); got != "NOERROR, 192.0.2.1" {
			t.Errorf("of an upstream that is not trusted: got %s", got)
		}
	}
}

func TestAnAnswerThatComesAfterAReloadIsNotKept(t *testing.T) {
	h := open(t)
	release, held := make(chan struct{}), make(chan struct{}, 1)
	h.ad.SetHandler(func(q dnstest.Query) []dnstest.Send {
		held <- struct{}{}
		return []dnstest.Send{dnstest.Message(dnstest.Reply(q, "dc.ad.comune.test. 60 IN A 127.10.0.66")).After(release)}
	})
	h.setup.Forwards[0].Group = upstream.New(upstream.Config{Servers: []netip.AddrPort{h.ad.Addr}, TryTimeout: 20 * time.Second, Timeout: 20 * time.Second})
	t.Cleanup(h.setup.Forwards[0].Group.Close)
	h.resolver.Use(h.setup)
	var first sync.WaitGroup
	first.Go(func() {
		pkt, _ := question(t, "dc.ad.comune.test A").Pack()
		if _, err := dnstest.ExchangeRaw("udp", h.addr, tributi, pkt, 10*time.Second); err != nil {
			t.Error(err)
		}
	})
	<-held
	next := h.setup
	next.Forwards = []Forward{{Zones: h.setup.Forwards[0].Zones, Group: h.setup.Forwards[1].Group}} // the same number, other servers
	h.branch.SetHandler(dnstest.Records("dc.ad.comune.test. 60 IN A 127.10.0.77"))
	h.resolver.Use(next)
	h.cache.Flush()
	close(release)
	first.Wait()
	h.expect([3]string{tributi, "dc.ad.comune.test A", "NOERROR, 127.10.0.77"})
}
