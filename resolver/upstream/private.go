package upstream

import (
	"encoding/hex"
	"net/netip"
	"slices"

	"github.com/miekg/dns"
)

// nat64 is the well-known prefix that carries an IPv4 address in its last four octets (RFC 6052 §2.1).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// sharedSpace is the address space of carriers' translators (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// isPrivate says whether an address belongs to a local network or to the machine itself: a name outside that has such an
// address would lead a browser into the LAN (DNS rebinding).
func isPrivate(a netip.Addr) bool {
	a = a.Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified() || sharedSpace.Contains(a) ||
		a.Is4() && a.As4()[0] == 0
}

// withoutPrivate drops the address records that lead into local networks.
func withoutPrivate(records []dns.RR) []dns.RR {
	return slices.DeleteFunc(records, func(rr dns.RR) bool {
		raw, ok := rr.(*dns.RFC3597) // as readRecord reads addresses: their length is right
		if !ok || raw.Hdr.Rrtype != dns.TypeA && raw.Hdr.Rrtype != dns.TypeAAAA {
			return false
		}
		octets, err := hex.DecodeString(raw.Rdata)
		a, ok := netip.AddrFromSlice(octets)
		return err != nil || !ok || isPrivate(a)
	})
}

// mayBePrivate says whether a name is at or below one of the domains whose addresses may be private.
func (g *Group) mayBePrivate(name string) bool {
	if !g.cfg.Outside {
		return true
	}
	for off := 0; ; off += 1 + int(name[off]) {
		if slices.Contains(g.cfg.Private, name[off:]) {
			return true
		}
		if name[off] == 0 {
			return false
		}
	}
}
