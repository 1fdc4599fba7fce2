package admin

import (
	"net/netip"
	"strings"
	"testing"

	"usciere/policy"
	"usciere/policy/request"
)

func TestExplanations(t *testing.T) {
	d := open(t)
	for _, g := range []policy.AddGrants{
		{Subject: policy.Subject{Office: "tributi"}, Names: []string{"orari.example.it"}, Schedule: "mon-fri 08:00-10:00", Types: []policy.Type{policy.TypeA}, Protocol: "40/2026", Reason: "x"},
		{Subject: policy.Subject{Office: "tributi"}, Names: []string{"futuro.example.it"}, From: "2026-06-01", Protocol: "41/2026", Reason: "x"},
		{Subject: policy.Subject{Office: "tributi"}, Names: []string{"finito.example.it"}, Until: "2026-03-31", Protocol: "42/2026", Reason: "x"},
		{Subject: policy.Subject{Office: "tributi"}, Names: []string{"example.it"}, Channel: policy.Mail, Protocol: "43/2026", Reason: "posta"},
	} {
		if _, err := d.AddGrants(ctx(t), g); err != nil {
			t.Fatal(err)
		}
	}
	again, err := d.SubmitRequest(ctx(t), request.Submit{Office: "tributi", Names: []string{"finito.example.it"}, Reason: "x", Paper: request.Paper{Protocol: "44/2026"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.DenyRequest(ctx(t), request.Deny{Request: again.Request.ID, Reason: "no"}); err != nil {
		t.Fatal(err)
	}
	q := func(client, name string, more ...string) Question {
		out := Question{Name: name}
		if addr, err := netip.ParseAddr(client); err == nil {
			out.Client = addr
		} else {
			out.Office = client
		}
		for _, m := range more {
			if m[0] == '2' {
				out.At = m
			} else {
				out.Type = m
			}
		}
		return out
	}
	for _, test := range []struct {
		about    string
		question Question
		action   string
		check    func(*Explanation) []string // texts that must agree: got, want, got, want …
	}{
		{"granted by a service", q("10.20.1.5", "WWW.inps.it"), "allow", func(e *Explanation) []string {
			return []string{e.Rule, ".inps.it", e.Service, "inps", e.Grant.ID.String(), "g-2", e.Request.Label, "12/2026 of 2026-03-02",
				e.Request.SeatName, "Dirigente Anagrafe", e.Request.Holder, "M. Rossi", string(e.Request.Since), "2025-09-01",
				e.Request.Reason, "residenze", e.Network, "10.20.1.0/24", e.Called, "Ufficio Anagrafe", string(e.Role), "employee", e.Hint, "", string(e.Mode), ""}
		}},
		{"not granted", q("10.20.2.5", "www.inps.it"), "sinkhole", func(e *Explanation) []string {
			return []string{e.Why, "no grant of tributi, of employees or of everyone covers this name", string(e.Mode), "page",
				e.Nearby[0].Subject, "anagrafe", e.Nearby[0].Service, "inps", e.Nearby[0].Letter, "12/2026 of 2026-03-02",
				e.Hint, `usciere allow www.inps.it --office tributi --protocol N/YYYY --reason "…"`}
		}},
		{"the address of a page", q("10.20.1.5", "https://www.inps.it/portale"), "allow", func(e *Explanation) []string {
			return []string{e.Name.String(), "www.inps.it"}
		}},
		{"a seat's workstation", q("10.20.1.9", "www.example.com"), "allow", func(e *Explanation) []string {
			return []string{e.Why, "the role manager has no limits (Art. 8)", e.Seat, "dirigente-anagrafe", e.Holder, "M. Rossi", e.Network, ""}
		}},
		{"a role without limits, and a name on a security list", q("10.20.1.9", "evil.example.com"), "sinkhole", func(e *Explanation) []string {
			return []string{e.Why, "the role manager has no limits (Art. 8), but the name is on the security list /var/lib/lists/evil",
				e.Listed, "/var/lib/lists/evil", string(e.Mode), "nxdomain"}
		}},
		{"outside the site", q("192.0.2.1", "www.inps.it"), "refuse", func(e *Explanation) []string {
			return []string{e.Why, "the address lies outside the site", e.Office, "", string(e.Role), ""}
		}},
		{"in no office", q("10.20.99.1", "www.inps.it"), "sinkhole", func(e *Explanation) []string {
			return []string{e.Why, "the address lies inside the site, but in no office", e.Hint, "usciere host add 10.20.99.1 --office ID, or usciere network add NETWORK --office ID"}
		}},
		{"a local zone", q("10.20.1.5", "intranet.comune.demo.test"), "local", func(e *Explanation) []string {
			return []string{e.Local, "zone comune.demo.test", e.Hint, "", string(e.Mode), ""}
		}},
		{"outside its timetable", q("tributi", "orari.example.it"), "sinkhole", func(e *Explanation) []string {
			return []string{e.Why, "grant g-3 of tributi covers this name, but only for A; mon-fri 08:00-10:00"}
		}},
		{"within its timetable", q("tributi", "orari.example.it", "2026-03-03T09:30"), "allow", func(e *Explanation) []string {
			return []string{e.Rule, "orari.example.it", e.Client, ""}
		}},
		{"another type", q("tributi", "orari.example.it", "AAAA", "2026-03-03T09:30"), "sinkhole", func(e *Explanation) []string {
			return []string{e.Type.String(), "AAAA"}
		}},
		{"not yet", q("tributi", "futuro.example.it"), "sinkhole", func(e *Explanation) []string {
			return []string{e.Why, "grant g-4 of tributi covers this name, but only from 2026-06-01"}
		}},
		{"then", q("tributi", "futuro.example.it", "2026-06-01"), "allow", nil},
		{"no more", q("tributi", "finito.example.it", "2026-04-01T00:00:00+01:00"), "sinkhole", func(e *Explanation) []string {
			return []string{e.Why, "grant g-5 of tributi covers this name, but only until 2026-03-31", e.Asked[0].Letter, "44/2026 of 2026-03-02",
				string(e.Asked[0].State), "denied", e.Hint, `usciere allow finito.example.it --office tributi --protocol N/YYYY --reason "…"`}
		}},
		{"mail that was granted", q("10.20.2.5", "example.it", "MX"), "allow", func(e *Explanation) []string {
			return []string{string(e.Grant.Channel), "mail"}
		}},
		{"a host of the mail", q("10.20.2.5", "mx1.example.net"), "allow", func(e *Explanation) []string {
			return []string{e.Through, "example.it", e.Rule, "example.it", e.Why, "granted to tributi, through the MX record of example.it"}
		}},
		{"mail that was not", q("10.20.1.5", "_imaps._tcp.example.it", "SRV"), "sinkhole", func(e *Explanation) []string {
			return []string{e.Hint, `usciere allow example.it --office anagrafe --channel mail --protocol N/YYYY --reason "…"`}
		}},
		{"what cannot be granted has no hint", q("10.20.1.5", "gov.it"), "sinkhole", func(e *Explanation) []string { return []string{e.Hint, ""} }},
		{"nor has what a shell would obey", q("10.20.1.5", `\096reboot\096.example.it`), "sinkhole", func(e *Explanation) []string { return []string{e.Hint, ""} }},
	} {
		t.Run(test.about, func(t *testing.T) {
			e, err := d.Explain(ctx(t), test.question)
			if err != nil {
				t.Fatal(err)
			}
			if e.Action != test.action {
				t.Fatalf("%s, want %s: %+v", e.Action, test.action, e)
			}
			if test.check == nil {
				return
			}
			for pairs := test.check(e); len(pairs) > 0; pairs = pairs[2:] {
				if pairs[0] != pairs[1] {
					t.Errorf("%q, want %q", pairs[0], pairs[1])
				}
			}
		})
	}
}

func TestQuestionsThatCannotBeExplained(t *testing.T) {
	d := open(t)
	for _, test := range []struct {
		question Question
		code     policy.Code
		says     string
	}{
		{Question{Name: "www.inps.it"}, policy.Invalid, "who asks?"},
		{Question{Name: "www.inps.it", Office: "nessuno"}, policy.NotFound, "no office"},
		{Question{Name: "", Office: "tributi"}, policy.Invalid, "the name is empty"},
		{Question{Name: strings.Repeat("x", 64) + ".it", Office: "tributi"}, policy.Invalid, "63 are the most"},
		{Question{Name: "www.inps.it", Office: "tributi", Type: "B"}, policy.Invalid, "no record type"},
		{Question{Name: "www.inps.it", Office: "tributi", At: "domani"}, policy.Invalid, "no date"},
	} {
		_, err := d.Explain(ctx(t), test.question)
		mustBe(t, err, test.code, test.says)
	}
}

func TestATraceShowsWhereAnAliasLeavesItsOwner(t *testing.T) {
	d := open(t)
	manager := netip.MustParseAddr("10.20.1.9")
	e, err := d.Explain(ctx(t), Question{Client: manager, Name: "www.inps.it", Trace: true})
	if err != nil {
		t.Fatal(err)
	}
	if e.Trace == nil || len(e.Trace.Links) != 1 || e.Trace.Links[0].Owner != "example.net" || !e.Trace.Links[0].Leaves || len(e.Trace.Records) != 1 {
		t.Errorf("%+v", e.Trace)
	}
	if e, err = d.Explain(ctx(t), Question{Client: netip.MustParseAddr("10.20.2.5"), Name: "www.example.com", Trace: true}); err != nil || e.Trace != nil {
		t.Errorf("of a name that may not be asked: %+v, %v", e.Trace, err)
	}
}
