package resolver

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/resolver/dnstest"
)

func TestWhatIsNoBusinessOfAResolverGetsTheErrorThatTheRFCsHave(t *testing.T) {
	h := open(t)
	opcode := func(n int) option { return func(m *dns.Msg) { m.Opcode = n } }
	version := func(m *dns.Msg) { m.SetEdns0(1232, false); m.IsEdns0().SetVersion(1) }
	twice := func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }
	none := func(m *dns.Msg) { m.Question = nil }
	for _, r := range []struct {
		name, question string
		option         option
		want           int
	}{
		{"opcode STATUS", "www.inps.it A", opcode(dns.OpcodeStatus), dns.RcodeNotImplemented},
		{"opcode NOTIFY", "www.inps.it SOA", opcode(dns.OpcodeNotify), dns.RcodeNotImplemented},
		{"opcode UPDATE", "www.inps.it SOA", opcode(dns.OpcodeUpdate), dns.RcodeNotImplemented},
		{"an opcode nobody knows", "www.inps.it A", opcode(15), dns.RcodeNotImplemented},
		{"an EDNS version nobody knows", "www.inps.it A", version, dns.RcodeBadVers},
		{"two questions", "www.inps.it A", twice, dns.RcodeFormatError},
		{"no question", "www.inps.it A", none, dns.RcodeFormatError},
		{"class CHAOS is hidden", "version.bind TXT", class(dns.ClassCHAOS), dns.RcodeRefused},
		{"class HESIOD", "www.inps.it A", class(dns.ClassHESIOD), dns.RcodeRefused},
		{"class ANY", "www.inps.it A", class(dns.ClassANY), dns.RcodeRefused},
		{"class NONE", "www.inps.it A", class(dns.ClassNONE), dns.RcodeRefused},
		{"class 0", "www.inps.it A", class(0), dns.RcodeRefused},
		{"a zone transfer", "inps.it AXFR", edns, dns.RcodeRefused},
		{"an incremental zone transfer", "inps.it IXFR", edns, dns.RcodeRefused},
		{"TKEY", "inps.it TKEY", edns, dns.RcodeRefused},
		{"TSIG", "inps.it TSIG", edns, dns.RcodeRefused},
		{"MAILB", "inps.it MAILB", edns, dns.RcodeRefused},
		{"type 0", "inps.it TYPE0", edns, dns.RcodeRefused},
		{"type 128, which nothing has (RFC 9824)", "inps.it TYPE128", edns, dns.RcodeRefused},
		{"OPT as a question", "inps.it OPT", edns, dns.RcodeFormatError},
	} {
		for _, from := range []string{anagrafe, tributi, manager, noOffice} {
			m := h.exchange("udp", from, question(t, r.question, r.option))
			if m.Rcode != r.want || len(m.Answer)+len(m.Ns) > 0 {
				t.Errorf("%s from %s: got %s, want %s", r.name, from, short(m), dns.RcodeToString[r.want])
			}
		}
	}
	if n := len(h.upstream.Queries()); n != 0 {
		t.Errorf("the upstream was asked %d times", n)
	}
	if got := h.ask(anagrafe, "www.inps.it TYPE1000"); got != "NOERROR, SOA inps.it." {
		t.Errorf("a type nobody knows: got %s, want what the upstream says", got)
	}
}

func TestMalformedMessagesGetFORMERRAndResponsesGetSilence(t *testing.T) {
	h := open(t)
	whole, err := question(t, "www.inps.it A", edns).Pack()
	if err != nil {
		t.Fatal(err)
	}
	changed := func(change func([]byte) []byte) []byte { return change(append([]byte(nil), whole...)) }
	for _, r := range []struct {
		name  string
		pkt   []byte
		rcode int // -1: silence
	}{
		{"a response", changed(func(p []byte) []byte { p[2] |= 0x80; return p }), -1},
		{"an empty packet", nil, -1},
		{"half a header", whole[:11], -1},
		{"a header alone", changed(func(p []byte) []byte { return append(p[:4], make([]byte, 8)...) }), dns.RcodeFormatError},
		{"a question cut short", whole[:20], dns.RcodeFormatError},
		{"a compressed question", changed(func(p []byte) []byte { p[12] = 0xC0; return p }), dns.RcodeFormatError},
		{"octets after the end", append(whole[:len(whole):len(whole)], 0), dns.RcodeFormatError},
		{"an answer in a query", changed(func(p []byte) []byte { p[7] = 1; return p }), dns.RcodeFormatError},
		{"an OPT that is cut", whole[:len(whole)-1], dns.RcodeFormatError},
	} {
		for _, from := range []string{anagrafe, outside} {
			raw, err := dnstest.ExchangeRaw("udp", h.addr, from, r.pkt, silence(r.rcode))
			switch {
			case r.rcode < 0 && !errors.Is(err, os.ErrDeadlineExceeded):
				t.Errorf("%s from %s: got %x, %v, want silence", r.name, from, raw, err)
			case r.rcode >= 0 && (err != nil || len(raw) < 12 || int(raw[3]&0xF) != r.rcode || string(raw[:2]) != string(r.pkt[:2])):
				t.Errorf("%s from %s: got %x, %v", r.name, from, raw, err)
			}
		}
		if got := h.ask(anagrafe, "www.inps.it A"); got != "NOERROR, 192.0.2.1" {
			t.Errorf("after %s the next question got %s", r.name, got)
		}
	}
}

// silence is how long to wait for a reply that is to come, or that is not.
func silence(rcode int) time.Duration {
	if rcode < 0 {
		return 50 * time.Millisecond
	}
	return 10 * time.Second
}

func TestWithoutRecursionDesiredThereIsLocalDataOnly(t *testing.T) {
	h := open(t, func(s *Setup) {
		s.Zones = []LocalZone{localZone(t, "comune.test", nil, "www A 127.10.0.9", "out CNAME www.inps.it.", "in CNAME www")}
	})
	h.rows(t, []row{
		{"a granted name", anagrafe, "www.inps.it A", "REFUSED, ede 20", []option{edns, noRD}},
		{"a name that is not granted", tributi, "www.inps.it A", "REFUSED, ede 20", []option{edns, noRD}},
		{"a client in no office", noOffice, "www.inps.it A", "REFUSED, ede 20", []option{edns, noRD}},
		{"a forward", tributi, "dc.ad.comune.test A", "REFUSED, ede 20", []option{edns, noRD}},
		{"ANY", anagrafe, "www.inps.it ANY", "REFUSED", []option{noRD}},
		{"a local zone", tributi, "www.comune.test A", "NOERROR, aa, 127.10.0.9", []option{noRD}},
		{"an alias inside it", tributi, "in.comune.test A", "NOERROR, aa, CNAME www.comune.test., 127.10.0.9", []option{noRD}},
		{"an alias out of it is not followed", tributi, "out.comune.test A", "NOERROR, aa, CNAME www.inps.it.", []option{noRD}},
		{"a special name", tributi, "localhost A", "NOERROR, aa, 127.0.0.1", []option{noRD}},
	})
	h.ask(anagrafe, "www.inps.it A")
	if got := h.ask(anagrafe, "www.inps.it A", noRD); got != "REFUSED" {
		t.Errorf("a cached name without RD: got %s: a cache must not be snooped on", got)
	}
}

func TestANYIsAnsweredWithNextToNothing(t *testing.T) {
	h := open(t)
	h.rows(t, []row{
		{"a granted name (RFC 8482)", anagrafe, "www.inps.it ANY", "NOERROR, HINFO \"RFC8482\" \"\"", nil},
		{"a forward", tributi, "dc.ad.comune.test ANY", "NOERROR, HINFO \"RFC8482\" \"\"", nil},
		{"a name that is not granted", tributi, "www.inps.it ANY", nodata, nil},
	})
	if n := len(h.upstream.Queries()) + len(h.ad.Queries()); n != 0 {
		t.Errorf("an upstream was asked %d times", n)
	}
}

func TestTheQuestionComesBackAsItWasSent(t *testing.T) {
	h := open(t)
	for _, from := range []string{anagrafe, anagrafe, tributi, outside} { // upstream, cache, sinkhole, refused
		m := question(t, "wWw.iNpS.iT A", cd)
		reply := h.exchange("udp", from, m)
		if reply.Question[0] != m.Question[0] || !reply.Response || !reply.RecursionDesired || !reply.RecursionAvailable || !reply.CheckingDisabled {
			t.Errorf("%s: got %v", from, reply)
		}
		if reply.IsEdns0() != nil {
			t.Errorf("%s: an OPT to a client without EDNS", from)
		}
	}
	reply := h.exchange("udp", anagrafe, question(t, "WWW.INPS.IT A", do))
	if opt := reply.IsEdns0(); opt == nil || !opt.Do() || opt.UDPSize() != 1232 {
		t.Errorf("EDNS: got %v", opt)
	}
}

func TestWhatIsTooLongForUDPIsTruncatedAndWholeOverTCP(t *testing.T) {
	h := open(t, func(s *Setup) {
		lines := make([]string, 40)
		for i := range lines {
			lines[i] = fmt.Sprintf("big TXT %s%02d", strings.Repeat("x", 30), i)
		}
		s.Zones = []LocalZone{localZone(t, "comune.test", nil, lines...)}
	})
	txt := func(n int) (lines []string) {
		for i := range n {
			lines = append(lines, fmt.Sprintf("big%d.inps.it. 60 IN TXT %s%02d", n, strings.Repeat("x", 60), i))
		}
		return lines
	}
	h.upstream.SetHandler(dnstest.Records(append(txt(8), txt(100)...)...)) // some 650 and 7300 octets
	for _, r := range []struct {
		question string
		option   option
		records  int // 0: truncated
	}{
		{"big8.inps.it TXT", noEDNS, 0},
		{"big8.inps.it TXT", size(100), 0},
		{"big8.inps.it TXT", size(512), 0},
		{"big8.inps.it TXT", size(800), 8},
		{"big8.inps.it TXT", edns, 8},
		{"big100.inps.it TXT", edns, 0},
		{"big100.inps.it TXT", size(65535), 0}, // RFC 9715: no more than 1232 to anyone
		{"big.comune.test TXT", edns, 0},
	} {
		m := h.exchange("udp", anagrafe, question(t, r.question, r.option))
		if m.Truncated != (r.records == 0) || len(m.Answer) != r.records {
			t.Errorf("%s: truncated %v with %d records, want %d", r.question, m.Truncated, len(m.Answer), r.records)
		}
		m = h.exchange("tcp", anagrafe, question(t, r.question, r.option))
		if m.Truncated || len(m.Answer) < 8 {
			t.Errorf("%s over TCP: truncated %v with %d records", r.question, m.Truncated, len(m.Answer))
		}
	}
}

func TestRepliesToOutsideAreNoWeapon(t *testing.T) {
	h := open(t, func(s *Setup) { s.Sinkhole.Contact = strings.Repeat("c", 120) })
	nsid := func(m *dns.Msg) {
		m.SetEdns0(65535, true)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_NSID{Code: dns.EDNS0NSID}}
	}
	var pkts [][]byte
	for _, text := range []string{". A", "a. A", "www.inps.it A", "www.inps.it TXT", "localhost A", "dc.ad.comune.test A", ". ANY", ". AXFR", "version.bind TXT"} {
		for _, o := range []option{noEDNS, edns, do, nsid, size(0), noRD, class(3), func(m *dns.Msg) { m.Opcode = 5 }, func(m *dns.Msg) { m.SetEdns0(0, false); m.IsEdns0().SetVersion(9) }} {
			pkt, err := question(t, text, o).Pack()
			if err != nil {
				t.Fatal(err)
			}
			pkts = append(pkts, pkt)
		}
	}
	pkts = append(pkts, make([]byte, 12), binary.BigEndian.AppendUint16(make([]byte, 12), 7))
	for _, pkt := range pkts {
		raw, err := dnstest.ExchangeRaw("udp", h.addr, outside, pkt, 10*time.Second)
		if err != nil {
			t.Fatalf("%x: %v", pkt, err)
		}
		if len(raw)*2 > len(pkt)*3 {
			t.Errorf("%s: %d octets for %d (S4)", hex.EncodeToString(pkt), len(raw), len(pkt))
		}
	}
}
