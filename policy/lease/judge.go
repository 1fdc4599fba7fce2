package lease

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"usciere/policy"
)

// Sight is a machine at an address: by a lease, or as a neighbour. It is in force, and then the rules know of it, if nothing speaks
// against it.
type Sight struct {
	Lease
	Source  string // "dnsmasq /var/lib/misc/dnsmasq.leases"; "neighbour" for one that is no lease
	Against string // why it is not in force; empty: it is
}

// neighbours are the hardware addresses of the machines on the same link. Fresh says that the kernel heard of it just now.
type neighbours map[netip.Addr]neighbour

type neighbour struct {
	mac   policy.DeviceID
	fresh bool
}

// judge says which machine is where at a time, by order of addresses:
//
//   - of two machines at one address, neither is there;
//   - a neighbour that is not the machine of the lease is a stranger, and the address nobody's;
//   - a machine that has leases of more than one address of a family is where it got the newest: it moved. If that cannot be told, it
//     is nowhere;
//   - a name that two machines give is nobody's;
//   - beside its leases, a machine has every IPv6 address at which it is a neighbour, such as the temporary ones (RFC 8981).
func judge(all []Sight, near neighbours, at time.Time) []Sight {
	sights := slices.DeleteFunc(slices.Clone(all), func(s Sight) bool { return !s.Until.IsZero() && !at.Before(s.Until) })
	sights = merge(sights)
	contestAddresses(sights, near)
	moved(sights)
	contestNames(sights)
	sights = append(sights, follow(sights, near)...)
	slices.SortFunc(sights, func(a, b Sight) int {
		return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.MAC, b.MAC), cmp.Compare(a.Source, b.Source))
	})
	return sights
}

// merge leaves one of what several servers say of one machine at one address: the one that lasts longest.
func merge(sights []Sight) []Sight {
	type place struct {
		addr netip.Addr
		mac  policy.DeviceID
	}
	best := map[place]Sight{}
	for _, s := range sights {
		k := place{s.Addr, s.MAC}
		if other, ok := best[k]; !ok || later(s.Until, other.Until) {
			best[k] = s
		}
	}
	out := make([]Sight, 0, len(best))
	for _, s := range best {
		out = append(out, s)
	}
	return out
}

// later says whether a lease ends after another; without end is latest.
func later(a, b time.Time) bool { return !b.IsZero() && (a.IsZero() || a.After(b)) }

func contestAddresses(sights []Sight, near neighbours) {
	by := map[netip.Addr][]int{}
	for i, s := range sights {
		by[s.Addr] = append(by[s.Addr], i)
	}
	for addr, at := range by {
		n, isNear := near[addr]
		for _, i := range at {
			s := &sights[i]
			switch {
			case len(at) > 1:
				s.Against = fmt.Sprintf("contested: %d machines have leases of the address", len(at))
			case isNear && n.fresh && s.MAC != "" && n.mac != s.MAC:
				s.Against = fmt.Sprintf("contested: the machine at the address is %s", n.mac)
			}
		}
	}
}

// moved leaves of a machine's leases in one family the newest, if it can be told.
func moved(sights []Sight) {
	type family struct {
		mac policy.DeviceID
		v4  bool
	}
	by := map[family][]int{}
	for i, s := range sights {
		if s.MAC != "" {
			k := family{s.MAC, s.Addr.Is4()}
			by[k] = append(by[k], i)
		}
	}
	for _, at := range by {
		if len(at) < 2 {
			continue
		}
		slices.SortFunc(at, func(i, j int) int { return newer(sights[j], sights[i]) })
		first, second := sights[at[0]], sights[at[1]]
		for n, i := range at {
			s := &sights[i]
			switch {
			case s.Against != "":
			case newer(first, second) == 0:
				s.Against = "contested: the machine has leases of more than one address, and which is the newest cannot be told"
			case n > 0:
				s.Against = fmt.Sprintf("moved to %s", first.Addr)
			}
		}
	}
}

// newer compares two leases of one machine by when it last spoke of them, or if that is not known by their ends; what is alike in that,
// servers counting seconds, by where they stand in the log of one server.
func newer(a, b Sight) int {
	switch {
	case !a.Since.IsZero() && !b.Since.IsZero() && !a.Since.Equal(b.Since):
		return a.Since.Compare(b.Since)
	case a.Source == b.Source && a.order > 0 && b.order > 0:
		return cmp.Compare(a.order, b.order)
	case !a.Since.IsZero() && !b.Since.IsZero():
		return 0
	case later(a.Until, b.Until):
		return 1
	case later(b.Until, a.Until):
		return -1
	default:
		return 0
	}
}

// contestNames takes the names that more than one machine gives; who gives none of them stays what it is.
func contestNames(sights []Sight) {
	given := map[policy.DeviceID]policy.DeviceID{}
	twice := map[policy.DeviceID]bool{}
	for _, s := range sights {
		if s.Host == "" {
			continue
		}
		if other, ok := given[s.Host]; ok && (other != s.MAC || s.MAC == "") {
			twice[s.Host] = true
		}
		given[s.Host] = s.MAC
	}
	for i := range sights {
		if twice[sights[i].Host] {
			sights[i].Host = ""
		}
	}
}

// follow are the IPv6 addresses that neighbours have without a lease; the name is that of the machine's lease.
func follow(sights []Sight, near neighbours) []Sight {
	leased := map[netip.Addr]bool{}
	host := map[policy.DeviceID]policy.DeviceID{}
	for _, s := range sights {
		leased[s.Addr] = true
		if s.Against == "" && s.MAC != "" && s.Host != "" {
			host[s.MAC] = s.Host
		}
	}
	var out []Sight
	for addr, n := range near {
		if addr.Is6() && !leased[addr] {
			out = append(out, Sight{Lease: Lease{Addr: addr, MAC: n.mac, Host: host[n.mac]}, Source: "neighbour"})
		}
	}
	return out
}

// sightings are those in force, as the rules want them.
func sightings(sights []Sight) policy.Sightings {
	out := policy.Sightings{}
	for _, s := range sights {
		if s.Against == "" {
			out[s.Addr] = policy.Sighting{MAC: s.MAC, Host: s.Host, Until: s.Until}
		}
	}
	return out
}
