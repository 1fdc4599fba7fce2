package policy

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestBadOfficesAndNetworksAreRefused(t *testing.T) {
	town := newTown(t)
	office := func(id string, networks ...netip.Prefix) AddOffice {
		return AddOffice{ID: id, Name: "Ufficio", Networks: networks}
	}
	raw := func(text string) netip.Prefix { return netip.MustParsePrefix(text) }
	name, blank, bad := "X", "  ", "not an address"
	for _, tc := range []struct {
		about string
		code  Code
		piece string
		c     Change
	}{
		{"a prefix another office owns", Conflict, "10.20.1.0/24 belongs to anagrafe", office("nuovo", raw("10.20.1.0/24"))},
		{"and the way out", Conflict, "a smaller prefix inside it is fine (10.20.1.0/25); or first `usciere network remove 10.20.1.0/24 --office anagrafe`", AddNetwork{Office: "tributi", Network: raw("10.20.1.0/24")}},
		{"an IPv6 prefix another office owns", Conflict, "belongs to anagrafe", AddNetwork{Office: "tributi", Network: raw("2001:db8:20:1::/64")}},
		{"a prefix of its own", Conflict, "already", AddNetwork{Office: "tributi", Network: raw("10.20.2.0/24")}},
		{"a prefix named twice", Invalid, "named twice", office("nuovo", raw("10.20.9.0/24"), raw("10.20.9.0/24"))},
		{"bits beyond the length", Invalid, "write 10.20.9.0/24", office("nuovo", raw("10.20.9.1/24"))},
		{"outside the site", Invalid, "outside the site", office("nuovo", raw("10.99.0.0/16"))},
		{"wider than the site", Invalid, "outside the site", office("nuovo", raw("10.0.0.0/8"))},
		{"no prefix", Invalid, "not valid", office("nuovo", netip.Prefix{})},
		{"IPv4 in IPv6 clothes", Invalid, "IPv4 prefix", office("nuovo", raw("::ffff:10.20.9.0/120"))},
		{"an office that is there", Conflict, "there already", office("tributi")},
		{"an id with capitals", Invalid, "no id of an office", office("Tributi")},
		{"an id with a space", Invalid, "no id of an office", office("ufficio tributi")},
		{"an empty id", Invalid, "no id of an office", office("")},
		{"an over-long id", Invalid, "no id of an office", office(strings.Repeat("x", 64))},
		{"no name", Invalid, "--name", AddOffice{ID: "nuovo", Name: " "}},
		{"a name with an escape", Invalid, "cannot be printed", AddOffice{ID: "nuovo", Name: "x\x1b[31m"}},
		{"a name with a control character of a terminal", Invalid, "cannot be printed", AddOffice{ID: "nuovo", Name: "x\u009b31m"}},
		{"a name that turns what stands beside it", Invalid, "cannot be printed", AddOffice{ID: "nuovo", Name: "x\u202eitubirt"}},
		{"an over-long name", Invalid, "200 are the most", AddOffice{ID: "nuovo", Name: strings.Repeat("x", 201)}},
		{"a bad mailbox", Invalid, "no mail address", AddOffice{ID: "nuovo", Name: "N", Mailbox: bad}},
		{"changing an unknown office", NotFound, "usciere office list", ChangeOffice{ID: "nessuno", Name: &name}},
		{"taking its name away", Invalid, "--name", ChangeOffice{ID: "tributi", Name: &blank}},
		{"a bad mailbox in a change", Invalid, "no mail address", ChangeOffice{ID: "tributi", Mailbox: &bad}},
		{"based on an old version", Conflict, "was changed meanwhile", ChangeOffice{Based: Based{99}, ID: "tributi", Name: &name}},
		{"removing an unknown office", NotFound, "no office", RemoveOffice{ID: "nessuno"}},
		{"removing an office with seats", Conflict, "0 grants, 1 seats, 0 hosts and 0 open requests", RemoveOffice{ID: "tributi"}},
		{"removing based on an old version", Conflict, "meanwhile", RemoveOffice{Based: Based{99}, ID: "tributi"}},
		{"a network for an unknown office", NotFound, "no office", AddNetwork{Office: "nessuno", Network: raw("10.20.9.0/24")}},
		{"a network based on an old version", Conflict, "meanwhile", AddNetwork{Based: Based{99}, Office: "tributi", Network: raw("10.20.9.0/24")}},
		{"removing a network that is another's", NotFound, "does not belong to tributi", RemoveNetwork{Office: "tributi", Network: raw("10.20.1.0/24")}},
		{"removing a network of an unknown office", NotFound, "no office", RemoveNetwork{Office: "nessuno", Network: raw("10.20.1.0/24")}},
	} {
		t.Run(tc.about, func(t *testing.T) { town.t = t; town.refused(tc.code, tc.piece, tc.c) })
	}
}

func TestBadHostsAndSeatsAreRefused(t *testing.T) {
	town := newTown(t)
	town.do(
		AddHost{Addr: addr("10.20.0.25"), Role: Server},
		AddSeat{ID: "impiegato", Office: "tributi", Role: Employee, Holder: "P. Bruni"},
	)
	for _, tc := range []struct {
		about string
		code  Code
		piece string
		c     Change
	}{
		{"no address", Invalid, "no address of a machine", AddHost{Office: "tributi"}},
		{"the unspecified address", Invalid, "no address of a machine", AddHost{Addr: addr("::"), Office: "tributi"}},
		{"a group", Invalid, "no address of a machine", AddHost{Addr: addr("224.0.0.1"), Office: "tributi"}},
		{"a zone", Invalid, "write fe80::1", AddHost{Addr: addr("fe80::1%eth0"), Office: "tributi"}},
		{"IPv4 in IPv6 clothes", Invalid, "write 10.20.2.7", AddHost{Addr: addr("::ffff:10.20.2.7"), Office: "tributi"}},
		{"outside the site", Invalid, "outside the site", AddHost{Addr: addr("192.0.2.1"), Office: "tributi"}},
		{"an unknown office", NotFound, "no office", AddHost{Addr: addr("10.20.2.7"), Office: "nessuno"}},
		{"an unrestricted role without a seat", Invalid, "belongs to a seat", AddHost{Addr: addr("10.20.2.7"), Role: Manager}},
		{"an unknown role", Invalid, "belongs to a seat", AddHost{Addr: addr("10.20.2.7"), Role: "boss"}},
		{"a server on a seat", Invalid, "bound to no seat", AddHost{Addr: addr("10.20.2.7"), Role: Server, Seat: "dirigente-tributi"}},
		{"a seat on a server", Conflict, "is a server", AddHost{Addr: addr("10.20.0.25"), Seat: "dirigente-tributi"}},
		{"an unknown seat", NotFound, "no seat", AddHost{Addr: addr("10.20.2.7"), Seat: "nessuno"}},
		{"a host that is there", Conflict, "there already", AddHost{Addr: addr("10.20.0.25"), Name: "x"}},
		{"nothing said of it", Invalid, "nothing is said", AddHost{Addr: addr("10.20.2.7"), Role: Employee}},
		{"another seat's workstation", Conflict, "is bound to the seat dirigente-tributi", AddHost{Addr: addr("10.20.2.9"), Seat: "dirigente-anagrafe"}},
		{"a bad first day", Invalid, "no day", AddHost{Addr: addr("10.20.2.7"), Seat: "dirigente-tributi", From: "soon"}},
		{"an unprintable name", Invalid, "cannot be printed", AddHost{Addr: addr("10.20.2.7"), Name: "\x00"}},
		{"removing what is not there", NotFound, "no host", RemoveHost{Addr: addr("10.20.2.7")}},
		{"removing no address", NotFound, "no host", RemoveHost{}},
		{"removing on an old version", Conflict, "meanwhile", RemoveHost{Based: Based{99}, Addr: addr("10.20.0.25")}},

		{"a seat that is there", Conflict, "usciere seat assign", AddSeat{ID: "dirigente-tributi", Office: "tributi"}},
		{"a seat without an id", Invalid, "no id of a seat", AddSeat{Office: "tributi"}},
		{"a seat in an unknown office", NotFound, "no office", AddSeat{ID: "nuovo", Office: "nessuno"}},
		{"a server's seat", Invalid, "cannot be a server", AddSeat{ID: "nuovo", Office: "tributi", Role: Server}},
		{"a seat with a bad mailbox", Invalid, "no mail address", AddSeat{ID: "nuovo", Office: "tributi", Mailbox: "x"}},
		{"a seat from a bad day", Invalid, "no day", AddSeat{ID: "nuovo", Office: "tributi", From: "2026-02-30"}},
		{"a seat on another's workstation", Conflict, "is bound to the seat", AddSeat{ID: "nuovo", Office: "tributi", Hosts: []netip.Addr{addr("10.20.2.9")}}},
		{"assigning an unknown seat", NotFound, "no seat", AssignSeat{Seat: "nessuno", Holder: "X"}},
		{"assigning to nobody", Invalid, "--vacant", AssignSeat{Seat: "dirigente-tributi", Holder: " "}},
		{"assigning to somebody and nobody", Invalid, "--vacant", AssignSeat{Seat: "dirigente-tributi", Holder: "X", Vacant: true}},
		{"assigning before the holder began", Conflict, "M. Verdi holds the seat from 2025-01-01", AssignSeat{Seat: "dirigente-tributi", Holder: "X", From: "2025-01-01"}},
		{"assigning on an old version", Conflict, "meanwhile", AssignSeat{Based: Based{99}, Seat: "dirigente-tributi", Holder: "X"}},
		{"assigning from a bad day", Invalid, "no day", AssignSeat{Seat: "dirigente-tributi", Holder: "X", From: "2026-03-02T10:00"}},
		{"assigning workstations of another seat", Conflict, "is bound to the seat", AssignSeat{Seat: "dirigente-tributi", Holder: "X", Hosts: []netip.Addr{addr("10.20.1.9")}}},
		{"removing an unknown seat", NotFound, "no seat", RemoveSeat{Seat: "nessuno"}},
		{"removing a seat on an old version", Conflict, "meanwhile", RemoveSeat{Based: Based{99}, Seat: "dirigente-tributi"}},
	} {
		t.Run(tc.about, func(t *testing.T) { town.t = t; town.refused(tc.code, tc.piece, tc.c) })
	}
}

// A workstation bound again while an earlier binding is running out stays bound.
func TestBindingAWorkstationAgainJoinsTheStretches(t *testing.T) {
	town := newTown(t)
	old, other := addr("10.20.2.9"), addr("10.20.2.31")
	town.do(
		AssignSeat{Seat: "dirigente-tributi", Holder: "A", From: "2026-06-01", Hosts: []netip.Addr{other}},
		AssignSeat{Seat: "dirigente-tributi", Holder: "B", From: "2026-06-02", Hosts: []netip.Addr{old, other}},
		AddHost{Addr: old, Seat: "dirigente-tributi", From: "2026-05-01"},
	)
	for _, day := range []string{"2025-06-01 12:00", "2026-05-31 12:00", "2026-06-01 12:00", "2026-06-02 12:00", "2030-01-01 12:00"} {
		if c := town.Snapshot().Who(old, at(day)); c.Role != Manager {
			t.Errorf("on %s the workstation has the role %s", day, c.Role)
		}
	}
	if h, _ := town.Snapshot().Host(old); len(h.Seats) != 1 {
		t.Errorf("bindings %v; want one", h.Seats)
	}
	town.do(AssignSeat{Seat: "dirigente-tributi", Vacant: true, From: "2026-07-01"})
	if seat, _ := town.Snapshot().Seat("dirigente-tributi"); len(seat.Holders) != 3 || seat.Holders[2].Until != "2026-06-30" {
		t.Errorf("holders %v", seat.Holders)
	}
	if c := town.Snapshot().Who(old, at("2026-07-02 12:00")); c.Role != Manager {
		t.Error("the workstations of a vacant seat left it")
	}
}

func TestGrantsWithoutPaperworkAreRefused(t *testing.T) {
	town := newTown(t)
	town.do(
		AddSeat{ID: "impiegato", Office: "tributi", Role: Employee, Holder: "P. Bruni"},
		AddOffice{ID: "cultura", Name: "Cultura"},
		AddOffice{ID: "vacante", Name: "V"}, AddSeat{ID: "dirigente-vacante", Office: "vacante"},
		AddOffice{ID: "due", Name: "D"}, AddSeat{ID: "uno-di-due", Office: "due", Holder: "X"}, AddSeat{ID: "due-di-due", Office: "due", Holder: "Y"},
	)
	town.allow("tributi", "www.istat.it", func(c *AddGrants) { c.Protocol = "88/2026" })
	good := AddGrants{Subject: Subject{Office: "tributi"}, Names: []string{"www.inps.it"}, Protocol: "7/2026", Reason: "visure"}
	with := func(edit func(*AddGrants)) AddGrants { c := good; edit(&c); return c }
	for _, tc := range []struct {
		about string
		code  Code
		piece string
		edit  func(*AddGrants)
	}{
		{"no reasons (R5)", Invalid, "--reason", func(c *AddGrants) { c.Reason = " " }},
		{"no protocol number (R6)", Invalid, "protocol number", func(c *AddGrants) { c.Protocol = "" }},
		{"no protocol number but a word", Invalid, "NUMBER/YEAR", func(c *AddGrants) { c.Protocol = "seven/2026" }},
		{"a protocol number without a year", Invalid, "protocol number", func(c *AddGrants) { c.Protocol = "7" }},
		{"a protocol number with more behind", Invalid, "protocol number", func(c *AddGrants) { c.Protocol = "7/2026 " }},
		{"the number of another office's letter", Conflict, "already the request of tributi", func(c *AddGrants) { c.Office, c.Protocol = "anagrafe", "88/2026" }},
		{"a number that is another's but for a leading zero", Conflict, "already the request of tributi", func(c *AddGrants) { c.Office, c.Protocol = "anagrafe", "088/2026" }},
		{"number zero", Invalid, "counts from 1", func(c *AddGrants) { c.Protocol = "00/2026" }},
		{"a web grant of MX alone", Invalid, "opens nothing", func(c *AddGrants) { c.Types = []Type{TypeMX} }},
		{"a number used with other reasons", Conflict, "other reasons", func(c *AddGrants) { c.Protocol = "88/2026" }},
		{"an office without a manager's seat (Art. 5)", Invalid, "usciere seat add", func(c *AddGrants) { c.Office = "cultura" }},
		{"several managers' seats", Invalid, "due-di-due, uno-di-due", func(c *AddGrants) { c.Office = "due" }},
		{"a seat that nobody held", Invalid, "nobody held the seat", func(c *AddGrants) { c.Office = "vacante" }},
		{"a seat that nobody held on that day", Invalid, "on 2024-05-05", func(c *AddGrants) { c.Date = "2024-05-05" }},
		{"signed by an employee", Invalid, "cannot sign", func(c *AddGrants) { c.Seat = "impiegato" }},
		{"signed by an unknown seat", NotFound, "no seat", func(c *AddGrants) { c.Seat = "nessuno" }},
		{"a letter of tomorrow", Invalid, "in the future", func(c *AddGrants) { c.Date = "2026-03-03" }},
		{"a letter of no day", Invalid, "no day", func(c *AddGrants) { c.Date = "yesterday" }},
		{"reasons that cannot be printed", Invalid, "cannot be printed", func(c *AddGrants) { c.Reason = "a\x00b" }},
		{"reasons without end", Invalid, "4000 are the most", func(c *AddGrants) { c.Reason = strings.Repeat("x", 4001) }},

		{"no subject", Invalid, "exactly one", func(c *AddGrants) { c.Office = "" }},
		{"two subjects", Invalid, "exactly one", func(c *AddGrants) { c.Everyone = true }},
		{"an unknown office", NotFound, "usciere office list", func(c *AddGrants) { c.Office = "nessuno" }},
		{"an unrestricted role", Invalid, "no limits", func(c *AddGrants) { c.Subject = Subject{Role: Manager} }},
		{"no address", Invalid, "0 addresses", func(c *AddGrants) { c.Names = nil }},
		{"too many", Invalid, "10001 addresses", func(c *AddGrants) { c.Names = make([]string, 10_001) }},
		{"a public suffix", Invalid, "*.gov.it is a public suffix: it would open every site registered below it", func(c *AddGrants) { c.Names = []string{"*.gov.it"} }},
		{"one bad among good", Invalid, "public suffix", func(c *AddGrants) { c.Names = []string{"www.inps.it", ".it"} }},
		{"a malformed name", Invalid, "empty label", func(c *AddGrants) { c.Names = []string{"www..it"} }},
		{"an over-long name", Invalid, "255 are the most", func(c *AddGrants) { c.Names = []string{strings.Repeat("abcdefg.", 32) + "it"} }},
		{"no such service or name", NotFound, "no service \"spidd\"", func(c *AddGrants) { c.Names = []string{"spidd"} }},
		{"a mail name on the web (R3)", Invalid, "usciere allow inps.it --channel mail", func(c *AddGrants) { c.Names = []string{"autodiscover.inps.it"} }},
		{"a mail service name on the web (R3)", Invalid, "--channel mail", func(c *AddGrants) { c.Names = []string{"_imaps._tcp.inps.it"} }},
		{"mail asked by its host instead of its domain", Invalid, "usciere allow inps.it --channel mail", func(c *AddGrants) { c.Names, c.Channel = []string{"autoconfig.inps.it"}, Mail }},
		{"mail for everyone (R3)", Invalid, "office by office", func(c *AddGrants) { c.Subject, c.Channel = Subject{Everyone: true}, Mail }},
		{"mail for all employees (R3)", Invalid, "office by office", func(c *AddGrants) { c.Subject, c.Channel = Subject{Role: Employee}, Mail }},
		{"an end in the past", Invalid, "in the past", func(c *AddGrants) { c.Until = "2026-03-01" }},
		{"an end a minute ago", Invalid, "in the past", func(c *AddGrants) { c.Until = "2026-03-02T09:59" }},
		{"an end before its beginning", Invalid, "before it begins", func(c *AddGrants) { c.From, c.Until = "2026-05-02", "2026-05-01" }},
		{"no date", Invalid, "no date", func(c *AddGrants) { c.From = "soon" }},
		{"no schedule", Invalid, "schedule", func(c *AddGrants) { c.Schedule = "often" }},
		{"no channel", Invalid, "channels are web and mail", func(c *AddGrants) { c.Channel = "fax" }},
		{"no type", Invalid, "no record type", func(c *AddGrants) { c.Types = []Type{0} }},
		{"what it has already", Conflict, "tributi already has www.istat.it", func(c *AddGrants) { c.Names = []string{"www.istat.it"} }},
	} {
		t.Run(tc.about, func(t *testing.T) { town.t = t; town.refused(tc.code, tc.piece, with(tc.edit)) })
	}
}

func TestAGrantRestsOnTheLetter(t *testing.T) {
	town := newTown(t)
	out := town.do(AddGrants{
		Subject: Subject{Office: "tributi"}, Names: []string{"https://www.inps.it/it/", ".istat.it", "www.inps.it"},
		Protocol: "88/2026", Date: "2026-02-20", Reason: "  visure ", Until: "2026-03-02", Types: []Type{28, 1, 28},
	}).(GrantsAdded)
	if len(out.Grants) != 2 || len(out.Notes) != 1 || !slices.Equal(out.Grants[0].Types, []Type{1, 28}) {
		t.Errorf("grants %v, notes %q", out.Grants, out.Notes)
	}
	q := out.Request
	if q.Seat != "dirigente-tributi" || q.Holder != "M. Verdi" || q.Reason != "visure" || q.State != Approved || len(q.Addresses) != 3 || q.DecidedBy != "niccolo" {
		t.Errorf("request %+v", q)
	}
	more := town.do(AddGrants{Subject: Subject{Office: "tributi"}, Names: []string{"www.inail.it"}, Protocol: "88/2026"}).(GrantsAdded)
	if more.Request.ID != q.ID || len(more.Request.Addresses) != 4 || more.Request.Date != "2026-02-20" {
		t.Errorf("the second part of the letter: %+v", more.Request)
	}
	err := town.View(func(r Records) error {
		found, ok, err := r.RequestOf("88/2026")
		if err != nil || !ok || found.ID != q.ID {
			t.Errorf("RequestOf: %v, %v, %v", found, ok, err)
		}
		if _, ok, err := r.RequestOf("89/2026"); ok || err != nil {
			t.Errorf("an unknown protocol number: %v, %v", ok, err)
		}
		if _, err := r.Grant(99); !IsCode(err, NotFound) {
			t.Errorf("an unknown grant: %v", err)
		}
		if _, err := r.Request(99); !IsCode(err, NotFound) {
			t.Errorf("an unknown request: %v", err)
		}
		var ids []GrantID
		err = r.EachGrantOf(Subject{Office: "tributi"}, func(g *Grant) bool { ids = append(ids, g.ID); return len(ids) < 2 })
		if len(ids) != 2 || err != nil {
			t.Errorf("the first two of its grants: %v, %v", ids, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if e := town.store.journal[len(town.store.journal)-1]; e.Kind != "grant.add" || e.Office != "tributi" || e.Request != "88/2026 of 2026-02-20" || e.Actor != clerk {
		t.Errorf("journal: %+v", e)
	}
}

func TestRevokedGrantsEndAtOnce(t *testing.T) {
	town := newTown(t)
	g := town.allow("tributi", "www.inps.it .istat.it")
	town.refused(NotFound, "no grant g-99", RevokeGrants{Grants: []GrantID{g[0].ID, 99}})
	town.refused(Conflict, "was revoked on 2026-03-02", RevokeGrants{Grants: []GrantID{g[0].ID, g[0].ID}})
	town.refused(Conflict, "meanwhile", RevokeGrants{Based: Based{99}, Grants: []GrantID{g[0].ID}})
	town.refused(Invalid, "0 grants", RevokeGrants{})
	town.refused(Invalid, "cannot be printed", RevokeGrants{Grants: []GrantID{1}, Reason: "\x07"})
	town.do(RevokeGrants{Grants: []GrantID{g[0].ID}, Reason: "non serve più"})
	if town.allows("10.20.2.5", "www.inps.it") || !town.allows("10.20.2.5", "www.istat.it") {
		t.Error("the wrong grant was revoked")
	}
	town.refused(Conflict, "was revoked", RevokeGrants{Grants: []GrantID{g[0].ID}})
	if again := town.allow("tributi", "www.inps.it"); again[0].ID == g[0].ID {
		t.Error("a grant's number was given twice")
	}
}

func TestServicesAreCheckedAndChanged(t *testing.T) {
	town := newTown(t)
	one := func(texts ...string) (out []ServiceRule) {
		for _, text := range texts {
			out = append(out, ServiceRule{Rule: rule(text), Source: "the supplier's letter"})
		}
		return out
	}
	town.do(AddService{ID: "suite", Title: "Suite", Rules: one(".suite.example.com"), Eligible: []string{"tributi"}})
	town.do(AddService{ID: "posta", Channel: Mail, Rules: one(".posta.example.com")})
	town.allow("tributi", "suite posta")
	for _, tc := range []struct {
		about string
		code  Code
		piece string
		c     Change
	}{
		{"one that is there", Conflict, "--replace", AddService{ID: "suite", Rules: one("a.example.com")}},
		{"no id", Invalid, "no id of a service", AddService{ID: "a.b", Rules: one("a.example.com")}},
		{"no rules", Invalid, "0 domain rules", AddService{ID: "x"}},
		{"a rule twice", Invalid, "stands twice", AddService{ID: "x", Rules: one("a.example.com", "a.example.com")}},
		{"an empty rule", Invalid, "empty domain rule", AddService{ID: "x", Rules: []ServiceRule{{Source: "x"}}}},
		{"a public suffix that no parser saw", Invalid, "public suffix", AddService{ID: "x", Rules: []ServiceRule{{Rule: Rule{Tree, name("gov.it")}, Source: "x"}}}},
		{"the address of a page that no parser saw", Invalid, "the host alone: www.example.com", AddService{ID: "x", Rules: []ServiceRule{{Rule: Rule{Exact, name("https://www.example.com/")}, Source: "x"}}}},
		{"no source", Invalid, "--source", AddService{ID: "x", Rules: []ServiceRule{{Rule: rule("a.example.com"), Source: " "}}}},
		{"a mail name in a service of the web", Invalid, "belongs to mail", AddService{ID: "x", Rules: one("autodiscover.example.com")}},
		{"an unknown eligible office", NotFound, "no office", AddService{ID: "x", Rules: one("a.example.com"), Eligible: []string{"nessuno"}}},
		{"an over-long title", Invalid, "200 are the most", AddService{ID: "x", Title: strings.Repeat("x", 201), Rules: one("a.example.com")}},
		{"another channel while it is granted", Conflict, "revoke its grants", AddService{ID: "suite", Channel: Mail, Rules: one("a.example.com"), Replace: true}},
		{"replacing on an old version", Conflict, "meanwhile", AddService{Based: Based{99}, ID: "suite", Rules: one("a.example.com"), Replace: true}},
		{"removing one that is granted", Conflict, "has 1 grants", RemoveService{ID: "suite"}},
		{"removing an unknown one", NotFound, "no service", RemoveService{ID: "nessuno"}},
		{"granting it to an office that is not eligible", Invalid, "only for tributi", AddGrants{Subject: Subject{Office: "anagrafe"}, Names: []string{"suite"}, Protocol: "1/2026", Reason: "x"}},
		{"granting it to everyone", Invalid, "only for tributi", AddGrants{Subject: Subject{Everyone: true}, Names: []string{"suite"}, Protocol: "1/2026", Reason: "x"}},
		{"granting it on another channel", Invalid, "is of the channel web", AddGrants{Subject: Subject{Office: "tributi"}, Names: []string{"suite"}, Channel: Mail, Protocol: "1/2026", Reason: "x"}},
		{"granting it twice", Conflict, "already has service suite", AddGrants{Subject: Subject{Office: "tributi"}, Names: []string{"suite"}, Protocol: "1/2026", Reason: "x"}},
		{"a mail service for everyone", Invalid, "office by office", AddGrants{Subject: Subject{Everyone: true}, Names: []string{"posta"}, Protocol: "1/2026", Reason: "x"}},
	} {
		t.Run(tc.about, func(t *testing.T) { town.t = t; town.refused(tc.code, tc.piece, tc.c) })
	}
	town.do(AddService{ID: "suite", Rules: one("new.example.com"), Replace: true})
	if town.allows("10.20.2.5", "www.suite.example.com") || !town.allows("10.20.2.5", "new.example.com") {
		t.Error("a replaced service still has its old rules, or lacks its new ones")
	}
	town.refused(Conflict, "has 1 grants", RemoveService{ID: "suite"})
}

func TestAnOfficeIsRemovedWithAllItHas(t *testing.T) {
	town := newTown(t)
	town.do(AddHost{Addr: addr("10.20.0.77"), Office: "tributi"}, AddHost{Addr: addr("10.20.0.78"), Office: "tributi"},
		AddHost{Addr: addr("10.20.0.78"), Seat: "dirigente-anagrafe"})
	town.allow("tributi", "www.inps.it")
	town.refused(Conflict, "1 grants, 1 seats, 2 hosts and 0 open requests", RemoveOffice{ID: "tributi"})
	town.do(RemoveOffice{ID: "tributi", All: true})
	s := town.Snapshot()
	if _, ok := s.Office("tributi"); ok || len(s.Hosts()) != 2 || len(s.Seats()) != 2 || s.Counts().Grants != 0 {
		t.Errorf("left over: %+v, hosts %v, seats %v", s.Counts(), s.Hosts(), s.Seats())
	}
	if c := s.Who(addr("10.20.0.78"), town.now); c.Seat != "dirigente-anagrafe" {
		t.Errorf("another office's seat lost its workstation: %+v", c)
	}
	if c := s.Who(addr("10.20.2.9"), town.now); c.Office.ID != "ced" || c.Role != Employee {
		t.Errorf("the manager's workstation is now %s in %s", c.Role, c.Office.ID)
	}
	town.do(AddOffice{ID: "tributi", Name: "Tributi, di nuovo", Networks: prefixes("10.20.2.0/24")})
	if town.allows("10.20.2.5", "www.inps.it") {
		t.Error("a new office of the same id has the old one's grants")
	}
	town.do(RemoveNetwork{Office: "tributi", Network: netip.MustParsePrefix("10.20.2.0/24")})
	if c := town.Snapshot().Who(addr("10.20.2.5"), town.now); c.Office.ID != "ced" {
		t.Errorf("without its network the address belongs to %s", c.Office.ID)
	}
}

func TestAHolderEnteredWrongIsCorrected(t *testing.T) {
	town := newTown(t)
	town.do(AssignSeat{Seat: "dirigente-tributi", Holder: "A. Biachi", From: "2026-01-01"})
	town.do(AssignSeat{Seat: "dirigente-tributi", Holder: "A. Bianchi", From: "2026-02-01", Correct: true})
	seat, _ := town.Snapshot().Seat("dirigente-tributi")
	want := []Holder{{Name: "M. Verdi", From: "2025-01-01", Until: "2026-01-31"}, {Name: "A. Bianchi", From: "2026-02-01"}}
	if !slices.Equal(seat.Holders, want) {
		t.Errorf("the holders are %v, want %v", seat.Holders, want)
	}
	town.refused(Conflict, "A. Bianchi holds the seat from 2026-02-01", AssignSeat{Seat: "dirigente-tributi", Holder: "C. Viola", From: "2026-02-01"})
}
