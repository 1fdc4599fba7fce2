package town

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"usciere/policy"
)

// certified is a town with certified mail, and mailboxes of offices and seats.
func certified(t *testing.T) *aTown {
	return newTown(t,
		policy.AddOffice{ID: "avvocatura", Name: "Avvocatura", Mailbox: "avvocatura@example.it", PEC: []policy.Ground{policy.CourtActs, policy.OutsideBodies}},
		policy.AddSeat{ID: "avvocato", Office: "avvocatura", Holder: "G. Bianchi", Mailbox: "g.bianchi@example.it", From: "2025-09-01"},
		policy.AddOffice{ID: "legale", Name: "Ufficio legale", Mailbox: "legale@example.it"},
		policy.AddSeat{ID: "legale", Office: "legale", Holder: "L. Neri", Mailbox: "neri@example.it", From: "2025-09-01"},
		policy.AddService{ID: "pec-regione", Channel: policy.Mail, PEC: true, Rules: []policy.ServiceRule{{Rule: ruleOf(".pec.example.it"), Source: "lettera 3/2026"}}},
		policy.AddGrants{Subject: policy.Subject{Office: "avvocatura"}, Names: []string{"www.giustizia.it", "pec"}, Ground: policy.OutsideBodies, Protocol: "12/2026", Date: "2026-02-02", Reason: "atti"},
	)
}

func TestCertifiedMailAndMailboxesAreCompared(t *testing.T) {
	for _, tc := range []struct {
		about string
		edit  func(*Document)
		want  []string
	}{
		{"nothing", func(*Document) {}, nil},
		{"the order of grounds", func(d *Document) {
			edit(d.Offices, "avvocatura", func(o *Office) { o.PEC = []policy.Ground{policy.CourtActs, policy.OutsideBodies} })
		}, nil},
		{"another ground", func(d *Document) {
			edit(d.Offices, "legale", func(o *Office) { o.PEC = []policy.Ground{policy.ActsOfOutsiders} })
		}, []string{"~ office legale pec: +acts-of-outside-bodies"}},
		{"court acts that go to another office", func(d *Document) {
			edit(d.Offices, "avvocatura", func(o *Office) { o.PEC = []policy.Ground{policy.OutsideBodies} })
			edit(d.Offices, "legale", func(o *Office) { o.PEC = []policy.Ground{policy.CourtActs} })
		}, []string{"~ office avvocatura pec: -court-acts", "~ office legale pec: +court-acts"}},
		{"a legal office that is no more", func(d *Document) {
			d.Offices["affari-legali"] = Office{Name: "Affari legali", Mailbox: "avvocatura@example.it", PEC: []policy.Ground{policy.CourtActs}}
			delete(d.Offices, "avvocatura")
			delete(d.Seats, "avvocato")
			edit(d.Seats, "legale", func(s *Seat) { s.Mailbox = "" })
			d.Grants = slices.DeleteFunc(d.Grants, func(g Grant) bool { return g.Office == "avvocatura" })
		}, []string{"+ office affari-legali Affari legali avvocatura@example.it court-acts", "- office avvocatura Avvocatura avvocatura@example.it outside-bodies, court-acts",
			"- seat avvocato avvocatura manager g.bianchi@example.it G. Bianchi from 2025-09-01", "~ seat legale mailbox: neri@example.it → none",
			"- grant g-2 avvocatura web www.giustizia.it 12/2026", "- grant g-3 avvocatura mail service pec 12/2026"}},
		{"a seat that takes the mailbox of an office that goes", func(d *Document) {
			delete(d.Offices, "legale")
			edit(d.Seats, "legale", func(s *Seat) { s.Office, s.Mailbox = "avvocatura", "legale@example.it" })
		}, []string{"- office legale Ufficio legale legale@example.it", "~ seat legale office: legale → avvocatura; mailbox: neri@example.it → legale@example.it"}},
		{"an office and a seat that change mailboxes", func(d *Document) {
			edit(d.Offices, "legale", func(o *Office) { o.Mailbox = "neri@example.it" })
			edit(d.Seats, "legale", func(s *Seat) {
				s.Mailbox, s.Holders = "legale@example.it", []Holder{{Name: "P. Gallo", From: "2026-01-01"}}
			})
		}, []string{"~ office legale mailbox: legale@example.it → neri@example.it",
			"~ seat legale mailbox: neri@example.it → legale@example.it; holders: -L. Neri from 2025-09-01, +P. Gallo from 2026-01-01"}},
		{"certified mail for an office that may", func(d *Document) {
			edit(d.Offices, "legale", func(o *Office) { o.PEC = []policy.Ground{policy.ActsOfOutsiders, policy.OutsideBodies} })
			letter := &Request{Protocol: "13/2026", Reason: "x", Ground: policy.ActsOfOutsiders}
			d.Grants = append(d.Grants, Grant{Office: "legale", Rule: "www.example.it", Request: &Request{Protocol: "13/2026"}}, Grant{Office: "legale", Service: "pec-regione", Request: letter})
		}, []string{"~ office legale pec: +outside-bodies, +acts-of-outside-bodies", "+ grant legale web www.example.it 13/2026", "+ grant legale mail service pec-regione 13/2026"}},
		{"a service that is certified mail no more", func(d *Document) { edit(d.Services, "pec-regione", func(s *Service) { s.PEC = false }) },
			[]string{"~ service pec-regione pec: certified mail → none"}},
	} {
		t.Run(tc.about, func(t *testing.T) {
			town := certified(t)
			doc := town.export(t)
			tc.edit(doc)
			plan, err := town.apply(doc, false)
			if err != nil {
				t.Fatal(explained(err))
			}
			if got := plan.lines(); !slices.Equal(got, tc.want) {
				t.Errorf("%q\nwant %q", got, tc.want)
			}
			town.same(t, doc)
			town.same(t, town.export(t))
		})
	}
}

// Certified mail may be added to a letter whose first grants needed no ground, and comes after these where the file goes.
func TestAGroundIsAddedToALetterOnRecord(t *testing.T) {
	one := certified(t)
	web := policy.AddGrants{Subject: policy.Subject{Office: "avvocatura"}, Names: []string{"www.tar.it"}, Protocol: "14/2026", Date: "2026-02-03", Reason: "ricorsi"}
	if _, err := one.Apply(clerk, web); err != nil {
		t.Fatal(err)
	}
	two := newTown(t)
	if _, err := two.apply(one.export(t), false); err != nil {
		t.Fatal(explained(err))
	}
	mail := web
	mail.Names, mail.Ground = []string{"pec-regione"}, policy.CourtActs
	if _, err := one.Apply(clerk, mail); err != nil {
		t.Fatal(err)
	}
	doc := one.export(t)
	if _, err := two.apply(doc, false); err != nil {
		t.Fatal(explained(err))
	}
	two.same(t, doc)
	if letter := two.export(t).Grants[2].Request; letter.Protocol != "14/2026" || letter.Ground != policy.CourtActs {
		t.Errorf("%+v", letter)
	}
}

func TestWhatTheDirectiveRefusesIsNamedWithItsPlace(t *testing.T) {
	more := func(g Grant) func(*Document) { return func(d *Document) { d.Grants = append(d.Grants, g) } }
	for _, tc := range []struct {
		about      string
		edit       func(*Document)
		path, says string
	}{
		{"court acts of two offices", func(d *Document) {
			edit(d.Offices, "legale", func(o *Office) { o.PEC = []policy.Ground{policy.CourtActs} })
		},
			"offices.legale.pec[0]", "avvocatura has the ground court-acts already"},
		{"a ground that a grant rests on", func(d *Document) { edit(d.Offices, "avvocatura", func(o *Office) { o.PEC = nil }) },
			"offices.avvocatura", "rests on the ground outside-bodies"},
		{"an office without a ground", more(Grant{Office: "legale", Service: "pec", Request: &Request{Protocol: "13/2026", Reason: "x"}}), "grants[3].office", "point a"},
		{"a ground that does not fit", more(Grant{Office: "legale", Service: "pec", Request: &Request{Protocol: "13/2026", Reason: "x", Ground: policy.CourtActs}}),
			"grants[3].request.ground", "point b.1"},
		{"a ground of the web", more(Grant{Office: "avvocatura", Rule: "www.example.it", Request: &Request{Protocol: "13/2026", Reason: "x", Ground: policy.OutsideBodies}}),
			"grants[3].request.ground", "nothing of the request 13/2026 is"},
		{"a letter on another ground than on record", func(d *Document) { d.Grants[0].Request.Ground = policy.CourtActs }, "grants[0].request.ground", "another ground"},
		{"certified mail for everyone", more(Grant{Everyone: true, Service: "pec", Request: &Request{Protocol: "13/2026", Reason: "x"}}), "grants[3].service", "point a"},
		{"certified mail of the web", func(d *Document) { edit(d.Services, "pec-regione", func(s *Service) { s.Channel = policy.Web }) },
			"services.pec-regione", "is of the channel mail"},
		{"a mailbox of certified mail", func(d *Document) { edit(d.Offices, "legale", func(o *Office) { o.Mailbox = "legale@pec.example.it" }) },
			"offices.legale.mailbox", "points a and c"},
		{"a mailbox of a seat", func(d *Document) { edit(d.Offices, "legale", func(o *Office) { o.Mailbox = "g.bianchi@example.it" }) },
			"offices.legale.mailbox", "of the seat avvocato"},
		{"a mailbox of the holder", func(d *Document) { edit(d.Offices, "legale", func(o *Office) { o.Mailbox = "l.neri@example.it" }) },
			"offices.legale.mailbox", "named after L. Neri"},
		{"a seat's mailbox of certified mail", func(d *Document) { edit(d.Seats, "legale", func(s *Seat) { s.Mailbox = "neri@pec.it" }) },
			"seats.legale.mailbox", "points a and d"},
	} {
		t.Run(tc.about, func(t *testing.T) {
			town := certified(t)
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
