package upstream

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Signatures for the table: covered type, signer. Nobody verifies them here.
func sig(owner, covered, signer string) string {
	return owner + " 300 RRSIG " + covered + " 13 2 300 20300101000000 20200101000000 1 " + signer + " c2ln"
}

const soaLine = "example. 900 SOA ns.example. admin.example. 1 7200 900 86400 300"

var cleanCases = []struct {
	name              string
	qname, qtype      string
	do                bool
	rcode             int
	answer, authority []string
	want              []string // the answer section, then "--" and the authority section if it is not empty
	ttl               int      // seconds
	err               error
}{
	{
		name: "records of the asked type are kept, others at the name are not", qname: "www.example.", qtype: "A",
		answer: []string{"www.example. 60 A 192.0.2.1", "www.example. 30 TXT no", "www.example. 50 A 192.0.2.2"},
		want:   []string{"www.example. 60 A 192.0.2.1", "www.example. 50 A 192.0.2.2"}, ttl: 50,
	},
	{
		name: "records of other owners are dropped", qname: "www.example.", qtype: "A",
		answer: []string{"bank.example. 60 A 203.0.113.66", "www.example. 60 A 192.0.2.1"},
		want:   []string{"www.example. 60 A 192.0.2.1"}, ttl: 60,
	},
	{
		name: "records of other classes are dropped", qname: "www.example.", qtype: "A",
		answer: []string{"www.example. 60 CH A 192.0.2.7", "www.example. 60 A 192.0.2.1"},
		want:   []string{"www.example. 60 A 192.0.2.1"}, ttl: 60,
	},
	{
		name: "a duplicate is dropped and the least TTL stays", qname: "www.example.", qtype: "A",
		answer: []string{"www.example. 60 A 192.0.2.1", "WWW.example. 20 A 192.0.2.1"},
		want:   []string{"www.example. 20 A 192.0.2.1"}, ttl: 20,
	},
	{
		name: "authority and additional of a positive answer are dropped", qname: "www.example.", qtype: "A",
		answer: []string{"www.example. 60 A 192.0.2.1"}, authority: []string{"example. 60 NS ns.evil.", soaLine},
		want: []string{"www.example. 60 A 192.0.2.1"}, ttl: 60,
	},
	{
		name: "a chain is put in order", qname: "a.example.", qtype: "A",
		answer: []string{"c.example. 60 A 192.0.2.1", "b.example. 50 CNAME c.example.", "a.example. 40 CNAME B.example."},
		want:   []string{"a.example. 40 CNAME B.example.", "b.example. 50 CNAME c.example.", "c.example. 60 A 192.0.2.1"}, ttl: 40,
	},
	{
		name: "a CNAME that is asked for is not followed", qname: "a.example.", qtype: "CNAME",
		answer: []string{"a.example. 40 CNAME b.example.", "b.example. 50 CNAME c.example."},
		want:   []string{"a.example. 40 CNAME b.example."}, ttl: 40,
	},
	{
		name: "a chain that ends in nothing without an SOA is not to be kept", qname: "a.example.", qtype: "A",
		answer: []string{"a.example. 40 CNAME b.example."},
		want:   []string{"a.example. 40 CNAME b.example."},
	},
	{
		name: "two CNAMEs at one name are a contradiction", qname: "a.example.", qtype: "A",
		answer: []string{"a.example. 40 CNAME b.example.", "a.example. 40 CNAME c.example."}, err: errUnusable,
	},
	{
		name: "eleven links are followed", qname: "l0.example.", qtype: "A", answer: links(11), want: links(11), ttl: 60,
	},
	{
		name: "twelve links are too many", qname: "l0.example.", qtype: "A", answer: links(12), err: errUnusable,
	},
	{
		name: "a loop is an error", qname: "a.example.", qtype: "A",
		answer: []string{"a.example. 40 CNAME b.example.", "b.example. 40 CNAME a.example."}, err: errUnusable,
	},
	{
		name: "a DNAME is kept with its CNAME", qname: "www.old.example.", qtype: "A",
		answer: []string{"old.example. 60 DNAME new.example.", "www.old.example. 0 CNAME www.new.example.", "www.new.example. 60 A 192.0.2.1"},
		want:   []string{"old.example. 60 DNAME new.example.", "www.old.example. 0 CNAME www.new.example.", "www.new.example. 60 A 192.0.2.1"},
	},
	{
		name: "a missing CNAME is made from its DNAME", qname: "www.old.example.", qtype: "A",
		answer: []string{"old.example. 60 DNAME new.example.", "www.new.example. 90 A 192.0.2.1"},
		want:   []string{"old.example. 60 DNAME new.example.", "www.old.example. 60 CNAME www.new.example.", "www.new.example. 90 A 192.0.2.1"}, ttl: 60,
	},
	{
		name: "a CNAME that does not follow from its DNAME is a lie", qname: "www.old.example.", qtype: "A",
		answer: []string{"old.example. 60 DNAME new.example.", "www.old.example. 0 CNAME evil.example."}, err: errUnusable,
	},
	{
		name: "a DNAME elsewhere has no part in the answer", qname: "www.example.", qtype: "A",
		answer: []string{"old.example. 60 DNAME new.example.", "ww.example. 60 DNAME x.", "www.example. 60 A 192.0.2.1"},
		want:   []string{"www.example. 60 A 192.0.2.1"}, ttl: 60,
	},
	{
		name: "a dot within a label is not a boundary", qname: `a\.old.example.`, qtype: "A",
		answer: []string{"old.example. 60 DNAME new.example.", `a\.old.example. 60 A 192.0.2.1`},
		want:   []string{`a\.old.example. 60 A 192.0.2.1`}, ttl: 60,
	},
	{
		name: "a DNAME at the name itself does not apply to it", qname: "old.example.", qtype: "DNAME",
		answer: []string{"old.example. 60 DNAME new.example."},
		want:   []string{"old.example. 60 DNAME new.example."}, ttl: 60,
	},
	{
		name: "a DNAME to the root", qname: "www.old.example.", qtype: "A",
		answer: []string{"old.example. 60 DNAME .", "www. 60 A 192.0.2.1"},
		want:   []string{"old.example. 60 DNAME .", "www.old.example. 60 CNAME www.", "www. 60 A 192.0.2.1"}, ttl: 60,
	},
	{
		name: "a DNAME that makes the name too long is an error", qname: "www.old.example.", qtype: "A",
		answer: []string{"old.example. 60 DNAME " + strings.Repeat(strings.Repeat("a", 62)+".", 4)}, err: errUnusable,
	},
	{
		name: "a CNAME is asked under a DNAME", qname: "www.old.example.", qtype: "CNAME",
		answer: []string{"old.example. 60 DNAME new.example.", "www.old.example. 60 CNAME www.new.example."},
		want:   []string{"old.example. 60 DNAME new.example.", "www.old.example. 60 CNAME www.new.example."}, ttl: 60,
	},
	{
		name: "NXDOMAIN is kept as long as the SOA's MINIMUM says", qname: "no.example.", qtype: "A", rcode: dns.RcodeNameError,
		authority: []string{soaLine, "example. 60 NS ns.evil."}, want: []string{"--", soaLine}, ttl: 300,
	},
	{
		name: "NODATA is kept as long as the SOA's own TTL says", qname: "www.example.", qtype: "AAAA",
		authority: []string{strings.Replace(soaLine, " 900 SOA", " 100 SOA", 1)},
		want:      []string{"--", strings.Replace(soaLine, " 900 SOA", " 100 SOA", 1)}, ttl: 100,
	},
	{
		name: "an SOA of another zone is no SOA", qname: "no.example.", qtype: "A", rcode: dns.RcodeNameError,
		authority: []string{strings.Replace(soaLine, "example. 900", "elsewhere. 900", 1)},
	},
	{
		name: "the SOA belongs to the end of the chain", qname: "a.elsewhere.", qtype: "A", rcode: dns.RcodeNameError,
		answer:    []string{"a.elsewhere. 60 CNAME no.example."},
		authority: []string{soaLine}, want: []string{"a.elsewhere. 60 CNAME no.example.", "--", soaLine}, ttl: 60,
	},
	{
		name: "the root's SOA serves every name", qname: "no.such.", qtype: "A", rcode: dns.RcodeNameError,
		authority: []string{strings.Replace(soaLine, "example. 900", ". 900", 1)},
		want:      []string{"--", strings.Replace(soaLine, "example. 900", ". 900", 1)}, ttl: 300,
	},
	{
		name: "a referral is not an answer", qname: "www.example.", qtype: "A",
		authority: []string{"example. 60 NS ns.example."}, err: errReferral,
	},
	{
		name: "without DO there are no signatures", qname: "www.example.", qtype: "A",
		answer: []string{"www.example. 60 A 192.0.2.1", sig("www.example.", "A", "example.")},
		want:   []string{"www.example. 60 A 192.0.2.1"}, ttl: 60,
	},
	{
		name: "with DO the signatures of what is kept are kept", qname: "a.example.", qtype: "A", do: true,
		answer: []string{
			"a.example. 60 CNAME b.example.", sig("a.example.", "CNAME", "example."), sig("b.example.", "TXT", "example."),
			"b.example. 60 A 192.0.2.1", sig("b.example.", "A", "example."), sig("c.example.", "A", "example."),
		},
		want: []string{
			"a.example. 60 CNAME b.example.", sig("a.example.", "CNAME", "example."),
			"b.example. 60 A 192.0.2.1", sig("b.example.", "A", "example."),
		}, ttl: 60,
	},
	{
		name: "signatures that are asked for are kept without DO", qname: "www.example.", qtype: "RRSIG",
		answer: []string{sig("www.example.", "A", "example.")},
		want:   []string{sig("www.example.", "A", "example.")}, ttl: 300,
	},
	{
		name: "with DO a wildcard's proof is kept", qname: "www.example.", qtype: "A", do: true,
		answer: []string{"www.example. 600 A 192.0.2.1", sig("www.example.", "A", "example.")},
		authority: []string{
			"v.example. 300 NSEC x.example. A RRSIG NSEC", sig("v.example.", "NSEC", "example."),
			"example. 60 NS ns.example.", sig("example.", "NS", "example."),
		},
		want: []string{
			"www.example. 600 A 192.0.2.1", sig("www.example.", "A", "example."),
			"--", "v.example. 300 NSEC x.example. A RRSIG NSEC", sig("v.example.", "NSEC", "example."),
		}, ttl: 300,
	},
	{
		name: "with DO a negative answer's proof is kept", qname: "no.example.", qtype: "A", do: true, rcode: dns.RcodeNameError,
		authority: []string{
			soaLine, sig("example.", "SOA", "example."),
			"example. 300 NSEC v.example. SOA", sig("example.", "NSEC", "example."),
			"v.elsewhere. 300 NSEC x.elsewhere. A", sig("v.elsewhere.", "NSEC", "elsewhere."),
			"v.elsewhere. 300 NSEC y.elsewhere. A", sig("v.elsewhere.", "NSEC", "example."),
			"u.example. 300 NSEC v.example. A",
		},
		want: []string{
			"--", soaLine, sig("example.", "SOA", "example."),
			"example. 300 NSEC v.example. SOA", sig("example.", "NSEC", "example."),
		}, ttl: 300,
	},
	{
		name: "without DO a negative answer has no proof", qname: "no.example.", qtype: "A", rcode: dns.RcodeNameError,
		authority: []string{soaLine, sig("example.", "SOA", "example."), "example. 300 NSEC v.example. SOA", sig("example.", "NSEC", "example.")},
		want:      []string{"--", soaLine}, ttl: 300,
	},
	{
		name: "NXDOMAIN with an answer is a contradiction", qname: "www.example.", qtype: "A", rcode: dns.RcodeNameError,
		answer: []string{"www.example. 60 A 192.0.2.1"}, err: errUnusable,
	},
	{
		name: "another RCODE is no answer", qname: "www.example.", qtype: "A", rcode: dns.RcodeRefused, err: rcodeError(dns.RcodeRefused),
	},
	{
		name: "a type nobody knows passes", qname: "www.example.", qtype: "TYPE65400",
		answer: []string{`www.example. 60 TYPE65400 \# 3 010203`, `www.example. 60 TYPE65400 \# 0`},
		want:   []string{`www.example. 60 TYPE65400 \# 3 010203`, `www.example. 60 TYPE65400 \# 0`}, ttl: 60,
	},
}

// links is a chain l0 → l1 → … of n CNAMEs with an address at its end.
func links(n int) []string {
	var lines []string
	for i := range n {
		lines = append(lines, fmt.Sprintf("l%d.example. 60 CNAME l%d.example.", i, i+1))
	}
	return append(lines, fmt.Sprintf("l%d.example. 60 A 192.0.2.1", n))
}

func TestCleaning(t *testing.T) {
	for _, tc := range cleanCases {
		t.Run(tc.name, func(t *testing.T) {
			qtype := dns.StringToType[tc.qtype]
			if tc.qtype == "TYPE65400" {
				qtype = 65400
			}
			q := question(t, tc.qname, qtype)
			q.DO = tc.do
			m := newReply(q, tc.rcode)
			m.Answer, m.Ns = records(t, tc.answer), records(t, tc.authority)
			m.Extra = records(t, []string{"www.example. 60 A 203.0.113.66"})
			pkt, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			a, err := clean(q, pkt, false, passes{true, true})
			if !errors.Is(err, tc.err) {
				t.Fatalf("error %v, want %v", err, tc.err)
			}
			if err != nil {
				return
			}
			got := parsed(t, a)
			if a.TTL != time.Duration(tc.ttl)*time.Second || got.Rcode != tc.rcode {
				t.Errorf("TTL %v, want %d s; RCODE %d", a.TTL, tc.ttl, got.Rcode)
			}
			lines := inText(got.Answer)
			if len(got.Ns) > 0 {
				lines = append(append(lines, "--"), inText(got.Ns)...)
			}
			var want []string
			for _, line := range tc.want {
				if line != "--" {
					line = inText(records(t, []string{line}))[0]
				}
				want = append(want, line)
			}
			if !slices.Equal(lines, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func records(t testing.TB, lines []string) []dns.RR {
	t.Helper()
	var rrs []dns.RR
	for _, line := range lines {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		rrs = append(rrs, rr)
	}
	return rrs
}

func inText(rrs []dns.RR) []string {
	var lines []string
	for _, rr := range rrs {
		lines = append(lines, rr.String())
	}
	return lines
}

func TestAReplyThatEndsEarlyIsUnusable(t *testing.T) {
	q := question(t, "www.example.", dns.TypeA)
	m := newReply(q, 0)
	m.Answer = records(t, []string{"www.example. 60 A 192.0.2.1", "www.example. 60 A 192.0.2.2"})
	m.Ns = records(t, []string{soaLine})
	pkt, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	for n := range pkt {
		if n < headerLen+len(q.Name)+4 {
			continue // the query's check sees to those
		}
		if _, err := clean(q, slices.Clone(pkt[:n]), false, passes{true, true}); !errors.Is(err, errUnusable) {
			t.Errorf("the first %d octets of %d: %v", n, len(pkt), err)
		}
	}
}

// TestTheLargestRepliesAreCheap cleans replies of 64 KiB made to cost as much as they can.
func TestTheLargestRepliesAreCheap(t *testing.T) {
	q := question(t, "www.example.", dns.TypeA)
	q.DO = true
	fill := func(line func(i int) string) []byte {
		m := newReply(q, 0)
		for i := 0; m.Len() < 63<<10; i += 100 {
			for j := range 100 {
				m.Answer = append(m.Answer, records(t, []string{line(i + j)})...)
			}
		}
		for {
			pkt, err := m.Pack()
			if err == nil && len(pkt) <= dns.MaxMsgSize {
				return pkt
			}
			m.Answer = m.Answer[:len(m.Answer)-1]
		}
	}
	for name, pkt := range map[string][]byte{
		"addresses": fill(func(i int) string { return fmt.Sprintf("www.example. 60 A 10.%d.%d.%d", i>>16, i>>8&255, i&255) }),
		"DNAMEs":    fill(func(i int) string { return fmt.Sprintf("d%d.example. 60 DNAME %s", i, strings.Repeat("a.", 100)) }),
		"aliases":   fill(func(i int) string { return fmt.Sprintf("l%d.example. 60 CNAME l%d.example.", i, i+1) }),
	} {
		least := time.Hour
		for range 5 {
			copied, start := slices.Clone(pkt), time.Now()
			clean(q, copied, false, passes{true, true})
			least = min(least, time.Since(start))
		}
		t.Logf("%s: %d octets cleaned in %v", name, len(pkt), least)
		if least > 200*time.Millisecond { // a fault of the quadratic kind takes seconds
			t.Errorf("%s: cleaning takes %v", name, least)
		}
	}
}

func BenchmarkCleanLargest(b *testing.B) {
	q := question(b, "www.example.", dns.TypeA)
	m := newReply(q, 0)
	for i := range 4000 {
		m.Answer = append(m.Answer, records(b, []string{fmt.Sprintf("www.example. 60 A 10.0.%d.%d", i>>8&255, i&255)})...)
	}
	pkt, err := m.Pack()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := clean(q, pkt, false, passes{true, true}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkClean(b *testing.B) {
	q := question(b, "www.example.", dns.TypeA)
	m := newReply(q, 0)
	m.Answer = records(b, []string{"www.example. 60 CNAME web.example.", "web.example. 60 A 192.0.2.1"})
	pkt, err := m.Pack()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := clean(q, pkt, false, passes{true, true}); err != nil {
			b.Fatal(err)
		}
	}
}
