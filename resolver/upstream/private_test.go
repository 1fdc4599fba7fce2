package upstream

import (
	"context"
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"usciere/resolver/dnstest"
)

func TestPrivateAddressesFromOutsideAreNeverPassed(t *testing.T) { // S6
	s := dnstest.Start(t, dnstest.Records(
		"example.it. 60 IN SOA ns.example.it. host.example.it. 1 7200 900 1209600 60",
		"mixed.example.it. 60 IN A 192.0.2.1", "mixed.example.it. 60 IN A 192.168.1.1",
		"alias.example.it. 60 IN CNAME inner.example.it.", "inner.example.it. 60 IN A 10.1.2.3",
		"six.example.it. 60 IN AAAA ::ffff:10.0.0.1", "six.example.it. 60 IN AAAA 64:ff9b::7f00:1", "six.example.it. 60 IN AAAA fd00::1",
		"own.example.it. 60 IN A 127.0.0.1", "own.example.it. 60 IN A 0.1.2.3", "own.example.it. 60 IN A 169.254.1.1", "own.example.it. 60 IN A 100.64.0.1",
		"vpn.town.example.it. 60 IN A 10.9.9.9",
	))
	outside := Config{Servers: []netip.AddrPort{s.Addr}, Outside: true, Private: []string{question(t, "town.example.it", dns.TypeA).Name}}
	for _, tc := range []struct {
		about, name string
		t           uint16
		cfg         Config
		want        int // address records
	}{
		{"what is public of a mixed answer stays", "mixed.example.it", dns.TypeA, outside, 1},
		{"behind an alias", "alias.example.it", dns.TypeA, outside, 0},
		{"in IPv6 clothes, translated, and unique local", "six.example.it", dns.TypeAAAA, outside, 0},
		{"of the machine itself, link-local, shared", "own.example.it", dns.TypeA, outside, 0},
		{"a domain that may", "vpn.town.example.it", dns.TypeA, outside, 1},
		{"a forward's own servers may", "own.example.it", dns.TypeA, Config{Servers: outside.Servers}, 4},
	} {
		t.Run(tc.about, func(t *testing.T) {
			g := New(tc.cfg)
			defer g.Close()
			a, err := g.Resolve(context.Background(), question(t, tc.name, tc.t))
			if err != nil {
				t.Fatal(err)
			}
			var m dns.Msg
			if err := m.Unpack(a.Msg); err != nil {
				t.Fatal(err)
			}
			got := 0
			for _, rr := range m.Answer {
				if rr.Header().Rrtype == tc.t {
					got++
				}
			}
			if got != tc.want || got == 0 && a.TTL != 0 {
				t.Errorf("%d addresses passed, want %d; kept for %s: %v", got, tc.want, a.TTL, m.Answer)
			}
		})
	}
}
