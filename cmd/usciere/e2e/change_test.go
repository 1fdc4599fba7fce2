//go:build e2e

package e2e

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

var grantPattern = regexp.MustCompile(`\bg-\d+\b`)

func TestAnAllowHoldsForTheVeryNextQueryAndSoDoesItsRevocation(t *testing.T) {
	d := demo(t)
	const who = "127.10.2.5"
	page := d.addr.Addr().String()
	d.dig("127.10.1.5", "www.inps.it") // another office fills the cache
	if r := d.dig(who, "www.inps.it"); r.first() != page {
		t.Fatalf("before: %q", r.answer)
	}
	out := d.must("allow", "www.inps.it", "--office", "tributi", "--protocol", "60/2026", "--reason", "posizioni contributive")
	if r := d.dig(who, "www.inps.it"); r.first() != "192.0.2.10" || len(r.ede) > 0 {
		t.Errorf("after the allow: %q %q", r.answer, r.ede)
	}
	grant := grantPattern.FindString(out)
	if grant == "" || !strings.Contains(out, "60/2026") {
		t.Fatalf("allow names neither grant nor request:\n%s", out)
	}
	if r := d.usciere("explain", "--client", who, "www.inps.it"); r.code != 0 || !strings.Contains(r.out, grant) || !strings.Contains(r.out, "60/2026") {
		t.Errorf("explain: %s", r)
	}
	d.must("grant", "revoke", grant, "--reason", "non serve più")
	if r := d.dig(who, "www.inps.it"); r.first() != page || !r.explains("15", "Ufficio Tributi") {
		t.Errorf("after the revocation: %q %q", r.answer, r.ede)
	}
	if r := d.dig("127.10.1.5", "www.inps.it"); r.first() != "192.0.2.10" {
		t.Errorf("the other office lost it: %q", r.answer)
	}
	d.verify()
}

func TestExplainSaysByItsExitCodeWhatWouldHappen(t *testing.T) {
	d := demo(t)
	for _, tc := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--client", "127.10.1.5", "www.inps.it"}, 0, "12/2026"},
		{[]string{"--office", "anagrafe", "www.inps.it"}, 0, "service inps"},
		{[]string{"--client", "127.10.2.9", "www.inps.it"}, 0, "manager"},
		{[]string{"--client", "127.10.2.5", "intranet.comune.demo.test"}, 0, "comune.demo.test"},
		{[]string{"--client", "127.10.2.5", "www.inps.it"}, 3, "usciere allow www.inps.it --office tributi"},
		{[]string{"--client", "127.10.99.1", "www.inps.it"}, 3, "no office"},
		{[]string{"--client", "127.10.1.5", "www.inps.it", "--type", "MX"}, 3, "no grant"},
		{[]string{"--client", "127.99.0.1", "www.inps.it"}, 4, "outside"},
	} {
		r := d.usciere(append([]string{"explain"}, tc.args...)...)
		if r.code != tc.code || !strings.Contains(r.out, tc.says) {
			t.Errorf("explain %s: %s; want exit %d and %q", strings.Join(tc.args, " "), r, tc.code, tc.says)
		}
	}
}

func TestFiveHundredChangesLeaveNotOneStaleVerdict(t *testing.T) {
	d := demo(t)
	const who, name = "127.10.2.5", "www.inps.it."
	d.ask("127.10.1.5", name, dns.TypeA) // cached from here on
	upstream := d.upstreamQueries()
	sees := func(round int, want string, code int) {
		t.Helper()
		m := d.ask(who, name, dns.TypeA)
		if len(m.Answer) != 1 || m.Answer[0].(*dns.A).A.String() != want || ede(m) != code {
			t.Fatalf("round %d: want %s, got\n%s", round, want, m)
		}
	}
	for round := range 500 {
		protocol := strconv.Itoa(1000+round) + "/2026"
		g := d.allow("tributi", protocol, "www.inps.it")
		sees(round, "192.0.2.10", -1)
		d.revoke(g)
		sees(round, d.addr.Addr().String(), 15)
	}
	if after := d.upstreamQueries(); after != upstream {
		t.Errorf("%d questions went upstream: the answer did not come from the cache", after-upstream)
	}
	if got, want := d.status().Journal.Seq, uint64(1000); got < want {
		t.Errorf("the journal has %d entries; want at least %d", got, want)
	}
	d.verify()
}

func TestARotationOfTheManagerChangesNoGrant(t *testing.T) {
	d := demo(t)
	before := d.must("grant", "list", "-o", "json")
	d.must("seat", "assign", "dirigente-tributi", "--holder", "A. Bianchi", "--from", "2026-10-01", "--host", "127.10.2.31")
	if after := d.must("grant", "list", "-o", "json"); after != before {
		t.Errorf("grants changed:\n%s\n%s", before, after)
	}
	for from, want := range map[string]string{"127.10.2.31": "192.0.2.10", "127.10.2.9": d.addr.Addr().String()} {
		if r := d.dig(from, "www.inps.it"); r.first() != want {
			t.Errorf("%s: got %q; want %s", from, r.answer, want)
		}
	}
	history := d.must("seat", "history", "dirigente-tributi")
	for _, holder := range []string{"M. Verdi", "A. Bianchi"} {
		if !strings.Contains(history, holder) {
			t.Errorf("history does not have %s:\n%s", holder, history)
		}
	}
}

func TestMailIsAGrantOfItsOwn(t *testing.T) {
	d := demo(t)
	const who = "127.10.2.5"
	granted := func(what string, want map[string]string) {
		t.Helper()
		for question, address := range want {
			name, qtype, _ := strings.Cut(question, " ")
			if r := d.dig(who, name, qtype); r.first() != address {
				t.Errorf("%s: %s: got %s %q; want %q", what, question, r.status, r.answer, address)
			}
		}
	}
	page := d.addr.Addr().String()
	granted("before", map[string]string{"example.com A": page, "example.com MX": "", "mx.example.com A": page, "_imaps._tcp.example.com SRV": ""})
	d.must("allow", "example.com", "--office", "tributi", "--protocol", "61/2026", "--reason", "sito")
	granted("with the web", map[string]string{"example.com A": "203.0.113.10", "example.com MX": "", "mx.example.com A": page})
	d.must("allow", "example.com", "--office", "tributi", "--channel", "mail", "--protocol", "62/2026", "--reason", "posta")
	for question, want := range map[[2]string]string{
		{"example.com", "MX"}:              "10 mx.example.com.",
		{"_imaps._tcp.example.com", "SRV"}: "0 1 993 imap.example.com.",
	} {
		if r := d.dig(who, question[0], question[1]); r.first() != want {
			t.Errorf("with mail: %v: got %s %q; want %q", question, r.status, r.answer, want)
		}
	}
	granted("the hosts behind", map[string]string{"mx.example.com A": "203.0.113.25", "imap.example.com A": "203.0.113.26", "www.example.com A": page})
}

func TestAScheduleAndAnEndDateHold(t *testing.T) {
	d := demo(t)
	d.must("allow", "www.corriere.it", "--office", "cultura", "--protocol", "70/2026", "--reason", "rassegna stampa",
		"--schedule", "mon-fri 08:00-14:00", "--until", "2099-12-31")
	for _, tc := range []struct {
		at   string
		code int
	}{
		{"2098-11-03T09:00:00+01:00", 0}, // a Monday
		{"2098-11-03T15:00:00+01:00", 3},
		{"2098-11-02T09:00:00+01:00", 3}, // a Sunday
		{"2100-01-04T09:00:00+01:00", 3}, // a Monday after the end
	} {
		r := d.usciere("explain", "--office", "cultura", "www.corriere.it", "--at", tc.at)
		if r.code != tc.code {
			t.Errorf("at %s: %s; want exit %d", tc.at, r, tc.code)
		}
	}
}
