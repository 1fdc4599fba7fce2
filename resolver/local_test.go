package resolver

import (
	"testing"
	"time"

	"usciere/policy"
	"usciere/resolver/dnstest"
)

func TestALocalZoneIsOpenToAnOfficeFromItsDayOn(t *testing.T) { // R2
	h := open(t, func(s *Setup) {
		s.Zones = []LocalZone{
			localZone(t, "posta.comune.test", map[string]policy.Moment{"anagrafe": "2026-11-01", "tributi": "2026-11-17"}, "@ MX 10 mx", "mx A 127.10.0.25"),
			localZone(t, "intranet.lan", nil, "@ A 127.10.0.80", "www A 127.10.0.81"),
			localZone(t, "sub.intranet.lan", map[string]policy.Moment{"anagrafe": "2026-11-01"}, "www A 127.10.0.82"),
		}
	})
	const notThere = "NXDOMAIN, aa, SOA test."
	h.expect(
		[3]string{anagrafe, "posta.comune.test MX", "NOERROR, aa, MX 10 mx.posta.comune.test."},
		[3]string{anagrafe, "mx.posta.comune.test A", "NOERROR, aa, 127.10.0.25"},
		[3]string{anagrafe, "none.posta.comune.test A", "NXDOMAIN, aa, SOA posta.comune.test."},
		[3]string{tributi, "mx.posta.comune.test A", notThere},
		[3]string{protocollo, "mx.posta.comune.test A", notThere},
		[3]string{manager, "mx.posta.comune.test A", notThere}, // also of tributi
		[3]string{noOffice, "mx.posta.comune.test A", notThere},
		[3]string{noOffice, "www.intranet.lan A", "NOERROR, aa, 127.10.0.81"},
		[3]string{protocollo, "www.intranet.lan TXT", "NOERROR, aa, SOA intranet.lan."},
		[3]string{anagrafe, "www.sub.intranet.lan A", "NOERROR, aa, 127.10.0.82"},
		[3]string{tributi, "www.sub.intranet.lan A", "NXDOMAIN, aa, SOA intranet.lan."}, // the zone above has the name
	)
	h.clock.advance(12*time.Hour + 59*time.Minute) // 23:59 in Rome
	h.expect([3]string{tributi, "mx.posta.comune.test A", notThere})
	h.clock.advance(time.Minute)
	h.expect(
		[3]string{tributi, "mx.posta.comune.test A", "NOERROR, aa, 127.10.0.25"},
		[3]string{protocollo, "mx.posta.comune.test A", notThere},
	)
	if n := len(h.upstream.Queries()); n != 0 {
		t.Errorf("the upstream was asked %d times", n)
	}
}

func TestTheNamesAboveALocalZoneExistForWhoSeesIt(t *testing.T) { // RFC 8020
	h := open(t, func(s *Setup) {
		s.Forwards = nil
		s.Zones = []LocalZone{
			localZone(t, "a.b.example", map[string]policy.Moment{"protocollo": ""}, "www A 127.10.0.1"),
			localZone(t, "a.b.internal", map[string]policy.Moment{"protocollo": ""}, "www A 127.10.0.1"),
			localZone(t, "lan", nil, "www A 127.10.0.1"),
			localZone(t, "a.b.lan", map[string]policy.Moment{"protocollo": ""}, "www A 127.10.0.1"),
		}
	})
	h.allow(policy.AddGrants{Subject: policy.Subject{Role: policy.Server}, Names: []string{"x.example.com"}})
	h.expect(
		[3]string{protocollo, "b.example A", nodata}, // protocollo and the relay have the mode nxdomain
		[3]string{protocollo, "c.example A", denied},
		[3]string{relay, "b.example A", denied},
		[3]string{protocollo, "b.internal A", "NOERROR, aa, SOA internal."},
		[3]string{protocollo, "c.internal A", "NXDOMAIN, aa, SOA internal."},
		[3]string{relay, "b.internal A", "NXDOMAIN, aa, SOA internal."},
		[3]string{protocollo, "b.lan A", "NOERROR, aa, SOA lan."},
		[3]string{relay, "b.lan A", "NXDOMAIN, aa, SOA lan."},
	)
}

func TestSpecialNamesNeverLeaveTheTown(t *testing.T) {
	h := open(t)
	for _, from := range []string{manager, anagrafe, noOffice} {
		h.expect(
			[3]string{from, "localhost A", "NOERROR, aa, 127.0.0.1"},
			[3]string{from, "a.localhost AAAA", "NOERROR, aa, ::1"},
			[3]string{from, "pc.local A", "NXDOMAIN, aa, SOA local."},
			[3]string{from, "host.test A", "NXDOMAIN, aa, SOA test."},
			[3]string{from, "host.invalid A", "NXDOMAIN, aa, SOA invalid."},
			[3]string{from, "abc.onion A", "NXDOMAIN, aa, SOA onion."},
			[3]string{from, "host.internal A", "NXDOMAIN, aa, SOA internal."},
			[3]string{from, "host.home.arpa A", "NXDOMAIN, aa, SOA home.arpa."},
			[3]string{from, "1.0.0.10.in-addr.arpa PTR", "NXDOMAIN, aa, SOA 10.in-addr.arpa."},
			[3]string{from, "1.0.0.127.in-addr.arpa PTR", "NOERROR, aa, PTR localhost."},
			[3]string{from, "_dns.resolver.arpa SVCB", "NOERROR, aa, SOA resolver.arpa."},
			[3]string{from, "use-application-dns.net A", "NXDOMAIN, aa, soa"},
			[3]string{from, "mask.icloud.com A", "NXDOMAIN, aa, soa"},
			[3]string{from, "MASK-H2.icloud.com HTTPS", "NXDOMAIN, aa, soa"},
			[3]string{from, "dns.msftncsi.com A", "NOERROR, aa, 131.107.255.255"},
		)
	}
	if n := len(h.upstream.Queries()); n != 0 {
		t.Errorf("the upstream was asked %d times", n)
	}
}

func TestAnAliasOfALocalZoneIsFollowed(t *testing.T) {
	h := open(t, func(s *Setup) {
		s.Zones = []LocalZone{
			localZone(t, "comune.it", nil,
				"out CNAME www.inps.it.", "chain CNAME alias.inps.it.", "none CNAME none.inps.it.", "other CNAME www.altro.it.", "far CNAME hop.altro.it.",
				"dc CNAME dc.ad.comune.test.", "hidden CNAME www.chiuso.it.", "mine CNAME pc.local.", "me CNAME localhost.",
				"loop CNAME loop.altro.it.", "selfish CNAME round.altro.it.", "down CNAME www.down.it.",
				"d DNAME inps.it."),
			localZone(t, "altro.it", nil, "www A 127.10.0.7", "hop CNAME www.inps.it.", "loop CNAME loop.comune.it.", "round CNAME trip", "trip CNAME round"),
			localZone(t, "chiuso.it", map[string]policy.Moment{"anagrafe": ""}, "www A 127.10.0.8"),
		}
	})
	answer := dnstest.Records(append(records, "www.chiuso.it. 60 IN A 192.0.2.99")...)
	h.upstream.SetHandler(func(q dnstest.Query) []dnstest.Send {
		if q.Name() == "www.down.it." {
			return []dnstest.Send{dnstest.Message(dnstest.ReplyNegative(q, 5))}
		}
		return answer(q)
	})
	h.setup.Upstream = h.plainGroup()
	h.resolver.Use(h.setup)
	for range 2 { // from the upstream, then from the cache; tributi has no grant at all
		h.expect(
			[3]string{tributi, "out.comune.it A", "NOERROR, aa, CNAME www.inps.it., 192.0.2.1"},
			[3]string{tributi, "out.comune.it TXT", "NOERROR, aa, CNAME www.inps.it., SOA inps.it."},
			[3]string{tributi, "chain.comune.it A", "NOERROR, aa, CNAME alias.inps.it., CNAME cdn.example.net., 192.0.2.4"},
			[3]string{tributi, "none.comune.it A", "NXDOMAIN, aa, CNAME none.inps.it., SOA inps.it."},
			[3]string{tributi, "other.comune.it A", "NOERROR, aa, CNAME www.altro.it., 127.10.0.7"},
			[3]string{tributi, "far.comune.it A", "NOERROR, aa, CNAME hop.altro.it., CNAME www.inps.it., 192.0.2.1"},
			[3]string{tributi, "dc.comune.it A", "NOERROR, aa, CNAME dc.ad.comune.test., 127.10.0.1"},
			[3]string{tributi, "www.d.comune.it A", "NOERROR, aa, DNAME inps.it., CNAME www.inps.it., 192.0.2.1"},
			[3]string{anagrafe, "hidden.comune.it A", "NOERROR, aa, CNAME www.chiuso.it., 127.10.0.8"},
			[3]string{tributi, "hidden.comune.it A", "NOERROR, aa, CNAME www.chiuso.it., 192.0.2.99"}, // the zone is not there for it
			[3]string{tributi, "mine.comune.it A", "NXDOMAIN, aa, CNAME pc.local., SOA local."},
			[3]string{tributi, "me.comune.it A", "NOERROR, aa, CNAME localhost., 127.0.0.1"},
			[3]string{tributi, "loop.comune.it A", "SERVFAIL, aa"},
			[3]string{tributi, "selfish.comune.it A", "SERVFAIL, aa"},
			[3]string{tributi, "down.comune.it A", "SERVFAIL"},
			[3]string{tributi, "out.comune.it CNAME", "NOERROR, aa, CNAME www.inps.it."},
			[3]string{tributi, "www.inps.it A", page}, // the target, asked directly
		)
	}
	for _, n := range []string{"pc.local", "localhost", "loop.altro.it"} {
		if h.upstream.Asked(n) != 0 {
			t.Errorf("%s was asked upstream", n)
		}
	}
	if n := h.upstream.Asked("www.inps.it"); n != 2 {
		t.Errorf("www.inps.it was asked %d times, want once of each type", n)
	}
}

func TestTheTTLOfAFollowedAliasAgesInTheCacheAndIsCapped(t *testing.T) {
	h := open(t, func(s *Setup) {
		s.Zones = []LocalZone{localZone(t, "comune.it", nil, "out 7200 CNAME servizi.inps.it.")}
	})
	for _, want := range []uint32{100, 60} {
		m := h.exchange("udp", tributi, question(t, "out.comune.it A"))
		if len(m.Answer) != 2 || m.Answer[0].Header().Ttl != 300 || m.Answer[1].Header().Ttl != want {
			t.Errorf("want TTLs 300 and %d: %v", want, m.Answer)
		}
		h.clock.advance(40 * time.Second)
	}
}
