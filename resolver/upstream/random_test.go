package upstream

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"usciere/resolver/dnstest"
)

// uniform fails the test when draws over [0, span) are not uniform: chi-square over 64 bins has 63 degrees of freedom, and
// exceeds 140 once in ten million times.
func uniform(t *testing.T, what string, span int, draw func() int) {
	t.Helper()
	const draws, bins = 10_000, 64
	var count [bins]int
	for range draws {
		n := draw()
		if n < 0 || n >= span {
			t.Fatalf("%s out of range: %d of %d", what, n, span)
		}
		count[n*bins/span]++
	}
	chi := 0.0
	for _, c := range count {
		d := float64(c) - float64(draws)/bins
		chi += d * d / (float64(draws) / bins)
	}
	if chi > 140 {
		t.Errorf("%s: chi-square %.1f over %d bins: %v", what, chi, bins, count)
	}
}

// TestSpoofingEntropy is S10.
func TestSpoofingEntropy(t *testing.T) {
	r := newRandom()
	uniform(t, "ports", lastPort-firstPort+1, func() int { return int(r.port()) - firstPort })
	uniform(t, "IDs", 1<<16, func() int { return int(r.id()) })
	uniform(t, "letter cases", 1<<8, func() int {
		name := []byte("\x08abcdefgh\x00")
		r.mixCase(name)
		n := 0
		for i, c := range name[1:9] {
			n |= int(^c>>5&1) << i
		}
		return n
	})
}

func TestOnlyLettersChangeCase(t *testing.T) {
	r := newRandom()
	for range 100 {
		name := []byte("\x3f0123456789-_{}[]@`\x00\xff" + strings.Repeat("az", 21) + "\x00")
		want := string(name)
		r.mixCase(name)
		if !equalFold(name, want) || !strings.HasPrefix(string(name), want[:21]) {
			t.Fatalf("%q became %q", want, name)
		}
	}
}

func TestEveryQueryHasAPortAnIDAndACaseOfItsOwn(t *testing.T) {
	s := dnstest.Start(t, honest)
	g := group(t, Config{RandomCase: true}, s)
	q := question(t, "www.example.", dns.TypeA)
	const asked = 500
	for range asked {
		resolve(t, g, q)
	}
	ports, ids, cases := map[uint16]bool{}, map[uint16]bool{}, map[string]bool{}
	for _, q := range s.Queries() {
		ports[q.From.Port()], ids[q.Msg.Id], cases[q.Name()] = true, true, true
	}
	// Of 500 draws out of 64,512 about two repeat; ten letters have 1,024 cases.
	if len(ports) < asked-20 || len(ids) < asked-20 || len(cases) < asked/2 {
		t.Errorf("%d ports, %d IDs, %d cases in %d queries", len(ports), len(ids), len(cases), asked)
	}
}

func TestAPortInUseIsAnsweredByAnotherDraw(t *testing.T) {
	taken, err := net.ListenUDP("udp4", &net.UDPAddr{})
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	server := netip.MustParseAddrPort("127.0.0.1:53")
	busy := taken.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	r, draws := newRandom(), 0
	fd, err := openUDP(server, func() uint16 {
		if draws++; draws < 3 {
			return busy
		}
		return r.port()
	})
	if err != nil || draws < 3 {
		t.Fatalf("after %d draws: %v", draws, err)
	}
	closeUDP(fd)
	if _, err := openUDP(server, func() uint16 { return busy }); err == nil {
		t.Error("a taken port was bound")
	}
}

func TestAnIPv6ServerIsAskedFromAnIPv6Socket(t *testing.T) {
	udp, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	defer udp.Close()
	go func() {
		buf := make([]byte, 512)
		n, from, err := udp.ReadFromUDPAddrPort(buf)
		m := new(dns.Msg)
		if err != nil || m.Unpack(buf[:n]) != nil {
			return
		}
		reply, _ := dnstest.Reply(dnstest.Query{Msg: m}, "www.example. 60 A 192.0.2.1").Pack()
		udp.WriteToUDPAddrPort(reply, from)
	}()
	g := New(Config{Servers: []netip.AddrPort{udp.LocalAddr().(*net.UDPAddr).AddrPort()}})
	t.Cleanup(g.Close)
	if m, _ := resolve(t, g, question(t, "www.example.", dns.TypeA)); address(t, m) != rightAddr {
		t.Errorf("wrong answer:\n%v", m)
	}
}
