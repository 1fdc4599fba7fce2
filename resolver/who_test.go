package resolver

import (
	"context"
	"net/netip"
	"testing"

	"usciere/policy"
	"usciere/resolver/dnstest"
	"usciere/resolver/listen"
)

// shows gives the questions of some addresses what their clients show, as the encrypted transports do.
type shows struct {
	*Resolver
	claims map[netip.Addr]*listen.Claim
}

func (s shows) Serve(r *listen.Request) {
	r.Claim = s.claims[r.Client.Addr()]
	s.Resolver.Serve(r)
}

func TestWhatAClientShowsGoesBeforeItsAddress(t *testing.T) {
	h := open(t, func(s *Setup) {
		s.Portal = name(t, "usciere.internal")
		s.Sinkhole.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.80")}
	})
	const (
		home, laptop, thief, guest = outside, "127.99.0.2", "127.99.0.3", "127.10.2.77"
	)
	h.apply(
		policy.AddHost{Addr: netip.MustParseAddr("127.10.1.77"), Name: "portatile"},
		policy.AddToken{ID: "casa", Hash: policy.Hash{1}, Seat: "dirigente-tributi"},
		policy.AddToken{ID: "portatile", Hash: policy.Hash{2}, Host: netip.MustParseAddr("127.10.1.77")},
		policy.AddToken{ID: "chiave", Shows: policy.Certificate, Hash: policy.Hash{3}, Host: netip.MustParseAddr("127.10.1.77")},
	)
	h.grant("anagrafe", policy.Web, "www.inps.it")
	claims := map[netip.Addr]*listen.Claim{}
	for addr, claim := range map[string]listen.Claim{home: {Token: policy.Hash{1}}, laptop: {Certificate: policy.Hash{3}}, thief: {Token: policy.Hash{9}}, guest: {Token: policy.Hash{2}}} {
		claims[netip.MustParseAddr(addr)] = &claim
	}
	door, err := listen.Open(listen.Config{Addrs: []string{"127.0.0.1:0"}, Readers: 1, Now: h.clock.Now, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- door.Serve(shows{h.resolver, claims}) }()
	t.Cleanup(func() { _ = door.Shutdown(context.Background()); <-served })
	ask := func(from, text, want string) {
		t.Helper()
		for range 3 { // the second time and the third it is remembered
			for _, network := range []string{"udp", "tcp"} {
				if got := short(dnstest.Exchange(t, network, door.Addrs()[0].String(), from, question(t, text))); got != want {
					t.Errorf("%s asks %s over %s: got %s, want %s", from, text, network, got, want)
				}
			}
		}
	}
	const page = "NOERROR, 192.0.2.80"
	ask(anagrafe, "www.example.com A", page) // of the same office and role as the laptop
	ask(laptop, "www.example.com A", nodata)
	ask(anagrafe, "www.example.com A", page)
	ask(guest, "www.example.com A", page) // inside, in another office's network
	ask(tributi, "www.inps.it A", page)
	ask(guest, "www.inps.it A", h.ask(anagrafe, "www.inps.it A"))
	ask(laptop, "www.inps.it A", h.ask(anagrafe, "www.inps.it A"))
	ask(home, "www.example.com A", h.ask(manager, "www.example.com A"))
	ask(thief, "www.inps.it A", "REFUSED")
	ask("127.99.0.9", "www.inps.it A", "REFUSED")
	ask(anagrafe, "usciere.internal A", "NOERROR, aa, 192.0.2.80")
	ask(laptop, "usciere.internal A", "NOERROR, aa, soa")
	if !h.resolver.Knows(claims[netip.MustParseAddr(home)], netip.MustParseAddr(home)) || h.resolver.Knows(claims[netip.MustParseAddr(thief)], netip.MustParseAddr(thief)) {
		t.Error("it does not know whom it answers")
	}

	h.apply(policy.RevokeToken{ID: "casa"}, policy.RevokeToken{ID: "portatile"}, policy.RevokeToken{ID: "chiave"})
	ask(home, "www.example.com A", "REFUSED")
	ask(laptop, "www.inps.it A", "REFUSED")
	ask(guest, "www.inps.it A", "REFUSED") // inside, but it meant to be somebody
}
