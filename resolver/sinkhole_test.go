package resolver

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"usciere/policy"
)

func TestASinkholedNameIsAnsweredInTheModeOfTheOffice(t *testing.T) {
	h := open(t, func(s *Setup) {
		s.Sinkhole.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.80"), netip.MustParseAddr("2001:db8::80")}
	})
	const both, refused = ", ede 15+, ede 4", "REFUSED, ede 15+"
	clients := []string{tributi, protocollo, avvocatura, cultura, economato}
	for _, r := range []struct {
		question string
		page     string
		nxdomain string
		zero     string
	}{
		{"www.example.com A", "NOERROR, 192.0.2.80" + both, denied + ", ede 15+", "NOERROR, 0.0.0.0" + both},
		{"www.example.com AAAA", "NOERROR, 2001:db8::80" + both, denied + ", ede 15+", "NOERROR, ::" + both},
		{"www.example.com MX", nodata + ", ede 15+", denied + ", ede 15+", nodata + ", ede 15+"},
		{"www.example.com HTTPS", nodata + ", ede 15+", denied + ", ede 15+", nodata + ", ede 15+"},
		{"www.example.com TXT", nodata + ", ede 15+", denied + ", ede 15+", nodata + ", ede 15+"},
		{"www.example.com ANY", nodata + ", ede 15+", denied + ", ede 15+", nodata + ", ede 15+"},
		{"example.com A", "NOERROR, 192.0.2.80" + both, denied + ", ede 15+", "NOERROR, 0.0.0.0" + both},
		{"_dmarc.example.com TXT", denied + ", ede 15+", denied + ", ede 15+", nodata + ", ede 15+"},
		{"_ldap._tcp.example.com SRV", denied + ", ede 15+", denied + ", ede 15+", nodata + ", ede 15+"},
		{"printer A", denied + ", ede 15+", denied + ", ede 15+", "NOERROR, 0.0.0.0" + both},
		{"wpad A", denied + ", ede 15+", denied + ", ede 15+", "NOERROR, 0.0.0.0" + both},
		{"wpad.example.com A", denied + ", ede 15+", denied + ", ede 15+", "NOERROR, 0.0.0.0" + both},
		{"isatap.example.com A", denied + ", ede 15+", denied + ", ede 15+", "NOERROR, 0.0.0.0" + both},
		{"4.4.8.8.in-addr.arpa PTR", denied + ", ede 15+", denied + ", ede 15+", nodata + ", ede 15+"},
		{"host.lan A", denied + ", ede 15+", denied + ", ede 15+", "NOERROR, 0.0.0.0" + both},
		{". NS", nodata + ", ede 15+", nodata + ", ede 15+", nodata + ", ede 15+"},
	} {
		for i, want := range []string{r.page, r.nxdomain, nodata + ", ede 15+", r.zero, refused} {
			if got := h.ask(clients[i], r.question, edns); got != want {
				t.Errorf("%s for %s: got %s, want %s", r.question, clients[i], got, want)
			}
			withoutEDE, _, _ := strings.Cut(want, ", ede")
			if got := h.ask(clients[i], r.question); got != withoutEDE {
				t.Errorf("%s for %s without EDNS: got %s, want %s", r.question, clients[i], got, withoutEDE)
			}
		}
	}
	if n := len(h.upstream.Queries()); n != 0 {
		t.Errorf("the upstream was asked %d times", n)
	}
}

func TestTheTownsModeHoldsWhereTheOfficeHasNone(t *testing.T) {
	h := open(t, func(s *Setup) { s.Sinkhole.Mode = policy.NoData })
	h.rows(t, []row{
		{"the town's", tributi, "www.example.com A", nodata, nil},
		{"the office's own", cultura, "www.example.com A", "NOERROR, 0.0.0.0", nil},
		{"a client in no office has the town's", noOffice, "www.example.com A", nodata, nil},
		{"a server has nxdomain", relay, "www.example.com A", denied, nil},
	})
}

func TestThePageIsOfTheFamilyAskedFor(t *testing.T) {
	one := open(t, func(s *Setup) { s.Sinkhole.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.80")} })
	own := open(t)
	for _, h := range []*house{one, own} {
		if got := h.ask(tributi, "www.example.com AAAA"); got != nodata {
			t.Errorf("there is no IPv6 page, but got %s", got)
		}
	}
	if got := own.ask(tributi, "www.example.com A"); got != "NOERROR, 127.0.0.1" {
		t.Errorf("without an address of the page: got %s, want the address that was asked", got)
	}
}

func TestNoDenialReachesFurtherThanTheNameAsked(t *testing.T) {
	h := open(t)
	for _, from := range []string{protocollo, relay} {
		m := h.exchange("udp", from, question(t, "WWW.example.com A"))
		soa, ok := m.Ns[0].(*dns.SOA)
		if !ok || soa.Hdr.Name != "WWW.example.com." || soa.Minttl > 30 || soa.Hdr.Ttl != 10 {
			t.Errorf("%s: authority is %v", from, m.Ns)
		}
	}
	h.rows(t, []row{ // servers always have nxdomain; the relay has its office's grants
		{"above a subtree", relay, "it A", nodata, nil},
		{"above an exact name", relay, "agenziaentrate.gov.it A", nodata, nil},
		{"two above an exact name", relay, "gov.it A", nodata, nil},
		{"any top-level domain", relay, "com A", nodata, nil},
		{"the root", relay, ". A", nodata, nil},
		{"a sister of an exact name does not exist", relay, "telematici.agenziaentrate.gov.it A", denied, nil},
		{"below an exact name nothing exists", relay, "a.www.agenziaentrate.gov.it A", denied, nil},
		{"above another office's name nothing exists", relay, "posta.example.it A", denied, nil},
		{"a name whose MX alone is granted exists", protocollo, "posta.example.it A", nodata, nil},
		{"above a forward", protocollo, "comune.test A", "NOERROR, aa, SOA test.", nil},
		{"above a forward of a reverse zone", protocollo, "127.in-addr.arpa MX", "NOERROR, aa, soa", nil},
		{"above a built-in zone", relay, "192.in-addr.arpa A", nodata, nil},
		{"above several", relay, "in-addr.arpa A", nodata, nil},
	})
}

func TestASinkholeAnswerLastsTenSeconds(t *testing.T) {
	h := open(t)
	for _, from := range []string{tributi, cultura} {
		if m := h.exchange("udp", from, question(t, "www.example.com A")); m.Answer[0].Header().Ttl != 10 {
			t.Errorf("%s: TTL is %d, want 10", from, m.Answer[0].Header().Ttl)
		}
	}
}

func TestTheClientIsToldWhyAndHowToAsk(t *testing.T) {
	h := open(t)
	for from, want := range map[string]string{
		tributi:  "Ufficio tributi: nome non richiesto dall'ufficio (art. 7); il responsabile lo chieda per iscritto ai servizi informatici (tel. 100)",
		noOffice: "postazione non assegnata a un ufficio: chiamare i servizi informatici (tel. 100)",
	} {
		errs := errorsOf(h.exchange("udp", from, question(t, "www.example.com A", edns)))
		if len(errs) != 2 || errs[0].InfoCode != 15 || errs[0].ExtraText != want || errs[1].InfoCode != 4 || errs[1].ExtraText != "" {
			t.Errorf("%s: got %v", from, errs)
		}
	}
}

func TestASinkholeAnswerFitsWithTheLongestName(t *testing.T) {
	h := open(t)
	label := strings.Repeat("a", 63)
	long := strings.Join([]string{label, label, label, label[:57], "it"}, ".") // 255 octets
	for _, from := range []string{tributi, protocollo, avvocatura, cultura, economato} {
		for _, typ := range []string{" A", " TXT"} {
			m := h.exchange("udp", from, question(t, long+typ))
			if m.Truncated {
				t.Errorf("%s without EDNS: truncated", from)
			}
			if m := h.exchange("udp", from, question(t, long+typ, size(512))); m.Truncated {
				t.Errorf("%s with EDNS of 512 octets: truncated", from)
			}
		}
	}
}
