package upstream

import (
	"slices"
	"testing"

	"github.com/miekg/dns"
)

// TestMostRepliesAreCleanedOnTheirOctets says what is: FuzzCleanPlain, that it comes out the same.
func TestMostRepliesAreCleanedOnTheirOctets(t *testing.T) {
	soa := "example. 900 SOA ns.example. Admin.example. 1 7200 900 86400 300"
	for _, tc := range []struct {
		name, qname, qtype string
		rcode              int
		answer, authority  []string
		plain              bool
	}{
		{"one address", "www.example.", "A", 0, []string{"www.example. 60 A 192.0.2.1"}, nil, true},
		{"two, and the servers of the zone", "www.example.", "AAAA", 0,
			[]string{"www.example. 60 AAAA 2001:db8::1", "www.example. 50 AAAA 2001:db8::2"}, []string{"example. 900 NS ns.example."}, true},
		{"text", "www.example.", "TXT", 0, []string{`www.example. 60 TXT "a" "b"`}, nil, true},
		{"no such name", "www.example.", "A", dns.RcodeNameError, nil, []string{soa}, true},
		{"no such type", "www.example.", "AAAA", 0, nil, []string{soa}, true},
		{"no such name in the root", "www.example.", "A", dns.RcodeNameError, nil, []string{". 900 SOA a.example. b.test. 1 7200 900 86400 300"}, true},
		{"an alias", "www.example.", "A", 0, []string{"www.example. 60 CNAME a.example.", "a.example. 60 A 192.0.2.1"}, nil, false},
		{"twice the same", "www.example.", "A", 0, []string{"www.example. 60 A 192.0.2.1", "www.example. 50 A 192.0.2.1"}, nil, false},
		{"a private address", "www.example.", "A", 0, []string{"www.example. 60 A 10.0.0.1"}, nil, false},
		{"another's address", "www.example.", "A", 0, []string{"a.example. 60 A 192.0.2.1"}, nil, false},
		{"another's denial", "www.example.", "A", 0, nil, []string{"test. 900 SOA a.example. b.test. 1 7200 900 86400 300"}, false},
		{"a referral", "www.example.", "A", 0, nil, []string{"example. 900 NS ns.example."}, false},
		{"NXDOMAIN with an answer", "www.example.", "A", dns.RcodeNameError, []string{"www.example. 60 A 192.0.2.1"}, []string{soa}, false},
		{"SERVFAIL", "www.example.", "A", dns.RcodeServerFailure, nil, nil, false},
	} {
		q := question(t, tc.qname, dns.StringToType[tc.qtype])
		m := newReply(q, tc.rcode)
		m.Answer, m.Ns = records(t, tc.answer), records(t, tc.authority)
		m.SetEdns0(ednsSize, false)
		pkt, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := cleanPlain(q, slices.Clone(pkt), true, passes{}); ok != tc.plain {
			t.Errorf("%s: %v", tc.name, ok)
		}
		if n := testing.AllocsPerRun(100, func() { cleanPlain(q, pkt, true, passes{}) }); tc.plain && n > 3 {
			t.Errorf("%s: %v allocations", tc.name, n)
		}
	}
}
