package wire

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// ask returns the query read from the parts of a good or bad packet.
func ask(pkt []byte) *Query {
	q := new(Query)
	q.Read(pkt)
	return q
}

func unpack(t *testing.T, msg []byte) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(msg); err != nil {
		t.Fatalf("reply does not unpack: %v\n%x", err, msg)
	}
	return m
}

var loopback = netip.MustParseAddr("127.0.0.1").AsSlice()

func TestReplyHeaderFollowsTheQuery(t *testing.T) {
	tests := []struct {
		name  string
		pkt   []byte
		rcode uint16
		aa    bool
		want  dns.MsgHdr
		echo  bool
	}{
		{"RD and CD are copied, AD and Z are not", packet(7, 0x0170, one, inps, inA), RcodeNoError, true,
			dns.MsgHdr{Id: 7, Response: true, Authoritative: true, RecursionDesired: true, RecursionAvailable: true, CheckingDisabled: true}, true},
		{"the opcode is copied", packet(7, 0x2000, one, inps, inA), RcodeNotImp, false,
			dns.MsgHdr{Id: 7, Response: true, Opcode: 4, RecursionAvailable: true, Rcode: dns.RcodeNotImplemented}, true},
		{"without a readable question there is a header only", packet(7, 0x0100, [4]uint16{2}, inps, inA), RcodeFormErr, false,
			dns.MsgHdr{Id: 7, Response: true, RecursionDesired: true, RecursionAvailable: true, Rcode: dns.RcodeFormatError}, false},
		{"an extended rcode goes with EDNS", packet(7, 0, oneAndOne, inps, inA, opt), RcodeBadVers, false,
			dns.MsgHdr{Id: 7, Response: true, RecursionAvailable: true, Rcode: dns.RcodeBadVers}, true},
		{"an extended rcode without EDNS is SERVFAIL", packet(7, 0, one, inps, inA), RcodeBadVers, false,
			dns.MsgHdr{Id: 7, Response: true, RecursionAvailable: true, Rcode: dns.RcodeServerFailure}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b Builder
			q := ask(tt.pkt)
			b.Begin(nil, q, tt.rcode, tt.aa)
			m := unpack(t, b.Finish(512))
			if m.MsgHdr != tt.want {
				t.Errorf("header\n%+v, want\n%+v", m.MsgHdr, tt.want)
			}
			if tt.echo != (len(m.Question) == 1 && m.Question[0].Name == "WWW.inps.it." && m.Question[0].Qtype == dns.TypeA) {
				t.Errorf("question %v", m.Question)
			}
		})
	}
}

func TestRecordsStandInTheirSections(t *testing.T) {
	var b Builder
	b.Begin(nil, ask(packet(7, 0, oneAndOne, inps, inA, opt)), RcodeNoError, true)
	b.Record(Answer, dns.TypeA, 10, loopback)
	b.Record(Answer, dns.TypeA, 20, loopback)
	b.SOA([]byte("\x02ns\x00"), []byte("\x04mail\x00"), 42, 30, 15)
	b.Record(Additional, dns.TypeTXT, 5, []byte("\x02hi"))
	m := unpack(t, b.Finish(512))
	if len(m.Answer) != 2 || len(m.Ns) != 1 || len(m.Extra) != 2 {
		t.Fatalf("sections wrong:\n%v", m)
	}
	for i, want := range []string{
		"WWW.inps.it.\t10\tIN\tA\t127.0.0.1", "WWW.inps.it.\t20\tIN\tA\t127.0.0.1",
		"WWW.inps.it.\t15\tIN\tSOA\tns. mail. 42 3600 900 1209600 30", "WWW.inps.it.\t5\tIN\tTXT\t\"hi\"",
	} {
		if got := append(append(m.Answer, m.Ns...), m.Extra...)[i].String(); got != want {
			t.Errorf("record %d: %s, want %s", i, got, want)
		}
	}
}

func TestRecordsTakeTheClassAsked(t *testing.T) {
	var b Builder
	b.Begin(nil, ask(packet(7, 0, one, inps, "\x00\x10\x00\x03")), RcodeNoError, true)
	b.Record(Answer, dns.TypeTXT, 0, []byte("\x02hi"))
	if got := unpack(t, b.Finish(512)).Answer[0].Header().Class; got != dns.ClassCHAOS {
		t.Errorf("class %d", got)
	}
}

// options returns the Extended DNS Errors and the NSID of a reply, in order.
func options(m *dns.Msg) (codes []uint16, texts []string, nsid string) {
	for _, o := range m.IsEdns0().Option {
		switch o := o.(type) {
		case *dns.EDNS0_EDE:
			codes, texts = append(codes, o.InfoCode), append(texts, o.ExtraText)
		case *dns.EDNS0_NSID:
			nsid = o.Nsid
		}
	}
	return codes, texts, nsid
}

func TestOPTAnswersOnlyAnOPT(t *testing.T) {
	b := Builder{NSID: []byte("x")}
	b.Begin(nil, ask(packet(7, 0, one, inps, inA)), RcodeNoError, false)
	b.EDE(15, "Blocked")
	if m := unpack(t, b.Finish(512)); len(m.Extra) != 0 {
		t.Errorf("reply to a query without EDNS has %v", m.Extra)
	}

	b.Begin(nil, ask(packet(7, 0, oneAndOne, inps, inA, opt)), RcodeNoError, false)
	b.EDE(15, "perché")
	b.EDE(4, "")
	m := unpack(t, b.Finish(512))
	o := m.IsEdns0()
	if o.UDPSize() != 1232 || !o.Do() || o.Version() != 0 {
		t.Errorf("OPT wrong: %v", o)
	}
	codes, texts, nsid := options(m)
	if len(codes) != 2 || codes[0] != 15 || codes[1] != 4 || texts[0] != "perché" || texts[1] != "" || nsid != "" {
		t.Errorf("options %v %q %q", codes, texts, nsid)
	}

	q := ask(packet(7, 0, oneAndOne, inps, inA, "\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x04\x00\x03\x00\x00"))
	b.Begin(nil, q, RcodeNoError, false)
	if codes, _, nsid := options(unpack(t, b.Finish(512))); len(codes) != 0 || nsid != "78" {
		t.Errorf("NSID %q, want 78 in hex; Extended DNS Errors %v of the reply before", nsid, codes)
	}
}

func TestTooLongRepliesLoseWhatMattersLeast(t *testing.T) {
	longName := label(63) + label(63) + label(63) + label(61) + "\x00"
	tests := []struct {
		name                    string
		question                string
		answers, extra, ede     int
		wantAnswers, wantExtra  int
		wantText, wantTruncated bool
	}{
		{"what fits is whole", inps, 5, 5, 1, 5, 5, true, false},
		{"texts go first", inps, 8, 8, 4, 8, 8, false, false},
		{"then additional records, without TC", inps, 20, 20, 1, 20, 0, false, false},
		{"then everything, with TC", inps, 40, 1, 1, 0, 0, false, true},
		{"the longest question leaves room for all codes and the NSID", longName, 40, 1, 9, 0, 0, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := Builder{NSID: make([]byte, 200)}
			b.Begin(nil, ask(packet(7, 0, oneAndOne, tt.question, inA, "\x00\x00\x29\x02\x00\x00\x00\x00\x00\x00\x04\x00\x03\x00\x00")), RcodeNoError, false)
			for range tt.answers {
				b.Record(Answer, dns.TypeA, 10, loopback)
			}
			for range tt.extra {
				b.Record(Additional, dns.TypeA, 10, loopback)
			}
			for range tt.ede {
				b.EDE(15, strings.Repeat("x", 40))
			}
			const limit = 512
			msg := b.Finish(limit)
			m := unpack(t, msg)
			if len(msg) > limit || len(m.Answer) != tt.wantAnswers || len(m.Extra) != tt.wantExtra+1 || m.Truncated != tt.wantTruncated {
				t.Errorf("%d octets: %d answers, %d additional, TC %t", len(msg), len(m.Answer), len(m.Extra)-1, m.Truncated)
			}
			codes, texts, nsid := options(m)
			if len(codes) != min(tt.ede, maxEDE) || (texts[0] != "") != tt.wantText || len(nsid) != 2*maxNSID {
				t.Errorf("codes %v, texts %q, NSID of %d", codes, texts, len(nsid)/2)
			}
		})
	}
}
