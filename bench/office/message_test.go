package main

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"usciere/bench/officeload"
)

// packed is a reply to a question with records in presentation format.
func packed(t *testing.T, q *officeload.Question, rcode int, records ...string) []byte {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(q.Name), uint16(q.Type))
	m.Response, m.Rcode, m.Compress = true, rcode, true
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAQuestionIsPackedAsOthersReadIt(t *testing.T) {
	for _, edns := range []bool{false, true} {
		q := &officeload.Question{Name: "_ldap._tcp.ad.comune.example.it", Type: officeload.SRV}
		m := new(dns.Msg)
		if err := m.Unpack(appendQuery(nil, 0x1234, edns, q)); err != nil {
			t.Fatal(err)
		}
		if m.Id != 0x1234 || m.Response || !m.RecursionDesired || len(m.Question) != 1 || m.Question[0] != (dns.Question{Name: q.Name + ".", Qtype: dns.TypeSRV, Qclass: dns.ClassINET}) {
			t.Errorf("read as %s", m)
		}
		if opt := m.IsEdns0(); (opt != nil) != edns || edns && opt.UDPSize() != 1232 {
			t.Errorf("with EDNS %v the OPT record is %v", edns, opt)
		}
	}
}

func TestAReplyIsHeldToWhatIsExpected(t *testing.T) {
	addr, six := netip.MustParseAddr("198.18.0.7"), netip.MustParseAddr("2001:db8::7")
	a := officeload.Question{Name: "www.inps.it", Type: officeload.A, Want: officeload.Answer{Records: true, Addr: addr}}
	aaaa := officeload.Question{Name: "www.inps.it", Type: officeload.AAAA, Want: officeload.Answer{Records: true, Addr: six}}
	srv := officeload.Question{Name: "_ldap._tcp.ad.it", Type: officeload.SRV, Want: officeload.Answer{Records: true}}
	none := officeload.Question{Name: "wpad.ad.it", Type: officeload.A, Want: officeload.Answer{Rcode: officeload.NXDomain}}
	for _, tc := range []struct {
		name    string
		q       officeload.Question
		rcode   int
		records []string
		want    string // part of what is wrong
	}{
		{"the address", a, dns.RcodeSuccess, []string{"www.inps.it. A 198.18.0.7"}, ""},
		{"the IPv6 address", aaaa, dns.RcodeSuccess, []string{"www.inps.it. AAAA 2001:db8::7"}, ""},
		{"any record where none is expected by address", srv, dns.RcodeSuccess, []string{"_ldap._tcp.ad.it. SRV 0 0 389 dc1.ad.it."}, ""},
		{"no such name", none, dns.RcodeNameError, nil, ""},
		{"another address", a, dns.RcodeSuccess, []string{"www.inps.it. A 192.0.2.80"}, "address 192.0.2.80; want 198.18.0.7"},
		{"an alias first", a, dns.RcodeSuccess, []string{"www.inps.it. CNAME inps.it.", "inps.it. A 198.18.0.7"}, "of type 5"},
		{"no records", a, dns.RcodeSuccess, nil, "0 records"},
		{"a record that should not be", none, dns.RcodeNameError, []string{"wpad.ad.it. A 192.0.2.1"}, "1 records"},
		{"an existing name", none, dns.RcodeSuccess, nil, "response code 0; want 3"},
		{"a failure", a, dns.RcodeServerFailure, nil, "response code 2; want 0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := reply{packet: packed(t, &tc.q, tc.rcode, tc.records...)}
			if !r.answers(&tc.q) {
				t.Fatal("not taken for a reply to the question")
			}
			if got := r.check(&tc.q); tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
				t.Errorf("got %q; want %q in it", got, tc.want)
			}
		})
	}
}

func TestAReplyCutShortIsWrongAndNoCrash(t *testing.T) {
	q := officeload.Question{Name: "www.inps.it", Type: officeload.A, Want: officeload.Answer{Records: true, Addr: netip.MustParseAddr("198.18.0.7")}}
	whole := packed(t, &q, dns.RcodeSuccess, "www.inps.it. A 198.18.0.7")
	for n := headerLength; n < len(whole); n++ {
		r := reply{packet: whole[:n]}
		if r.answers(&q) && r.check(&q) == "" {
			t.Errorf("%d of %d octets are taken for the answer", n, len(whole))
		}
	}
}

func TestWhatAnswersAnotherQuestionIsNoReply(t *testing.T) {
	asked := officeload.Question{Name: "www.inps.it", Type: officeload.A}
	for _, other := range []officeload.Question{{Name: "www.inps.it", Type: officeload.AAAA}, {Name: "ww2.inps.it", Type: officeload.A}, {Name: "inps.it", Type: officeload.A}} {
		if (reply{packet: packed(t, &other, 0)}).answers(&asked) {
			t.Errorf("a reply to %s, type %d, is taken", other.Name, other.Type)
		}
	}
	if (reply{packet: appendQuery(nil, 1, false, &asked)}).answers(&asked) {
		t.Error("a query is taken for a reply")
	}
}

func TestUpstreamAnswersAsTheModelSays(t *testing.T) {
	for _, name := range []string{"www.inps.it", "WWW.inps.IT", "a.b.c.d.gov.it", "it"} {
		for _, typ := range []officeload.Type{officeload.A, officeload.AAAA, officeload.HTTPS} {
			query := appendQuery(nil, 77, true, &officeload.Question{Name: name, Type: typ})
			m := new(dns.Msg)
			if err := m.Unpack(appendReply(nil, query, replyTTL)); err != nil {
				t.Fatal(err)
			}
			if m.Id != 77 || !m.Response || m.Question[0].Name != name+"." || m.IsEdns0() == nil {
				t.Errorf("to %s, type %d: %s", name, typ, m)
			}
			want := officeload.Upstream(strings.ToLower(name), typ)
			var got netip.Addr
			if len(m.Answer) > 0 {
				switch rr := m.Answer[0].(type) {
				case *dns.A:
					got, _ = netip.AddrFromSlice(rr.A.To4())
				case *dns.AAAA:
					got, _ = netip.AddrFromSlice(rr.AAAA)
				}
			}
			if got != want {
				t.Errorf("%s, type %d, is %s; want %s", name, typ, got, want)
			}
			if !want.IsValid() && (len(m.Ns) != 1 || m.Ns[0].Header().Rrtype != dns.TypeSOA) {
				t.Errorf("the denial of %s, type %d, has no SOA: %s", name, typ, m)
			}
		}
	}
	if got := appendReply(nil, []byte{1, 2, 3}, replyTTL); got != nil {
		t.Errorf("what is no query gets %x", got)
	}
}
