package resolver

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/policy"
	"usciere/resolver/wire"
)

// FuzzServe sends any packet from any client to a whole resolver: exactly one reply to whatever is no response and has a
// header, none to the rest, and the reply is one to that packet. A question that follows shows that the server still lives, and,
// since each client has one socket for the whole run, that no packet got two replies.
func FuzzServe(f *testing.F) {
	h := open(f, func(s *Setup) {
		s.Zones = []LocalZone{localZone(f, "comune.it", map[string]policy.Moment{"anagrafe": ""},
			"www A 127.10.0.9", "* TXT any", "out CNAME www.inps.it.", "loop CNAME loop", "x DNAME inps.it.", "l CNAME local.")}
	})
	var conns []net.Conn
	for _, from := range []string{anagrafe, relay, tributi, manager, protocollo, avvocatura, cultura, economato, noOffice, outside} {
		conn, err := (&net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(from)}}).Dial("udp", h.addr)
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() { conn.Close() })
		conns = append(conns, conn)
	}
	for i, text := range []string{
		"www.inps.it A", "WWW.inps.it AAAA", "posta.example.it MX", "_imaps._tcp.posta.example.it SRV", "mx1.provider.net A", "www.example.com HTTPS",
		"www.comune.it A", "out.comune.it A", "loop.comune.it A", "a.x.comune.it A", "l.comune.it A", `a\000\.b.comune.it TXT`, "comune.it ANY", "it NS", ". SOA",
		"localhost A", "a.local A", "version.bind TXT", "inps.it AXFR", "1.0.0.10.in-addr.arpa PTR", "dc.ad.comune.test A",
	} {
		for j, o := range []option{noEDNS, edns, do, cd, noRD, size(0), class(3)} {
			pkt, err := question(f, text, o).Pack()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(byte(i+j), pkt)
		}
	}
	probe, err := question(f, "probe.localhost A").Pack()
	if err != nil {
		f.Fatal(err)
	}
	asked := uint16(0)
	f.Fuzz(func(t *testing.T, client byte, pkt []byte) {
		if len(pkt) > 4096 {
			return
		}
		conn := conns[int(client)%len(conns)]
		replies := 1 // the probe's
		if len(pkt) >= 12 && pkt[2]&0x80 == 0 {
			replies++
		}
		if asked++; len(pkt) >= 2 && binary.BigEndian.Uint16(pkt) == asked {
			asked++
		}
		binary.BigEndian.PutUint16(probe, asked)
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		for _, p := range [][]byte{pkt, probe} {
			if _, err := conn.Write(p); err != nil {
				t.Fatal(err)
			}
		}
		buf := make([]byte, 65535)
		for range replies {
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatalf("a reply is missing to %x: %v", pkt, err)
			}
			reply := buf[:n]
			switch {
			case n >= 2 && bytes.Equal(reply[:2], probe[:2]):
			case replies == 2:
				checkReply(t, pkt, reply)
			default:
				t.Fatalf("reply %x to %x, which wants silence, or a second one to the packet before", reply, pkt)
			}
		}
	})
}

// checkReply fails the test when reply is none to pkt.
func checkReply(t *testing.T, pkt, reply []byte) {
	t.Helper()
	var q wire.Query
	q.Read(pkt)
	m := new(dns.Msg)
	if err := m.Unpack(reply); err != nil {
		t.Fatalf("reply %x to %x does not parse: %v", reply, pkt, err)
	}
	if !bytes.Equal(reply[:2], pkt[:2]) || !m.Response || m.Opcode != int(q.Opcode) {
		t.Fatalf("reply %x is none to %x", reply, pkt)
	}
	if limit := q.Limit(true); len(reply) > limit {
		t.Fatalf("reply to %x has %d octets, the client takes %d", pkt, len(reply), limit)
	}
	if len(m.Question) > 1 || len(m.Question) == 1 && !bytes.HasPrefix(pkt[12:], reply[12:12+len(q.Name())+4]) {
		t.Fatalf("reply %x has another question than %x", reply, pkt)
	}
	if (m.IsEdns0() != nil) != q.EDNS {
		t.Fatalf("reply %x to %x: EDNS %v, want %v", reply, pkt, m.IsEdns0(), q.EDNS)
	}
}
