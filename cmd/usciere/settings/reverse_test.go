package settings

import (
	"strings"
	"testing"
)

func TestANetworkStandsForItsReverseZones(t *testing.T) {
	for _, tc := range []struct{ text, zones, wrong string }{
		{"10.20.0.0/16", "20.10.in-addr.arpa", ""},
		{"10.0.0.0/8", "10.in-addr.arpa", ""},
		{"10.20.30.0/24", "30.20.10.in-addr.arpa", ""},
		{"10.20.254.0/23", "254.20.10.in-addr.arpa 255.20.10.in-addr.arpa", ""},
		{"172.16.0.0/14", "16.172.in-addr.arpa 17.172.in-addr.arpa 18.172.in-addr.arpa 19.172.in-addr.arpa", ""},
		{"254.0.0.0/7", "254.in-addr.arpa 255.in-addr.arpa", ""},
		{"fd00:20::/32", "0.2.0.0.0.0.d.f.ip6.arpa", ""},
		{"fd00:20:4::/46", "4.0.0.0.0.2.0.0.0.0.d.f.ip6.arpa 5.0.0.0.0.2.0.0.0.0.d.f.ip6.arpa 6.0.0.0.0.2.0.0.0.0.d.f.ip6.arpa 7.0.0.0.0.2.0.0.0.0.d.f.ip6.arpa", ""},
		{"fc00::/7", "c.f.ip6.arpa d.f.ip6.arpa", ""},
		{"10.20.30.128/25", "", "from /1 to /24"},
		{"0.0.0.0/0", "", "from /1"},
		{"10.20.1.0/16", "", "write 10.20.0.0/16"},
		{"a/b", "", "neither a domain nor a network"},
	} {
		zones, err := reverseZones(tc.text)
		if strings.Join(zones, " ") != tc.zones || (err != nil) != (tc.wrong != "") || err != nil && !strings.Contains(err.Error(), tc.wrong) {
			t.Errorf("%s: %v, %v", tc.text, zones, err)
		}
	}
}
