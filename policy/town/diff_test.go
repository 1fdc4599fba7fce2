package town

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"usciere/policy"
	"usciere/policy/request"
)

// edit changes what is behind a key.
func edit[K comparable, V any](m map[K]V, key K, change func(*V)) {
	v := m[key]
	change(&v)
	m[key] = v
}

func TestADifferenceIsALineForEachObject(t *testing.T) {
	for _, tc := range []struct {
		about string
		edit  func(*Document)
		want  []string
	}{
		{"nothing", func(*Document) {}, nil},
		{"an office with another name", func(d *Document) { edit(d.Offices, "tributi", func(o *Office) { o.Name = "Tributi" }) },
			[]string{"~ office tributi name: Ufficio Tributi → Tributi"}},
		{"a name with blanks around", func(d *Document) { edit(d.Offices, "tributi", func(o *Office) { o.Name = " Ufficio Tributi " }) }, nil},
		{"a network more", func(d *Document) {
			edit(d.Offices, "tributi", func(o *Office) { o.Networks = append(o.Networks, netip.MustParsePrefix("10.20.3.0/24")) })
		}, []string{"~ office tributi networks: +10.20.3.0/24"}},
		{"two networks that change places", func(d *Document) {
			a, b := d.Offices["anagrafe"], d.Offices["tributi"]
			a.Networks, b.Networks = b.Networks, a.Networks
			d.Offices["anagrafe"], d.Offices["tributi"] = a, b
		}, []string{"~ office anagrafe networks: -10.20.1.0/24, +10.20.2.0/24", "~ office tributi networks: -10.20.2.0/24, +10.20.1.0/24"}},
		{"a new office", func(d *Document) { d.Offices["sport"] = Office{Name: "Sport", Mailbox: "sport@example.it"} },
			[]string{"+ office sport Sport sport@example.it"}},
		{"an office that takes over the network of one that goes", func(d *Document) {
			d.Offices["entrate"] = Office{Name: "Entrate", Networks: d.Offices["tributi"].Networks}
			delete(d.Offices, "tributi")
			delete(d.Seats, "dirigente-tributi")
			d.Grants = slices.DeleteFunc(d.Grants, func(g Grant) bool { return g.Office == "tributi" })
		}, []string{"+ office entrate Entrate 10.20.2.0/24", "- office tributi Ufficio Tributi 10.20.2.0/24", "- seat dirigente-tributi tributi manager M. Verdi from 2025-09-01",
			"- grant g-4 tributi web service suite 2027-06-30 21/2026"}},
		{"a new holder", func(d *Document) {
			edit(d.Seats, "dirigente-anagrafe", func(s *Seat) {
				s.Holders[0].Until = "2026-11-30"
				s.Holders = append(s.Holders, Holder{Name: "A. Bianchi", From: "2026-12-01"})
			})
		}, []string{"~ seat dirigente-anagrafe holders: -M. Rossi from 2025-09-01, +M. Rossi from 2025-09-01 until 2026-11-30, +A. Bianchi from 2026-12-01"}},
		{"another workstation of a seat", func(d *Document) {
			edit(d.Seats, "dirigente-anagrafe", func(s *Seat) { s.Hosts = []Workstation{{Addr: netip.MustParseAddr("10.20.1.8")}} })
		}, []string{"~ seat dirigente-anagrafe hosts: -10.20.1.9 from 2025-09-01, +10.20.1.8 from 2025-09-01"}},
		{"a workstation that goes to another seat", func(d *Document) {
			edit(d.Seats, "dirigente-anagrafe", func(s *Seat) { s.Hosts = nil })
			edit(d.Seats, "dirigente-tributi", func(s *Seat) {
				s.Hosts = []Workstation{{Addr: netip.MustParseAddr("10.20.1.9"), From: "2026-03-02"}}
			})
		}, []string{"~ seat dirigente-anagrafe hosts: -10.20.1.9 from 2025-09-01", "~ seat dirigente-tributi hosts: +10.20.1.9 from 2026-03-02"}},
		{"a seat with another role", func(d *Document) {
			edit(d.Seats, "dirigente-tributi", func(s *Seat) { s.Role = policy.ElectedOfficial })
		},
			[]string{"~ seat dirigente-tributi role: manager → elected-official"}},
		{"a role left out", func(d *Document) { edit(d.Seats, "dirigente-tributi", func(s *Seat) { s.Role = "" }) }, nil},
		{"a host that is no more", func(d *Document) { d.Hosts = nil }, []string{"- host 10.20.2.7 totem server"}},
		{"a host in an office", func(d *Document) {
			d.Hosts[netip.MustParseAddr("10.20.2.7")] = Host{Name: "totem", Office: "anagrafe"}
		}, []string{"~ host 10.20.2.7 office: none → anagrafe; role: server → none"}},
		{"a rule more of a service", func(d *Document) {
			edit(d.Services, "suite", func(s *Service) {
				s.Rules = append(s.Rules, ServiceRule{Rule: "www.suite.example.it", Date: "2026-01"})
			})
		}, []string{"~ service suite rules: +www.suite.example.it (lettera 3/2026, 2026-01)"}},
		{"a service of the other channel", func(d *Document) { edit(d.Services, "suite", func(s *Service) { s.Channel = policy.Mail }) },
			[]string{"~ service suite channel: web → mail", "- grant g-4 tributi web service suite 2027-06-30 21/2026", "+ grant tributi mail service suite 2027-06-30 21/2026"}},
		{"a service that is no more, with its grant", func(d *Document) {
			d.Services = nil
			d.Grants = slices.DeleteFunc(d.Grants, func(g Grant) bool { return g.Service == "suite" })
		}, []string{"- service suite suite web .suite.example.com (lettera 3/2026)", "- grant g-4 tributi web service suite 2027-06-30 21/2026"}},
		{"a grant with another end", func(d *Document) { d.Grants[2].Until = "2028-06-30" },
			[]string{"~ grant g-4 tributi web service suite until: 2027-06-30 → 2028-06-30"}},
		{"a grant of another letter", func(d *Document) { d.Grants[2].Request = &Request{Protocol: "90/2026", Reason: "visure"} },
			[]string{"~ grant g-4 tributi web service suite request: 21/2026 → 90/2026"}},
		{"a grant of another name", func(d *Document) { d.Grants[1].Rule = "www.example.org" },
			[]string{"~ grant g-3 anagrafe web opens: www.example.it → www.example.org"}},
		{"two grants of other names", func(d *Document) {
			d.Grants[0].Service, d.Grants[0].Rule, d.Grants[1].Rule = "", "www.example.net", "www.example.org"
		}, []string{"- grant g-2 anagrafe web service inps 12/2026", "- grant g-3 anagrafe web www.example.it 12/2026",
			"+ grant anagrafe web www.example.net 12/2026", "+ grant anagrafe web www.example.org 12/2026"}},
		{"a new grant on a letter that is on record", func(d *Document) {
			d.Grants = append(d.Grants, Grant{Office: "anagrafe", Rule: "www.anpr.example.it", Request: &Request{Protocol: "12/2026"}})
		}, []string{"+ grant anagrafe web www.anpr.example.it 12/2026"}},
		{"a number with leading zeros", func(d *Document) {
			d.Grants[0].Request.Protocol, d.Grants[1].Request.Protocol, d.Grants[2].Request.Protocol = "0012/2026", "012/2026", "00021/2026"
		}, nil},
		{"a new letter with leading zeros", func(d *Document) {
			letter := &Request{Protocol: "0090/2026", Reason: "x"}
			d.Grants = append(d.Grants, Grant{Office: "anagrafe", Rule: "www.anpr.example.it", Request: letter}, Grant{Office: "anagrafe", Rule: "www.example.org", Request: &Request{Protocol: "90/2026"}})
		}, []string{"+ grant anagrafe web www.anpr.example.it 90/2026", "+ grant anagrafe web www.example.org 90/2026"}},
		{"the probes on a letter of the town", func(d *Document) { d.Grants[3].Request = &Request{Protocol: "1/2026", Reason: "sonde"} },
			[]string{"~ grant g-1 everyone web service connectivity request: none → 1/2026"}},
	} {
		t.Run(tc.about, func(t *testing.T) {
			town := small(t)
			doc := town.export(t)
			tc.edit(doc)
			before := town.Snapshot().Version()
			plan, err := town.apply(doc, false)
			if err != nil {
				t.Fatal(explained(err))
			}
			if got := plan.lines(); !slices.Equal(got, tc.want) {
				t.Errorf("%q\nwant %q", got, tc.want)
			}
			if v := town.Snapshot().Version(); v != before+uint64(len(plan.Changes)) {
				t.Errorf("version %d after %d, with %d changes", v, before, len(plan.Changes))
			}
			town.same(t, doc)
			town.same(t, town.export(t))
		})
	}
}

func TestWhatIsWrongIsNamedWithItsPlace(t *testing.T) {
	request := &Request{Protocol: "99/2026", Reason: "x"}
	for _, tc := range []struct {
		about      string
		edit       func(*Document)
		path, says string
	}{
		{"a grant without a request", func(d *Document) { d.Grants[1].Request = nil }, "grants[1]", "Art. 5"},
		{"a request without reasons", func(d *Document) { d.Grants[1].Request = &Request{Protocol: "99/2026"} }, "grants[1].request", "has no reasons (Art. 5 and 7)"},
		{"a request without a number", func(d *Document) { d.Grants[1].Request = &Request{Reason: "x"} }, "grants[1]", `the protocol number is missing`},
		{"a letter written otherwise than it is on record", func(d *Document) { d.Grants[0].Request = &Request{Protocol: "12/2026", Reason: "x"} }, "grants[0].request.reason", `another reason: "residenze"`},
		{"a letter written in two ways", func(d *Document) {
			d.Grants[0].Request, d.Grants[1].Request = &Request{Protocol: "99/2026", Reason: "x"}, &Request{Protocol: "99/2026", Reason: "y"}
		}, "grants[1].request", "written otherwise at grants[0]"},
		{"who signed, without the seat", func(d *Document) {
			d.Grants[0].Request = &Request{Protocol: "99/2026", Reason: "x", Holder: "M. Rossi"}
		}, "grants[0].request.holder", "without the seat"},
		{"who signed, in two ways", func(d *Document) {
			d.Grants[0].Request = &Request{Protocol: "99/2026", Reason: "x", Seat: "s", Holder: "M. Rossi"}
			d.Grants[1].Request = &Request{Protocol: "99/2026", Reason: "x", Seat: "s", Holder: "M. Verdi"}
		}, "grants[1].request", "written otherwise at grants[0]"},
		{"who signed, otherwise than it is on record", func(d *Document) {
			d.Grants[0].Request = &Request{Protocol: "12/2026", Seat: "dirigente-anagrafe", Holder: "A. Bianchi"}
		}, "grants[0].request.holder", `another holder: "M. Rossi"`},
		{"a letter of another office", func(d *Document) { d.Grants[2].Request = &Request{Protocol: "12/2026"} }, "grants[2].request.protocol", "already the request of anagrafe"},
		{"a grant for nobody", func(d *Document) { d.Grants[1].Office = "" }, "grants[1]", "whom"},
		{"a grant for two", func(d *Document) { d.Grants[1].Everyone = true }, "grants[1]", "exactly one of office"},
		{"a grant for an office that is not there", func(d *Document) { d.Grants[1].Office = "sport" }, "grants[1].office", `no office "sport"`},
		{"a grant of nothing", func(d *Document) { d.Grants[1].Rule = "" }, "grants[1]", "exactly one of rule and service"},
		{"a grant of a public suffix", func(d *Document) { d.Grants[1].Rule = "*.gov.it" }, "grants[1].rule", "public suffix"},
		{"a service that is not there", func(d *Document) { d.Grants[0].Service = "x" }, "grants[0].service", `no service "x"`},
		{"a service of another channel", func(d *Document) { d.Grants[0].Channel = policy.Mail }, "grants[0].channel", "of the channel web"},
		{"mail for everyone", func(d *Document) {
			d.Grants = append(d.Grants, Grant{Everyone: true, Rule: "example.it", Channel: policy.Mail, Request: request})
		}, "grants[4].channel", "office by office"},
		{"the second of two names in a letter", func(d *Document) {
			d.Grants = append(d.Grants, Grant{Office: "tributi", Rule: "www.example.org", Request: request}, Grant{Office: "tributi", Rule: "autoconfig.example.it", Request: request})
		}, "grants[5].rule", "belongs to the mail of example.it"},
		{"a grant twice", func(d *Document) { d.Grants = append(d.Grants, d.Grants[0]) }, "grants[4]", "the same as grants[0]"},
		{"a network of two offices", func(d *Document) {
			edit(d.Offices, "tributi", func(o *Office) { o.Networks = d.Offices["anagrafe"].Networks })
		},
			"offices.tributi.networks[0]", "10.20.1.0/24 belongs to anagrafe"},
		{"a network outside the site", func(d *Document) {
			d.Offices["sport"] = Office{Name: "Sport", Networks: []netip.Prefix{netip.MustParsePrefix("10.20.9.0/24"), netip.MustParsePrefix("10.99.0.0/24")}}
		}, "offices.sport.networks[1]", "outside the site"},
		{"a mailbox that is none", func(d *Document) { edit(d.Offices, "tributi", func(o *Office) { o.Mailbox = "tributi" }) }, "offices.tributi.mailbox", "no mail address"},
		{"a seat of no office", func(d *Document) { edit(d.Seats, "dirigente-tributi", func(s *Seat) { s.Office = "x" }) }, "seats.dirigente-tributi.office", `no office "x"`},
		{"two holders at once", func(d *Document) {
			edit(d.Seats, "dirigente-tributi", func(s *Seat) { s.Holders = append(s.Holders, Holder{Name: "Z. Zeta", From: "2026-01-01"}) })
		}, "seats.dirigente-tributi.holders[1].from", "Z. Zeta holds the seat from 2026-01-01"},
		{"a workstation of two seats", func(d *Document) {
			edit(d.Seats, "dirigente-tributi", func(s *Seat) { s.Hosts = d.Seats["dirigente-anagrafe"].Hosts })
		}, "seats.dirigente-anagrafe.hosts[0].addr", "is bound to the seat"},
		{"a host of no office", func(d *Document) { d.Hosts[netip.MustParseAddr("10.20.2.8")] = Host{Office: "x"} }, "hosts.10.20.2.8.office", `no office "x"`},
		{"a host with a manager's role", func(d *Document) { d.Hosts[netip.MustParseAddr("10.20.2.8")] = Host{Role: policy.Manager} }, "hosts.10.20.2.8.role", "belongs to a seat"},
		{"a service rule that is none", func(d *Document) {
			edit(d.Services, "suite", func(s *Service) { s.Rules = append(s.Rules, ServiceRule{Rule: "a..b"}) })
		},
			"services.suite.rules[1].rule", "empty label"},
		{"a service without a source", func(d *Document) { edit(d.Services, "suite", func(s *Service) { s.Source = "" }) }, "services.suite", "where it comes from"},
		{"a service of a built-in's name", func(d *Document) { d.Services["inps"] = d.Services["suite"] }, "services.inps", "built-in"},
		{"a service only for an office that is not there", func(d *Document) {
			edit(d.Services, "suite", func(s *Service) { s.OnlyFor = []string{"tributi", "sport"} })
		},
			"services.suite.only_for[1]", `no office "sport"`},
	} {
		t.Run(tc.about, func(t *testing.T) {
			town := small(t)
			doc := town.export(t)
			tc.edit(doc)
			before := town.Snapshot()
			_, err := town.apply(doc, false)
			var refusal *policy.Error
			if !errors.As(err, &refusal) || len(refusal.Problems) != 1 {
				t.Fatalf("%v, want one problem", explained(err))
			}
			p := refusal.Problems[0]
			if p.Path != tc.path || !strings.Contains(p.Message+": "+p.Hint, tc.says) {
				t.Errorf("%s: %s: %s\nwant %s: … %s", p.Path, p.Message, p.Hint, tc.path, tc.says)
			}
			if town.Snapshot() != before {
				t.Error("the rules have changed")
			}
		})
	}
}

func TestAnOfficeThatGoesWithOpenRequestsIsSaidTo(t *testing.T) {
	for _, tc := range []struct {
		open int
		want string
	}{
		{0, "- office tributi Ufficio Tributi 10.20.2.0/24"},
		{1, "- office tributi Ufficio Tributi 10.20.2.0/24 withdraws 1 open request"},
		{3, "- office tributi Ufficio Tributi 10.20.2.0/24 withdraws 3 open requests"},
	} {
		town := small(t)
		for range tc.open {
			if _, err := town.Apply(clerk, request.Submit{Office: "tributi", Names: []string{"www.inps.it"}, Reason: "x", Unsigned: true}); err != nil {
				t.Fatal(err)
			}
		}
		doc := town.export(t)
		delete(doc.Offices, "tributi")
		delete(doc.Seats, "dirigente-tributi")
		doc.Grants = slices.DeleteFunc(doc.Grants, func(g Grant) bool { return g.Office == "tributi" })
		plan, err := town.apply(doc, false)
		if err != nil {
			t.Fatal(explained(err))
		}
		if got := plan.lines(); len(got) != 3 || got[0] != tc.want {
			t.Errorf("%q\nwant %q first", got, tc.want)
		}
	}
}

func TestWhatIsNotListedCanStay(t *testing.T) {
	town := small(t)
	doc := &Document{
		Offices: map[ID]Office{"sport": {Name: "Sport"}},
		Seats:   map[ID]Seat{"dirigente-sport": {Office: "sport", Holders: []Holder{{Name: "S. Sole", From: "2026-01-01"}}}},
		Grants:  []Grant{{Office: "sport", Rule: "www.coni.it", Request: &Request{Protocol: "50/2026", Reason: "x"}}},
	}
	plan, err := town.apply(doc, true)
	if err != nil {
		t.Fatal(explained(err))
	}
	if got := plan.lines(); len(got) != 3 || strings.ContainsAny(strings.Join(got, ""), "~") {
		t.Errorf("%q", got)
	}
	if c := town.Snapshot().Counts(); c.Offices != 3 || c.Seats != 3 || c.Grants != 5 || c.Hosts != 2 {
		t.Errorf("%+v", c)
	}
}

func TestAPastGrantIsNeitherWrittenNorMissed(t *testing.T) {
	town := small(t)
	doc := town.export(t)
	town.now = town.now.AddDate(2, 0, 0) // suite is past
	town.same(t, town.export(t))
	plan, err := town.diff(doc, false)
	if err != nil || len(plan.Changes) > 0 || len(plan.Warnings) != 1 || plan.Warnings[0].Path != "grants[2].until" {
		t.Errorf("%+v %v", plan, err)
	}
	next := town.export(t)
	next.Services = nil
	delete(next.Offices, "tributi")
	delete(next.Seats, "dirigente-tributi")
	if _, err := town.apply(next, false); err != nil {
		t.Errorf("what only a past grant holds cannot go: %s", explained(err))
	}
}

// The second server notes by itself that a request is over, before it hears that another grant was made on it.
func TestAGrantOnARequestThatIsOverHereBringsItBack(t *testing.T) {
	one, two := small(t), newTown(t)
	allow := policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{"www.inps.it"}, Protocol: "30/2026", Date: "2026-02-02", Reason: "visure", Until: "2026-03-02"}
	if _, err := one.Apply(clerk, allow); err != nil {
		t.Fatal(err)
	}
	if _, err := two.apply(one.export(t), false); err != nil {
		t.Fatal(explained(err))
	}
	allow.Names, allow.Until = []string{"www.inail.it"}, "2026-12-31"
	if _, err := one.Apply(clerk, allow); err != nil {
		t.Fatal(err)
	}
	letter := func() *policy.Request {
		var q *policy.Request
		if err := two.View(func(r policy.Records) (err error) {
			q, _, err = r.RequestOf("30/2026")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return q
	}
	one.now, two.now = noon.AddDate(0, 0, 1), noon.AddDate(0, 0, 1)
	if _, err := two.Apply(clerk, request.Expire{Requests: []policy.RequestID{letter().ID}}); err != nil {
		t.Fatal(err)
	}
	doc := one.export(t)
	if _, err := two.apply(doc, false); err != nil {
		t.Fatal(explained(err))
	}
	two.same(t, doc)
	if q := letter(); q.State != policy.Approved || len(q.Steps) != 2 || q.Steps[0].State != policy.Expired || q.Steps[1].State != policy.Approved {
		t.Errorf("%+v", q)
	}
}

func TestSettingsAreOnlyComparedWith(t *testing.T) {
	town := small(t)
	doc := town.export(t)
	doc.Town, doc.Timezone, doc.Site = "Altro", "Europe/Paris", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	plan, err := town.diff(doc, false)
	if err != nil || len(plan.Changes) > 0 || len(plan.Warnings) != 3 {
		t.Fatalf("%+v %v", plan, err)
	}
	for i, path := range []string{"town", "timezone", "site"} {
		if plan.Warnings[i].Path != path || !strings.Contains(plan.Warnings[i].Hint, "settings file") {
			t.Errorf("%+v", plan.Warnings[i])
		}
	}
}
