package wire

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/miekg/dns"
)

// packed returns a packed answer to www.inps.it A holding the records, which are given section by section.
func packed(t testing.TB, rcode int, sections ...[]string) []byte {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion("www.inps.it.", dns.TypeA)
	m.Id, m.Response, m.Rcode, m.Compress = 0, true, rcode, true
	for i, into := range []*[]dns.RR{&m.Answer, &m.Ns, &m.Extra} {
		if i >= len(sections) {
			break
		}
		for _, text := range sections[i] {
			rr, err := dns.NewRR(text)
			if err != nil {
				t.Fatal(err)
			}
			*into = append(*into, rr)
		}
	}
	msg, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

func typicalAnswer(t testing.TB) []byte {
	return packed(t, dns.RcodeSuccess,
		[]string{"www.inps.it. 600 CNAME inps.edge.example.", "inps.edge.example. 60 A 192.0.2.1", "inps.edge.example. 60 A 192.0.2.2"},
		[]string{"edge.example. 3600 NS ns.edge.example."}, []string{"ns.edge.example. 5 A 192.0.2.3"})
}

func TestTTLOffsetsFindsEveryTTL(t *testing.T) {
	msg := typicalAnswer(t)
	offsets, err := TTLOffsets(msg)
	if err != nil {
		t.Fatal(err)
	}
	var ttls []int
	for _, at := range offsets {
		ttls = append(ttls, int(msg[at])<<24|int(msg[at+1])<<16|int(msg[at+2])<<8|int(msg[at+3]))
	}
	if got := fmt.Sprint(ttls); got != "[600 60 60 3600 5]" {
		t.Errorf("TTLs %s", got)
	}
}

func TestTTLOffsetsRefusesWhatIsNoPackedAnswer(t *testing.T) {
	good := typicalAnswer(t)
	tests := []struct {
		name string
		msg  []byte
	}{
		{"nothing", nil},
		{"a header only", good[:12]},
		{"no question", packet(0, 0x8000, [4]uint16{})},
		{"two questions", packet(0, 0x8000, [4]uint16{2}, inps, inA, inps, inA)},
		{"a question cut short", good[:20]},
		{"a record cut short", good[:len(good)-1]},
		{"an octet too many", append(bytes.Clone(good), 0)},
		{"more records announced", packet(0, 0x8000, [4]uint16{1, 65535, 65535, 65535}, inps, inA, strayA)},
		{"an OPT", packet(0, 0x8000, oneAndOne, inps, inA, opt)},
		{"a pointer forward", packet(0, 0x8000, [4]uint16{1, 1}, inps, inA, "\xC0\xFF", strayA[2:])},
		{"more than 65535 octets", append(bytes.Clone(good), make([]byte, 65536)...)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := TTLOffsets(tt.msg); !errors.Is(err, ErrMalformed) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestRelayAgesAndCapsTTLs(t *testing.T) {
	tests := []struct {
		name         string
		age, ceiling uint32
		want         string
	}{
		{"fresh and under the ceiling", 0, 86400, "[600 60 60 3600 5]"},
		{"fresh, capped", 0, 300, "[300 60 60 300 5]"},
		{"aged, not below zero", 50, 300, "[300 10 10 300 0]"},
		{"older than any record", 1 << 31, 300, "[0 0 0 0 0]"},
	}
	msg := typicalAnswer(t)
	before := bytes.Clone(msg)
	ttls, _ := TTLOffsets(msg)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b Builder
			b.Relay(nil, ask(packet(0xBEEF, 0x0110, oneAndOne, inps, inA, opt)), msg, ttls, tt.age, tt.ceiling, false, true)
			b.EDE(3, "stale")
			m := unpack(t, b.Finish(1232))
			var got []uint32
			for _, rr := range append(append(m.Answer, m.Ns...), m.Extra...) {
				if rr.Header().Rrtype != dns.TypeOPT {
					got = append(got, rr.Header().Ttl)
				}
			}
			if fmt.Sprint(got) != tt.want {
				t.Errorf("TTLs %v, want %s", got, tt.want)
			}
			if m.Id != 0xBEEF || !m.RecursionDesired || !m.CheckingDisabled || !m.AuthenticatedData || m.Question[0].Name != "WWW.inps.it." {
				t.Errorf("not the client's own:\n%v", m)
			}
			if codes, _, _ := options(m); len(codes) != 1 {
				t.Errorf("Extended DNS Errors %v", codes)
			}
		})
	}
	if !bytes.Equal(msg, before) {
		t.Error("the packed answer was written to")
	}
}

func TestRelayTakesATTLWithTheTopBitForZero(t *testing.T) {
	msg := packed(t, 0, []string{"www.inps.it. 4294967295 A 192.0.2.1"})
	ttls, _ := TTLOffsets(msg)
	var b Builder
	b.Relay(nil, ask(packet(1, 0, one, inps, inA)), msg, ttls, 0, 300, false, false)
	if got := unpack(t, b.Finish(512)).Answer[0].Header().Ttl; got != 0 {
		t.Errorf("TTL %d", got)
	}
}

func TestRelaySetsADOnlyForThoseWhoAsk(t *testing.T) {
	tests := []struct {
		name string
		pkt  []byte
		ad   bool
		want bool
	}{
		{"neither AD nor DO", packet(1, 0, one, inps, inA), true, false},
		{"AD", packet(1, 0x20, one, inps, inA), true, true},
		{"DO", packet(1, 0, oneAndOne, inps, inA, opt), true, true},
		{"DO, not authentic", packet(1, 0x20, oneAndOne, inps, inA, opt), false, false},
	}
	msg := typicalAnswer(t)
	msg[3] |= flagAD
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b Builder
			b.Relay(nil, ask(tt.pkt), msg, nil, 0, 300, false, tt.ad)
			if m := unpack(t, b.Finish(512)); m.AuthenticatedData != tt.want {
				t.Errorf("AD %t", m.AuthenticatedData)
			}
		})
	}
}

func TestRelayOfAnAnswerToAnotherQuestionIsSERVFAIL(t *testing.T) {
	msg := typicalAnswer(t)
	ttls, _ := TTLOffsets(msg)
	for name, pkt := range map[string][]byte{
		"another name of the same length": packet(1, 0, one, "\x03web\x04inps\x02it\x00", inA),
		"a longer name":                   packet(1, 0, one, "\x03www\x05inpsx\x02it\x00", inA),
		"another type":                    packet(1, 0, one, inps, "\x00\x1C\x00\x01"),
		"another class":                   packet(1, 0, one, inps, "\x00\x01\x00\x03"),
		"no readable question":            packet(1, 0, [4]uint16{}),
	} {
		t.Run(name, func(t *testing.T) {
			var b Builder
			b.Relay(nil, ask(pkt), msg, ttls, 0, 300, false, false)
			if m := unpack(t, b.Finish(512)); m.Rcode != dns.RcodeServerFailure || len(m.Answer) != 0 {
				t.Errorf("reply\n%v", m)
			}
		})
	}
}

func TestRelayTooLongLosesAdditionalRecordsThenAll(t *testing.T) {
	var answer, extra []string
	for i := range 20 {
		answer = append(answer, fmt.Sprintf("www.inps.it. 60 A 192.0.2.%d", i))
		extra = append(extra, fmt.Sprintf("ns.inps.it. 60 A 192.0.2.%d", i))
	}
	for _, tt := range []struct {
		name            string
		answer, extra   []string
		records, remain int
		truncated       bool
	}{
		{"additional records go without TC", answer, extra, 20, 0, false},
		{"a reply of additional records only loses them", nil, append(extra, append(answer, extra...)...), 0, 0, false},
		{"answers go with TC", append(answer, append(answer, answer...)...), extra, 0, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			msg := packed(t, 0, tt.answer, nil, tt.extra)
			ttls, err := TTLOffsets(msg)
			if err != nil {
				t.Fatal(err)
			}
			var b Builder
			b.Relay(nil, ask(packet(1, 0, one, inps, inA)), msg, ttls, 0, 300, false, false)
			m := unpack(t, b.Finish(512))
			if len(m.Answer) != tt.records || len(m.Extra) != tt.remain || m.Truncated != tt.truncated {
				t.Errorf("%d answers, %d additional, TC %t", len(m.Answer), len(m.Extra), m.Truncated)
			}
		})
	}
}

// compareBodies wants the records of reply to be those of msg, octet by octet but for their TTLs, or all but the
// additional ones.
func compareBodies(t *testing.T, reply, msg []byte, ttls []uint16, q *Query) {
	if !bytes.Equal(reply[6:10], msg[6:10]) {
		t.Fatalf("counts %x, packed answer has %x", reply[6:10], msg[6:10])
	}
	body := len(reply)
	if q.EDNS {
		body -= 11 + 6 // an OPT with one Extended DNS Error
	}
	body = min(body, len(msg)) // with its text, the OPT is longer
	want := bytes.Clone(msg)
	got := append(bytes.Clone(reply[:body]), msg[body:]...)
	for _, at := range ttls {
		copy(want[at:], "TTL.")
		copy(got[at:], "TTL.")
	}
	start := headerSize + q.questionLen
	if !bytes.Equal(got[start:], want[start:]) {
		t.Fatalf("records\n%x, packed answer has\n%x", got[start:], want[start:])
	}
}

// FuzzRelay: any bytes are refused by TTLOffsets or relayed, with the question of their own and with another, into a
// reply that keeps the limit and has the same records.
func FuzzRelay(f *testing.F) {
	f.Add(typicalAnswer(f), uint32(10), uint16(512))
	f.Add(packed(f, dns.RcodeNameError, nil, []string{"it. 3600 SOA a. b. 1 2 3 4 5"}), uint32(0), uint16(4096))
	f.Add(packet(0, 0x8000, [4]uint16{1, 1}, inps, inA, strayA), uint32(1), uint16(0))
	f.Fuzz(func(t *testing.T, msg []byte, age uint32, size uint16) {
		ttls, err := TTLOffsets(msg)
		if err != nil {
			ttls = nil
		}
		before := bytes.Clone(msg)
		var own []byte // a query with the question of msg
		if len(msg) >= headerSize {
			if end, ok := plainName(msg, headerSize); ok && end+4 <= len(msg) {
				own = packet(9, 0x0100, oneAndOne, string(msg[headerSize:end+4]), "\x00\x00\x29", string([]byte{byte(size >> 8), byte(size)}), "\x00\x00\x00\x00\x00\x00")
			}
		}
		for _, pkt := range [][]byte{own, packet(9, 0, one, inps, inA)} {
			var q Query
			var b Builder
			if q.Read(pkt) == Drop {
				continue
			}
			b.Relay(nil, &q, msg, ttls, age, 300, false, true)
			b.EDE(3, "stale")
			limit := q.Limit(true)
			reply := b.Finish(limit)
			if len(reply) > limit {
				t.Fatalf("%d octets, limit %d", len(reply), limit)
			}
			if err == nil && answers(msg, &q) && reply[2]&flagTC == 0 {
				compareBodies(t, reply, msg, ttls, &q)
			}
		}
		if !bytes.Equal(msg, before) {
			t.Fatal("the packed answer was written to")
		}
	})
}

func TestQuestionOfReadsTheQuestionOfAPackedAnswer(t *testing.T) {
	good := typicalAnswer(t)
	name, typ, class, ok := QuestionOf(good)
	if string(name) != "\x03www\x04inps\x02it\x00" || typ != dns.TypeA || class != ClassIN || !ok {
		t.Errorf("%q %d %d %t", name, typ, class, ok)
	}
	none, pointer := bytes.Clone(good), bytes.Clone(good)
	none[5], pointer[12] = 0, 0xC0
	for text, msg := range map[string][]byte{"nothing": nil, "a header": good[:12], "half a name": good[:20], "no type": good[:25], "no question": none, "a pointer": pointer} {
		if _, _, _, ok := QuestionOf(msg); ok {
			t.Errorf("%s: read", text)
		}
	}
}
