package wire

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"
)

func TestAWholeAddressIsAClient(t *testing.T) {
	subnet := func(family uint16, bits, scope uint8, addr string) dns.EDNS0 {
		return &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: family, SourceNetmask: bits, SourceScope: scope, Address: netip.MustParseAddr(addr).AsSlice()}
	}
	for _, tc := range []struct {
		about   string
		options []dns.EDNS0
		want    string
	}{
		{"IPv4", []dns.EDNS0{subnet(1, 32, 0, "10.20.1.5")}, "10.20.1.5"},
		{"IPv6", []dns.EDNS0{subnet(2, 128, 0, "fd00:20::5")}, "fd00:20::5"},
		{"among others", []dns.EDNS0{&dns.EDNS0_PADDING{Padding: []byte{0, 0}}, subnet(1, 32, 0, "10.20.1.5")}, "10.20.1.5"},
		{"a network", []dns.EDNS0{subnet(1, 24, 0, "10.20.1.0")}, ""},
		{"with a scope", []dns.EDNS0{subnet(1, 32, 32, "10.20.1.5")}, ""},
		{"two", []dns.EDNS0{subnet(1, 32, 0, "10.20.1.5"), subnet(1, 32, 0, "10.20.1.6")}, ""},
		{"of another family", []dns.EDNS0{&dns.EDNS0_LOCAL{Code: dns.EDNS0SUBNET, Data: []byte{0, 2, 32, 0, 10, 20, 1, 5}}}, ""},
		{"short", []dns.EDNS0{&dns.EDNS0_LOCAL{Code: dns.EDNS0SUBNET, Data: []byte{0, 1, 32}}}, ""},
		{"none", nil, ""},
	} {
		t.Run(tc.about, func(t *testing.T) {
			m := new(dns.Msg).SetQuestion("www.inps.it.", dns.TypeA)
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = tc.options
			pkt, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			addr, ok := ClientAddr(pkt)
			if ok != (tc.want != "") || ok && addr.String() != tc.want {
				t.Errorf("%v, %v", addr, ok)
			}
			for n := range pkt {
				if _, ok := ClientAddr(pkt[:n]); ok && tc.want == "" {
					t.Errorf("cut off after %d octets there is one", n)
				}
			}
		})
	}
}

func FuzzClientAddr(f *testing.F) {
	f.Add([]byte("\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x00\x00\x01\x00\x01\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0c\x00\x08\x00\x08\x00\x01\x20\x00\x0a\x14\x01\x05"))
	f.Fuzz(func(t *testing.T, pkt []byte) {
		if addr, ok := ClientAddr(pkt); ok && (!addr.IsValid() || addr.Is4In6()) {
			t.Fatal(addr)
		}
	})
}
