package resolver

import (
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/policy"
	"usciere/resolver/answercache"
	"usciere/resolver/dnstest"
	"usciere/resolver/upstream"
)

// staleDay lets answers stand in for a day, as the default settings do.
var staleDay = answercache.Config{StaleMax: 86400}

// refuse is an upstream server that answers nobody.
func refuse(q dnstest.Query) []dnstest.Send {
	return []dnstest.Send{dnstest.Message(dnstest.ReplyNegative(q, dns.RcodeRefused))}
}

// servfail is one that cannot resolve anything.
func servfail(q dnstest.Query) []dnstest.Send {
	return []dnstest.Send{dnstest.Message(dnstest.ReplyNegative(q, dns.RcodeServerFailure))}
}

func TestAnExpiredAnswerStandsInWhenTheUpstreamFails(t *testing.T) { // RFC 8767
	for name, failing := range map[string]dnstest.Handler{"refusing": refuse, "SERVFAIL": servfail} {
		t.Run(name, func(t *testing.T) {
			h := openWith(t, staleDay, nil)
			ask := func(want map[string]string) {
				t.Helper()
				for text, want := range want {
					m := h.exchange("udp", anagrafe, question(t, text, edns, ad))
					if got := short(m); got != want {
						t.Errorf("%s: got %s, want %s", text, got, want)
					}
					for _, rr := range m.Answer {
						if strings.Contains(want, "ede 3") && rr.Header().Ttl != 30 {
							t.Errorf("%s: TTL %d", text, rr.Header().Ttl)
						}
					}
				}
			}
			stale := map[string]string{
				"www.inps.it A": "NOERROR, 192.0.2.1, ede 3", "www.inps.it TXT": "NOERROR, SOA inps.it., ede 3",
				"none.inps.it A": "NXDOMAIN, SOA inps.it., ede 19",
			}
			for text := range stale {
				h.ask(anagrafe, text)
			}
			h.upstream.SetHandler(failing)
			h.clock.advance(time.Hour)
			ask(stale)
			asked := len(h.upstream.Queries())
			h.clock.advance(30*time.Second - 1)
			ask(stale)
			if got := len(h.upstream.Queries()); got != asked {
				t.Errorf("asked upstream %d times more within 30 s", got-asked)
			}
			h.clock.advance(1)
			ask(stale)
			if got := len(h.upstream.Queries()); got != asked+len(stale) {
				t.Errorf("asked upstream %d times more after 30 s, want %d", got-asked, len(stale))
			}
			h.upstream.SetHandler(dnstest.Records(records...))
			h.clock.advance(30 * time.Second)
			ask(map[string]string{
				"www.inps.it A": "NOERROR, 192.0.2.1", "www.inps.it TXT": "NOERROR, SOA inps.it.", "none.inps.it A": "NXDOMAIN, SOA inps.it.",
			})
			if s := h.cache.Stats(); s.Stale != 9 || s.Failed != 0 || h.resolver.Stats().Failures != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestAnAnswerTooOldDoesNotStandIn(t *testing.T) {
	for name, r := range map[string]struct {
		cache answercache.Config
		after time.Duration
		want  string
	}{
		"within the time": {staleDay, 25*time.Hour - time.Second, "NOERROR, 192.0.2.1, ede 3"}, // its TTL is an hour
		"past it":         {staleDay, 25 * time.Hour, "SERVFAIL, ede 22"},
		"not at all":      {answercache.Config{}, time.Hour, "SERVFAIL, ede 22"},
	} {
		t.Run(name, func(t *testing.T) {
			h := openWith(t, r.cache, nil)
			h.ask(anagrafe, "www.inps.it A")
			h.upstream.SetHandler(refuse)
			h.clock.advance(r.after)
			if got := h.ask(anagrafe, "www.inps.it A", edns); got != r.want {
				t.Errorf("got %s, want %s", got, r.want)
			}
		})
	}
}

func TestARevokedNameIsLedToThePageHoweverStaleItsAnswer(t *testing.T) { // S8
	h := openWith(t, staleDay, nil)
	ids := h.grant("tributi", policy.Web, "www.example.com")
	h.ask(tributi, "www.example.com A")
	h.upstream.SetHandler(refuse)
	h.clock.advance(time.Hour)
	h.expect([3]string{tributi, "www.example.com A", "NOERROR, 192.0.2.13"})
	h.revoke(ids)
	h.expect([3]string{tributi, "www.example.com A", page})
}

func TestAClientWaitsForAFreshAnswerOnlySoLong(t *testing.T) { // S12
	over, release, held := make(chan struct{}), make(chan struct{}), make(chan struct{}, 1)
	h := openWith(t, staleDay, over)
	h.ask(anagrafe, "www.inps.it A")
	h.clock.advance(time.Hour)
	honest := dnstest.Records("www.inps.it. 3600 IN A 192.0.2.77")
	h.upstream.SetHandler(func(q dnstest.Query) []dnstest.Send {
		held <- struct{}{}
		return []dnstest.Send{honest(q)[0].After(release)}
	})
	h.setup.Upstream = upstream.New(upstream.Config{
		Servers: []netip.AddrPort{h.upstream.Addr}, Trusted: true, TryTimeout: 20 * time.Second, Timeout: 20 * time.Second, Now: h.clock.Now,
	})
	t.Cleanup(h.setup.Upstream.Close)
	h.resolver.Use(h.setup) // the same servers: what is known of them stays

	first := make(chan string, 1)
	go func() {
		pkt, _ := question(t, "www.inps.it A", edns).Pack()
		reply, err := dnstest.ExchangeRaw("udp", h.addr, anagrafe, pkt, 10*time.Second)
		m := new(dns.Msg)
		if err != nil || m.Unpack(reply) != nil {
			t.Errorf("no reply: %v", err)
		}
		first <- short(m)
	}()
	<-held
	select {
	case got := <-first:
		t.Fatalf("did not wait: %s", got)
	default:
	}
	close(over)
	if got := <-first; got != "NOERROR, 192.0.2.1, ede 3" {
		t.Errorf("got %s", got)
	}
	if got := h.ask(anagrafe, "www.inps.it A", edns); got != "NOERROR, 192.0.2.1, ede 3" {
		t.Errorf("who asks next: got %s", got)
	}
	puts := h.cache.Stats().Puts
	close(release) // nobody waits any more, but the answer is kept
	h.await(func() bool { return h.cache.Stats().Puts > puts })
	if got := h.ask(anagrafe, "www.inps.it A", edns); got != "NOERROR, 192.0.2.77" {
		t.Errorf("after the answer came: got %s", got)
	}
	if n := h.upstream.Asked("www.inps.it"); n != 2 {
		t.Errorf("asked upstream %d times, want twice", n)
	}
}

func TestNobodyWaitsForServersThatAreKnownToBeSilent(t *testing.T) { // S12
	h := openWith(t, staleDay, make(chan struct{})) // the time that a client waits is never over
	h.ask(anagrafe, "www.inps.it A")
	h.clock.advance(time.Hour)
	h.setup.Upstream = upstream.New(upstream.Config{
		Servers: []netip.AddrPort{h.upstream.Addr}, Trusted: true, TryTimeout: 20 * time.Second, Timeout: 20 * time.Second, Now: h.clock.Now,
	})
	t.Cleanup(h.setup.Upstream.Close)
	h.resolver.Use(h.setup)
	h.upstream.Close()
	if got := h.ask(anagrafe, "www.inps.it A", edns); got != "NOERROR, 192.0.2.1, ede 3" {
		t.Errorf("when nobody is there: got %s", got)
	}
	silent, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(h.upstream.Addr))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	h.clock.advance(time.Hour) // past the pause of a failing name
	if got := h.ask(anagrafe, "www.inps.it A", edns); got != "NOERROR, 192.0.2.1, ede 3" {
		t.Errorf("when there is only silence: got %s", got)
	}
	if _, _, err := silent.ReadFromUDP(make([]byte, 512)); err != nil { // and yet it is asked, for the next client
		t.Error(err)
	}
}

// await waits until something that needs no more input has happened.
func (h *house) await(happened func() bool) {
	h.Helper()
	for deadline := time.Now().Add(10 * time.Second); !happened(); runtime.Gosched() {
		if time.Now().After(deadline) {
			h.Fatal("waited in vain")
		}
	}
}

func TestAFailingNameIsAskedUpstreamAtGrowingIntervals(t *testing.T) { // S11, RFC 9520
	for name, r := range map[string]struct {
		failing dnstest.Handler
		known   string
	}{"refusing": {refuse, "SERVFAIL, ede 13, ede 22"}, "SERVFAIL": {servfail, "SERVFAIL, ede 13"}} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			h.upstream.SetHandler(r.failing)
			asked := 0
			for _, wait := range []time.Duration{5, 10, 20, 40, 80, 160, 300, 300} {
				h.ask(anagrafe, "www.inps.it A")
				asked++
				h.clock.advance(wait*time.Second - 1)
				if got := h.ask(anagrafe, "www.inps.it A", edns); got != r.known {
					t.Errorf("before %d s: got %s, want %s", wait, got, r.known)
				}
				if n := h.upstream.Asked("www.inps.it"); n != asked {
					t.Fatalf("before %d s: asked upstream %d times, want %d", wait, n, asked)
				}
				h.clock.advance(1)
			}
		})
	}
}

func TestManyClientsOfAFailingNameAreOneRoundUpstream(t *testing.T) { // S11
	h := open(t)
	h.upstream.SetHandler(refuse)
	for _, name := range []string{"a.inps.it", "b.inps.it", "c.inps.it", "d.inps.it", "e.inps.it"} {
		pkt, _ := question(t, name+" A").Pack()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				for range 5 {
					if _, err := dnstest.ExchangeRaw("udp", h.addr, anagrafe, pkt, 10*time.Second); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if n := h.upstream.Asked(name); n != 1 {
			t.Errorf("%s: asked upstream %d times, want once", name, n)
		}
	}
}

func TestWhatIsShedIsNoFailureAndAStaleAnswerStandsIn(t *testing.T) {
	release, held := make(chan struct{}), make(chan struct{}, 1)
	h := openWith(t, staleDay, nil)
	h.ask(anagrafe, "servizi.inps.it A")
	h.clock.advance(time.Hour)
	honest := dnstest.Records(records...)
	h.upstream.SetHandler(func(q dnstest.Query) []dnstest.Send {
		held <- struct{}{}
		return []dnstest.Send{honest(q)[0].After(release)}
	})
	h.setup.Upstream = upstream.New(upstream.Config{
		Servers: []netip.AddrPort{h.upstream.Addr}, Trusted: true, MaxInFlight: 1, TryTimeout: 20 * time.Second, Timeout: 20 * time.Second,
	})
	t.Cleanup(h.setup.Upstream.Close)
	h.resolver.Use(h.setup)
	stale := h.askMeanwhile("servizi.inps.it A")
	<-held
	first := h.askMeanwhile("www.inps.it A")
	if got := <-stale; got != "NOERROR, 192.0.2.2, ede 3" {
		t.Errorf("with a stale answer: got %s", got)
	}
	<-held
	second := h.askMeanwhile("inps.it A")
	if got := <-first; got != "SERVFAIL, ede 0+" {
		t.Errorf("without: got %s", got)
	}
	if s := h.cache.Stats(); s.Failing != 0 {
		t.Errorf("%+v", s)
	}
	<-held
	close(release)
	<-second
	h.upstream.SetHandler(honest)
	if got := h.ask(anagrafe, "servizi.inps.it A", edns); got != "NOERROR, 192.0.2.2" {
		t.Errorf("afterwards: got %s", got)
	}
}

func TestAPopularAnswerIsRefreshedBeforeItEnds(t *testing.T) {
	h := openWith(t, answercache.Config{Prefetch: true}, nil)
	h.ask(anagrafe, "servizi.inps.it A") // 100 s
	h.ask(anagrafe, "servizi.inps.it A")
	h.clock.advance(91 * time.Second)
	if m := h.exchange("udp", anagrafe, question(t, "servizi.inps.it A")); m.Answer[0].Header().Ttl != 9 {
		t.Errorf("the client had to wait: %v", m.Answer)
	}
	h.await(func() bool { return h.cache.Stats().Puts == 2 })
	if m := h.exchange("udp", anagrafe, question(t, "servizi.inps.it A")); m.Answer[0].Header().Ttl != 100 {
		t.Errorf("not refreshed: %v", m.Answer)
	}
	if n := h.upstream.Asked("servizi.inps.it"); n != 2 || h.cache.Stats().Prefetches != 1 {
		t.Errorf("asked upstream %d times, want twice", n)
	}
}

func TestAReloadKeepsWhatTheSameServersSaidAndForgetsFailures(t *testing.T) {
	h := open(t)
	h.ask(anagrafe, "www.inps.it A")
	h.ask(tributi, "dc.ad.comune.test A")
	h.ask(tributi, "dc.sede.ad.comune.test A")
	h.upstream.SetHandler(refuse)
	h.ask(anagrafe, "servizi.inps.it A")
	next := h.setup
	next.Forwards = []Forward{next.Forwards[1], {Zones: next.Forwards[0].Zones, Group: h.group(h.branch)}} // another order, and one with other servers
	next.Upstream = h.group(h.upstream)
	h.resolver.Use(next)
	h.expect(
		[3]string{anagrafe, "www.inps.it A", "NOERROR, 192.0.2.1"},
		[3]string{tributi, "dc.sede.ad.comune.test A", "NOERROR, 127.10.0.3"},
	)
	if s := h.cache.Stats(); s.Entries != 2 || s.Failing != 0 || s.Hits != 2 {
		t.Errorf("%+v", s)
	}
	if got := h.resolver.Cached(name(t, "dc.sede.ad.comune.test")); len(got) != 1 || got[0].Forward != name(t, "sede.ad.comune.test") {
		t.Errorf("shown: %+v", got)
	}
	h.upstream.SetHandler(dnstest.Records(records...))
	h.expect([3]string{anagrafe, "servizi.inps.it A", "NOERROR, 192.0.2.2"})
}

func TestAnAliasOfALocalZoneLeadsToAStaleAnswer(t *testing.T) {
	h := openWith(t, staleDay, nil, func(s *Setup) {
		s.Zones = []LocalZone{localZone(t, "comune.it", nil, "out CNAME www.inps.it.", "down CNAME down.inps.it.")}
	})
	h.ask(tributi, "out.comune.it A")
	h.upstream.SetHandler(refuse)
	h.clock.advance(time.Hour)
	for range 2 { // after asking upstream, then at once
		h.rows(t, []row{
			{"a target that was known", tributi, "out.comune.it A", "NOERROR, aa, CNAME www.inps.it., 192.0.2.1, ede 3", []option{edns}},
		})
	}
	h.rows(t, []row{
		{"one that never was", tributi, "down.comune.it A", "SERVFAIL, ede 22", []option{edns}},
		{"and is known to fail", tributi, "down.comune.it A", "SERVFAIL, ede 13, ede 22", []option{edns}},
	})
}

func TestTheCacheShowsStaleAnswersAsSuch(t *testing.T) {
	h := openWith(t, staleDay, nil)
	h.ask(anagrafe, "servizi.inps.it A")
	h.clock.advance(200 * time.Second)
	got := h.resolver.Cached(name(t, "servizi.inps.it"))
	if len(got) != 1 || !got[0].Stale || got[0].Remaining != 86300 {
		t.Errorf("got %+v", got)
	}
}
