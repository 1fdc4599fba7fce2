package policy

import (
	"strings"
	"testing"
)

// The order of decision for one query, points 2 and 5 to 7.
func TestTheOrderOfDecision(t *testing.T) {
	town := newTown(t)
	town.do(AddHost{Addr: addr("10.20.2.25"), Role: Server})
	town.allow("anagrafe", "www.inps.it")
	town.allow("everyone", "www.comune.example.it")
	town.allow("role:server", "relay.example.net")
	for _, tc := range []struct {
		about, client, name string
		action              Action
		reason              Reason
	}{
		{"a source outside the site is refused", "192.0.2.1", "www.comune.example.it", Refuse, OutsideSite},
		{"in no office, even what everyone has is sinkholed", "192.168.7.5", "www.comune.example.it", Sinkhole, NoOffice},
		{"an unrestricted role has no limits", "10.20.1.9", "www.example.org", Allow, Unrestricted},
		{"a grant of the office", "10.20.1.5", "www.inps.it", Allow, Granted},
		{"is no grant of another office", "10.20.2.5", "www.inps.it", Sinkhole, NoGrant},
		{"a grant of everyone", "10.20.2.5", "www.comune.example.it", Allow, Granted},
		{"a grant of the role", "10.20.2.25", "relay.example.net", Allow, Granted},
		{"is no grant of another role", "10.20.2.5", "relay.example.net", Sinkhole, NoGrant},
		{"a server has its office's grants, no more", "10.20.2.25", "www.inps.it", Sinkhole, NoGrant},
		{"default deny", "10.20.1.5", "www.example.org", Sinkhole, NoGrant},
		{"the root is granted to nobody", "10.20.1.5", ".", Sinkhole, NoGrant},
	} {
		t.Run(tc.about, func(t *testing.T) {
			if v, _ := town.decide(tc.client, tc.name); v.Action != tc.action || v.Reason != tc.reason {
				t.Errorf("%s for %s: %s, reason %d", tc.name, tc.client, v.Action, v.Reason)
			}
		})
	}
}

// R7: a grant opens exactly the host asked for; a subtree only when it was asked for as such.
func TestAGrantOpensWhatItSaysAndNothingElse(t *testing.T) {
	town := newTown(t)
	town.allow("anagrafe", "www.inps.it *.istat.it .inail.it")
	for _, tc := range []struct{ allowed, not string }{
		{"www.inps.it WWW.Inps.It", `inps.it it a.www.inps.it www.inps.it.example.com wwwxinps.it www\.inps.it xwww.inps.it`},
		{"www.istat.it a.b.istat.it", "istat.it xistat.it www.xistat.it"},
		{"inail.it www.inail.it a.b.inail.it", "xinail.it inail.it.it"},
	} {
		for n := range strings.FieldsSeq(tc.allowed) {
			if !town.allows("10.20.1.5", n) {
				t.Errorf("%s is not allowed", n)
			}
		}
		for n := range strings.FieldsSeq(tc.not) {
			if town.allows("10.20.1.5", n) {
				t.Errorf("%s is allowed", n)
			}
		}
	}
}

// R3: mail is a grant of its own, apart from the web.
func TestWebAndMailAreApart(t *testing.T) {
	town := newTown(t)
	town.allow("anagrafe", ".example.it")
	town.allow("tributi", "example.it", mail)
	town.allow("ced", ".example.it", mail)
	const webOnly, exactMail, treeMail = "10.20.1.5", "10.20.2.5", "10.20.77.5"
	for _, tc := range []struct {
		about, name      string
		types            string
		web, exact, tree bool
	}{
		{"a page", "www.example.it", "A AAAA HTTPS TXT SOA SRV", true, false, false},
		{"the domain's addresses", "example.it", "A AAAA TXT", true, false, false},
		{"the domain's mail exchangers", "example.it", "MX", false, true, true},
		{"a subdomain's mail exchangers", "sub.example.it", "MX", false, false, true},
		{"mail services", "_imaps._tcp.example.it", "SRV A TXT", false, true, true},
		{"plain ones", "_imap._tcp.example.it", "SRV", false, true, true},
		{"post office", "_pop3._tcp.example.it", "SRV", false, true, true},
		{"secure post office", "_pop3s._tcp.example.it", "SRV", false, true, true},
		{"submission", "_submission._tcp.example.it", "SRV", false, true, true},
		{"secure submission", "_submissions._tcp.example.it", "SRV", false, true, true},
		{"autodiscover's service", "_autodiscover._tcp.example.it", "SRV", false, true, true},
		{"over UDP as well", "_submission._udp.example.it", "SRV", false, true, true},
		{"a subdomain's mail services", "_imaps._tcp.sub.example.it", "SRV", false, false, true},
		{"autodiscover hosts", "autodiscover.example.it", "A AAAA CNAME", false, true, true},
		{"autoconfig hosts", "autoconfig.example.it", "A AAAA", false, true, true},
		{"a subdomain's autoconfig", "autoconfig.sub.example.it", "A", false, false, true},
		{"no mail service by that name", "_sip._tcp.example.it", "SRV", true, false, false},
		{"a mail service without transport", "_imaps.example.it", "SRV", true, false, false},
		{"a name that only begins alike", "autodiscoverx.example.it", "A", true, false, false},
		{"another domain", "example.com", "A MX", false, false, false},
	} {
		for typ := range strings.FieldsSeq(tc.types) {
			qtype, err := ParseType(typ)
			if err != nil {
				t.Fatal(err)
			}
			for client, want := range map[string]bool{webOnly: tc.web, exactMail: tc.exact, treeMail: tc.tree} {
				if got := town.allows(client, tc.name, qtype); got != want {
					t.Errorf("%s: %s %s for %s: allowed %v", tc.about, tc.name, typ, client, got)
				}
			}
		}
	}
	for n, want := range map[string]bool{"example.it": true, "_imaps._tcp.example.it": false} {
		if MailHostsOf([]byte(name(n)), TypeMX) != true || MailHostsOf([]byte(name(n)), TypeA) || MailHostsOf([]byte(name(n)), TypeSRV) == want {
			t.Errorf("the hosts of %s's mail are not told apart", n)
		}
	}
}

// R3: a mail service opens its hosts, webmail among them, and the mail of their names, to a mail grant only.
func TestAMailServiceOpensItsHostsAndTheirMail(t *testing.T) {
	town := newTown(t)
	entry := func(texts ...string) (out []ServiceRule) {
		for _, text := range texts {
			out = append(out, ServiceRule{Rule: rule(text), Source: "the supplier's letter"})
		}
		return out
	}
	town.do(AddService{ID: "posta", Channel: Mail, Rules: entry("webmail.example.it", ".pec.example.it", "autodiscover.other.example", "*.hosts.example.it")})
	town.allow("tributi", "posta")
	for n, types := range map[string]string{
		"webmail.example.it": "A AAAA MX HTTPS", "pec.example.it": "A MX", "imaps.pec.example.it": "A", "_imaps._tcp.pec.example.it": "SRV",
		"_submission._tcp.webmail.example.it": "SRV", "autodiscover.pec.example.it": "A", "autodiscover.other.example": "A MX",
		"autoconfig.hosts.example.it": "A",
	} {
		for typ := range strings.FieldsSeq(types) {
			qtype, _ := ParseType(typ)
			if !town.allows("10.20.2.5", n, qtype) {
				t.Errorf("%s %s is not allowed", n, typ)
			}
			if town.allows("10.20.1.5", n, qtype) {
				t.Errorf("%s %s is allowed to an office without the service", n, typ)
			}
		}
	}
	for _, n := range []string{"example.it", "www.example.it", "other.example", "hosts.example.it", "autodiscover.example.it"} {
		if town.allows("10.20.2.5", n) {
			t.Errorf("%s is allowed", n)
		}
	}
	if town.allows("10.20.2.5", "other.example", TypeMX) {
		t.Error("a listed autodiscover host opened its domain's mail")
	}
}

func TestConditionsOfAGrant(t *testing.T) {
	town := newTown(t)
	town.allow("anagrafe", "dated.example.it", func(c *AddGrants) { c.From, c.Until = "2026-03-10", "2026-03-20" })
	town.allow("anagrafe", "hours.example.it", func(c *AddGrants) { c.Schedule = "mon-fri 08:00-14:00" })
	town.allow("anagrafe", "types.example.it", func(c *AddGrants) { c.Types = []Type{TypeAAAA, 65} })
	town.allow("anagrafe", "minute.example.it", func(c *AddGrants) { c.Until = "2026-03-02T18:00" })
	for _, tc := range []struct {
		about, name, at string
		typ             Type
		want            bool
	}{
		{"before its first day", "dated.example.it", "2026-03-09 23:59", TypeA, false},
		{"on its first day", "dated.example.it", "2026-03-10 00:00", TypeA, true},
		{"on its last day", "dated.example.it", "2026-03-20 23:59", TypeA, true},
		{"after its last day", "dated.example.it", "2026-03-21 00:00", TypeA, false},
		{"within its hours", "hours.example.it", "2026-03-02 08:00", TypeA, true},
		{"outside its hours", "hours.example.it", "2026-03-02 14:00", TypeA, false},
		{"within its hours in summer time", "hours.example.it", "2026-03-30 08:00", TypeA, true},
		{"before its hours in summer time", "hours.example.it", "2026-03-30 07:59", TypeA, false},
		{"of its types", "types.example.it", "2026-03-02 10:00", 65, true},
		{"not of its types", "types.example.it", "2026-03-02 10:00", TypeA, false},
		{"before the minute", "minute.example.it", "2026-03-02 17:59", TypeA, true},
		{"at the minute", "minute.example.it", "2026-03-02 18:00", TypeA, false},
	} {
		t.Run(tc.about, func(t *testing.T) {
			s := town.Snapshot()
			c := s.Who(addr("10.20.1.5"), at(tc.at))
			if v := s.Decide(&c, []byte(name(tc.name)), tc.typ, at(tc.at)); (v.Action == Allow) != tc.want {
				t.Errorf("%s %s at %s: %s", tc.name, tc.typ, tc.at, v.Action)
			}
		})
	}
}

func TestTheVerdictNamesTheMostSpecificRule(t *testing.T) {
	town := newTown(t)
	entries := []ServiceRule{{Rule: rule(".a.example.it"), Source: "x"}, {Rule: rule("*.a.example.it"), Source: "x"}}
	town.do(AddService{ID: "svc", Rules: entries}, AddHost{Addr: addr("10.20.1.25"), Role: Server})
	steps := []struct {
		about, to, names string
		rule, service    string
	}{
		{"only everyone's wide subtree", "everyone", ".example.it", ".example.it", ""},
		{"the office's own of the same name is nearer", "anagrafe", ".example.it", ".example.it", ""},
		{"a service's longer name; of its two rules the narrower", "everyone", "svc", "*.a.example.it", "svc"},
		{"a rule of its own before a service's", "everyone", ".a.example.it", ".a.example.it", ""},
		{"the role's before everyone's", "role:server", ".a.example.it", ".a.example.it", ""},
		{"the office's service before the role's own rule", "anagrafe", "svc", "*.a.example.it", "svc"},
		{"an exact rule before any subtree", "everyone", "www.a.example.it", "www.a.example.it", ""},
	}
	for _, step := range steps {
		g := town.allow(step.to, step.names)[0]
		v, n := town.decide("10.20.1.25", "www.a.example.it")
		service := ""
		if v.Service != nil {
			service = v.Service.ID
		}
		if v.Grant != g.ID || v.Rule([]byte(n)).String() != step.rule || service != step.service || v.Subject != g.Subject {
			t.Errorf("%s: grant %s (want %s), rule %s, service %q, for %s", step.about, v.Grant, g.ID, v.Rule([]byte(n)), service, v.Subject)
		}
	}
	town.allow("anagrafe", ".c.example.it")
	exact := town.allow("everyone", "c.example.it")[0]
	if v, _ := town.decide("10.20.1.5", "c.example.it"); v.Grant != exact.ID {
		t.Errorf("an exact rule before a subtree of the same name: %s, want %s", v.Grant, exact.ID)
	}
	first := town.allow("tributi", "www.b.example.it")[0]
	town.allow("tributi", "www.b.example.it", func(c *AddGrants) { c.Until = "2030-01-01" })
	if v, _ := town.decide("10.20.2.5", "www.b.example.it"); v.Grant != first.ID {
		t.Errorf("of two alike the older is named: %s, want %s", v.Grant, first.ID)
	}
	v, _ := town.decide("10.20.1.5", "autodiscover.sub.example.it")
	if v.Reason != NoGrant {
		t.Fatal("the web opened a mail name")
	}
	town.allow("anagrafe", ".sub.example.it", mail)
	v, n := town.decide("10.20.1.5", "autodiscover.sub.example.it")
	if v.Rule([]byte(n)).String() != ".sub.example.it" {
		t.Errorf("the mail domain's rule is named %s", v.Rule([]byte(n)))
	}
}

// Sinkhole answers: the ancestor of a name that the client may have is never answered NXDOMAIN (RFC 8020).
func TestAncestorsOfGrantedNamesExist(t *testing.T) {
	town := newTown(t)
	town.do(AddService{ID: "svc", Rules: []ServiceRule{{Rule: rule("deep.in.the.service.example.net"), Source: "x"}}})
	town.allow("anagrafe", "a.b.c.example.it *.star.example.it .tree.example.it")
	town.allow("anagrafe", "mail.example.it", mail)
	town.allow("anagrafe", "svc")
	town.allow("everyone", "www.everyone.example.org")
	town.allow("anagrafe", "far.future.example.com", func(c *AddGrants) { c.From = "2040-01-01" })
	for _, tc := range []struct{ about, yes, no string }{
		{"the root and top-level domains, but no other single label", "it com .", "printer wpad example"},
		{"what is granted, and above it", "a.b.c.example.it b.c.example.it c.example.it example.it", "x.a.b.c.example.it x.b.c.example.it x.c.example.it x.example.it"},
		{"a star and its own name", "star.example.it x.star.example.it y.x.star.example.it _tcp.star.example.it", "xstar.example.it"},
		{"a subtree", "tree.example.it x.tree.example.it", "xtree.example.it"},
		{"a service granted", "deep.in.the.service.example.net in.the.service.example.net the.service.example.net service.example.net example.net", "www.example.net"},
		{"what everyone has", "www.everyone.example.org everyone.example.org", "x.everyone.example.org"},
		{"whatever the dates", "far.future.example.com future.example.com", ""},
		{"the mail names of a domain, and above them", "mail.example.it autodiscover.mail.example.it autoconfig.mail.example.it _imaps._tcp.mail.example.it _tcp.mail.example.it _udp.mail.example.it",
			"www.mail.example.it _sip._tcp.mail.example.it _tcp.a.b.c.example.it autodiscover.a.b.c.example.it"},
		{"nothing else", "", "example.edu www.inps.it"},
	} {
		s := town.Snapshot()
		mine, other := s.Who(addr("10.20.1.5"), town.now), s.Who(addr("10.20.2.5"), town.now)
		for n := range strings.FieldsSeq(tc.yes) {
			if !s.Exists(&mine, []byte(name(n))) {
				t.Errorf("%s: %s does not exist", tc.about, n)
			}
			if everyone := strings.Contains(n, "everyone") || n == "example.org" || name(n).Labels() < 2; s.Exists(&other, []byte(name(n))) != everyone {
				t.Errorf("%s: %s exists for an office that was not granted it, or not for one that was", tc.about, n)
			}
		}
		for n := range strings.FieldsSeq(tc.no) {
			if s.Exists(&mine, []byte(name(n))) {
				t.Errorf("%s: %s exists", tc.about, n)
			}
		}
	}
	stranger := town.Snapshot().Who(addr("192.168.7.5"), town.now)
	if town.Snapshot().Exists(&stranger, []byte(name("everyone.example.org"))) {
		t.Error("a name exists for a client in no office")
	}
}

func TestDormantGrantsAreFound(t *testing.T) {
	town := newTown(t)
	town.do(AddService{ID: "svc", Rules: []ServiceRule{{Rule: rule(".service.example.net"), Source: "x"}}})
	tree := town.allow("anagrafe", ".example.it", func(c *AddGrants) { c.From = "2027-01-01" })[0]
	service := town.allow("everyone", "svc", func(c *AddGrants) { c.Schedule = "sun 03:00-04:00" })[0]
	post := town.allow("anagrafe", "example.it", mail, func(c *AddGrants) { c.From = "2027-01-01" })[0]
	until := func(m Moment) func(*AddGrants) { return func(c *AddGrants) { c.Until = m } }
	sundays := func(c *AddGrants) { c.Schedule = "sun 03:00-04:00" }
	town.allow("anagrafe", "again.example.com", until("2026-05-31"))
	again := town.allow("anagrafe", ".example.com", sundays)[0]
	town.allow("anagrafe", "twice.example.net", until("2026-05-31"))
	twice := town.allow("everyone", "twice.example.net", until("2026-06-30"))[0]
	town.do(AddService{ID: "other", Rules: []ServiceRule{{Rule: rule(".other.example.net"), Source: "x"}}})
	town.allow("anagrafe", "other", until("2026-05-31"))
	other := town.allow("anagrafe", "other", sundays)[0]
	s, now := town.Snapshot(), at("2026-07-04 10:00")
	c := s.Who(addr("10.20.1.5"), now)
	for _, tc := range []struct {
		name string
		typ  Type
		want GrantID
	}{
		{"www.example.it", TypeA, tree.ID}, {"www.service.example.net", TypeA, service.ID}, {"autodiscover.example.it", TypeA, post.ID}, {"example.it", TypeMX, post.ID},
		{"again.example.com", TypeA, again.ID}, {"twice.example.net", TypeA, twice.ID}, {"www.other.example.net", TypeA, other.ID},
		{"www.example.org", TypeA, 0}, {"autodiscover.www.example.it", TypeA, 0},
	} {
		if id, ok := s.Dormant(&c, []byte(name(tc.name)), tc.typ, now); id != tc.want || ok != (tc.want != 0) {
			t.Errorf("%s %s: %s, %v; want %s", tc.name, tc.typ, id, ok, tc.want)
		}
	}
}
