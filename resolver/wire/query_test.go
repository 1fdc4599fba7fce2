package wire

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// packet is a message put together from its parts, with the counts as given, true or not.
func packet(id uint16, flags uint16, counts [4]uint16, parts ...string) []byte {
	var p []byte
	p = binary.BigEndian.AppendUint16(p, id)
	p = binary.BigEndian.AppendUint16(p, flags)
	for _, n := range counts {
		p = binary.BigEndian.AppendUint16(p, n)
	}
	return append(p, strings.Join(parts, "")...)
}

const (
	inA       = "\x00\x01\x00\x01"
	inps      = "\x03WWW\x04inps\x02it\x00"
	opt       = "\x00\x00\x29\x10\x00\x00\x00\x80\x00\x00\x00"
	optCookie = "\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x0C\x00\x0A\x00\x0812345678"
	strayA    = "\xC0\x0C\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\x7F\x00\x00\x01"
)

var one = [4]uint16{1, 0, 0, 0}
var oneAndOne = [4]uint16{1, 0, 0, 1}

func label(n int) string { return string(rune(n)) + strings.Repeat("x", n) }

func TestReadJudgesPackets(t *testing.T) {
	longest := label(63) + label(63) + label(63) + label(61) + "\x00"
	pointers := "" // each additional record's owner points at the owner before it
	for i := range 200 {
		at := headerSize + len(inps) + 4 + i*12 - 12
		if i == 0 {
			at = headerSize
		}
		pointers += string([]byte{0xC0 | byte(at>>8), byte(at)}) + "\x00\x01\x00\x01\x00\x00\x00\x05\x00\x00"
	}
	tests := []struct {
		name string
		pkt  []byte
		want Outcome
		edns bool
	}{
		{"nothing at all is dropped", nil, Drop, false},
		{"eleven octets are dropped", make([]byte, 11), Drop, false},
		{"a response is dropped", packet(1, 0x8000, one, inps, inA), Drop, false},
		{"a plain query is good", packet(1, 0x0100, one, inps, inA), Good, false},
		{"a query with TC, AA, Z and an rcode set is good", packet(1, 0x0645, one, inps, inA), Good, false},
		{"the root name is good", packet(1, 0, one, "\x00", inA), Good, false},
		{"a name of 255 octets is good", packet(1, 0, one, longest, inA), Good, false},
		{"a label of NUL, 0xFF and a dot is good", packet(1, 0, one, "\x03\x00\xFF.\x00", inA), Good, false},
		{"class CH is good", packet(1, 0, one, inps, "\x00\x10\x00\x03"), Good, false},
		{"type AXFR is good", packet(1, 0, one, inps, "\x00\xFC\x00\x01"), Good, false},
		{"an unknown type is good", packet(1, 0, one, inps, "\xFF\x00\x00\x01"), Good, false},
		{"a query with an OPT is good", packet(1, 0, oneAndOne, inps, inA, opt), Good, true},
		{"an unknown EDNS flag is ignored", packet(1, 0, oneAndOne, inps, inA, "\x00\x00\x29\x10\x00\x00\x00\x7F\xFF\x00\x00"), Good, true},
		{"an unknown option is ignored", packet(1, 0, oneAndOne, inps, inA, "\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x06\xFF\x00\x00\x02hi"), Good, true},
		{"a stray additional record is passed over", packet(1, 0, [4]uint16{1, 0, 0, 2}, inps, inA, strayA, opt), Good, true},

		{"a header only is malformed", packet(1, 0, [4]uint16{}), FormErr, false},
		{"no question but an OPT is malformed", packet(1, 0, [4]uint16{0, 0, 0, 1}, opt), FormErr, true},
		{"two questions are malformed", packet(1, 0, [4]uint16{2}, inps, inA, inps, inA), FormErr, false},
		{"a question that is announced and missing is malformed", packet(1, 0, one), FormErr, false},
		{"a question without its class is malformed", packet(1, 0, one, inps, "\x00\x01\x00"), FormErr, false},
		{"a name without an end is malformed", packet(1, 0, one, "\x03www"), FormErr, false},
		{"a label of 64 octets is malformed", packet(1, 0, one, label(64), "\x00", inA), FormErr, false},
		{"a name of 256 octets is malformed", packet(1, 0, one, label(63)+label(63)+label(63)+label(62)+"\x00", inA), FormErr, false},
		{"a pointer in the question is malformed", packet(1, 0, one, "\xC0\x0C", inA), FormErr, false},
		{"an answer in a query is malformed", packet(1, 0, [4]uint16{1, 1, 0, 0}, inps, inA, strayA), FormErr, false},
		{"an authority record in a query is malformed", packet(1, 0, [4]uint16{1, 0, 1, 0}, inps, inA, strayA), FormErr, false},
		{"octets behind the question are malformed", packet(1, 0, one, inps, inA, "x"), FormErr, false},
		{"octets behind the last record are malformed", packet(1, 0, oneAndOne, inps, inA, opt, "x"), FormErr, true},
		{"a missing additional record is malformed", packet(1, 0, oneAndOne, inps, inA), FormErr, false},
		{"two OPT records are malformed", packet(1, 0, [4]uint16{1, 0, 0, 2}, inps, inA, opt, opt), FormErr, true},
		{"an OPT that the root does not own is malformed", packet(1, 0, oneAndOne, inps, inA, "\x01a", opt), FormErr, false},
		{"an OPT in the answer section is malformed", packet(1, 0, [4]uint16{1, 1, 0, 0}, inps, inA, opt), FormErr, false},
		{"an option longer than the OPT is malformed", packet(1, 0, oneAndOne, inps, inA, "\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x06\xFF\x00\x00\x03hi"), FormErr, true},
		{"half an option header is malformed", packet(1, 0, oneAndOne, inps, inA, "\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x03\xFF\x00\x00"), FormErr, true},
		{"an OPT longer than the packet is malformed", packet(1, 0, oneAndOne, inps, inA, "\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x01"), FormErr, false},
		{"a question for OPT is malformed", packet(1, 0, one, inps, "\x00\x29\x00\x01"), FormErr, false},
		{"a pointer to itself is malformed", packet(1, 0, oneAndOne, "\x00", inA, "\xC0\x11\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00"), FormErr, false},
		{"a pointer into the header is malformed", packet(1, 0, oneAndOne, "\x00", inA, "\xC0\x0B\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00"), FormErr, false},
		{"a chain of 200 pointers is malformed", packet(1, 0, [4]uint16{1, 0, 0, 200}, inps, inA, pointers), FormErr, false},
		{"a reserved label type is malformed", packet(1, 0, oneAndOne, inps, inA, "\x40\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00"), FormErr, false},

		{"no question but a cookie is a query for a cookie", packet(1, 0, [4]uint16{0, 0, 0, 1}, optCookie), CookieOnly, true},
		{"a stray record beside the cookie is passed over", packet(1, 0, [4]uint16{0, 0, 0, 2}, "\x00\x00\x01\x00\x01\x00\x00\x00\x05\x00\x00", optCookie), CookieOnly, true},
		{"two questions and a cookie are malformed", packet(1, 0, [4]uint16{2, 0, 0, 1}, inps, inA, inps, inA, optCookie), FormErr, false},
		{"octets behind the cookie are malformed", packet(1, 0, [4]uint16{0, 0, 0, 1}, optCookie, "x"), FormErr, true},
		{"an answer before the cookie is malformed", packet(1, 0, [4]uint16{0, 1, 0, 1}, "\x00\x00\x01\x00\x01\x00\x00\x00\x05\x00\x00", optCookie), FormErr, true},
		{"half a cookie without a question is malformed", packet(1, 0, [4]uint16{0, 0, 0, 1}, "\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x08\x00\x0A\x00\x041234"), FormErr, true},
		{"an UPDATE with a cookie only is not implemented", packet(1, 0x2800, [4]uint16{0, 0, 0, 1}, optCookie), NotImp, true},

		{"EDNS version 1 is a bad version", packet(1, 0, oneAndOne, inps, inA, "\x00\x00\x29\x10\x00\x00\x01\x00\x00\x00\x00"), BadVers, true},
		{"EDNS version 1 with options of its own is a bad version", packet(1, 0, oneAndOne, inps, inA, "\x00\x00\x29\x10\x00\x00\x01\x00\x00\x00\x01z"), BadVers, true},
		{"opcode STATUS is not implemented", packet(1, 0x1000, one, inps, inA), NotImp, false},
		{"opcode 15 with a header only is not implemented", packet(1, 0x7800, [4]uint16{}), NotImp, false},
		{"an UPDATE is not implemented", packet(1, 0x2800, [4]uint16{1, 0, 1, 1}, inps, inA, strayA, opt), NotImp, true},
		{"class HS is refused", packet(1, 0, one, inps, "\x00\x01\x00\x04"), Refused, false},
		{"class ANY is refused", packet(1, 0, one, inps, "\x00\x01\x00\xFF"), Refused, false},
		{"class 0 is refused", packet(1, 0, one, inps, "\x00\x01\x00\x00"), Refused, false},
	}
	var q Query
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := q.Read(tt.pkt); got != tt.want {
				t.Errorf("outcome %d, want %d", got, tt.want)
			}
			if q.EDNS != tt.edns {
				t.Errorf("EDNS %t, want %t", q.EDNS, tt.edns)
			}
		})
	}
}

func TestReadFillsTheQuery(t *testing.T) {
	m := new(dns.Msg)
	m.Id = 0xBEEF
	m.RecursionDesired, m.CheckingDisabled, m.AuthenticatedData = true, true, true
	m.Question = []dns.Question{{Name: `Wwœ\000[]@Z{.inps.IT.`, Qtype: dns.TypeHTTPS, Qclass: dns.ClassINET}}
	m.SetEdns0(4000, true)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0123456789abcdef"}, &dns.EDNS0_NSID{Code: dns.EDNS0NSID}}
	pkt, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	var q Query
	if got := q.Read(pkt); got != Good {
		t.Fatalf("outcome %d", got)
	}
	if q.ID != 0xBEEF || q.Opcode != 0 || !q.RD || !q.CD || !q.AD || q.Type != dns.TypeHTTPS || q.Class != ClassIN {
		t.Errorf("header or question wrong: %+v", q)
	}
	if !q.EDNS || q.Version != 0 || !q.DO || q.UDPSize != 4000 || !q.NSID {
		t.Errorf("EDNS wrong: %t %d %t %d %t", q.EDNS, q.Version, q.DO, q.UDPSize, q.NSID)
	}
	if want := "\x0awwœ\x00[]@z{\x04inps\x02it\x00"; string(q.Name()) != want {
		t.Errorf("name %q, want %q", q.Name(), want)
	}
	if q.Read(packet(1, 0, one, inps, inA)) != Good || q.EDNS || q.DO || q.NSID || q.RD || q.CD || q.AD || q.UDPSize != 512 {
		t.Errorf("the next query inherits from the one before: %+v", q)
	}
}

func TestLimitFollowsTransportAndEDNS(t *testing.T) {
	tests := []struct {
		name string
		edns bool
		size string
		udp  bool
		want int
	}{
		{"UDP without EDNS takes 512", false, "", true, 512},
		{"UDP with a size under 512 takes 512", true, "\x00\x64", true, 512},
		{"UDP with 900 takes 900", true, "\x03\x84", true, 900},
		{"UDP with 4096 takes 1232", true, "\x10\x00", true, 1232},
		{"TCP takes 65535", true, "\x03\x84", false, 65535},
		{"TCP without EDNS takes 65535", false, "", false, 65535},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pkt := packet(1, 0, one, inps, inA)
			if tt.edns {
				pkt = packet(1, 0, oneAndOne, inps, inA, "\x00\x00\x29", tt.size, "\x00\x00\x00\x00\x00\x00")
			}
			var q Query
			q.Read(pkt)
			if got := q.Limit(tt.udp); got != tt.want {
				t.Errorf("limit %d, want %d", got, tt.want)
			}
		})
	}
}

// FuzzRead holds Read against miekg/dns: what is Good must be a query to it too, with the same question and EDNS.
func FuzzRead(f *testing.F) {
	f.Add(packet(7, 0x0110, one, inps, inA))
	f.Add(packet(7, 0x0110, oneAndOne, inps, inA, opt))
	f.Add(packet(7, 0, [4]uint16{0, 0, 0, 1}, optCookie))
	f.Add(packet(7, 0x0110, [4]uint16{1, 0, 0, 2}, inps, inA, strayA, opt))
	f.Add(packet(7, 0, oneAndOne, "\x04\x00\xFF\\.\x00", inA, "\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x04\x00\x03\x00\x00"))
	f.Fuzz(func(t *testing.T, pkt []byte) {
		var q Query
		var b Builder
		outcome := q.Read(pkt)
		if outcome == Drop {
			return
		}
		b.Begin(nil, &q, outcome.Rcode(), false)
		b.EDE(15, strings.Repeat("perché no ", 100))
		reply := new(dns.Msg)
		if err := reply.Unpack(b.Finish(q.Limit(true))); err != nil {
			t.Fatalf("reply to outcome %d does not unpack: %v", outcome, err)
		}
		if reply.Id != q.ID || !reply.Response || reply.Opcode != int(q.Opcode) || (reply.IsEdns0() != nil) != q.EDNS {
			t.Errorf("reply header wrong:\n%v", reply)
		}
		if outcome == Good {
			compareWithMiekg(t, pkt, &q)
		}
	})
}

func compareWithMiekg(t *testing.T, pkt []byte, q *Query) {
	m := new(dns.Msg)
	whole := m.Unpack(pkt) == nil
	if !whole { // it also reads the data of stray records and options, which we pass over
		short := append([]byte(nil), pkt[:headerSize+q.questionLen]...)
		short[11], short[10] = 0, 0
		if err := m.Unpack(short); err != nil {
			t.Fatalf("miekg/dns does not take the question: %v", err)
		}
	}
	if len(m.Question) != 1 || m.Response || m.Opcode != dns.OpcodeQuery {
		t.Fatalf("miekg/dns sees no query:\n%v", m)
	}
	var name [256]byte
	n, err := dns.PackDomainName(m.Question[0].Name, name[:], 0, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for _, c := range name[:n] {
		if c >= 'A' && c <= 'Z' {
			c += 32
		}
		want = append(want, c)
	}
	if !bytes.Equal(q.Name(), want) {
		t.Errorf("name %q, miekg/dns has %q", q.Name(), want)
	}
	if q.Type != m.Question[0].Qtype || q.Class != m.Question[0].Qclass || q.ID != m.Id ||
		q.RD != m.RecursionDesired || q.AD != m.AuthenticatedData || q.CD != m.CheckingDisabled {
		t.Errorf("%+v, miekg/dns has\n%v", q, m)
	}
	if !whole {
		return
	}
	o := m.IsEdns0()
	if q.EDNS != (o != nil) {
		t.Fatalf("EDNS %t, miekg/dns has %v", q.EDNS, o)
	}
	if o == nil {
		return
	}
	nsid := false
	for _, option := range o.Option {
		nsid = nsid || option.Option() == dns.EDNS0NSID
	}
	if q.Version != o.Version() || q.DO != o.Do() || q.UDPSize != max(o.UDPSize(), 512) || q.NSID != nsid {
		t.Errorf("EDNS %d %t %d %t, miekg/dns has %v", q.Version, q.DO, q.UDPSize, q.NSID, o)
	}
}
