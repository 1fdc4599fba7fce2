package upstream

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestServiceBindingsAreRestrained(t *testing.T) {
	for _, tc := range []struct {
		about      string
		may        passes
		record     string
		kept       string // empty: nothing
		unaffected bool
	}{
		{"all may pass", passes{true, true}, `1 . ipv4hint="10.0.0.1" ech="AAA="`, `1 . ipv4hint="10.0.0.1" ech="AAA="`, true},
		{"without ECH", passes{private: true}, `1 . alpn="h2" ipv4hint="10.0.0.1" ech="AAA=" ipv6hint="fd00::1"`, `1 . alpn="h2" ipv4hint="10.0.0.1" ipv6hint="fd00::1"`, false},
		{"without private addresses", passes{ech: true}, `1 . ipv4hint="10.0.0.1,192.0.2.1" ech="AAA=" ipv6hint="64:ff9b::a00:1"`, `1 . ipv4hint="192.0.2.1" ech="AAA="`, false},
		{"a mandatory hint", passes{ech: true}, `1 . mandatory="ipv4hint" ipv4hint="10.0.0.1"`, "", false},
		{"a mandatory hint of which one stays", passes{ech: true}, `1 . mandatory="ipv4hint" ipv4hint="10.0.0.1,192.0.2.1"`, `1 . mandatory="ipv4hint" ipv4hint="192.0.2.1"`, false},
		{"a mandatory ECH", passes{private: true}, `1 . mandatory="ech" ech="AAA="`, "", false},
		{"an alias", passes{}, `0 www.example.net.`, `0 www.example.net.`, true},
	} {
		t.Run(tc.about, func(t *testing.T) {
			rr, err := dns.NewRR("www.example.com. 300 HTTPS " + tc.record)
			if err != nil {
				t.Fatal(err)
			}
			raw := new(dns.RFC3597)
			if err := raw.ToRFC3597(rr); err != nil {
				t.Fatal(err)
			}
			raw.Hdr.Rrtype = dns.TypeHTTPS
			sig := &dns.RRSIG{Hdr: dns.RR_Header{Rrtype: dns.TypeRRSIG}, TypeCovered: dns.TypeHTTPS}
			other := &dns.RRSIG{Hdr: dns.RR_Header{Rrtype: dns.TypeRRSIG}, TypeCovered: dns.TypeCNAME}
			kept, changed := restrain([]dns.RR{raw, sig, other}, tc.may)
			if changed == tc.unaffected {
				t.Errorf("changed: %v", changed)
			}
			if wanted := map[bool]int{true: 1, false: 0}[tc.kept != ""] + 1 + map[bool]int{true: 1, false: 0}[tc.unaffected]; len(kept) != wanted {
				t.Fatalf("%d records are left, not %d: %v", len(kept), wanted, kept)
			}
			if tc.kept == "" {
				return
			}
			b := make([]byte, 512)
			n, err := dns.PackRR(kept[0], b, 0, nil, false)
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := dns.UnpackRR(b[:n], 0)
			if err != nil {
				t.Fatal(err)
			}
			if text := got.String(); !strings.HasSuffix(text, "\t"+tc.kept) {
				t.Errorf("got %s, want %s", text, tc.kept)
			}
		})
	}
}

func FuzzRestrainBinding(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x00\x00\x00\x02\x00\x04\x00\x04\x00\x04\x0a\x00\x00\x01\x00\x05\x00\x02\x00\x00"), true, false)
	f.Fuzz(func(t *testing.T, data []byte, private, ech bool) {
		p := passes{private, ech}
		kept, ok := restrainBinding(data, p)
		if !ok {
			return
		}
		if len(kept) > len(data) {
			t.Fatal("it grew")
		}
		if again, ok := restrainBinding(kept, p); !ok || string(again) != string(kept) {
			t.Fatalf("restrained again, %x becomes %x, %v", kept, again, ok)
		}
	})
}
