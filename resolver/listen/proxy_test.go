package listen

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"
)

// proxyHeader is one as a load balancer writes it.
func proxyHeader(client netip.AddrPort, tlvs string) []byte {
	b := []byte(proxySignature)
	family, addrs := byte(0x12), append(client.Addr().AsSlice(), make([]byte, 4)...)
	if client.Addr().Is6() {
		family, addrs = 0x22, append(client.Addr().AsSlice(), make([]byte, 16)...)
	}
	b = append(b, 0x21, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(addrs)+4+len(tlvs)))
	b = append(b, addrs...)
	b = binary.BigEndian.AppendUint16(b, client.Port())
	return append(append(b, 0, 53), tlvs...)
}

func TestAProxyHeaderSaysWhoAsks(t *testing.T) {
	v4, v6 := netip.MustParseAddrPort("10.20.1.5:1234"), netip.MustParseAddrPort("[fd00:20::5]:1234")
	peer := netip.MustParseAddrPort("10.20.0.2:999")
	local := []byte(proxySignature + "\x20\x00\x00\x00")
	for _, tc := range []struct {
		about  string
		header []byte
		client netip.AddrPort
		ok     bool
	}{
		{"IPv4", proxyHeader(v4, ""), v4, true},
		{"IPv6", proxyHeader(v6, ""), v6, true},
		{"IPv4 in IPv6 clothes", proxyHeader(netip.AddrPortFrom(netip.AddrFrom16(v4.Addr().As16()), 1), ""), netip.AddrPortFrom(v4.Addr(), 1), true},
		{"with more behind", proxyHeader(v4, "\x03\x00\x01x"), v4, true},
		{"the balancer's own", local, peer, true},
		{"without an address", []byte(proxySignature + "\x21\x00\x00\x00"), netip.AddrPort{}, false},
		{"of a Unix socket", []byte(proxySignature + "\x21\x31\x00\x02ab"), netip.AddrPort{}, false},
		{"version 1", []byte("PROXY TCP4 10.20.1.5 10.20.0.53 1 53\r\n"), netip.AddrPort{}, false},
		{"version 3", []byte(proxySignature + "\x31\x11\x00\x00"), netip.AddrPort{}, false},
		{"an unknown command", []byte(proxySignature + "\x22\x11\x00\x00"), netip.AddrPort{}, false},
		{"too long", append([]byte(proxySignature+"\x21\x11\x08\x00"), make([]byte, 2048)...), netip.AddrPort{}, false},
		{"none", nil, netip.AddrPort{}, false},
	} {
		t.Run(tc.about, func(t *testing.T) {
			client, packet, err := unwrap(append(bytes.Clone(tc.header), "query"...), peer)
			if (err == nil) != tc.ok || tc.ok && (client != tc.client || string(packet) != "query") {
				t.Errorf("over UDP: %v, %q, %v", client, packet, err)
			}
			here, there := net.Pipe()
			go func() { there.Write(append(bytes.Clone(tc.header), "query"...)); there.Close() }()
			client, err = introduce(here, peer)
			if (err == nil) != tc.ok || tc.ok && client != tc.client {
				t.Errorf("over TCP: %v, %v", client, err)
			}
			if tc.ok {
				rest := make([]byte, 5)
				if n, _ := here.Read(rest); string(rest[:n]) != "query" {
					t.Errorf("over TCP %q is left", rest[:n])
				}
			}
			here.Close()
		})
	}
	for n := range len(proxyHeader(v6, "tlv")) {
		if _, _, err := unwrap(proxyHeader(v6, "tlv")[:n], peer); err == nil {
			t.Errorf("cut off after %d octets it is taken", n)
		}
	}
}

func FuzzProxyHeader(f *testing.F) {
	f.Add(proxyHeader(netip.MustParseAddrPort("10.20.1.5:1234"), "x"))
	f.Add([]byte(proxySignature + "\x20\x00\x00\x00query"))
	f.Fuzz(func(t *testing.T, b []byte) {
		client, packet, err := unwrap(b, netip.MustParseAddrPort("10.20.0.2:999"))
		if err == nil && (!client.IsValid() || client.Addr().Is4In6() || len(packet) > len(b)-proxyHead) {
			t.Fatalf("%v, %d octets of %d", client, len(packet), len(b))
		}
	})
}

// A balancer's client is who it says; what comes from one without saying is dropped, and a header from anybody else is no query.
func TestOnlyNamedPeersSayWhoAsks(t *testing.T) {
	balancer := netip.MustParseAddr("127.0.0.2")
	s, seen := serveSeen(t, Config{Proxied: func(a netip.Addr) bool { return a == balancer }})
	client := netip.MustParseAddrPort("10.20.1.5:1234")
	query := make([]byte, 12)
	for _, network := range []string{"udp", "tcp"} {
		framed := func(q []byte) []byte {
			if network == "tcp" {
				return append([]byte{0, byte(len(q))}, q...)
			}
			return q
		}
		for _, tc := range []struct {
			about, from string
			send        []byte
			want        string // the client; empty: nothing is seen
		}{
			{"by the balancer", "127.0.0.2", append(proxyHeader(client, "tlv"), framed(query)...), client.Addr().String()},
			{"by the balancer without header", "127.0.0.2", framed(query), ""},
			{"by another without header", "127.0.0.3", framed(query), "127.0.0.3"},
		} {
			c := dialFrom(t, network, tc.from, s.Addrs()[0])
			if _, err := c.Write(tc.send); err != nil {
				t.Fatal(err)
			}
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
			if tc.want == "" {
				c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
			}
			n, err := c.Read(make([]byte, 512))
			c.Close()
			if (tc.want != "") != (err == nil && n > 0) {
				t.Errorf("%s %s: %d octets, %v", network, tc.about, n, err)
				continue
			}
			if tc.want != "" {
				if got := (<-seen).Addr().String(); got != tc.want {
					t.Errorf("%s %s: the client is %s", network, tc.about, got)
				}
			}
		}
	}
	c := dialFrom(t, "udp", "127.0.0.3", s.Addrs()[0])
	defer c.Close()
	if _, err := c.Write(append(proxyHeader(client, ""), query...)); err != nil {
		t.Fatal(err)
	}
	if got := (<-seen).Addr().String(); got != "127.0.0.3" {
		t.Errorf("a header of another makes it %s", got)
	}
}

func serveSeen(t *testing.T, cfg Config) (*Server, chan netip.AddrPort) {
	t.Helper()
	seen := make(chan netip.AddrPort, 10)
	cfg.Addrs, cfg.Readers = []string{"127.0.0.1:0"}, 1
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- s.Serve(handlerFunc(func(r *Request) { seen <- r.Client; r.Reply(append(r.Scratch(), r.Packet[:12]...)) }))
	}()
	t.Cleanup(func() {
		if err := s.Shutdown(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		<-served
	})
	return s, seen
}

func dialFrom(t *testing.T, network, from string, to netip.AddrPort) net.Conn {
	t.Helper()
	var local net.Addr = &net.UDPAddr{IP: net.ParseIP(from)}
	if network == "tcp" {
		local = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	c, err := (&net.Dialer{LocalAddr: local}).Dial(network, to.String())
	if err != nil {
		t.Fatal(err)
	}
	return c
}
