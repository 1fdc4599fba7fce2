//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"

	"usciere/resolver/dnstest"
)

// seeds are well-formed messages of many kinds, to be bent.
func seeds(t testing.TB) (all [][]byte) {
	t.Helper()
	bend := []func(*dns.Msg){
		func(*dns.Msg) {},
		func(m *dns.Msg) { m.SetEdns0(4096, true) },
		func(m *dns.Msg) { m.Opcode = dns.OpcodeUpdate },
		func(m *dns.Msg) {
			m.RecursionDesired, m.CheckingDisabled, m.AuthenticatedData, m.Zero = false, true, true, true
		},
		func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS },
		func(m *dns.Msg) {
			o := new(dns.OPT)
			o.Hdr.Name, o.Hdr.Rrtype = ".", dns.TypeOPT
			o.Option = append(o.Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"}, &dns.EDNS0_NSID{Code: dns.EDNS0NSID},
				&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: net.IPv4(192, 0, 2, 0)}, &dns.EDNS0_LOCAL{Code: 65001, Data: make([]byte, 100)})
			m.Extra = append(m.Extra, o)
		},
		func(m *dns.Msg) {
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeA, Class: 1}, A: net.IPv4(192, 0, 2, 1)}}
		},
		func(m *dns.Msg) { m.SetNotify("inps.it.") },
		func(m *dns.Msg) { m.SetAxfr("inps.it.") },
	}
	for _, name := range []string{"www.inps.it.", "www.corriere.it.", ".", "intranet.comune.demo.test.", `\000\255\<script>.example.`, strings.Repeat(strings.Repeat("a", 63)+".", 3)} {
		for _, b := range bend {
			m := new(dns.Msg).SetQuestion(name, dns.TypeA)
			b(m)
			pkt, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, pkt)
		}
	}
	return all
}

// bent is a seed with some octets changed, cut, doubled or put in, or octets without any sense.
func bent(r *rand.Rand, all [][]byte) []byte {
	b := slices.Clone(all[r.IntN(len(all))])
	for range 1 + r.IntN(4) {
		if len(b) == 0 {
			break
		}
		i := r.IntN(len(b))
		switch r.IntN(8) {
		case 0:
			b[i] = byte(r.Uint32())
		case 1:
			b[i] ^= 1 << r.IntN(8)
		case 2:
			b = b[:i]
		case 3:
			b = slices.Insert(b, i, b[:i]...)
		case 4:
			other := all[r.IntN(len(all))]
			b = append(b[:i:i], other[r.IntN(len(other)):]...)
		case 5:
			if len(b) > 12 { // counts of the header
				binary.BigEndian.PutUint16(b[4+2*r.IntN(4):], uint16(r.Uint32()))
			}
		case 6:
			b[i] = 0xC0 | byte(r.IntN(64)) // a pointer
		case 7:
			b = make([]byte, r.IntN(1500))
			for j := range b {
				b[j] = byte(r.Uint32())
			}
		}
	}
	return b[:min(len(b), 8192)]
}

var residentPattern = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// resident is the memory that the daemon has now, in MiB.
func (d *daemon) resident() int {
	d.t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(d.cmd.Process.Pid) + "/status")
	if err != nil {
		d.t.Fatal(err)
	}
	return firstNumber(residentPattern, text) >> 10
}

// Any octets on any port: the daemon lives, forgets them, and answers the next question.
func TestS3ArbitraryOctetsOnEveryPortDoNoHarm(t *testing.T) {
	d, dot, doh, doq := encrypted(t, t.TempDir())
	all := seeds(t)
	r := rand.New(rand.NewPCG(11, 12))
	many := max(500, part(t, 10_000))
	insecure := func(protocol string) *tls.Config { return speaks(protocol) }
	over := func(at netip.AddrPort, config *tls.Config, frame bool) func([]byte) {
		return func(pkt []byte) {
			conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 10, 1, 77)}, Timeout: patience}).Dial("tcp", at.String())
			if err != nil {
				return
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			if config != nil {
				conn = tls.Client(conn, config)
			}
			if frame {
				_, _ = conn.Write(binary.BigEndian.AppendUint16(nil, uint16(len(pkt))))
			}
			_, _ = conn.Write(pkt)
		}
	}
	udp := func(at netip.AddrPort) func([]byte) {
		conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 10, 1, 77)}, net.UDPAddrFromAddrPort(at))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return func(pkt []byte) { _, _ = conn.Write(pkt) }
	}
	transport := &http.Transport{TLSClientConfig: insecure("h2"), ForceAttemptHTTP2: true, DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 10, 1, 77)}}).DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	web := &http.Client{Transport: transport, Timeout: patience}
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 10, 1, 77)})
	if err != nil {
		t.Fatal(err)
	}
	overQUIC := &quic.Transport{Conn: socket}
	t.Cleanup(func() { overQUIC.Close(); socket.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	var session *quic.Conn
	doors := []struct {
		name  string
		share int // of many, in percent: connections are dearer than datagrams
		send  func([]byte)
	}{
		{"UDP", 100, udp(d.addr)},
		{"TCP, as messages", 20, over(d.addr, nil, true)},
		{"TCP, without length", 20, over(d.addr, nil, false)},
		{"TLS, as messages", 5, over(dot, insecure("dot"), true)},
		{"the TLS port, without TLS", 20, over(dot, nil, false)},
		{"the HTTPS port, without TLS", 20, over(doh, nil, false)},
		{"HTTP/1.1", 5, over(doh, insecure("http/1.1"), false)},
		{"HTTP/2, as frames", 5, over(doh, insecure("h2"), false)},
		{"DNS over HTTPS", 20, func(pkt []byte) {
			if res, err := web.Post("https://"+doh.String()+"/dns-query", "application/dns-message", bytes.NewReader(pkt)); err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		}},
		{"the QUIC port", 100, udp(doq)},
		{"the HTTP/3 port", 100, udp(doh)},
		{"DNS over QUIC", 20, func(pkt []byte) {
			if session == nil || session.Context().Err() != nil { // a fault of the protocol ends it
				session, _ = overQUIC.Dial(ctx, net.UDPAddrFromAddrPort(doq), insecure("doq"), nil)
			}
			if session == nil {
				return
			}
			if s, err := session.OpenStream(); err == nil {
				_, _ = s.Write(binary.BigEndian.AppendUint16(nil, uint16(len(pkt))))
				_, _ = s.Write(pkt)
				_ = s.Close()
			}
		}},
		{"the admin socket", 5, func(pkt []byte) {
			if conn, err := net.DialTimeout("unix", d.socket, patience); err == nil {
				_, _ = conn.Write(pkt)
				conn.Close()
			}
		}},
	}
	probe, err := question("www.inps.it", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	failed, probes, sent := 0, 0, 0
	before := 0
	for _, half := range []string{"warm", "measured"} {
		for _, door := range doors {
			for i := range many * door.share / 100 {
				pkt := bent(r, all)
				if i%2 == 0 && len(pkt) > 2 {
					pkt[2] &^= 0x80 // a query, at least
				}
				door.send(pkt)
				if sent++; i%50 == 0 {
					probes++
					raw, err := dnstest.ExchangeRaw("udp", d.addr.String(), "127.10.1.5", probe, patience)
					var m dns.Msg
					if err != nil || m.Unpack(raw) != nil || len(m.Answer) != 1 {
						failed++
						t.Errorf("after %s: %v", door.name, err)
					}
				}
			}
		}
		if half == "warm" {
			before = d.resident()
		}
	}
	none(t, fmt.Sprintf("questions unanswered among %d bent messages over %d ways in", sent, len(doors)), failed, probes)
	atMost(t, "memory more after the second half of them than after the first", d.resident()-before, 20, " MiB")
}

// Each message that is no query as RFC 1035 has it gets FORMERR or nothing; none an answer.
func TestS2MalformedQueriesAreNotAnswered(t *testing.T) {
	d := demo(t)
	whole, err := question("www.inps.it", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	var malformed [][]byte
	change := func(fn func(b []byte) []byte) { malformed = append(malformed, fn(slices.Clone(whole))) }
	for n := range len(whole) {
		change(func(b []byte) []byte { return b[:n] })
	}
	for _, n := range []uint16{0, 2, 3, 65535} {
		change(func(b []byte) []byte { binary.BigEndian.PutUint16(b[4:], n); return b })
	}
	for count := 6; count < 12; count += 2 {
		change(func(b []byte) []byte { binary.BigEndian.PutUint16(b[count:], 9); return b })
	}
	for _, label := range []byte{64, 128, 0xC0, 0xFF, 60} {
		change(func(b []byte) []byte { b[12] = label; return b })
	}
	change(func(b []byte) []byte { return append(b, 0) })
	change(func(b []byte) []byte { return append(b, b[12:]...) })
	opt := len(whole) - 11
	change(func(b []byte) []byte { binary.BigEndian.PutUint16(b[10:], 2); return append(b, b[opt:]...) }) // two OPTs
	change(func(b []byte) []byte { b[opt] = 1; return b })                                                // an OPT with a name
	change(func(b []byte) []byte { b[len(b)-1] = 4; return b })                                           // data that is not there
	change(func(b []byte) []byte { b[len(b)-1] = 4; return append(b, 0, 10, 0, 9) })                      // an option longer than its data
	change(func(b []byte) []byte { b[len(b)-1] = 7; return append(b, 0, 10, 0, 3, 1, 2, 3) })             // a cookie of three octets
	change(func(b []byte) []byte { b[2] |= 0x80; return b })                                              // a response
	answered, silent := 0, 0
	for _, network := range []string{"udp", "tcp"} {
		for _, pkt := range malformed {
			raw, err := dnstest.ExchangeRaw(network, d.addr.String(), "127.10.1.5", pkt, 100*time.Millisecond)
			switch {
			case err != nil:
				silent++
			case len(raw) < 12 || raw[3]&15 != dns.RcodeFormatError:
				answered++
				t.Errorf("%x over %s: %x", pkt, network, raw)
			}
			if m := d.ask("127.10.1.5", "www.inps.it", dns.TypeA); len(m.Answer) != 1 {
				t.Fatalf("after %x: %s", pkt, m)
			}
		}
	}
	none(t, "malformed queries answered with anything but FORMERR or silence", answered, 2*len(malformed))
	if silent == 0 || silent == 2*len(malformed) {
		t.Errorf("%d of %d were left without a reply", silent, 2*len(malformed))
	}
}

// A reply to a source outside the site, which may be forged, is no more than the question and a little; nobody gets a large one over UDP.
func TestS4RepliesAmplifyNothing(t *testing.T) {
	d := demo(t)
	worst, largest := 0.0, 0
	conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 99, 0, 1)}, net.UDPAddrFromAddrPort(d.addr))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	buf := make([]byte, 1<<16)
	heard := 0
	for _, pkt := range seeds(t) {
		time.Sleep(60 * time.Millisecond) // a stranger's share
		if _, err := conn.Write(pkt); err != nil {
			t.Fatal(err)
		}
		conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		if n, err := conn.Read(buf); err == nil {
			heard++
			worst = max(worst, float64(n)/float64(len(pkt)))
		}
		if raw, err := dnstest.ExchangeRaw("udp", d.addr.String(), "127.10.2.9", pkt, 200*time.Millisecond); err == nil {
			largest = max(largest, len(raw))
		}
	}
	if heard < 20 {
		t.Errorf("only %d strangers were answered: this shows little", heard)
	}
	atMost(t, "octets of a reply to a stranger for each of the query", worst, 1.5, "")
	atMost(t, "octets of the largest reply over UDP", largest, 1232, "")
}
