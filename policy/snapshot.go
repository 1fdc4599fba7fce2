package policy

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/gaissmai/bart"
)

// Snapshot is the whole of the rules at one moment, immutable and safe for any number of readers. The next one is made from
// it by touching only what a change touches. It holds what a decision needs and the few records that are shown with it;
// grants and requests as written stay in the store.
type Snapshot struct {
	version uint64
	town    Town
	site    *bart.Lite

	networks *bart.Table[uint32]   // prefix → number of the office that owns it
	hosts    *bart.Table[*machine] // single addresses, before networks

	offices  map[string]*office
	byNumber []*office // number-1 → office; nil where one was removed
	seats    map[string]*Seat
	devices  map[DeviceID]*Seat       // of seats, by themselves
	seen     Sightings                // that placed was made of
	placed   map[netip.Addr]placement // the devices of seats, where they are; after hosts
	tokens   map[string]*bearer       // by id
	shown    map[Hash]*bearer         // the same
	services map[string]*service
	servicen []*service // number-1 → service; nil where there is none

	everyone holdings
	roles    [len(roleNumbers)]holdings
	rules    index       // of the grants in force and of all services
	marks    index       // the names above them, for Exists
	conds    []condition // 0 is isMark
	grants   int         // in the rules

	certificates bool // are among the tokens
}

// Town is what the settings say of the town: its own networks, outside which nobody is answered, and its clock.
type Town struct {
	Site []netip.Prefix
	Zone *time.Location
}

// office is an office with what is looked up by it. Its number stands for it in the index, for the life of the process.
type office struct {
	*Office
	number uint32
	holds  holdings
}

// service is a service with its number.
type service struct {
	*Service
	number uint32
	used   int // grants of it
}

// machine is a host as the query path needs it.
type machine struct {
	*Host
	office uint32 // 0: what the network says
	bound  []boundSeat
}

type boundSeat struct {
	span
	seat   string
	office uint32
	role   Role
}

// signatureNumber is the number of the built-in service Signature, also while it is not there: grants of mail hold it.
const signatureNumber = 1

// holdings are the services granted to one subject, sorted by service.
type holdings []held

type held struct{ service, grant, cond uint32 }

func (h held) order(o held) int {
	return cmp.Or(cmp.Compare(h.service, o.service), cmp.Compare(h.cond, o.cond), cmp.Compare(h.grant, o.grant))
}

// of returns the grants of one service.
func (h holdings) of(service uint32) holdings {
	from, _ := slices.BinarySearchFunc(h, service, func(g held, s uint32) int { return cmp.Compare(g.service, s) })
	to := from
	for to < len(h) && h[to].service == service {
		to++
	}
	return h[from:to]
}

var roleNumbers = [...]Role{Employee, Server, Manager, SecretaryGeneral, CouncilPresident, ElectedOfficial}

func (r Role) number() uint32 {
	if i := slices.Index(roleNumbers[:], r); i > 0 {
		return uint32(i)
	}
	return 0
}

func newSnapshot(town Town) *Snapshot {
	s := &Snapshot{
		town:     town,
		site:     new(bart.Lite),
		networks: new(bart.Table[uint32]), hosts: new(bart.Table[*machine]),
		offices: map[string]*office{}, seats: map[string]*Seat{}, services: map[string]*service{}, tokens: map[string]*bearer{}, servicen: make([]*service, signatureNumber),
		rules: newIndex(), marks: newIndex(), conds: make([]condition, 1),
	}
	for _, p := range town.Site {
		s.site.Insert(p.Masked())
	}
	return s
}

// Version is the journal's sequence number of the last change the snapshot holds.
func (s *Snapshot) Version() uint64 { return s.version }

// Town is what the settings said of the town.
func (s *Snapshot) Town() Town { return s.town }

// Counts are how many of each thing the rules have.
type Counts struct {
	Offices  int `json:"offices"`
	Networks int `json:"networks"`
	Hosts    int `json:"hosts"`
	Seats    int `json:"seats"`
	Services int `json:"services"`
	Grants   int `json:"grants"`
}

// Counts counts the rules.
func (s *Snapshot) Counts() Counts {
	return Counts{len(s.offices), s.networks.Size(), s.hosts.Size(), len(s.seats), len(s.services), s.grants}
}

// Office is the office of that id.
func (s *Snapshot) Office(id string) (*Office, bool) {
	if o, ok := s.offices[id]; ok {
		return o.Office, true
	}
	return nil, false
}

// Offices are all offices, by id.
func (s *Snapshot) Offices() []*Office {
	return sorted(s.offices, func(o *office) *Office { return o.Office })
}

// Seat is the seat of that id.
func (s *Snapshot) Seat(id string) (*Seat, bool) {
	seat, ok := s.seats[id]
	return seat, ok
}

// Seats are all seats, by id.
func (s *Snapshot) Seats() []*Seat { return sorted(s.seats, func(x *Seat) *Seat { return x }) }

// Service is the service of that id.
func (s *Snapshot) Service(id string) (*Service, bool) {
	if x, ok := s.services[id]; ok {
		return x.Service, true
	}
	return nil, false
}

// Services are all services, by id.
func (s *Snapshot) Services() []*Service {
	return sorted(s.services, func(x *service) *Service { return x.Service })
}

// Host is the host entered under that address.
func (s *Snapshot) Host(addr netip.Addr) (*Host, bool) {
	if m, ok := s.hosts.Get(hostPrefix(addr)); ok {
		return m.Host, true
	}
	return nil, false
}

// Hosts are all hosts, by address.
func (s *Snapshot) Hosts() []*Host {
	var out []*Host
	for _, m := range s.hosts.AllSorted() {
		out = append(out, m.Host)
	}
	return out
}

// NetworkOf is the longest prefix that covers an address and the office that owns it.
func (s *Snapshot) NetworkOf(addr netip.Addr) (netip.Prefix, *Office, bool) {
	addr = addr.Unmap().WithZone("")
	prefix, number, ok := s.networks.LookupPrefixLPM(hostPrefix(addr))
	if !ok {
		return netip.Prefix{}, nil, false
	}
	return prefix, s.byNumber[number-1].Office, true
}

// NetworksOutside are the office networks that no prefix of the site covers: nobody in them is answered.
func (s *Snapshot) NetworksOutside() []netip.Prefix {
	var out []netip.Prefix
	for p := range s.networks.AllSorted() {
		if !s.insideSite(p) {
			out = append(out, p)
		}
	}
	return out
}

func (s *Snapshot) insideSite(p netip.Prefix) bool {
	return slices.ContainsFunc(s.town.Site, func(site netip.Prefix) bool {
		return site.Addr().Is4() == p.Addr().Is4() && site.Bits() <= p.Bits() && site.Contains(p.Addr())
	})
}

func sorted[V, R any](m map[string]V, record func(V) R) []R {
	out := make([]R, 0, len(m))
	for _, id := range slices.Sorted(maps.Keys(m)) {
		out = append(out, record(m[id]))
	}
	return out
}

func hostPrefix(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	return netip.PrefixFrom(addr, addr.BitLen())
}
