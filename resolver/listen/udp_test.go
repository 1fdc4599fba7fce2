package listen

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestEveryLoopbackAddressIsAClientOfItsOwn(t *testing.T) {
	s := start(t, Config{Readers: 4}, handlerFunc(func(r *Request) {
		r.Reply(append(r.Scratch(), r.Client.String()+" "+r.Local.String()+" "+r.Transport.String()...))
	}))
	to := s.Addrs()[0]
	var all sync.WaitGroup
	for i := range 100 {
		c := dial(t, "udp", fmt.Sprintf("127.10.%d.%d", i%7, i+1), to)
		all.Go(func() {
			for range 20 {
				c.Write(message(""))
				in := make([]byte, 100)
				n, err := c.Read(in)
				if want := fmt.Sprintf("%s %s udp", c.LocalAddr(), to); err != nil || string(in[:n]) != want {
					t.Errorf("got %q, %v, want %q", in[:n], err, want)
				}
			}
		})
	}
	all.Wait()
	eventually(t, "2000 replies are counted", func() bool { return s.Stats().UDPReplies == 2000 })
	if st := s.Stats(); st.UDPQueries != 2000 || st.DroppedWrites != 0 {
		t.Errorf("%+v", st)
	}
}

func TestClientsAreSpreadOverTheReaders(t *testing.T) {
	for _, addr := range available(t, "127.0.0.1:0", "0.0.0.0:0", "[::1]:0") {
		s := start(t, Config{Addrs: []string{addr}, Readers: 4}, echo)
		to := netip.AddrPortFrom(loopbackOf(s.Addrs()[0].Addr()), s.Addrs()[0].Port())
		for range 200 {
			c := dial(t, "udp", "", to)
			exchangeUDP(t, c, message("x"))
			c.Close()
		}
		for i, u := range s.udp {
			if n := u.counts.queries.Load(); n < 10 {
				t.Errorf("%s: reader %d of 4 got %d of 200 clients", addr, i, n)
			}
		}
	}
}

func loopbackOf(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

func TestAWildcardSocketRepliesFromTheAddressAsked(t *testing.T) {
	pending := make(chan *Request, 1)
	handlers := map[string]Handler{
		"at once": handlerFunc(func(r *Request) { r.Reply([]byte(r.Local.String())) }),
		"detached": handlerFunc(func(r *Request) {
			d, _ := r.Detach()
			pending <- d
			clear(r.control)
			go func() { d := <-pending; d.Reply([]byte(d.Local.String())) }()
		}),
	}
	for name, h := range handlers {
		s := start(t, Config{Addrs: []string{":0"}, Readers: 2}, h)
		port := s.Addrs()[0].Port()
		asked := []string{"127.0.0.1", "127.0.0.2", "127.200.3.4"}
		if ipv6() {
			asked = append(asked, "::1")
		}
		asked = append(asked, machineAddresses(t)...)
		for _, network := range []string{"udp", "tcp"} {
			for _, a := range asked {
				// A connected socket takes replies from the address it asked, and from no other.
				to := netip.AddrPortFrom(netip.MustParseAddr(a), port)
				c := dial(t, network, "", to)
				send(t, c, message("where"))
				want := netip.AddrPortFrom(to.Addr().WithZone(""), port).String()
				if got := receive(t, c); string(got) != want {
					t.Errorf("%s, %s: asked %s, the handler saw %s", name, network, to, got)
				}
			}
		}
	}
}

// machineAddresses are the addresses beyond loopback, link-local ones with their zone.
func machineAddresses(t *testing.T) (addrs []string) {
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback != 0 || i.Flags&net.FlagUp == 0 {
			continue
		}
		list, _ := i.Addrs()
		for _, a := range list {
			addr := netip.MustParsePrefix(a.String()).Addr()
			if addr.IsLinkLocalUnicast() && addr.Is6() {
				addr = addr.WithZone(i.Name)
			}
			addrs = append(addrs, addr.String())
		}
	}
	return addrs
}

func TestEveryAddressOfTheMachineCanBeBoundByItself(t *testing.T) {
	for _, a := range machineAddresses(t) {
		s := start(t, Config{Addrs: []string{netip.AddrPortFrom(netip.MustParseAddr(a), 0).String()}, Readers: 2}, echo)
		for _, network := range []string{"udp", "tcp"} {
			c := dial(t, network, "", s.Addrs()[0])
			send(t, c, message(a))
			if got := receive(t, c); !bytes.Equal(got, message(a)) {
				t.Errorf("%s: got %q", s.Addrs()[0], got)
			}
		}
	}
}

func TestSomethingNeitherRepliedToNorDetachedIsSilence(t *testing.T) {
	s := start(t, Config{}, handlerFunc(func(r *Request) {
		if len(r.Packet) > 0 {
			echo(r)
		}
	}))
	c := dial(t, "udp", "", s.Addrs()[0])
	send(t, c, nil)
	if got := exchangeUDP(t, c, []byte("x")); string(got) != "x" {
		t.Errorf("got %q", got)
	}
}

func TestAReplyTooLongForADatagramIsCounted(t *testing.T) {
	s := start(t, Config{}, handlerFunc(func(r *Request) {
		r.Reply(make([]byte, maxMessage+1))
		r.Reply(r.Packet)
	}))
	c := dial(t, "udp", "", s.Addrs()[0])
	exchangeUDP(t, c, message("x"))
	eventually(t, "both are counted", func() bool { st := s.Stats(); return st.DroppedWrites == 1 && st.UDPReplies == 1 })
}

func TestDatagramsAreServedWithoutAllocation(t *testing.T) {
	for _, addr := range available(t, "127.0.0.1:0", "0.0.0.0:0", "[::]:0") {
		s := start(t, Config{Addrs: []string{addr}, Readers: 1}, echo)
		to := netip.AddrPortFrom(loopbackOf(s.Addrs()[0].Addr()), s.Addrs()[0].Port())
		c := dial(t, "udp", "", to)
		msg, in := message("warm"), make([]byte, 100)
		if n := testing.AllocsPerRun(200, func() {
			c.Write(msg)
			c.Read(in)
		}); n != 0 {
			t.Errorf("%s: %v allocations a query", addr, n)
		}
	}
}

func TestReplySource(t *testing.T) {
	v4 := func(index uint32, local, destination string) []byte {
		l, d := netip.MustParseAddr(local).As4(), netip.MustParseAddr(destination).As4()
		data := binary.NativeEndian.AppendUint32(nil, index)
		return controlMessage(unix.IPPROTO_IP, unix.IP_PKTINFO, append(append(data, l[:]...), d[:]...))
	}
	v6 := func(index uint32, local string) []byte {
		l := netip.MustParseAddr(local).As16()
		return controlMessage(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, binary.NativeEndian.AppendUint32(l[:], index))
	}
	other := controlMessage(unix.SOL_SOCKET, unix.SO_TIMESTAMP, make([]byte, 16))
	cases := []struct {
		name    string
		control []byte
		asked   string
		reply   []byte
	}{
		{"IPv4, the interface forgotten", v4(3, "10.0.0.1", "10.0.0.1"), "10.0.0.1", v4(0, "10.0.0.1", "10.0.0.1")},
		{"IPv4 broadcast", v4(3, "10.0.0.1", "10.0.0.255"), "", nil},
		{"IPv6, the interface forgotten", v6(3, "fd00::1"), "fd00::1", v6(0, "fd00::1")},
		{"IPv6 link-local, the interface kept", v6(3, "fe80::1"), "fe80::1", v6(3, "fe80::1")},
		{"IPv6 multicast", v6(3, "ff02::1"), "", nil},
		{"behind another control message", append(bytes.Clone(other), v4(3, "10.0.0.1", "10.0.0.1")...), "10.0.0.1", v4(0, "10.0.0.1", "10.0.0.1")},
		{"none", nil, "", nil},
		{"only another control message", other, "", nil},
		{"cut", v4(3, "10.0.0.1", "10.0.0.1")[:20], "", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			asked, reply, ok := replySource(c.control)
			if ok != (c.asked != "") {
				t.Fatalf("ok is %v", ok)
			}
			if ok && (asked.String() != c.asked || !bytes.Equal(reply, c.reply)) {
				t.Errorf("got %s %x, want %s %x", asked, reply, c.asked, c.reply)
			}
		})
	}
}

func controlMessage(level, typ int32, data []byte) []byte {
	h := binary.NativeEndian.AppendUint64(nil, uint64(unix.CmsgLen(len(data))))
	h = binary.NativeEndian.AppendUint32(h, uint32(level))
	h = binary.NativeEndian.AppendUint32(h, uint32(typ))
	return append(append(h, data...), make([]byte, unix.CmsgSpace(len(data))-len(h)-len(data))...)
}

func FuzzReplySource(f *testing.F) {
	f.Add(controlMessage(unix.IPPROTO_IP, unix.IP_PKTINFO, make([]byte, 12)))
	f.Add(controlMessage(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, make([]byte, 20)))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, control []byte) {
		_, reply, ok := replySource(control)
		if ok && len(reply) > len(control) {
			t.Errorf("a reply's control message of %d octets out of %d", len(reply), len(control))
		}
	})
}

func BenchmarkUDPEcho(b *testing.B) {
	s := start(b, Config{Readers: 1}, echo)
	c := dial(b, "udp", "", s.Addrs()[0])
	c.SetDeadline(time.Time{})
	msg, in := message("warm"), make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		c.Write(msg)
		if _, err := c.Read(in); err != nil {
			b.Fatal(err)
		}
	}
}
