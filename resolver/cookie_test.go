package resolver

import (
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/resolver/dnstest"
	"usciere/resolver/wire"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The test vectors of RFC 9018, appendix A.
func TestCookiesAreThoseOfRFC9018(t *testing.T) {
	for _, v := range []struct {
		name, secret, addr, shown, told string
		at                              int64
		proven                          bool
	}{
		{"a new client", "e5e973e5a6b2a43f48e7dc849e37bfcf", "198.51.100.100", "2464c4abcf10c957", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559731985, false},
		{"the same, a little later", "e5e973e5a6b2a43f48e7dc849e37bfcf", "198.51.100.100",
			"2464c4abcf10c957010000005cf79f111f8130c3eee29480", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559731985 + 1799, true},
		{"the same, 40 minutes later", "e5e973e5a6b2a43f48e7dc849e37bfcf", "198.51.100.100",
			"2464c4abcf10c957010000005cf79f111f8130c3eee29480", "2464c4abcf10c957010000005cf7a871d4a564a1442aca77", 1559734385, true},
		{"with reserved bits set", "e5e973e5a6b2a43f48e7dc849e37bfcf", "203.0.113.203",
			"fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e", 1559734700, false},
		{"over IPv6", "445536bcd2513298075a5d379663c962", "2001:db8:220:1:59de:d0f4:8769:82b8",
			"22681ab97d52c298", "22681ab97d52c298010000005cf7c609a6bb79d16625507a", 1559741961, false},
	} {
		var secret CookieSecret
		copy(secret[:], unhex(t, v.secret))
		m := question(t, "www.inps.it A")
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: v.shown})
		pkt, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		var q wire.Query
		if q.Read(pkt) != wire.Good {
			t.Fatalf("%s: not read", v.name)
		}
		var room [wire.ClientCookie + serverCookie]byte
		cookie, proven := secret.bake(&q, netip.MustParseAddr(v.addr), time.Unix(v.at, 0), &room)
		if hex.EncodeToString(cookie) != v.told || v.name != "with reserved bits set" && proven != v.proven {
			t.Errorf("%s: %x, proven %t; want %s, %t", v.name, cookie, proven, v.told, v.proven)
		}
	}
}

func TestACookieIsBelievedForItsTimeAndItsAddressOnly(t *testing.T) {
	secret, other := NewCookieSecret(), NewCookieSecret()
	noon, from := time.Unix(1_800_000_000, 0), netip.MustParseAddr("198.51.100.7")
	client := []byte("12345678")
	head := []byte{cookieVersion, 0, 0, 0, 0x6b, 0x49, 0xd2, 0x00}
	sum := secret.hash(client, head, from)
	server := append(head, sum[:]...)
	for after, want := range map[time.Duration]bool{0: true, cookieLife: true, cookieLife + time.Second: false, -cookieAhead: true, -cookieAhead - time.Second: false} {
		if _, ok := secret.proves(client, server, from, noon.Add(after)); ok != want {
			t.Errorf("after %s: %t", after, ok)
		}
	}
	for name, ok := range map[string]bool{
		"another secret": func() bool { _, ok := other.proves(client, server, from, noon); return ok }(),
		"another address": func() bool {
			_, ok := secret.proves(client, server, netip.MustParseAddr("198.51.100.8"), noon)
			return ok
		}(),
		"another client": func() bool { _, ok := secret.proves([]byte("12345679"), server, from, noon); return ok }(),
		"a shorter one":  func() bool { _, ok := secret.proves(client, server[:15], from, noon); return ok }(),
	} {
		if ok {
			t.Errorf("%s is believed", name)
		}
	}
}

// cookie is an option for a question, and back is that of a reply.
func cookie(text string) option {
	return func(m *dns.Msg) {
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: text})
	}
}

func back(m *dns.Msg) string {
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if c, ok := o.(*dns.EDNS0_COOKIE); ok {
				return c.Cookie
			}
		}
	}
	return ""
}

func TestEveryKindOfReplyHasTheCookie(t *testing.T) {
	h := open(t, func(s *Setup) { s.Cookies = NewCookieSecret() })
	const mine = "0102030405060708"
	for _, text := range []string{"www.inps.it A", "www.example.com A", "localhost A", "nessuno.inps.it A"} {
		for range 2 { // from the servers, and from here
			for _, from := range []string{anagrafe, tributi, outside} {
				m := h.exchange("udp", from, question(t, text, cookie(mine)))
				got := back(m)
				if len(got) != 48 || got[:16] != mine {
					t.Fatalf("%s for %s: cookie %q\n%s", text, from, got, m)
				}
				if again := back(h.exchange("udp", from, question(t, text, cookie(got)))); again != got {
					t.Errorf("%s for %s: a cookie that is fresh, %s, became %s", text, from, got, again)
				}
				if none := h.exchange("udp", from, question(t, text, edns)); back(none) != "" {
					t.Errorf("%s for %s: a cookie that nobody asked for: %s", text, from, none)
				}
			}
		}
	}
}

func TestAQueryForNothingButACookieGetsIt(t *testing.T) { // RFC 7873 §5.4
	h := open(t, func(s *Setup) { s.Strangers, s.Cookies = 20, NewCookieSecret() })
	const mine = "0102030405060708"
	for _, network := range []string{"udp", "tcp"} {
		for _, from := range []string{anagrafe, manager, outside} {
			ask := func(text string, want int) (got string) {
				t.Helper()
				m := new(dns.Msg)
				cookie(text)(m)
				pkt, err := m.Pack()
				if err != nil {
					t.Fatal(err)
				}
				reply, err := dnstest.ExchangeRaw(network, h.addr, from, pkt, 10*time.Second)
				if err != nil || m.Unpack(reply) != nil {
					t.Fatalf("%q from %s over %s: %x, %v", text, from, network, reply, err)
				}
				if got = back(m); m.Rcode != want || len(got) != 48 || got[:16] != mine || len(m.Question)+len(m.Answer)+len(m.Ns)+len(m.Extra) != 1 || len(reply) > len(pkt)+16 {
					t.Errorf("%q from %s over %s: cookie %q\n%s", text, from, network, got, m)
				}
				return got
			}
			got := ask(mine, dns.RcodeSuccess)
			if again := ask(got, dns.RcodeSuccess); again != got {
				t.Errorf("from %s over %s: a cookie that is fresh, %s, became %s", from, network, got, again)
			}
			ask(mine+"0102030405060708090a0b0c0d0e0f10", dns.RcodeBadCookie)
		}
	}
	if s := h.resolver.Stats(); s.Malformed+s.Refused+s.Sinkholed+s.Allowed != 0 || s.Local != 18 {
		t.Errorf("counted as %+v", s)
	}
}

func TestACookieOfNoLengthThatThereIsIsMalformed(t *testing.T) {
	h := open(t)
	for text, want := range map[string]int{
		"": dns.RcodeFormatError, "01": dns.RcodeFormatError, "010203040506070809": dns.RcodeFormatError, "0102030405060708090a0b0c0d0e0f": dns.RcodeFormatError,
		"0102030405060708": dns.RcodeSuccess, "0102030405060708090a0b0c0d0e0f10": dns.RcodeSuccess,
	} {
		if m := h.exchange("udp", anagrafe, question(t, "www.inps.it A", cookie(text))); m.Rcode != want {
			t.Errorf("%q: %s", text, dns.RcodeToString[m.Rcode])
		}
	}
}

func TestRepliesToStrangersAreHeldBackUnlessTheyShowACookie(t *testing.T) {
	h := open(t, func(s *Setup) { s.Strangers, s.Cookies = 5, NewCookieSecret() })
	answeredTo := func(network, from string, m *dns.Msg) (n int) {
		t.Helper()
		pkt, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if _, err := dnstest.ExchangeRaw(network, h.addr, from, pkt, 20*time.Millisecond); err == nil {
				n++
			}
		}
		return n
	}
	answered := func(network, from string, options ...option) (n int) {
		t.Helper()
		return answeredTo(network, from, question(t, "www.inps.it A", options...))
	}
	proof := back(h.exchange("udp", outside, question(t, "www.inps.it A", cookie("0102030405060708"))))
	if n := answered("udp", outside); n != 4 {
		t.Errorf("%d were answered, not 5 with the one before", n)
	}
	if n := answered("udp", "127.99.0.200"); n != 0 {
		t.Errorf("of the same network %d were answered", n)
	}
	if n := answered("udp", outside, cookie(proof)); n != 20 {
		t.Errorf("with a cookie that it was given %d were answered", n)
	}
	if n := answered("tcp", outside); n != 20 {
		t.Errorf("over TCP %d were answered", n)
	}
	if n := answered("udp", anagrafe); n != 20 {
		t.Errorf("inside the site %d were answered", n)
	}
	if held := h.resolver.Stats().HeldBack; held != 16+20 {
		t.Errorf("%d are counted", held)
	}
	h.clock.advance(1e9)
	if n := answered("udp", outside); n != 5 {
		t.Errorf("a second later %d were answered", n)
	}
	h.clock.advance(1e9)
	for text, want := range map[string]int{"0102030405060708": 5, proof: 20} { // no question, and nothing but a cookie
		m := new(dns.Msg)
		cookie(text)(m)
		if n := answeredTo("udp", outside, m); n != want {
			t.Errorf("with nothing but the cookie %s %d were answered, not %d", text, n, want)
		}
	}
}
