package wire

import (
	"bytes"
	"testing"

	"github.com/miekg/dns"
)

// optWith is an OPT record with options.
func optWith(options string) string {
	return "\x00\x00\x29\x10\x00\x00\x00\x00\x00" + string([]byte{byte(len(options) >> 8), byte(len(options))}) + options
}

const (
	keepalive = "\x00\x0B\x00\x00"
	padding   = "\x00\x0C\x00\x03\x00\x00\x00"
)

func TestWishesAreReadFromTheOPTRecord(t *testing.T) {
	for _, test := range []struct {
		name string
		pkt  []byte
		want Wishes
	}{
		{"nothing at all", nil, Wishes{}},
		{"no EDNS", packet(1, 0, one, inps, inA), Wishes{}},
		{"EDNS without options", packet(1, 0, oneAndOne, inps, inA, opt), Wishes{}},
		{"padding", packet(1, 0, oneAndOne, inps, inA, optWith(padding)), Wishes{Padding: true}},
		{"keepalive", packet(1, 0, oneAndOne, inps, inA, optWith(keepalive)), Wishes{Keepalive: true}},
		{"both, behind another option", packet(1, 0, oneAndOne, inps, inA, optWith("\x00\x03\x00\x00"+padding+keepalive)), Wishes{true, true}},
		{"behind another record", packet(1, 0, [4]uint16{1, 0, 0, 2}, inps, inA, strayA, optWith(padding)), Wishes{Padding: true}},
		{"an option cut short", packet(1, 0, oneAndOne, inps, inA, optWith("\x00\x0C\x00\x09\x00")), Wishes{}},
		{"a record cut short", packet(1, 0, oneAndOne, inps, inA, optWith(padding)[:12]), Wishes{}},
		{"more records announced than there are", packet(1, 0, [4]uint16{1, 9, 9, 9}, inps, inA, strayA), Wishes{}},
		{"two questions", packet(1, 0, [4]uint16{2, 0, 0, 1}, inps, inA, inps, inA, optWith(padding)), Wishes{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := WishesOf(test.pkt); got != test.want {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestWishesAreGrantedBehindTheOtherOptions(t *testing.T) {
	build := func(pkt []byte) []byte {
		b := Builder{NSID: []byte("porta")}
		b.Begin(nil, ask(pkt), RcodeNoError, false)
		b.Record(Answer, dns.TypeA, 10, loopback)
		b.EDE(15, "perché")
		return bytes.Clone(b.Finish(maxTCPSize))
	}
	plain := build(packet(1, 0, oneAndOne, inps, inA, optWith("\x00\x03\x00\x00")))
	for _, test := range []struct {
		name              string
		w                 Wishes
		padded, keepalive bool
	}{
		{"nothing", Wishes{}, false, false},
		{"padding", Wishes{Padding: true}, true, false},
		{"keepalive", Wishes{Keepalive: true}, false, true},
		{"both", Wishes{true, true}, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Grant(bytes.Clone(plain), test.w, 100)
			if len(got) > len(plain)+test.w.Room() {
				t.Errorf("%d octets came to %d, more than the room of %d", len(plain), len(got), test.w.Room())
			}
			if test.padded && len(got)%468 != 0 {
				t.Errorf("%d octets are no multiple of 468", len(got))
			}
			m := unpack(t, got)
			codes, _, nsid := options(m)
			if len(codes) != 1 || nsid == "" || len(m.Answer) != 1 {
				t.Errorf("the rest suffered:\n%s", m)
			}
			var hasPadding, hasKeepalive bool
			for _, o := range m.IsEdns0().Option {
				switch o := o.(type) {
				case *dns.EDNS0_PADDING:
					hasPadding = true
				case *dns.EDNS0_TCP_KEEPALIVE:
					hasKeepalive = o.Timeout == 100
				}
			}
			if hasPadding != test.padded || hasKeepalive != test.keepalive {
				t.Errorf("padding %t, keepalive %t", hasPadding, hasKeepalive)
			}
		})
	}
	withoutEDNS := build(packet(1, 0, one, inps, inA))
	if got := Grant(bytes.Clone(withoutEDNS), Wishes{true, true}, 1); !bytes.Equal(got, withoutEDNS) {
		t.Errorf("a reply without EDNS became %x", got)
	}
}

func TestPaddingKeepsToTheLongestMessage(t *testing.T) {
	for _, size := range []int{maxMessage, maxMessage - 3, maxMessage - 4, maxMessage - 9, maxMessage - 200} {
		msg := packet(1, 0x8000, [4]uint16{0, 0, 0, 1}, optWith(""))
		rest := size - len(msg)
		msg[len(msg)-2], msg[len(msg)-1] = byte(rest>>8), byte(rest)
		msg = append(msg, 0, 99, byte((rest-4)>>8), byte(rest-4))
		msg = append(msg, make([]byte, rest-4)...)
		got := Grant(msg, Wishes{true, true}, 1)
		if len(got) > maxMessage {
			t.Errorf("%d octets came to %d", size, len(got))
		}
		unpack(t, got)
	}
}

func TestMaxAgeIsTheShortestLife(t *testing.T) {
	for _, test := range []struct {
		name               string
		rcode              int
		answers, authority []string
		want               uint32
	}{
		{"one record", 0, []string{"a.it. 300 A 192.0.2.1"}, nil, 300},
		{"the smallest of some", 0, []string{"a.it. 300 CNAME b.it.", "b.it. 20 A 192.0.2.1"}, nil, 20},
		{"a denial by the SOA's minimum", dns.RcodeNameError, nil, []string{"it. 900 SOA a. b. 1 2 3 4 60"}, 60},
		{"a denial by the SOA's TTL", dns.RcodeNameError, nil, []string{"it. 30 SOA a. b. 1 2 3 4 60"}, 30},
		{"an alias to nothing", 0, []string{"a.it. 300 CNAME b.it."}, []string{"it. 900 SOA a. b. 1 2 3 4 60"}, 60},
		{"no data without an SOA", 0, nil, nil, 0},
		{"a failure", dns.RcodeServerFailure, nil, []string{"it. 900 SOA a. b. 1 2 3 4 60"}, 0},
		{"refused", dns.RcodeRefused, nil, nil, 0},
		{"a TTL of zero", 0, []string{"a.it. 0 A 192.0.2.1"}, nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := MaxAge(packed(t, test.rcode, test.answers, test.authority, nil)); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
	for _, junk := range [][]byte{nil, make([]byte, 11), packet(0, 0x8000, [4]uint16{1, 9, 0, 0}, inps, inA)} {
		if got := MaxAge(junk); got != 0 {
			t.Errorf("%x holds for %d s", junk, got)
		}
	}
}

// FuzzGrant: whatever a reply and a query are, a reply stays within its limits, and one that could be read before can be after.
func FuzzGrant(f *testing.F) {
	f.Add(packet(1, 0x8000, oneAndOne, inps, inA, optWith(padding)), packet(1, 0, oneAndOne, inps, inA, optWith(keepalive+padding)))
	f.Add(packet(1, 0x8000, one, inps, inA), packet(1, 0, one, inps, inA))
	f.Fuzz(func(t *testing.T, reply, query []byte) {
		if len(reply) > maxMessage {
			return
		}
		MaxAge(reply)
		w := WishesOf(query)
		before := new(dns.Msg)
		sound := before.Unpack(reply) == nil
		got := Grant(bytes.Clone(reply), w, 7)
		if len(got) > maxMessage || len(got) > len(reply)+w.Room() || len(got) < len(reply) {
			t.Fatalf("%d octets came to %d", len(reply), len(got))
		}
		if !w.Padding && !w.Keepalive && !bytes.Equal(got, reply) {
			t.Fatal("nothing was wished, and something granted")
		}
		if err := new(dns.Msg).Unpack(got); sound && err != nil {
			t.Fatalf("%x was sound, %x is not: %v", reply, got, err)
		}
	})
}
