package policy

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Client is who asks: what the address of a workstation says (R9, R12).
type Client struct {
	Addr   netip.Addr
	Inside bool    // of the site
	Office *Office // nil: in none
	Role   Role
	Seat   string   // the seat it is bound to now, if any
	Host   *Host    // its own entry, if any
	Device DeviceID // by which it was recognised, where its own entry says nothing
	Token  string   // that it shows, by which it was recognised wherever it is
	Away   bool     // outside the site, with a token
	number uint32   // of the office, 0: none
}

// Class is a number that two clients inside the site share when their office and role are the same, for the life of a snapshot:
// what one of them may ask, at one time, the other may. It says nothing of hosts and seats.
func (c *Client) Class() uint64 { return uint64(c.number)<<8 | uint64(c.Role.number()) }

// OfficeNumber stands for the client's office for the life of a snapshot; 0: it is in none.
func (c *Client) OfficeNumber() uint32 { return c.number }

// Inside says whether an address is of the site.
func (s *Snapshot) Inside(addr netip.Addr) bool { return s.site.Contains(addr.Unmap().WithZone("")) }

// Who finds the client behind an address at a time: the host's own entry first, a seat it is bound to before what it is
// otherwise, then the seat whose device has the address for now, then the longest prefix of an office. It allocates nothing.
func (s *Snapshot) Who(addr netip.Addr, at time.Time) Client {
	c := Client{Addr: addr.Unmap().WithZone(""), Role: Employee}
	if c.Inside = s.site.Contains(c.Addr); !c.Inside {
		return c
	}
	if m, ok := s.hosts.Lookup(c.Addr); ok {
		c.Host, c.number = m.Host, m.office
		if m.Role != "" {
			c.Role = m.Role
		}
		for i := range m.bound {
			if b := &m.bound[i]; b.holds(at) {
				c.Seat, c.Role, c.number = b.seat, b.role, b.office
				break
			}
		}
	}
	if c.number == 0 && c.Role == Employee && len(s.placed) > 0 { // a host with only a name changes nothing
		if p, ok := s.placed[c.Addr]; ok && p.holds(at) {
			c.Device, c.Seat, c.Role, c.number = p.device, p.seat.ID, p.seat.Role, p.office
		}
	}
	if c.number == 0 {
		c.number, _ = s.networks.Lookup(c.Addr)
	}
	if c.number != 0 {
		c.Office = s.byNumber[c.number-1].Office
	}
	return c
}

// Employee is any restricted workstation of an office, for questions about the office as such.
func (s *Snapshot) Employee(officeID string) (Client, bool) {
	o, ok := s.offices[officeID]
	if !ok {
		return Client{}, false
	}
	return Client{Inside: true, Office: o.Office, Role: Employee, number: o.number}, true
}

// Action is what a verdict says to do.
type Action uint8

// The actions.
const (
	Sinkhole Action = iota // the zero value: what is not allowed
	Allow
	Refuse // nothing for this source
)

func (a Action) String() string { return [...]string{"sinkhole", "allow", "refuse"}[a] }

// Reason is why.
type Reason uint8

// The reasons, in the order of decision.
const (
	NoGrant      Reason = iota // nothing covers the name
	OutsideSite                // the source is none of the town's
	NoOffice                   // inside the site, in no office (R1)
	Unrestricted               // the role has no limits (R9)
	Granted
)

// Verdict is the answer to "may this client ask this name". The rule that decided is Rule(name).
type Verdict struct {
	Action  Action
	Reason  Reason
	Grant   GrantID  // that decided, with Granted
	Service *Service // whose rule it was; nil: the grant's own
	Subject Subject  // of the grant
	kind    RuleKind
	suffix  uint8 // where the rule's name begins in the name asked, in octets
}

// Rule is the domain rule that decided; name is the one that was asked.
func (v *Verdict) Rule(name []byte) Rule { return Rule{v.kind, Name(name[v.suffix:])} }

// Decide judges a question, in this order:
//
//  1. a source outside the site is refused,
//  2. a client in no office is sinkholed, whatever the name (R1),
//  3. an unrestricted role is allowed (R9),
//  4. any grant of the office, of the role or of everyone that covers the name, on its channel, for this type, at this
//     time, allows; the most specific is named: the longest name, an exact rule before a subtree, the office's own before
//     the role's before everyone's, a rule of its own before a service's, the older grant, *.name before .name, the
//     grant's own service before the signature infrastructure that comes with a grant of mail (R4),
//  5. otherwise the name is sinkholed.
//
// Local zones and special names come before it, on the query path. name is in canonical wire form. Decide is pure,
// allocates nothing, and takes as long with a million rules as with five hundred.
func (s *Snapshot) Decide(c *Client, name []byte, t Type, at time.Time) Verdict {
	switch {
	case !c.Inside:
		return Verdict{Action: Refuse, Reason: OutsideSite}
	case c.number == 0:
		return Verdict{Action: Sinkhole, Reason: NoOffice}
	case !c.Role.Restricted():
		return Verdict{Action: Allow, Reason: Unrestricted}
	}
	mail, labels, _ := mailBase(name, t)
	for off, depth := 0, 0; name[off] != 0; depth++ {
		if entries := s.rules.find(name[off:]); len(entries) > 0 {
			if v, ok := s.match(c, entries, question{t, at, mail, depth, depth - labels}); ok {
				v.suffix = uint8(off)
				return v
			}
		}
		off += 1 + int(name[off])
	}
	return Verdict{Action: Sinkhole, Reason: NoGrant}
}

// question is what match needs to know of one, seen from one of the names above.
type question struct {
	t      Type
	at     time.Time
	mail   bool
	depth  int // labels between the name asked and this one
	domain int // labels between the mail domain of the name asked and this one; negative where this one is below it
}

// subjects are whom a client's grants are for, the most specific first.
func (s *Snapshot) subjects(c *Client) [3]struct {
	owner
	holdings
} {
	role := c.Role.number()
	return [...]struct {
		owner
		holdings
	}{
		{ownerOffice | owner(c.number), s.byNumber[c.number-1].holds},
		{ownerRole | owner(role), s.roles[role]},
		{everyone, s.everyone},
	}
}

// match looks among the entries of one name for the best grant of the client.
func (s *Snapshot) match(c *Client, entries []entry, q question) (best Verdict, found bool) {
	top := -1
	subjects := s.subjects(c)
	take := func(kind RuleKind, direct, subject int, grant uint32, sv *Service) {
		rank := direct + 2*(2-subject)
		if kind == Exact {
			rank += 8
		}
		// Where all is alike it is one grant of mail: what comes with it (R4) stands before its own service.
		older := cmp.Or(cmp.Compare(GrantID(grant), best.Grant), cmp.Compare(kind, best.kind)) <= 0
		if rank > top || rank == top && older {
			top, found = rank, true
			best = Verdict{Action: Allow, Reason: Granted, Grant: GrantID(grant), Service: sv, kind: kind, Subject: c.subject(subject)}
		}
	}
	for i := range subjects {
		for _, e := range of(entries, subjects[i].owner) {
			if cond := &s.conds[e.cond]; cond.fits(q) && cond.opens(q.t, q.at, s.town.Zone) {
				take(cond.kind, 1, i, e.grant, nil)
			}
		}
	}
	for _, e := range services(entries) {
		cond := &s.conds[e.cond]
		if !cond.fits(q) {
			continue
		}
		sv := s.servicen[e.owner&^ownerKind-1]
		for i := range subjects {
			for _, h := range subjects[i].of(sv.number) {
				if s.conds[h.cond].opens(q.t, q.at, s.town.Zone) {
					take(cond.kind, 0, i, h.grant, sv.Service)
				}
			}
		}
	}
	return best, found
}

// subject is the i-th of subjects as a record names it.
func (c *Client) subject(i int) Subject {
	switch i {
	case 0:
		return Subject{Office: c.Office.ID}
	case 1:
		return Subject{Role: c.Role}
	default:
		return Subject{Everyone: true}
	}
}

// Exists says whether a grant of the client covers the name, for any type and at any time, or a name below it. Such a name
// must never be answered NXDOMAIN, since a cache would take the granted names with it (RFC 8020); nor must a top-level
// domain of the public DNS.
func (s *Snapshot) Exists(c *Client, name []byte) bool {
	if name[0] == 0 || name[1+int(name[0])] == 0 && isPublic(name) {
		return true
	}
	if c.number == 0 {
		return false
	}
	_, _, base := mailBase(name, TypeSRV)
	if hasLabel(name, "\x04_tcp") || hasLabel(name, "\x04_udp") {
		base = 5 // the mail SRV names of a domain stand below it
	}
	if s.reaches(c, s.marks.find(name), nil) {
		return true
	}
	for off, depth := 0, 0; name[off] != 0; depth++ {
		mailName := off > 0 && off == base
		covers := func(e entry) bool {
			cond := &s.conds[e.cond]
			return depth == 0 || cond.kind != Exact || mailName && cond.mail
		}
		if s.reaches(c, s.rules.find(name[off:]), covers) {
			return true
		}
		off += 1 + int(name[off])
	}
	return false
}

// reaches says whether one of a name's entries that covers holds for is the client's; without covers, any of them.
func (s *Snapshot) reaches(c *Client, entries []entry, covers func(entry) bool) bool {
	if len(entries) == 0 {
		return false
	}
	subjects := s.subjects(c)
	for i := range subjects {
		mine := of(entries, subjects[i].owner)
		if covers == nil && len(mine) > 0 || covers != nil && slices.ContainsFunc(mine, covers) {
			return true
		}
	}
	for _, e := range services(entries) {
		if covers != nil && !covers(e) {
			continue
		}
		for i := range subjects {
			if len(subjects[i].of(uint32(e.owner&^ownerKind))) > 0 {
				return true
			}
		}
	}
	return false
}
