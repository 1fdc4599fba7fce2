package lease

import (
	"encoding/hex"
	"io"
	"strconv"
	"strings"
)

// readDnsmasq reads dnsmasq's lease file: a line a lease, of its end in seconds since 1970 (0: none), hardware address, address, host
// name or *, and client identifier. After a line that begins with duid, leases are of DHCPv6: with an identity number in place of the
// hardware address, which the client's identifier at the end may have. A line that is none of that is passed over.
func readDnsmasq(r io.Reader, into *leases) error {
	return eachLine(r, func(line string) error {
		l, ok := dnsmasqLine(strings.Fields(line))
		if !ok {
			return nil
		}
		return into.put(l)
	})
}

func dnsmasqLine(f []string) (l Lease, ok bool) {
	if len(f) != 5 {
		return l, false
	}
	end, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		return l, false
	}
	if end != 0 {
		if l.Until, ok = seconds(end); !ok {
			return l, false
		}
	}
	if l.Addr, ok = addrOf(f[2]); !ok {
		return l, false
	}
	if l.Addr.Is6() {
		duid, err := hex.DecodeString(strings.ReplaceAll(f[4], ":", ""))
		if err == nil {
			l.MAC = macOfDUID(duid)
		}
	} else {
		l.MAC = macOf(f[1])
	}
	l.Host = hostOf(f[3])
	return l, true
}
