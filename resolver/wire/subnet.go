package wire

import (
	"encoding/binary"
	"net/netip"
)

const optionClientSubnet uint16 = 8 // RFC 7871 §6

// ClientAddr is the whole address in the EDNS Client Subnet option of a query (RFC 7871 §6), as a load balancer puts it there. It is not ok
// when there is none, more than one, or one of less than an address: a network is nobody in particular.
func ClientAddr(pkt []byte) (addr netip.Addr, ok bool) {
	found := 0
	eachOption(pkt, func(code uint16, value []byte) {
		if code == optionClientSubnet {
			found++
			addr, ok = wholeAddr(value)
		}
	})
	return addr, ok && found == 1
}

// wholeAddr reads family, source prefix length, scope prefix length and address.
func wholeAddr(value []byte) (netip.Addr, bool) {
	const inet, inet6 = 1, 2
	if len(value) < 4 || value[3] != 0 { // a query has no scope
		return netip.Addr{}, false
	}
	family, bits := binary.BigEndian.Uint16(value), int(value[2])
	addr, ok := netip.AddrFromSlice(value[4:])
	whole := family == inet && addr.Is4() || family == inet6 && addr.Is6()
	if !ok || !whole || bits != addr.BitLen() {
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}

// eachOption calls fn with the EDNS options of a query; of one that is malformed before its OPT record there are none.
func eachOption(pkt []byte, fn func(code uint16, value []byte)) {
	off, ok := questionsUntil(pkt)
	if !ok {
		return
	}
	for n := recordCount(pkt); n > 0; n-- {
		var r record
		if r, off, ok = recordAt(pkt, off); !ok {
			return
		}
		if r.typ != TypeOPT {
			continue
		}
		for options := r.rdata; len(options) >= 4; {
			end := 4 + int(binary.BigEndian.Uint16(options[2:]))
			if end > len(options) {
				return
			}
			fn(binary.BigEndian.Uint16(options), options[4:end])
			options = options[end:]
		}
		return
	}
}
