package resolver

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"usciere/policy"
	"usciere/resolver/answercache"
	"usciere/resolver/listen"
)

// twins are two resolvers with the same rules, setup, cache and clock. One of them has no fast path, since the test holds it: it is the
// oracle of the other.
type twins struct {
	*house
	clients     []string
	whole, fast []net.Conn // by client
	probes      uint16
	granted     []policy.GrantID
}

func openTwins(t testing.TB) *twins {
	w := &twins{clients: []string{anagrafe, relay, tributi, manager, protocollo, avvocatura, cultura, economato, noOffice, outside}}
	w.house = open(t, func(s *Setup) {
		s.Portal = name(t, "usciere.internal")
		s.Zones = []LocalZone{
			localZone(t, "comune.it", map[string]policy.Moment{"anagrafe": ""},
				"www A 127.10.0.9", "* TXT any", "out CNAME www.inps.it.", "loop CNAME loop", "x DNAME inps.it.", "l CNAME local.", "p CNAME usciere.internal."),
			localZone(t, "presto.it", map[string]policy.Moment{"tributi": "2026-11-17"}, "www A 127.10.0.10"),
		}
	})
	oracle := New(w.live, w.cache, w.clock.Now)
	oracle.Use(w.setup)
	for i := range oracle.fast {
		oracle.fast[i].mu.Lock()
	}
	s, err := listen.Open(listen.Config{Addrs: []string{"127.0.0.1:0"}, Readers: 1, Now: w.clock.Now, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(oracle) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		<-served
	})
	for _, from := range w.clients {
		w.whole = append(w.whole, dialFrom(t, from, s.Addrs()[0].String()))
		w.fast = append(w.fast, dialFrom(t, from, w.addr))
	}
	return w
}

func dialFrom(t testing.TB, from, to string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(from)}}).Dial("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// reply sends a packet and returns the reply, nil when there is none: then a question after it is answered first.
func (w *twins) reply(t testing.TB, conn net.Conn, pkt []byte) []byte {
	t.Helper()
	probe, err := question(t, "probe.localhost A").Pack()
	if err != nil {
		t.Fatal(err)
	}
	if w.probes++; len(pkt) >= 2 && binary.BigEndian.Uint16(pkt) == w.probes {
		w.probes++
	}
	binary.BigEndian.PutUint16(probe, w.probes)
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	for _, p := range [][]byte{pkt, probe} {
		if _, err := conn.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	replies := 1
	if len(pkt) >= 12 && pkt[2]&0x80 == 0 {
		replies++
	}
	var reply []byte
	for range replies {
		buf := make([]byte, 65535)
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("a reply to %x is missing: %v", pkt, err)
		}
		if !bytes.Equal(buf[:2], probe[:2]) {
			reply = buf[:n]
		}
	}
	return reply
}

// compare asks the resolver without a fast path, and then the other until it must remember, first in another dress.
func (w *twins) compare(t testing.TB, client int, pkt, dressed []byte) {
	t.Helper()
	w.reply(t, w.whole[client], pkt) // what has to be fetched is in the cache from here on
	want := w.reply(t, w.whole[client], pkt)
	for _, p := range [][]byte{dressed, dressed, pkt, pkt} {
		got := w.reply(t, w.fast[client], p)
		if &p[0] == &pkt[0] && !bytes.Equal(got, want) {
			t.Fatalf("%s asks %x\nafter    %x\nand gets %x\nnot      %x", w.clients[client], pkt, dressed, got, want)
		}
	}
}

// dress is a packet for the same question, most likely: another ID, other letter case and flags.
func dress(pkt []byte, how uint16) []byte {
	out := bytes.Clone(pkt)
	for i := range out {
		switch c := out[i]; {
		case i < 2:
			out[i] ^= byte(how)
		case i == 3 && how&1 != 0:
			out[i] ^= 0x20 // AD
		case i >= 12 && how>>(i%16)&1 != 0 && (c|0x20) >= 'a' && (c|0x20) <= 'z':
			out[i] ^= 0x20
		}
	}
	return out
}

// turn changes something that replies depend on.
func (w *twins) turn(t testing.TB, how byte) {
	t.Helper()
	switch how % 16 {
	case 1:
		w.clock.advance(time.Second)
	case 2:
		w.clock.advance(time.Duration(how) * time.Second)
	case 3:
		w.clock.advance(time.Hour)
	case 4:
		w.resolver.cache.Flush()
	case 5:
		if w.granted == nil {
			w.granted = w.grant("tributi", policy.Web, "www.inps.it", ".example.com")
		}
	case 6:
		if w.granted != nil {
			w.revoke(w.granted)
			w.granted = nil
		}
	}
}

// recorded are the questions of real clients.
func recorded(t testing.TB) (packets [][]byte) {
	f, err := os.Open("testdata/clients/queries.hex")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		pkt, err := hex.DecodeString(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, pkt)
	}
	return packets
}

// made are questions of every kind that there is an answer for.
func made(t testing.TB) (packets [][]byte) {
	for _, text := range []string{
		"www.inps.it A", "WWW.inps.it AAAA", "alias.inps.it A", "posta.example.it MX", "_imaps._tcp.posta.example.it SRV", "mx1.provider.net A",
		"provider.net A", "www.example.com HTTPS", "www.comune.it A", "out.comune.it A", "loop.comune.it A", "a.x.comune.it A", "l.comune.it A",
		`a\000\.b.comune.it TXT`, "comune.it ANY", "www.presto.it A", "it NS", ". SOA", "localhost A", "a.local A", "version.bind TXT", "inps.it AXFR",
		"1.0.0.10.in-addr.arpa PTR", "dc.ad.comune.test A", "wpad.example.com A", "nowhere.inps.it A",
		"usciere.internal A", "Usciere.internal AAAA", "usciere.internal ANY", "usciere.internal HTTPS", "p.comune.it A", "a.usciere.internal A",
	} {
		for _, o := range []option{noEDNS, edns, do, cd, noRD, size(0), class(3)} {
			pkt, err := question(t, text, o).Pack()
			if err != nil {
				t.Fatal(err)
			}
			packets = append(packets, pkt)
		}
	}
	return packets
}

func TestTheFastPathSaysWhatTheWholeWaySays(t *testing.T) {
	w := openTwins(t)
	packets := append(recorded(t), made(t)...)
	for turn := range byte(10) { // each client comes to each packet
		w.turn(t, turn)
		for i, pkt := range packets {
			for n := range 2 {
				w.compare(t, (i+5*n+int(turn))%len(w.clients), pkt, dress(pkt, uint16(i)*0x9e37))
			}
		}
	}
	before := w.resolver.CacheStats().Hits - w.cache.Stats().Hits
	if before == 0 {
		t.Error("nothing was recalled")
	}
}

func TestAChangeIsFeltByTheNextPacketOfAnAnswerThatIsRemembered(t *testing.T) {
	h := open(t)
	sinkholed := func() bool { return h.ask(tributi, "www.inps.it A") != h.ask(anagrafe, "www.inps.it A") }
	for round := range 50 {
		for range 3 {
			if !sinkholed() {
				t.Fatalf("round %d: allowed before it was granted", round)
			}
		}
		ids := h.grant("tributi", policy.Web, "www.inps.it")
		for range 3 {
			if sinkholed() {
				t.Fatalf("round %d: sinkholed after it was granted", round)
			}
		}
		h.revoke(ids)
	}
}

// FuzzFastPath holds the fast path against the whole way: the same octets for any packet of any client, whatever was asked before and
// whatever turned meanwhile.
func FuzzFastPath(f *testing.F) {
	w := openTwins(f)
	for i, pkt := range append(recorded(f), made(f)...) {
		f.Add(byte(i), byte(i/3), uint16(i)*0x9e37, pkt)
	}
	f.Fuzz(func(t *testing.T, client, turn byte, how uint16, pkt []byte) {
		if len(pkt) == 0 || len(pkt) > 2048 {
			return
		}
		w.TB = t
		w.turn(t, turn)
		w.compare(t, int(client)%len(w.clients), pkt, dress(pkt, how))
	})
}

func TestAFlushedAnswerIsNotRememberedEvenIfTheCacheHadPushedItOut(t *testing.T) {
	h := openWith(t, answercache.Config{Entries: 2}, nil)
	for range 3 {
		h.ask(anagrafe, "www.inps.it A")
	}
	for _, other := range []string{"inps.it A", "servizi.inps.it A", "www.inps.it AAAA", "alias.inps.it A", "autodiscover.inps.it A", "www.agenziaentrate.gov.it A"} {
		h.ask(anagrafe, other)
		h.ask(anagrafe, other)
	}
	before := len(h.upstream.Queries())
	h.cache.FlushName([]byte(name(t, "www.inps.it")))
	h.ask(anagrafe, "www.inps.it A")
	if after := len(h.upstream.Queries()); after != before+1 {
		t.Errorf("the upstream was asked %d times after the flush, once is right", after-before)
	}
}
