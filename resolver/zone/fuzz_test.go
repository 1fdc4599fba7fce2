package zone

import (
	"bytes"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// FuzzParse holds that whatever loads can be asked for, packed, and read back.
func FuzzParse(f *testing.F) {
	f.Add([]byte(rfc4592))
	f.Add([]byte(townZone))
	f.Add([]byte("www TYPE1 \\# 4 C0000201\nx TYPE65300 \\# 2 0001\ny SVCB 1 . alpn=h2\nz CAA 0 issue \"x\"\n@ TXT \"\\000\\255\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 || bytes.Contains(bytes.ToUpper(data), []byte("$GENERATE")) {
			return // a short line of it makes 65,536 records
		}
		z, err := Parse("example", bytes.NewReader(data), "fuzz")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "fuzz:") {
				t.Errorf("an error without its place: %v", err)
			}
			return
		}
		for name, n := range z.nodes {
			check(t, z, []byte(name), dns.TypeANY)
			for _, set := range n.sets {
				check(t, z, []byte(name), set.typ)
				if got := z.Lookup([]byte(name), set.typ); len(got.Answer) != len(set.rrs) {
					t.Errorf("%s %d: %s", presentation([]byte(name)), set.typ, show(got))
				}
			}
		}
	})
}

// FuzzLookup asks for any name, and compares with the oracle.
func FuzzLookup(f *testing.F) {
	z, err := Parse("comune.test", strings.NewReader(townZone), "")
	if err != nil {
		f.Fatal(err)
	}
	slow := scan{origin: labels(z.Origin())}
	zp := dns.NewZoneParser(strings.NewReader(townZone), z.Origin(), "")
	for rr, ok := zp.Next(); ok; rr, ok = zp.Next() {
		slow.rrs = append(slow.rrs, rr)
	}
	f.Add([]byte("\x03www"), uint16(1))
	f.Add([]byte("\x01h\x03old"), uint16(255))
	f.Add([]byte("\x01.\x00\x02*w\x04wild"), uint16(5))
	f.Fuzz(func(t *testing.T, raw []byte, qtype uint16) {
		name := append(anyLabels(raw, maxName-len(z.apex)), z.apex...)
		check(t, z, name, qtype)
		got, want := show(z.Lookup(name, qtype)), slow.lookup(labels(presentation(name)), qtype)
		if got != want && !strings.HasPrefix(got, "YXDOMAIN") && !strings.EqualFold(got, want) {
			t.Errorf("%s %d\n got %s\nwant %s", presentation(name), qtype, got, want)
		}
		other := append(anyLabels(raw, maxName-1), 0)
		for _, found := range Empty().Find(other) {
			check(t, found, other, qtype)
		}
	})
}

// anyLabels reads bytes as labels, each a length and its octets, for a name of at most room octets.
func anyLabels(raw []byte, room int) []byte {
	var name []byte
	for len(raw) > 1 {
		n := min(1+int(raw[0])%63, len(raw)-1)
		if len(name)+1+n > room {
			break
		}
		name = append(append(name, byte(n)), raw[1:1+n]...)
		raw = raw[1+n:]
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			name[i] = c + 'a' - 'A'
		}
	}
	return name
}

// check holds for every answer: it packs and reads back, and a negative one has the zone's SOA.
func check(t *testing.T, z *Zone, name []byte, qtype uint16) {
	t.Helper()
	r := z.Lookup(name, qtype)
	packed, err := r.Pack(name, qtype)
	if err != nil {
		t.Fatalf("%s %d: %v", presentation(name), qtype, err)
	}
	var m dns.Msg
	if err := m.Unpack(packed); err != nil {
		t.Fatalf("%s %d: %v", presentation(name), qtype, err)
	}
	if len(m.Answer) != len(r.Answer) || m.Question[0].Name != presentation(name) {
		t.Fatalf("%s %d: packed as\n%v", presentation(name), qtype, &m)
	}
	negative := r.Rcode == dns.RcodeNameError || r.Rcode == dns.RcodeSuccess && len(r.Answer) == 0
	if negative && (len(r.Authority) != 1 || r.Authority[0].Header().Rrtype != dns.TypeSOA) {
		t.Fatalf("%s %d: a negative answer without SOA: %s", presentation(name), qtype, show(r))
	}
}
