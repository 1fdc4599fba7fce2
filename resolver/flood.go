package resolver

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"
)

// flood holds back replies to sources outside the site, of which any may be forged to have them sent to somebody else: so many a second to
// one network, IPv4 /24 or IPv6 /56. It has a fixed number of places, and networks that fall on one share it: they are strangers all.
type flood struct {
	places [floodPlaces]atomic.Uint64 // the second, and how many were let through in it
}

const (
	floodPlaces = 1 << 12
	floodIPv4   = 24
	floodIPv6   = 56
)

var floodSeed = maphash.MakeSeed()

// over says whether one more reply to an address would be too many in this second.
func (f *flood) over(addr netip.Addr, at time.Time, most int) bool {
	if most <= 0 {
		return false
	}
	bits := floodIPv4
	if addr.Is6() {
		bits = floodIPv6
	}
	network, err := addr.Prefix(bits)
	if err != nil {
		return true // of an address that is none
	}
	octets := network.Addr().As16()
	place := &f.places[maphash.Bytes(floodSeed, octets[:])%floodPlaces]
	second := uint64(uint32(at.Unix())) << 32
	for {
		was := place.Load()
		next := second | 1
		if was&^0xffffffff == second {
			next = was + 1
		}
		if next&0xffffffff > uint64(most) {
			return true
		}
		if place.CompareAndSwap(was, next) {
			return false
		}
	}
}
