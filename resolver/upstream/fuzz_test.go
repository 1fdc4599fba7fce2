package upstream

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/miekg/dns"
	"usciere/resolver/wire"
)

// FuzzClean holds what leaves the package, for any octets a server may send, to what S6 promises.
func FuzzClean(f *testing.F) {
	for _, tc := range cleanCases {
		q := question(f, tc.qname, max(dns.StringToType[tc.qtype], 1))
		m := newReply(q, tc.rcode)
		m.Answer, m.Ns = records(f, tc.answer), records(f, tc.authority)
		if pkt, err := m.Pack(); err == nil {
			f.Add(pkt, tc.do)
		}
	}
	f.Fuzz(func(t *testing.T, pkt []byte, do bool) {
		x := queryOf(pkt)
		if x == nil {
			return
		}
		x.DO = do
		a, err := x.take(slices.Clone(pkt))
		if err != nil {
			return
		}
		m, err := unpack(x.Question, a.Msg)
		if err != nil || len(m.Extra) != 0 {
			t.Fatalf("%x does not parse: %v", a.Msg, err)
		}
		checkClean(t, x.Question, m)
		ttls, err := wire.TTLOffsets(a.Msg)
		if err != nil || len(ttls) != len(m.Answer)+len(m.Ns) {
			t.Fatalf("%d TTLs found: %v\n%v", len(ttls), err, m)
		}
		for _, rr := range slices.Concat(m.Answer, m.Ns) {
			if a.TTL.Seconds() > float64(rr.Header().Ttl) {
				t.Fatalf("kept for %v:\n%v", a.TTL, m)
			}
		}
		again, err := clean(x.Question, slices.Clone(a.Msg), false, passes{true, true})
		if err != nil || shownWhole(t, again.Msg) != shownWhole(t, a.Msg) || again.TTL != a.TTL {
			t.Fatalf("cleaned again: %v\n%v\n%x\n%x", err, m, a.Msg, again.Msg)
		}
	})
}

// FuzzCleanPlain holds the quick way to the slow one: what it takes on at all, it makes the same of.
func FuzzCleanPlain(f *testing.F) {
	for _, tc := range cleanCases {
		q := question(f, tc.qname, max(dns.StringToType[tc.qtype], 1))
		m := newReply(q, tc.rcode)
		m.Answer, m.Ns = records(f, tc.answer), records(f, tc.authority)
		if pkt, err := m.Pack(); err == nil {
			f.Add(pkt, byte(0))
		}
		m.SetEdns0(ednsSize, true)
		if pkt, err := m.Pack(); err == nil {
			f.Add(pkt, byte(7))
		}
	}
	f.Fuzz(func(t *testing.T, pkt []byte, flags byte) {
		x := queryOf(pkt)
		if x == nil {
			return
		}
		q, trusted, private := x.Question, flags&1 != 0, flags&2 != 0
		q.CD = flags&4 != 0
		copy(pkt[headerLen:], q.Name)
		quick, ok := cleanPlain(q, slices.Clone(pkt), trusted, passes{private, private})
		if !ok {
			return
		}
		slow, err := clean(q, pkt, trusted, passes{private, private})
		if err != nil {
			t.Fatalf("taken, but %v: %x", err, pkt)
		}
		if quick.TTL != slow.TTL || quick.AD != slow.AD || !bytes.Equal(quick.Msg[:headerLen], slow.Msg[:headerLen]) {
			t.Fatalf("%+v\n%+v", quick, slow)
		}
		if got, want := shownWhole(t, quick.Msg), shownWhole(t, slow.Msg); got != want {
			t.Fatalf("%s\n%s", got, want)
		}
		if _, err := wire.TTLOffsets(quick.Msg); err != nil {
			t.Fatal(err)
		}
	})
}

// shownWhole is a message as text, names in the case they have and data in octets; how it is compressed does not show.
func shownWhole(t *testing.T, msg []byte) string {
	t.Helper()
	x := queryOf(msg)
	if x == nil {
		t.Fatalf("%x has no question", msg)
	}
	m, err := unpack(x.Question, msg)
	if err != nil {
		t.Fatalf("%x: %v", msg, err)
	}
	return m.String()
}

// queryOf is a query that a packet would answer; nil if it has no question.
func queryOf(pkt []byte) *query {
	m := new(dns.Msg)
	if len(pkt) < headerLen || m.Unpack(pkt) != nil || len(m.Question) != 1 {
		return nil
	}
	name := make([]byte, 256)
	n, err := dns.PackDomainName(dns.CanonicalName(m.Question[0].Name), name, 0, nil, false)
	if err != nil {
		return nil
	}
	q := Question{Name: string(name[:n]), Type: m.Question[0].Qtype, Class: m.Question[0].Qclass}
	if len(pkt) < headerLen+n+4 {
		return nil
	}
	return &query{Question: q, sent: slices.Clone(pkt[:headerLen+n+4])}
}

// checkClean looks at an answer in the most obvious way.
func checkClean(t *testing.T, q Question, m *dns.Msg) {
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		t.Fatalf("RCODE passed:\n%v", m)
	}
	if m.Question[0].Name != presentation(q.Name) || m.Question[0].Qtype != q.Type || m.Question[0].Qclass != q.Class {
		t.Fatalf("the question was changed:\n%v", m)
	}
	onChain := map[string]bool{m.Question[0].Name: true}
	aliases := 0
	for _, rr := range m.Answer {
		h := rr.Header()
		if h.Class != q.Class || h.Ttl > 1<<31-1 {
			t.Fatalf("wrong class or TTL:\n%v", m)
		}
		sig, signature := rr.(*dns.RRSIG)
		if signature && q.Type != dns.TypeRRSIG && !q.DO {
			t.Fatalf("a signature that nobody asked for:\n%v", m)
		}
		if h.Rrtype == dns.TypeDNAME || signature && sig.TypeCovered == dns.TypeDNAME {
			above := false
			for name := range onChain {
				above = above || dns.IsSubDomain(h.Name, name)
			}
			if !above {
				t.Fatalf("%s is not above the chain:\n%v", h.Name, m)
			}
		} else if !onChain[h.Name] {
			t.Fatalf("%s is not on the chain:\n%v", h.Name, m)
		}
		if cname, ok := rr.(*dns.CNAME); ok {
			onChain[dns.CanonicalName(cname.Target)] = true
			aliases++
		}
	}
	if aliases > maxLinks+1 {
		t.Fatalf("%d aliases:\n%v", aliases, m)
	}
	for _, rr := range m.Ns {
		switch rr.Header().Rrtype {
		case dns.TypeSOA, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeRRSIG:
		default:
			t.Fatalf("authority section:\n%v", m)
		}
	}
}

// FuzzCheck holds what is taken for the reply to a query to the obvious reading of RFC 5452 §9.1.
func FuzzCheck(f *testing.F) {
	g := New(Config{RandomCase: true})
	x := g.newQuery(question(f, "www.example.", dns.TypeA), manner{edns: true, mixed: true})
	reply := slices.Clone(x.sent)
	reply[2] |= bitQR
	f.Add(reply)
	f.Add(append(slices.Clone(reply[:2]), 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, pkt []byte) {
		// The ID is random, and a fuzzer would never guess it.
		if len(pkt) >= 2 {
			copy(pkt, x.sent[:2])
		}
		err := x.check(pkt)
		rcode := rcodeError(0)
		if errors.Is(err, errStranger) || errors.As(err, &rcode) && len(pkt) == headerLen {
			return
		}
		m := new(dns.Msg)
		m.Unpack(pkt) // what follows the question may be anything
		want := new(dns.Msg)
		want.Unpack(x.sent)
		if !m.Response || m.Opcode != 0 || m.Id != want.Id || len(m.Question) != 1 ||
			dns.CanonicalName(m.Question[0].Name) != "www.example." || m.Question[0].Qtype != dns.TypeA ||
			(err == nil) != (m.Question[0].Name == want.Question[0].Name) {
			t.Fatalf("%v for\n%v", err, m)
		}
	})
}
