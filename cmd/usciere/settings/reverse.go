package settings

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Domains are the zones of a forward as domains: a network stands for its reverse zones.
func Domains(zones []string) (out []string) {
	for _, text := range zones {
		reverse, err := reverseZones(text)
		if !strings.Contains(text, "/") || err != nil {
			reverse = []string{text}
		}
		out = append(out, reverse...)
	}
	return out
}

// reverseZones are those of a network (RFC 1035 §3.5, RFC 3596 §2.5): one, or as many as it has parts of whole octets, of IPv6 of four bits.
func reverseZones(text string) (zones []string, err error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, fmt.Errorf("%s is neither a domain nor a network such as 10.20.0.0/16", quoteShort(text))
	}
	if p != p.Masked() {
		return nil, fmt.Errorf("%s has bits beyond its length: write %s", text, p.Masked())
	}
	step, most := 8, 24
	if p.Addr().Is6() {
		step, most = 4, 124
	}
	if p.Bits() == 0 || p.Bits() > most {
		return nil, errors.New(text + " has no reverse zones of its own: write a network from /1 to /" + strconv.Itoa(most))
	}
	whole := (p.Bits() + step - 1) / step * step
	addr := p.Addr().AsSlice()
	for range 1 << (whole - p.Bits()) {
		zones = append(zones, reverseZone(addr, whole/step, step))
		for i, carry := whole/8-1+(whole%8+7)/8, byte(1)<<((8-whole%8)%8); carry != 0 && i >= 0; i-- { // the next network
			sum := int(addr[i]) + int(carry)
			addr[i], carry = byte(sum), byte(sum>>8)
		}
	}
	return zones, nil
}

// reverseZone is the zone of the first parts of an address, of eight or four bits each.
func reverseZone(addr []byte, parts, bits int) string {
	var labels []string
	for i := range parts {
		switch {
		case bits == 8:
			labels = append(labels, strconv.Itoa(int(addr[i])))
		case i%2 == 0:
			labels = append(labels, strconv.FormatUint(uint64(addr[i/2]>>4), 16))
		default:
			labels = append(labels, strconv.FormatUint(uint64(addr[i/2]&0xf), 16))
		}
	}
	slices.Reverse(labels)
	if bits == 8 {
		return strings.Join(labels, ".") + ".in-addr.arpa"
	}
	return strings.Join(labels, ".") + ".ip6.arpa"
}
