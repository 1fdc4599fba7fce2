package resolver

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/miekg/dns"

	"usciere/resolver/dnstest"
)

// raw is a query made by hand, so that it can be what no library sends.
type raw struct {
	flags   uint16 // of the header, opcode included
	counts  [4]uint16
	name    string // in wire form
	rest    string // behind the name: type and class
	edns    bool
	version byte
	ext     uint16 // EDNS flags, DO the highest
	size    uint16
	options string // in wire form
}

const (
	rawRD   = 0x0100
	rawZ    = 0x0040
	rawAD   = 0x0020
	rawCD   = 0x0010
	extDO   = 0x8000
	comune  = "\x06comune\x04test\x00"
	inpsIt  = "\x04inps\x02it\x00"
	soaIN   = "\x00\x06\x00\x01"
	aIN     = "\x00\x01\x00\x01"
	unknown = "\x03\xe8\x00\x01" // TYPE1000
	dnskey  = "\x00\x30\x00\x01"
)

// pack writes the query, with the counts that it has unless others are given.
func (q raw) pack() []byte {
	if q.counts == [4]uint16{} {
		q.counts = [4]uint16{1}
		if q.name == "" {
			q.counts[0] = 0
		}
		if q.edns {
			q.counts[3] = 1
		}
	}
	pkt := binary.BigEndian.AppendUint16([]byte{0x89, 0x06}, q.flags)
	for _, n := range q.counts {
		pkt = binary.BigEndian.AppendUint16(pkt, n)
	}
	pkt = append(append(pkt, q.name...), q.rest...)
	if q.edns {
		pkt = append(pkt, 0, 0, 41)
		pkt = binary.BigEndian.AppendUint16(pkt, q.size)
		pkt = append(pkt, 0, q.version)
		pkt = binary.BigEndian.AppendUint16(pkt, q.ext)
		pkt = binary.BigEndian.AppendUint16(pkt, uint16(len(q.options)))
		pkt = append(pkt, q.options...)
	}
	return pkt
}

// ednsOption is one EDNS option in wire form.
func ednsOption(code uint16, data string) string {
	return string(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, code), uint16(len(data)))) + data
}

// send sends a query and describes the reply as dig would: RCODE, flags, what is in it, and its OPT record.
func (h *house) send(t *testing.T, network, from string, pkt []byte) string {
	t.Helper()
	octets, err := dnstest.ExchangeRaw(network, h.addr, from, pkt, 10*time.Second)
	if err != nil {
		t.Fatalf("%x: %v", pkt, err)
	}
	m := new(dns.Msg)
	if err := m.Unpack(octets); err != nil || !m.Response || binary.BigEndian.Uint16(pkt) != m.Id || m.Opcode != int(pkt[2]>>3&0xF) {
		t.Fatalf("%x is no reply to %x: %v", octets, pkt, err)
	}
	rcode := dns.RcodeToString[m.Rcode]
	if m.Rcode == dns.RcodeBadVers {
		rcode = "BADVERS" // which miekg/dns calls BADSIG
	}
	out := []string{rcode}
	for _, flag := range []struct {
		set  bool
		text string
	}{{m.Authoritative, "aa"}, {m.Truncated, "tc"}, {m.RecursionDesired, "rd"}, {m.Zero, "MBZ"}, {m.AuthenticatedData, "ad"}, {m.CheckingDisabled, "cd"}} {
		if flag.set {
			out = append(out, flag.text)
		}
	}
	if len(m.Answer) > 0 {
		out = append(out, "answer "+dns.TypeToString[m.Answer[0].Header().Rrtype])
	}
	if opt := m.IsEdns0(); opt != nil {
		text := fmt.Sprintf("opt v%d", opt.Version())
		if opt.Do() {
			text += " do"
		}
		if opt.Hdr.Ttl&0x7FFF != 0 {
			text += " MBZ"
		}
		for _, o := range opt.Option {
			if o.Option() != dns.EDNS0EDE {
				text += fmt.Sprintf(" option %d", o.Option())
			}
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// none is the name of a query without a question.
const none = "-"

// withEDNS is a query with a plain OPT record, changed.
func withEDNS(change func(*raw)) raw {
	q := raw{edns: true, size: 1232}
	if change != nil {
		change(&q)
	}
	return q
}

// rfc8906 are the cases of RFC 8906 §8.1 and §8.2: what dig is told to ask, and the replies of a local zone, as of any authoritative
// server, and of a zone behind the resolver, asked with RD. §8.3 is about servers without EDNS.
var rfc8906 = []struct {
	section, name, dig string
	query              raw
	local, upstream    string
}{
	{"8.1.1", "the zone", "+noedns +noad +norec soa", raw{}, "NOERROR, aa, answer SOA", "NOERROR, rd, answer SOA"},
	{"8.1.2", "an unknown type", "+noedns +noad +norec type1000", raw{rest: unknown}, "NOERROR, aa", "NOERROR, rd"},
	{"8.1.3.1", "CD=1", "+noedns +noad +norec +cd soa", raw{flags: rawCD}, "NOERROR, aa, cd, answer SOA", "NOERROR, rd, cd, answer SOA"},
	{"8.1.3.2", "AD=1", "+noedns +norec +ad soa", raw{flags: rawAD}, "NOERROR, aa, answer SOA", "NOERROR, rd, answer SOA"},
	{"8.1.3.3", "the reserved bit", "+noedns +noad +norec +zflag soa", raw{flags: rawZ}, "NOERROR, aa, answer SOA", "NOERROR, rd, answer SOA"},
	{"8.1.3.4", "RD=1", "+noedns +noad +rec soa", raw{flags: rawRD}, "NOERROR, aa, rd, answer SOA", "NOERROR, rd, answer SOA"},
	{"8.1.4", "an unknown opcode", "+noedns +noad +opcode=15 +norec +header-only", raw{flags: 15 << 11, name: none}, "NOTIMP", "NOTIMP"},
	{"8.1.5", "TCP", "+noedns +noad +norec +tcp soa", raw{}, "NOERROR, aa, answer SOA", "NOERROR, rd, answer SOA"},
	{"8.2.1", "EDNS", "+nocookie +edns=0 +noad +norec soa", withEDNS(nil), "NOERROR, aa, answer SOA, opt v0", "NOERROR, rd, answer SOA, opt v0"},
	{"8.2.2", "EDNS version 1", "+nocookie +edns=1 +noednsneg +noad +norec soa", withEDNS(func(q *raw) { q.version = 1 }), "BADVERS, opt v0", "BADVERS, rd, opt v0"},
	{"8.2.3", "an unknown option", "+nocookie +edns=0 +noad +norec +ednsopt=100 soa", withEDNS(func(q *raw) { q.options = ednsOption(100, "") }), "NOERROR, aa, answer SOA, opt v0", "NOERROR, rd, answer SOA, opt v0"},
	{"8.2.4", "an unknown EDNS flag", "+nocookie +edns=0 +noad +norec +ednsflags=0x40 soa", withEDNS(func(q *raw) { q.ext = 0x40 }), "NOERROR, aa, answer SOA, opt v0", "NOERROR, rd, answer SOA, opt v0"},
	{"8.2.5", "version 1 with a flag", "+nocookie +edns=1 +noednsneg +noad +norec +ednsflags=0x40 soa", withEDNS(func(q *raw) { q.version, q.ext = 1, 0x40 }), "BADVERS, opt v0", "BADVERS, rd, opt v0"},
	{"8.2.6", "version 1 with an option", "+nocookie +edns=1 +noednsneg +noad +norec +ednsopt=100 soa", withEDNS(func(q *raw) { q.version, q.options = 1, ednsOption(100, "") }), "BADVERS, opt v0", "BADVERS, rd, opt v0"},
	{"8.2.7", "a truncated reply", "+norec +dnssec +bufsize=512 +ignore dnskey", raw{rest: dnskey, edns: true, size: 512, ext: extDO}, "NOERROR, aa, tc, opt v0 do", "NOERROR, tc, rd, opt v0 do"},
	{"8.2.8", "DO=1", "+nocookie +edns=0 +noad +norec +dnssec soa", withEDNS(func(q *raw) { q.ext = extDO }), "NOERROR, aa, answer SOA, opt v0 do", "NOERROR, rd, answer SOA, opt v0 do"},
	{"8.2.9", "version 1 with DO=1", "+nocookie +edns=1 +noednsneg +noad +norec +dnssec soa", withEDNS(func(q *raw) { q.version, q.ext = 1, extDO }), "BADVERS, opt v0 do", "BADVERS, rd, opt v0 do"},
	{"8.2.10", "several known options", "+edns=0 +noad +norec +cookie +nsid +expire +subnet=0.0.0.0/0 soa", withEDNS(func(q *raw) {
		q.options = ednsOption(10, "\x01\x02\x03\x04\x05\x06\x07\x08") + ednsOption(3, "") + ednsOption(9, "") + ednsOption(8, "\x00\x01\x00\x00")
	}), "NOERROR, aa, answer SOA, opt v0 option 10", "NOERROR, rd, answer SOA, opt v0 option 10"},
}

// TestRFC8906 asks every case over UDP and TCP, and prints the replies with -v.
func TestRFC8906(t *testing.T) {
	keys := func(zone string) (lines []string) {
		for i := range 12 {
			lines = append(lines, zone+" 3600 IN DNSKEY 256 3 13 "+base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(rune('a'+i)), 64))))
		}
		return lines
	}
	h := open(t, func(s *Setup) { s.Zones = []LocalZone{localZone(t, "comune.test", nil, keys("@")...)} })
	h.upstream.SetHandler(dnstest.Records(append(keys("inps.it."), records...)...))
	table := new(strings.Builder)
	out := tabwriter.NewWriter(table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "section\tcase\tdig\tlocal zone\tthrough the upstream")
	for _, c := range rfc8906 {
		local, upstream := c.query, c.query
		if c.query.name == none {
			local.name, upstream.name = "", ""
		} else {
			local.name, upstream.name = comune, inpsIt
			upstream.flags |= rawRD
			local.rest, upstream.rest = cmp.Or(c.query.rest, soaIN), cmp.Or(c.query.rest, soaIN)
		}
		var replies [2]string
		for i, q := range [2]raw{local, upstream} {
			want := [2]string{c.local, c.upstream}[i]
			if replies[i] = h.send(t, "udp", manager, q.pack()); replies[i] != want {
				t.Errorf("§%s %s, of %q: %s, want %s", c.section, c.name, q.name, replies[i], want)
			}
			if strings.Contains(want, ", tc") { // over TCP it is whole
				want = strings.Replace(strings.Replace(want, ", tc", "", 1), ", opt", ", answer DNSKEY, opt", 1)
			}
			if got := h.send(t, "tcp", manager, q.pack()); got != want {
				t.Errorf("§%s %s, over TCP of %q: %s, want %s", c.section, c.name, q.name, got, want)
			}
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\n", c.section, c.name, c.dig, replies[0], replies[1])
	}
	out.Flush()
	t.Log("the replies over UDP; those over TCP differ in TC alone\n" + table.String())
}
