package resolver

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"usciere/policy"
	"usciere/resolver/blocklist"
)

// president is the workstation of the council's president, a role without limits like the manager's.
const president = "127.10.2.10"

// listed adds lists to a setup, each the text of a domain list.
func listed(t testing.TB, lists *blocklist.Lists, texts ...string) func(*Setup) {
	folder := t.TempDir()
	var sources []blocklist.Source
	for _, text := range texts {
		path := filepath.Join(folder, "list"+string(rune('1'+len(sources))))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		sources = append(sources, blocklist.Source{Path: path})
	}
	lists.Load(t.Context(), sources)
	return func(s *Setup) { s.Security.Lists = lists }
}

func TestTheSecurityListHoldsForRolesWithoutLimitsAlone(t *testing.T) { // R9
	lists := blocklist.New(quiet)
	h := open(t, listed(t, lists, "www.inps.it\n.example.com\n", "@@||web.provider.net^\n||provider.net^\n.dc.ad.comune.test\n.comune.it\n.localhost\n"), func(s *Setup) {
		s.Zones = []LocalZone{localZone(t, "comune.it", nil, "www A 127.10.0.9")}
	})
	h.grant("tributi", policy.Web, "www.example.com")
	h.apply(policy.AddSeat{ID: "presidente", Office: "tributi", Role: policy.CouncilPresident, Hosts: []netip.Addr{netip.MustParseAddr(president)}})
	const blocked = "NXDOMAIN, soa, ede 15+"
	h.rows(t, []row{
		{"a listed name does not exist", manager, "www.example.com A", blocked, []option{edns}},
		{"nor for any other type", manager, "www.example.com MX", blocked, []option{edns}},
		{"nor for another role without limits", president, "WWW.example.com A", blocked, []option{edns}},
		{"a name whose subtree is listed does not exist", manager, "example.com A", "NXDOMAIN, soa", nil},
		{"one of which names below are not listed does", manager, "www.inps.it A", "NOERROR, soa, ede 15+", []option{edns}},
		{"a name below it is allowed", manager, "a.www.inps.it A", "NXDOMAIN, SOA inps.it.", nil},
		{"a name beside it is allowed", manager, "servizi.inps.it A", "NOERROR, 192.0.2.2", nil},
		{"an exception is allowed", manager, "web.provider.net A", "NOERROR, 192.0.2.12", nil},
		{"a name above an exception exists", manager, "provider.net A", "NOERROR, soa", nil},
		{"a name beside it does not", manager, "imap.provider.net A", "NXDOMAIN, soa", nil},
		{"an employee with a grant is not touched", tributi, "www.example.com A", "NOERROR, 192.0.2.13", nil},
		{"an employee without one is sinkholed as ever", tributi, "imap.provider.net A", page, nil},
		{"another office's grant is not touched", anagrafe, "www.inps.it A", "NOERROR, 192.0.2.1", nil},
		{"a local zone comes before the list", manager, "www.comune.it A", "NOERROR, aa, 127.10.0.9", nil},
		{"a forward comes before the list", manager, "dc.ad.comune.test A", "NOERROR, 127.10.0.1", nil},
		{"a special name comes before the list", manager, "localhost A", "NOERROR, aa, 127.0.0.1", nil},
	})
	if n := h.upstream.Asked("imap.provider.net"); n != 0 {
		t.Errorf("a listed name was sent upstream %d times", n)
	}
	if st := lists.State(); st[0].Hits != 5 || st[1].Hits != 2 {
		t.Errorf("hits %d and %d, want 5 and 2", st[0].Hits, st[1].Hits)
	}
	errs := errorsOf(h.exchange("udp", manager, question(t, "www.example.com A", edns)))
	if want := "nome nell'elenco di sicurezza list1: se serve, chiamare i servizi informatici (tel. 100)"; errs[0].ExtraText != want {
		t.Errorf("told %q, want %q", errs[0].ExtraText, want)
	}
}

func TestAListThatChangesHoldsForTheNextPacketAlthoughTheAnswerIsCached(t *testing.T) {
	lists := blocklist.New(quiet)
	h := open(t, listed(t, lists, "other.example\n"))
	want := func(answer string) {
		t.Helper()
		if got := h.ask(manager, "www.inps.it A"); got != answer {
			t.Fatalf("got %s, want %s", got, answer)
		}
	}
	want("NOERROR, 192.0.2.1")
	listed(t, lists, ".www.inps.it\n")
	want("NXDOMAIN, soa")
	lists.Load(t.Context(), nil)
	want("NOERROR, 192.0.2.1")
}

func TestTheSettingsChooseModeAndRolesOfTheSecurityList(t *testing.T) {
	lists := blocklist.New(quiet)
	h := open(t, listed(t, lists, ".example.com\n"))
	h.apply(policy.AddSeat{ID: "presidente", Office: "tributi", Role: policy.CouncilPresident, Hosts: []netip.Addr{netip.MustParseAddr(president)}})
	for _, r := range []struct {
		mode            policy.Mode
		roles           []policy.Role
		manager, others string
	}{
		{"", nil, "NXDOMAIN, soa", "NXDOMAIN, soa"},
		{policy.Page, []policy.Role{policy.Manager}, page, "NOERROR, 192.0.2.13"},
		{policy.NoData, []policy.Role{policy.CouncilPresident}, "NOERROR, 192.0.2.13", nodata},
		{policy.Zero, nil, "NOERROR, 0.0.0.0", "NOERROR, 0.0.0.0"},
		{policy.Refused, nil, "REFUSED", "REFUSED"},
	} {
		h.setup.Security.Mode, h.setup.Security.Roles = r.mode, r.roles
		h.resolver.Use(h.setup)
		for from, want := range map[string]string{manager: r.manager, president: r.others} {
			if got := h.ask(from, "www.example.com A"); got != want {
				t.Errorf("mode %q for %v, %s: got %s, want %s", r.mode, r.roles, from, got, want)
			}
		}
	}
}

func TestARouteNamesTheSecurityList(t *testing.T) {
	h := open(t, listed(t, blocklist.New(quiet), ".example.com\n"))
	rules := h.live.Snapshot()
	c := rules.Who(netip.MustParseAddr(manager), h.clock.Now())
	way := h.resolver.Route(rules, &c, name(t, "www.example.com"), policy.TypeA, h.clock.Now())
	if way.Verdict.Action != policy.Sinkhole || way.Verdict.Reason != policy.Unrestricted || !strings.HasSuffix(way.Listed.Name, "/list1") || h.resolver.Mode(&c, way) != policy.NXDomain {
		t.Errorf("got %+v", way)
	}
}

func TestWhatTheUpstreamDeniesAboveAZoneOrForwardOfOursExists(t *testing.T) { // RFC 8020
	h := open(t, func(s *Setup) {
		s.Zones = []LocalZone{localZone(t, "intranet.comune.it", map[string]policy.Moment{"tributi": ""}, "www A 127.10.0.9")}
		forward, err := policy.ParseName("ad.sede.inps.it")
		if err != nil {
			t.Fatal(err)
		}
		s.Forwards[0].Zones = append(s.Forwards[0].Zones, forward)
	})
	h.rows(t, []row{
		{"above a forward, validated or not", manager, "sede.inps.it A", "NOERROR, SOA inps.it.", []option{ad}},
		{"out of the cache as well", manager, "sede.inps.it A", "NOERROR, SOA inps.it.", []option{ad}},
		{"for a restricted role that may ask it", anagrafe, "sede.inps.it A", "NOERROR, SOA inps.it.", nil},
		{"above a zone that the client sees", manager, "comune.it A", "NOERROR", nil},
		{"a name beside it does not exist", manager, "altra.inps.it A", "NXDOMAIN, SOA inps.it.", nil},
	})
	if m := h.exchange("udp", manager, question(t, "sede.inps.it A", do)); m.AuthenticatedData || len(m.Answer) != 0 || m.Rcode != dns.RcodeSuccess {
		t.Errorf("got %v", m)
	}
}
