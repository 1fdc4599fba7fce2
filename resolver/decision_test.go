package resolver

import (
	"testing"
	"time"

	"usciere/policy"
	"usciere/resolver/dnstest"
)

// row is one question and what is said to it in short.
type row struct {
	name, from, question, want string
	options                    []option
}

func (h *house) rows(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			m := dnstest.Exchange(t, "udp", h.addr, r.from, question(t, r.question, r.options...))
			if got := short(m); got != r.want {
				t.Errorf("%s asking %s\n got %s\nwant %s", r.from, r.question, got, r.want)
			}
		})
	}
}

const (
	page   = "NOERROR, 127.0.0.1"
	nodata = "NOERROR, soa"
	denied = "NXDOMAIN, soa"
)

func TestEveryOfficeReachesWhatItWasGrantedAndNothingElse(t *testing.T) {
	h := open(t)
	h.rows(t, []row{
		{"a source outside the site is refused", outside, "www.inps.it A", "REFUSED, ede 18", []option{edns}},
		{"it is refused without EDNS as well", outside, "www.inps.it A", "REFUSED", nil},
		{"it is refused special names", outside, "localhost A", "REFUSED, ede 18", []option{edns}},
		{"it is refused the forwards", outside, "dc.ad.comune.test A", "REFUSED, ede 18", []option{edns}},
		{"a client in no office is led to the page for a name that others have", noOffice, "www.inps.it A", page + ", ede 15+, ede 4", []option{edns}},
		{"and for the connectivity probes, which everyone has", noOffice, "www.msftconnecttest.com A", page, nil},
		{"a subtree covers its own name", anagrafe, "inps.it A", "NOERROR, 192.0.2.3", nil},
		{"a subtree covers the names below", anagrafe, "www.inps.it A", "NOERROR, 192.0.2.1", nil},
		{"a subtree covers all types of the web", anagrafe, "www.inps.it AAAA", "NOERROR, 2001:db8::1", nil},
		{"a subtree covers names that do not exist", anagrafe, "none.inps.it A", "NXDOMAIN, SOA inps.it.", nil},
		{"a grant of the web does not open MX", anagrafe, "inps.it MX", nodata, nil},
		{"a grant of the web does not open autodiscover", anagrafe, "autodiscover.inps.it A", page, nil},
		{"a name granted exactly is open", anagrafe, "www.agenziaentrate.gov.it A", "NOERROR, 192.0.2.6", nil},
		{"its sister is not", anagrafe, "telematici.agenziaentrate.gov.it A", page, nil},
		{"a name below it is not", anagrafe, "a.www.agenziaentrate.gov.it A", page, nil},
		{"a name above it is not", anagrafe, "agenziaentrate.gov.it A", page, nil},
		{"a name that only looks alike is not", anagrafe, "www.finps.it A", page, nil},
		{"the alias of an allowed name is followed", anagrafe, "alias.inps.it A", "NOERROR, CNAME cdn.example.net., 192.0.2.4", nil},
		{"its target, asked directly, is judged on its own", anagrafe, "cdn.example.net A", page, nil},
		{"another office does not have it", tributi, "www.inps.it A", page, nil},
		{"the manager's seat of that office has no limits", manager, "www.inps.it A", "NOERROR, 192.0.2.1", nil},
		{"not for mail either", manager, "posta.example.it MX", "NOERROR, MX 10 mx1.provider.net.", nil},
		{"the web of a domain is not open by its mail", protocollo, "posta.example.it A", nodata, nil},
		{"a forward answers every office before the rules", tributi, "dc.ad.comune.test A", "NOERROR, 127.10.0.1", nil},
		{"a forward answers a client in no office", noOffice, "dc.ad.comune.test A", "NOERROR, 127.10.0.1", nil},
		{"the most specific forward has the name", tributi, "dc.sede.ad.comune.test A", "NOERROR, 127.10.0.3", nil},
		{"a reverse zone of the LAN is forwarded", tributi, "5.1.10.127.in-addr.arpa PTR", "NXDOMAIN", nil},
	})
	if n := h.upstream.Asked("dc.ad.comune.test"); n != 0 {
		t.Errorf("a name of a forward was asked of the upstream %d times", n)
	}
}

func TestAServerLivesByItsRolesGrantsAndItsOffices(t *testing.T) {
	h := open(t)
	h.allow(policy.AddGrants{Subject: policy.Subject{Role: policy.Server}, Channel: policy.Mail, Names: []string{"posta.example.it"}})
	h.rows(t, []row{
		{"a grant of the role opens", relay, "posta.example.it MX", "NOERROR, MX 10 mx1.provider.net.", nil},
		{"and so the hosts of that mail", relay, "mx1.provider.net A", "NOERROR, 192.0.2.10", nil},
		{"its office's grants hold for it", relay, "www.inps.it A", "NOERROR, 192.0.2.1", nil},
		{"what it may not have does not exist, whatever its office's mode", relay, "www.example.com A", denied, nil},
		{"the employees beside it do not have the role's mail", anagrafe, "posta.example.it MX", nodata, nil},
		{"nor the hosts of it", anagrafe, "mx1.provider.net A", page, nil},
	})
}

func TestAChangeHoldsForTheNextPacketAlthoughTheAnswerIsCached(t *testing.T) {
	h := open(t)
	want := func(from, question, want string) {
		t.Helper()
		if got := h.ask(from, question); got != want {
			t.Fatalf("%s asking %s: got %s, want %s", from, question, got, want)
		}
	}
	want(anagrafe, "www.inps.it A", "NOERROR, 192.0.2.1")
	want(tributi, "www.inps.it A", page)
	ids := h.grant("tributi", policy.Web, "www.inps.it")
	want(tributi, "www.inps.it A", "NOERROR, 192.0.2.1")
	h.revoke(ids)
	want(tributi, "www.inps.it A", page)
	want(anagrafe, "www.inps.it A", "NOERROR, 192.0.2.1")
	if n := h.upstream.Asked("www.inps.it"); n != 1 {
		t.Errorf("the upstream was asked %d times, want once: offices share the cache", n)
	}

	h.allow(policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{"inps.it"}, Until: "2026-11-16T12:00"})
	want(tributi, "inps.it A", "NOERROR, 192.0.2.3")
	h.clock.advance(time.Hour) // 12:00 in Rome
	want(tributi, "inps.it A", page)
}

func TestTheCountersSayWhatBecameOfEachQuestion(t *testing.T) {
	h := open(t, func(s *Setup) { s.Zones = []LocalZone{localZone(t, "comune.test", nil, "www A 127.10.0.9")} })
	h.ask(outside, "www.inps.it A")
	h.ask(tributi, "www.inps.it A")
	h.ask(anagrafe, "www.inps.it A")
	h.ask(anagrafe, "www.inps.it A")
	h.ask(anagrafe, "www.comune.test A")
	h.ask(anagrafe, "www.inps.it A", class(3))
	want := Stats{Malformed: 1, Refused: 1, Local: 1, Sinkholed: 1, Allowed: 2, Replies: 6}
	if got := h.resolver.Stats(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
