// Package resolver is the query path: from the bytes of a question to the bytes of its one reply. The order of decision
// stands in query.go; every reply that is made here rather than upstream is in sinkhole.go and local.go.
package resolver

import (
	"fmt"
	"hash/fnv"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"usciere/policy"
	"usciere/resolver/answercache"
	"usciere/resolver/owners"
	"usciere/resolver/tally"
	"usciere/resolver/tap"
	"usciere/resolver/upstream"
	"usciere/resolver/zone"
)

// Resolver answers questions by the rules in force. It is a listen.Handler.
type Resolver struct {
	rules    *policy.Live
	cache    *answercache.Cache
	setup    atomic.Pointer[setup]
	now      func() time.Time
	targets  *targets
	owners   *owners.Memory
	flood    flood
	counters [lanes]counters
	fast     [lanes]fastpath
	others   struct { // questions that the fast path was not free for, by office
		mu     sync.Mutex
		counts officeCounts
	}
	waits waits
	tap   tap.Tap

	prefetching atomic.Int32 // answers being refreshed before their end
	// after calls a function after a time, unless it is stopped: time.AfterFunc.
	after func(time.Duration, func()) (stop func() bool)
}

// Setup is what the settings say of the resolver and a reload can change.
type Setup struct {
	Upstream  *upstream.Group // for every name that no local zone or forward covers
	Zones     []LocalZone
	Forwards  []Forward
	Sinkhole  Sinkhole
	Portal    policy.Name // under which the page itself is reached; empty: there is none
	Security  Security
	Identity  Identity
	Encrypted Encrypted
	Cookies   CookieSecret   // of this server, or of several behind one address
	Strangers int            // replies in a second to a network outside the site, over UDP; 0: as many as are asked for
	Tally     *tally.Tally   // counts for which names offices ask; nil: nothing does
	Fronts    []netip.Prefix // load balancers that name the client in the question (RFC 7871)
	ClientTTL uint32         // seconds: the longest TTL a client is told
}

// LocalZone is a zone answered here, and for whom (R2).
type LocalZone struct {
	Zone    *zone.Zone
	Offices map[string]policy.Moment // office id → day from which it sees the zone; nil: everybody inside the site
}

// Forward sends the names of some zones to servers of their own: Active Directory, the LAN's reverse zones.
type Forward struct {
	Zones []policy.Name
	Group *upstream.Group
}

// Sinkhole says how a name that is not allowed is answered.
type Sinkhole struct {
	Mode      policy.Mode  // where the office says nothing else
	Addresses []netip.Addr // of the block page; empty: the address the client asked
	Contact   string       // how to ask for a name, for the client to read
}

// New makes a resolver. The setup follows with Use. Questions under way end with their group of upstream servers.
func New(rules *policy.Live, cache *answercache.Cache, now func() time.Time) *Resolver {
	return &Resolver{rules: rules, cache: cache, now: now, targets: newTargets(), owners: owners.New(owners.MaxNames, nil), after: after}
}

func after(d time.Duration, do func()) (stop func() bool) {
	return time.AfterFunc(d, do).Stop
}

// Use puts a setup in force, for the very next question. What other servers said is forgotten, and what failed is asked again.
func (r *Resolver) Use(s Setup) {
	next := compile(s)
	r.setup.Store(next)
	r.cache.Keep(func(number uint64) bool {
		_, ok := next.numbers[number]
		return ok
	})
	r.cache.ForgetFailures()
}

// setup is a Setup made ready for the query path.
type setup struct {
	Setup
	locals  map[string][]local // canonical name of an origin → what stands there
	above   map[string][]local // canonical name → what stands below it
	special *zone.Set
	nsid    []byte
	number  uint64                 // of the upstream, in the answer cache
	numbers map[uint64]policy.Name // of a group → the first zone of its forward; of the upstream nothing
}

// local is a zone, or a forward when Zone is nil.
type local struct {
	LocalZone
	origin policy.Name
	group  *upstream.Group
	number uint64 // of the group, in the answer cache
}

// compile indexes a setup by name.
func compile(s Setup) *setup {
	out := &setup{Setup: s, locals: map[string][]local{}, above: map[string][]local{}, special: zone.Empty(), nsid: []byte(s.Identity.NSID)}
	out.number = numberOf(nil, s.Upstream)
	out.numbers = map[uint64]policy.Name{out.number: ""}
	add := func(origin policy.Name, l local) {
		l.origin = origin
		out.locals[string(origin)] = append(out.locals[string(origin)], l)
		for n := origin; n != policy.Root; {
			n = n.Parent()
			out.above[string(n)] = append(out.above[string(n)], l)
		}
	}
	for _, z := range s.Zones {
		if origin, err := policy.ParseName(z.Zone.Origin()); err == nil { // a loaded zone has a sound origin
			add(origin, local{LocalZone: z})
		}
	}
	for _, f := range s.Forwards {
		number := numberOf(f.Zones, f.Group)
		for _, name := range f.Zones {
			out.numbers[number] = f.Zones[0]
			add(name, local{group: f.Group, number: number})
		}
	}
	out.standPortal()
	return out
}

// numberOf is a group's number in the answer cache: another one when other servers are asked, for other zones (none: for
// every name), or believed or restrained otherwise, so that no answer is taken for theirs; the same after a restart.
func numberOf(zones []policy.Name, g *upstream.Group) uint64 {
	h := fnv.New64a()
	for _, name := range zones {
		_, _ = io.WriteString(h, string(name))
	}
	for _, s := range g.Servers() {
		_, _ = fmt.Fprint(h, " ", s.Addr, s.Over, s.Name)
	}
	_, _ = fmt.Fprint(h, " ", g.Restraint())
	return h.Sum64()
}

// standsAbove says whether a zone or forward that the client sees, or a built-in zone, lies below the name: such a name exists, whatever the rest
// of the DNS says, or a cache that heard NXDOMAIN would take the zone with it (RFC 8020).
func (s *setup) standsAbove(name []byte, c *policy.Client, at time.Time, town policy.Town) bool {
	below := s.above[string(name)]
	for i := range below {
		if below[i].visible(c, at, town) {
			return true
		}
	}
	return s.special.StandsAbove(name)
}

// localOf is the most specific zone or forward over a name that the client sees.
func (s *setup) localOf(c *policy.Client, name []byte, at time.Time, town policy.Town) (*local, bool) {
	for off := 0; len(s.locals) > 0; off += 1 + int(name[off]) {
		here := s.locals[string(name[off:])]
		for i := range here {
			if here[i].visible(c, at, town) {
				return &here[i], true
			}
		}
		if name[off] == 0 {
			break
		}
	}
	return nil, false
}

// forward is the origin of a forward; of a zone nothing.
func (l *local) forward() policy.Name {
	if l.Zone != nil {
		return ""
	}
	return l.origin
}

// visible says whether the client sees the zone at a time. A forward is seen by everybody.
func (z *LocalZone) visible(c *policy.Client, at time.Time, town policy.Town) bool {
	if z.Offices == nil {
		return true
	}
	if c.Office == nil {
		return false
	}
	from, ok := z.Offices[c.Office.ID]
	return ok && !at.Before(from.Start(town.Zone))
}
