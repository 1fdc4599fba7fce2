package upstream

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/miekg/dns"
)

// TestDataMustFitItsType cuts and lengthens the data of records, with an RDLENGTH that agrees.
func TestDataMustFitItsType(t *testing.T) {
	for _, tc := range []struct {
		line     string
		shortest int  // octets of data that still fit
		longer   bool // more octets fit, too
	}{
		{"x. 1 A 192.0.2.1", 4, false},
		{"x. 1 AAAA 2001:db8::1", 16, false},
		{"x. 1 NS ns.example.", 12, false},
		{"x. 1 CNAME a.example.", 11, false},
		{"x. 1 DNAME a.example.", 11, false},
		{"x. 1 PTR a.example.", 11, false},
		{"x. 1 SOA a. b. 1 2 3 4 5", 26, false},
		{"x. 1 MX 10 a.", 5, false},
		{"x. 1 SRV 1 2 3 a.", 9, false},
		{`x. 1 NAPTR 1 2 "s" "e" "" b.`, 12, false},
		{`x. 1 TXT "abc"`, 4, true}, // by an empty string
		{"x. 1 DS 1 13 2 0102", 5, true},
		{"x. 1 DNSKEY 257 3 13 c2ln", 5, true},
		{"x. 1 RRSIG A 13 1 1 20300101000000 20200101000000 1 a. c2ln", 22, true},
		{"x. 1 NSEC a. A RRSIG", 4, true},
		{"x. 1 NSEC3 1 0 0 ab 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A", 27, true},
		{"x. 1 HTTPS 1 . alpn=h2", 3, true},
		{"x. 1 CAA 0 issue \"a\"", 7, true},
		{"x. 1 TLSA 3 1 1 0102", 4, true},
		{`x. 1 TYPE65400 \# 2 0102`, 0, true},
	} {
		rr, err := dns.NewRR(tc.line)
		if err != nil {
			t.Fatalf("%s: %v", tc.line, err)
		}
		buf := make([]byte, 512)
		end, err := dns.PackRR(rr, buf, 0, nil, false)
		if err != nil {
			t.Fatalf("%s: %v", tc.line, err)
		}
		const header = 3 + 10 // the owner x. and the fixed part
		whole := end - header
		for n := 0; n <= whole+1; n++ {
			pkt := slices.Clone(buf[:header+n])
			binary.BigEndian.PutUint16(pkt[header-2:], uint16(n))
			want := n >= tc.shortest && (n <= whole || tc.longer)
			got, off, err := readRecord(pkt, 0)
			if (err == nil) != want {
				t.Errorf("%s with %d of %d octets: %v", tc.line, n, whole, err)
			}
			if err != nil {
				continue
			}
			again := make([]byte, 512)
			if m, err := dns.PackRR(got, again, 0, nil, false); err != nil || off != len(pkt) || string(again[:m]) != string(pkt) {
				t.Errorf("%s with %d octets became %x: %v", tc.line, n, again[:m], err)
			}
			// The record must not be taken for whole when the message ends within it.
			if _, _, err := readRecord(pkt[:len(pkt)-1], 0); err == nil {
				t.Errorf("%s is taken when its message ends an octet early", tc.line)
			}
		}
	}
}

func TestOnlyTheOldTypesMayHaveCompressedNames(t *testing.T) {
	const owner = "\x01x\x00"
	record := func(rrtype uint16, data string) []byte {
		b := binary.BigEndian.AppendUint16([]byte(owner), rrtype)
		b = append(b, 0, 1, 0, 0, 0, 60, 0, byte(len(data)))
		return append(b, data...)
	}
	for name, tc := range map[string]struct {
		pkt []byte
		ok  bool
	}{
		"MX":                         {record(dns.TypeMX, "\x00\x0a\x01m\xc0\x00"), true},
		"NSEC":                       {record(dns.TypeNSEC, "\xc0\x00\x00\x01\x40"), false},
		"HTTPS":                      {record(dns.TypeHTTPS, "\x00\x01\xc0\x00"), false},
		"a pointer to itself":        {record(dns.TypeNS, "\xc0\x0d"), false},
		"a pointer behind the end":   {record(dns.TypeNS, "\xc0\xff"), false},
		"a label of a reserved sort": {record(dns.TypeNS, "\x80\x00"), false},
	} {
		if _, _, err := readRecord(tc.pkt, 0); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
