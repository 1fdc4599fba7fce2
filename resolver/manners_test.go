package resolver

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"usciere/policy"
	"usciere/resolver/dnstest"
)

// both asks over UDP and over TCP.
func (h *house) both(t *testing.T, from string, q raw, want string) {
	t.Helper()
	for _, network := range []string{"udp", "tcp"} {
		if got := h.send(t, network, from, q.pack()); got != want {
			t.Errorf("%+v from %s over %s: %s, want %s", q, from, network, got, want)
		}
	}
}

func TestEveryOpcodeAndEveryCountOfQuestionsIsAnswered(t *testing.T) {
	h := open(t)
	for opcode := range uint16(16) {
		want, empty := "NOTIMP, rd", "NOTIMP"
		if opcode == 0 {
			want, empty = "NOERROR, rd, answer SOA", "FORMERR"
		}
		h.both(t, manager, raw{flags: opcode<<11 | rawRD, name: inpsIt, rest: soaIN}, want)
		h.both(t, manager, raw{flags: opcode << 11}, empty) // no question
	}
	for _, counts := range [][4]uint16{{0, 0, 0, 0}, {2}, {3}, {65535}, {1, 1}, {1, 0, 1}, {1, 0, 0, 1}, {1, 65535, 65535, 65535}} {
		q := raw{name: inpsIt, rest: soaIN, counts: counts}
		if counts[0] == 0 {
			q.name, q.rest = "", "x"
		}
		h.both(t, manager, q, "FORMERR")
	}
	h.both(t, manager, raw{name: inpsIt, rest: soaIN + inpsIt + soaIN, counts: [4]uint16{2}}, "FORMERR") // RFC 9619
}

func TestEveryClassOfAQuestionIsAnswered(t *testing.T) {
	h := open(t)
	for class := range uint16(300) {
		want := "REFUSED, rd"
		if class == 1 {
			want = "NOERROR, rd, answer SOA"
		}
		q := raw{flags: rawRD, name: inpsIt, rest: "\x00\x06" + string([]byte{byte(class >> 8), byte(class)})}
		if got := h.send(t, "udp", manager, q.pack()); got != want {
			t.Errorf("class %d: %s, want %s", class, got, want)
		}
	}
}

func TestWhatIsNotKnownOfEDNSIsIgnored(t *testing.T) { // RFC 6891 §6.1.2, §6.1.4
	h := open(t)
	q := raw{flags: rawRD, name: inpsIt, rest: soaIN, edns: true, size: 1232}
	for bit := range 16 {
		q := q
		q.ext = 1 << bit
		want := "NOERROR, rd, answer SOA, opt v0"
		if q.ext == extDO {
			want += " do"
		}
		h.both(t, manager, q, want)
	}
	for _, code := range []uint16{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 20292, 26946, 65001, 65535} {
		for _, data := range []string{"", "x", strings.Repeat("y", 300)} {
			q := q
			q.options = ednsOption(code, data)
			if code == 11 && data == "" { // known, over TCP (RFC 7828 §3.2.1)
				if got := h.send(t, "tcp", manager, q.pack()); got != "NOERROR, rd, answer SOA, opt v0 option 11" {
					t.Errorf("keepalive over tcp: %s", got)
				}
				if got := h.send(t, "udp", manager, q.pack()); got != "NOERROR, rd, answer SOA, opt v0" {
					t.Errorf("keepalive over udp: %s", got)
				}
				continue
			}
			h.both(t, manager, q, "NOERROR, rd, answer SOA, opt v0")
		}
	}
	q.options = strings.Repeat(ednsOption(65001, ""), 5000)
	if got := h.send(t, "tcp", manager, q.pack()); got != "NOERROR, rd, answer SOA, opt v0" {
		t.Errorf("5,000 options: %s", got)
	}
	q.options = ""
	for version := range 256 {
		want := "BADVERS, rd, opt v0"
		if version == 0 {
			want = "NOERROR, rd, answer SOA, opt v0"
		}
		q.version = byte(version)
		h.both(t, manager, q, want)
	}
	q.version = 0
	for _, size := range []uint16{0, 1, 511, 512, 513, 65535} {
		q.size = size
		h.both(t, manager, q, "NOERROR, rd, answer SOA, opt v0")
	}
	if n := len(h.upstream.Queries()); n != 2 { // with DO and without
		t.Errorf("the upstream was asked %d times: what a client adds must not make another question", n)
	}
}

// shapes are legal names in wire form, without their end.
var shapes = map[string]string{
	"the root": "", "a single label": "\x01a", "a digit": "\x011", "a hyphen": "\x01-",
	"127 labels":                      strings.Repeat("\x01a", 127),
	"255 octets":                      strings.Repeat("\x3f"+strings.Repeat("b", 63), 3) + "\x3d" + strings.Repeat("c", 61),
	"a label of 63 octets":            "\x3f" + strings.Repeat("d", 63) + "\x04inps\x02it",
	"NUL":                             "\x01\x00\x04inps\x02it",
	"0xFF":                            "\x02\xff\xfe\x04inps\x02it",
	"a dot inside a label":            "\x07www.inp\x01s\x04inps\x02it",
	"a dot that looks like the grant": "\x0bwww.inps.it\x02it",
	"a backslash and quotes":          "\x05\\\"'`$\x04inps\x02it",
	"spaces, a tab and a newline":     "\x04 \t\r\n\x04inps\x02it",
	"a script":                        "\x11<script>x</script\x04inps\x02it",
	"an asterisk":                     "\x01*\x04inps\x02it",
	"every octet there is, in part":   "\x3f" + octets(0, 63) + "\x3f" + octets(63, 63) + "\x3f" + octets(126, 63) + "\x36" + octets(189, 54),
	"upper case and what is like it":  "\x04[A]Z\x04INPS\x02it",
}

func octets(from, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(from + i)
	}
	return string(b)
}

func TestNamesOfEveryLegalShapeComeBackOctetByOctet(t *testing.T) {
	h := open(t)
	for about, shape := range shapes {
		for _, from := range []string{anagrafe, relay, tributi, manager, protocollo, avvocatura, cultura, economato, noOffice, outside} {
			for _, network := range []string{"udp", "tcp"} {
				for _, q := range []raw{{flags: rawRD, name: shape + "\x00", rest: aIN}, {flags: rawRD, name: shape + "\x00", rest: aIN, edns: true, size: 1232}} {
					pkt := q.pack()
					reply, err := dnstest.ExchangeRaw(network, h.addr, from, pkt, 10*time.Second)
					if err != nil || len(reply) < 12+len(q.name)+4 || !bytes.Equal(reply[12:12+len(q.name)+4], pkt[12:12+len(q.name)+4]) {
						t.Fatalf("%s from %s over %s: %x, %v", about, from, network, reply, err)
					}
					if rcode := reply[3] & 0xF; rcode == 1 || rcode == 2 || rcode == 4 {
						t.Errorf("%s from %s over %s: rcode %d", about, from, network, rcode)
					}
				}
			}
		}
	}
	for _, q := range h.upstream.Queries() {
		if n, err := policy.ParseName(q.Name()); err != nil || len(n) > 255 {
			t.Errorf("the upstream was asked %q: %v", q.Name(), err)
		}
	}
	if got := h.ask(anagrafe, "www.inps.it A"); got != "NOERROR, 192.0.2.1" {
		t.Errorf("after all: %s", got)
	}
}

func TestQueriesOnOneConnectionAreAnsweredAsTheirAnswersCome(t *testing.T) { // RFC 7766 §6.2.1.1
	h := open(t)
	release := make(chan struct{})
	honest := dnstest.Records(records...)
	h.upstream.SetHandler(func(q dnstest.Query) []dnstest.Send {
		reply := honest(q)
		if strings.EqualFold(q.Name(), "www.inps.it.") {
			return []dnstest.Send{reply[0].After(release)}
		}
		return reply
	})
	h.setup.Upstream = h.plainGroup()
	h.resolver.Use(h.setup)
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(anagrafe)}}).Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	var batch []byte
	for id, q := range []raw{
		{flags: rawRD, name: "\x03www\x04inps\x02it\x00", rest: aIN},            // upstream holds it back
		{flags: 0x8000, name: inpsIt, rest: aIN},                                // a response: silence, and the connection stays
		{flags: 15 << 11},                                                       // NOTIMP
		{flags: rawRD, name: "\x07servizi\x04inps\x02it\x00", rest: aIN},        // fetched meanwhile
		{flags: rawRD, name: "\x07servizi\x04inps\x02it\x00", rest: "\x00\x01"}, // FORMERR
	} {
		pkt := q.pack()
		pkt[0], pkt[1] = 0, byte(id)
		batch = append(binary.BigEndian.AppendUint16(batch, uint16(len(pkt))), pkt...)
	}
	if _, err := conn.Write(batch); err != nil {
		t.Fatal(err)
	}
	receive := func() (id, rcode byte) {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			t.Fatal(err)
		}
		msg := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, msg); err != nil {
			t.Fatal(err)
		}
		return msg[1], msg[3] & 0xF
	}
	got := map[byte]byte{}
	for range 3 {
		id, rcode := receive()
		got[id] = rcode
	}
	if len(got) != 3 || got[2] != 4 || got[3] != 0 || got[4] != 1 {
		t.Errorf("while the first waits: %v", got)
	}
	close(release)
	if id, rcode := receive(); id != 0 || rcode != 0 {
		t.Errorf("the last reply is %d with rcode %d", id, rcode)
	}
}
