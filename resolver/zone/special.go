package zone

import (
	"fmt"
	"strings"
	"sync"
)

// shape says how a built-in zone answers.
type shape uint8

const (
	empty  shape = iota // the origin has its SOA and the records listed, nothing else exists
	bare                // as empty, but the origin itself owns nothing, not even the SOA of its negative answers
	absent              // nothing exists, not even the origin: NXDOMAIN for all
	blank               // everything exists and owns nothing: NODATA for all but the records listed
)

// special is one built-in zone.
type special struct {
	origin  string
	shape   shape
	records []string
}

// loopback makes a name and all below it the machine itself.
var loopback = []string{"@ A 127.0.0.1", "@ AAAA ::1", "* A 127.0.0.1", "* AAAA ::1"}

// specials are the names that are answered here for everyone, each with its source.
var specials = []special{
	{"localhost", empty, loopback}, // RFC 6761 §6.3
	{"invalid", empty, nil},        // RFC 6761 §6.4
	{"test", empty, nil},           // RFC 6761 §6.2
	{"onion", empty, nil},          // RFC 7686 §2: never asked of the DNS
	{"alt", empty, nil},            // RFC 9476 §2: never a DNS name
	{"internal", empty, nil},       // ICANN Board resolution of 29 July 2024: reserved for private use
	{"home.arpa", empty, nil},      // RFC 8375 §4: answered by a site's own servers only

	// RFC 6762 §3, §22.1: multicast DNS only. Linux workstations (nss-mdns) give multicast DNS up when a unicast server
	// answers a question for this SOA.
	{"local", bare, nil},

	// RFC 9462 §6.4: served locally, NODATA but for what the resolver itself says of what it serves encrypted.
	{"resolver.arpa", blank, nil},

	// Firefox does not turn DNS over HTTPS on by itself where this name does not exist:
	// https://support.mozilla.org/en-US/kb/canary-domain-use-application-dnsnet
	{"use-application-dns.net", absent, nil},

	// Apple devices do not use iCloud Private Relay, and tell their user, where these names do not exist:
	// https://developer.apple.com/icloud/prepare-your-network-for-icloud-private-relay/
	{"mask.icloud.com", absent, nil},
	{"mask-h2.icloud.com", absent, nil},

	// Windows takes a network without these two addresses for one without Internet:
	// https://learn.microsoft.com/en-us/troubleshoot/windows-client/networking/internet-explorer-edge-open-connect-corporate-public-network
	{"dns.msftncsi.com", empty, []string{"@ A 131.107.255.255", "@ AAAA fd3e:4f5a:5b81::1"}},
}

// reverseHead is what RFC 6303 §3 puts at the origin of a reverse zone, but for the 10,800 s of its negative answers: ours are kept
// for as short as all that are made here.
var reverseHead = []string{
	fmt.Sprintf("@ 10800 SOA @ nobody.invalid. 1 3600 1200 604800 %d", madeMinimum),
	"@ 10800 NS @",
}

// reverse are the reverse zones of addresses that mean nothing outside the site.
func reverse() []special {
	origins := []string{
		"10.in-addr.arpa", "168.192.in-addr.arpa", // RFC 6303 §4.1, with 16..31.172 below
		"0.in-addr.arpa", "254.169.in-addr.arpa", "2.0.192.in-addr.arpa", // RFC 6303 §4.2
		"100.51.198.in-addr.arpa", "113.0.203.in-addr.arpa", "255.255.255.255.in-addr.arpa",
		strings.Repeat("0.", 32) + "ip6.arpa",                                  // RFC 6303 §4.3: the unspecified address
		"d.f.ip6.arpa",                                                         // RFC 6303 §4.4: ULA
		"8.e.f.ip6.arpa", "9.e.f.ip6.arpa", "a.e.f.ip6.arpa", "b.e.f.ip6.arpa", // RFC 6303 §4.5: link-local
		"8.b.d.0.1.0.0.2.ip6.arpa", // RFC 6303 §4.6: documentation
	}
	for i := 16; i <= 31; i++ {
		origins = append(origins, fmt.Sprintf("%d.172.in-addr.arpa", i))
	}
	for i := 64; i <= 127; i++ { // RFC 7793: shared address space
		origins = append(origins, fmt.Sprintf("%d.100.in-addr.arpa", i))
	}
	var zones []special
	for _, origin := range origins {
		zones = append(zones, special{origin, empty, reverseHead})
	}
	return append(zones, // RFC 6303 §4.2, §4.3, with the loopback addresses themselves as in RFC 1912 §4.1
		special{"127.in-addr.arpa", empty, append(reverseHead[:2:2], "1.0.0 PTR localhost.")},
		special{"1." + strings.Repeat("0.", 31) + "ip6.arpa", empty, append(reverseHead[:2:2], "@ PTR localhost.")},
	)
}

func (s special) zone() *Zone {
	z, err := FromRecords(s.origin, s.records)
	if err != nil {
		panic("built-in " + err.Error())
	}
	apex := string(z.apex)
	switch s.shape {
	case bare:
		z.nodes[apex] = &node{}
	case absent:
		delete(z.nodes, apex)
	case blank:
		z.nodes["\x01*"+apex] = &node{}
	}
	return z
}

var builtIn = sync.OnceValue(func() *Set {
	var zones []*Zone
	for _, s := range append(reverse(), specials...) {
		zones = append(zones, s.zone())
	}
	return NewSet(zones...)
})

// Empty is the set of built-in zones: the reverse zones of RFC 6303 and RFC 7793, and the special names that are never asked
// of an upstream. A zone or forward of the operator's own goes before them. It is built once.
func Empty() *Set { return builtIn() }
