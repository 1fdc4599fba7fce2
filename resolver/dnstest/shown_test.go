package dnstest

import (
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestAReplyIsShownWholeInLines(t *testing.T) {
	m := new(dns.Msg).SetQuestion("www.inps.it.", dns.TypeA)
	m.Response, m.Authoritative, m.Truncated, m.AuthenticatedData = true, true, true, true
	m.Answer = parse([]string{"www.inps.it 60 CNAME a.example", "a.example 30 TXT \"one. two\"", ". 5 MX 0 ."})
	m.Ns = parse([]string{"inps.it 60 NS ns.inps.it"})
	m.Extra = parse([]string{"ns.inps.it 60 A 192.0.2.53"})
	m.SetEdns0(1232, false)
	m.IsEdns0().Option = []dns.EDNS0{
		&dns.EDNS0_EDE{InfoCode: 15, ExtraText: `why "so"`}, &dns.EDNS0_EDE{InfoCode: 4}, &dns.EDNS0_NSID{Code: dns.EDNS0NSID, Nsid: "6e73"},
	}
	want := []string{
		"NOERROR aa tc ad", "www.inps.it 60 CNAME a.example", `a.example 30 TXT "one. two"`, ". 5 MX 0 .", "authority inps.it 60 NS ns.inps.it",
		"additional ns.inps.it 60 A 192.0.2.53", `ede 15 "why \"so\""`, "ede 4", "option 3 6e73",
	}
	if got := Show(m); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestExpectationsMatchWhatTheySayAndNothingElse(t *testing.T) {
	for _, tc := range []struct {
		expected, lines string // parted by |
		want            bool
	}{
		{"", "", true},
		{"a", "", false},
		{"", "a", false},
		{"a|b", "a|b", true},
		{"a|b", "b|a", false},
		{"a", "a|b", false},
		{"a…", "abc", true},
		{"a…", "ba", false},
		{"…c", "abc", true},
		{"a…c", "abc", true},
		{"a…c", "ac", true},
		{"a…a", "a", false},
		{"a…b…c", "a-b-c", true},
		{"a…b…b", "a-b", false},
		{"a|…", "a", true},
		{"a|…|d", "a|b|c|d", true},
		{"a|…|d", "a|b|c", false},
		{"2 × a", "a|a", true},
		{"2 × a", "a", false},
		{"2 × a", "a|a|a", false},
		{"2 × a…|b", "ax|ay|b", true},
		{"-1 × a", "", false},
		{"x × a", "x × a", true},
	} {
		split := func(s string) []string {
			return strings.FieldsFunc(s, func(r rune) bool { return r == '|' })
		}
		if got := Match(split(tc.expected), split(tc.lines)); got != tc.want {
			t.Errorf("%q against %q: %v", tc.expected, tc.lines, got)
		}
	}
}

func TestAReplyThatIsNotToTheQueryIsFound(t *testing.T) {
	query := new(dns.Msg).SetQuestion(`wWw.\105nps.it.`, dns.TypeA)
	query.SetEdns0(1232, false)
	for _, tc := range []struct {
		name, want string
		change     func(m *dns.Msg)
	}{
		{"the reply", "", func(*dns.Msg) {}},
		{"another ID", "not to this query", func(m *dns.Msg) { m.Id++ }},
		{"QR=0", "not to this query", func(m *dns.Msg) { m.Response = false }},
		{"another opcode", "not to this query", func(m *dns.Msg) { m.Opcode = 5 }},
		{"another letter case", "repeats the question as", func(m *dns.Msg) { m.Question[0].Name = "www.inps.it." }},
		{"no question", "repeats the question as", func(m *dns.Msg) { m.Question = nil }},
		{"RD cleared", "does not repeat RD", func(m *dns.Msg) { m.RecursionDesired = false }},
		{"CD set", "does not repeat RD and CD", func(m *dns.Msg) { m.CheckingDisabled = true }},
		{"RA cleared", "without RA", func(m *dns.Msg) { m.RecursionAvailable = false }},
		{"no OPT", "has EDNS", func(m *dns.Msg) { m.Extra = nil }},
		{"too long for UDP", "more than 1232", func(m *dns.Msg) {
			for range 50 {
				m.Answer = append(m.Answer, parse([]string{`x 1 TXT "some thirty octets of text here"`})...)
			}
		}},
	} {
		m := new(dns.Msg).SetReply(query)
		m.RecursionAvailable = true
		m.SetEdns0(1232, false)
		tc.change(m)
		raw, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		_, err = CheckReply(query, "udp", raw)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
	if _, err := CheckReply(query, "udp", []byte("no message")); err == nil {
		t.Error("what is no message was taken for one")
	}
}

func TestAServerTellsWhatItsScriptSays(t *testing.T) {
	truth := Records("www.inps.it. 60 IN A 192.0.2.1")
	for _, tc := range []struct {
		line, want string // what the first message says; "" none
	}{
		{"truth", "NOERROR; www.inps.it 60 A 192.0.2.1"},
		{"nothing", ""},
		{"hang-up", ""},
		{"REFUSED", "REFUSED"},
		{"authentic", "NOERROR ad; www.inps.it 60 A 192.0.2.1"},
		{"stuffed x.it 9 A 192.0.2.9", "NOERROR; www.inps.it 60 A 192.0.2.1; x.it 9 A 192.0.2.9"},
		{"no-edns", "NOERROR; www.inps.it 60 A 192.0.2.1"},
		{"chain 2", "NOERROR; www.inps.it 60 CNAME link0.example; link0.example 60 CNAME link1.example; link1.example 60 A " + Forged},
		{"loop 1", "NOERROR; www.inps.it 60 CNAME www.inps.it"},
		{"truncated", "NOERROR tc"},
	} {
		handler, err := Script(truth, []string{tc.line})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, send := range handler(Query{Msg: new(dns.Msg).SetQuestion("www.inps.it.", dns.TypeA), Transport: UDP}) {
			if send.msg != nil {
				got = strings.Join(Show(send.msg), "; ")
			}
		}
		if got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.line, got, tc.want)
		}
	}
	for _, line := range []string{"lies", "truth 2", "stuffed", "stuffed x A 300.1.1.1", "wrong-id x", "wrong-id 1001", "cut -1", "REFUSED now"} {
		if _, err := Script(truth, []string{line}); err == nil || !strings.Contains(err.Error(), line) {
			t.Errorf("%s: got %v", line, err)
		}
	}
}
