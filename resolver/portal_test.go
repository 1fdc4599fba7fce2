package resolver

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"usciere/policy"
)

func TestThePortalsOwnNameLeadsToThePageForEverybodyInside(t *testing.T) {
	h := open(t, func(s *Setup) {
		s.Portal = name(t, "usciere.internal")
		s.Zones = []LocalZone{
			localZone(t, "internal", nil, "usciere A 127.10.0.77", "www A 127.10.0.78", "portale CNAME usciere", "portale2 CNAME other.lan."),
			localZone(t, "lan", nil, "other CNAME usciere.internal."),
		}
	})
	for _, from := range []string{anagrafe, relay, tributi, manager, protocollo, avvocatura, cultura, economato, noOffice} {
		for _, r := range [][2]string{
			{"usciere.internal A", "NOERROR, aa, 127.0.0.1"},
			{"USCIERE.internal A", "NOERROR, aa, 127.0.0.1"},
			{"usciere.internal AAAA", "NOERROR, aa, soa"}, // the page has no such address
			{"usciere.internal HTTPS", "NOERROR, aa, soa"},
			{"usciere.internal MX", "NOERROR, aa, soa"},
			{"usciere.internal ANY", "NOERROR, HINFO \"RFC8482\" \"\""},
			{"www.internal A", "NOERROR, aa, 127.10.0.78"},
			{"a.usciere.internal A", "NXDOMAIN, aa, SOA internal."},
			{"portale.internal A", "NOERROR, aa, CNAME usciere.internal., 127.0.0.1"},
			{"portale2.internal A", "NOERROR, aa, CNAME other.lan., CNAME usciere.internal., 127.0.0.1"},
			{"portale.internal AAAA", "NOERROR, aa, CNAME usciere.internal., SOA usciere.internal."},
		} {
			for range 3 { // the second is remembered
				if got := h.ask(from, r[0]); got != r[1] {
					t.Errorf("%s asks %s: got %s, want %s", from, r[0], got, r[1])
				}
			}
		}
	}
	if got := h.ask(outside, "usciere.internal A"); got != "REFUSED" {
		t.Errorf("outside the site: got %s", got)
	}
	if n := len(h.upstream.Queries()); n != 0 {
		t.Errorf("the upstream was asked %d times", n)
	}
}

func TestThePortalsOwnNameHasTheAddressesOfThePage(t *testing.T) {
	h := open(t, func(s *Setup) {
		s.Portal = name(t, "accesso.comune.example.it")
		s.Sinkhole.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.80"), netip.MustParseAddr("2001:db8::80")}
	})
	h.grant("anagrafe", policy.Web, ".example.it")
	h.expect(
		[3]string{anagrafe, "accesso.comune.example.it A", "NOERROR, aa, 192.0.2.80"}, // whatever is granted
		[3]string{manager, "accesso.comune.example.it AAAA", "NOERROR, aa, 2001:db8::80"},
		[3]string{protocollo, "comune.example.it A", nodata}, // the name below it exists (RFC 8020)
		[3]string{protocollo, "example.it A", nodata},
		[3]string{protocollo, "www.example.it A", denied},
	)
	if m := h.exchange("udp", anagrafe, question(t, "accesso.comune.example.it A")); m.Answer[0].Header().Ttl != portalTTL {
		t.Errorf("TTL %d", m.Answer[0].Header().Ttl)
	}
	if m := h.exchange("udp", anagrafe, question(t, "accesso.comune.example.it A", noRD)); len(m.Answer) != 1 || m.Answer[0].Header().Rrtype != dns.TypeA {
		t.Errorf("without recursion desired: got %s", short(m))
	}
}

func TestTheNamesAboveThePortalsOwnExist(t *testing.T) { // RFC 8020
	h := open(t, func(s *Setup) { s.Portal = name(t, "a.b.internal") })
	h.expect(
		[3]string{relay, "b.internal A", "NOERROR, aa, SOA internal."},
		[3]string{relay, "c.internal A", "NXDOMAIN, aa, SOA internal."},
	)
}

func TestWithoutAPortalItsNameIsAsAnyOther(t *testing.T) {
	h := open(t)
	h.expect([3]string{tributi, "usciere.internal A", "NXDOMAIN, aa, SOA internal."})
}
