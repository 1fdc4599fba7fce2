package policy

import (
	"maps"
	"net/netip"
	"slices"
)

// The methods of this file make the next snapshot: they work on a fork that no reader has yet, and replace what they touch
// instead of writing into what the fork shares with its origin.

func (s *Snapshot) fork() *Snapshot {
	next := *s
	return &next
}

// setOffice adds an office or replaces its record; networks are kept apart.
func (s *Snapshot) setOffice(record *Office) {
	s.byNumber, s.offices = slices.Clone(s.byNumber), maps.Clone(s.offices)
	s.enterOffice(record)
}

// enterOffice is setOffice within what is not shared.
func (s *Snapshot) enterOffice(record *Office) *office {
	next := &office{Office: record}
	if old, ok := s.offices[record.ID]; ok {
		next.number, next.holds = old.number, old.holds
		s.byNumber[next.number-1] = next
	} else {
		s.byNumber = append(s.byNumber, next)
		next.number = uint32(len(s.byNumber))
	}
	s.offices[record.ID] = next
	return next
}

// dropOffice takes an office out; its networks, hosts, seats and grants are gone before.
func (s *Snapshot) dropOffice(id string) {
	s.byNumber = slices.Clone(s.byNumber)
	s.byNumber[s.offices[id].number-1] = nil
	s.offices = maps.Clone(s.offices)
	delete(s.offices, id)
}

func (s *Snapshot) setNetwork(p netip.Prefix, officeID string) {
	s.networks = s.networks.InsertPersist(p, s.offices[officeID].number)
}

func (s *Snapshot) dropNetwork(p netip.Prefix) { s.networks = s.networks.DeletePersist(p) }

func (s *Snapshot) setSeat(record *Seat) {
	old := s.seats[record.ID]
	s.seats = maps.Clone(s.seats)
	s.seats[record.ID] = record
	if len(record.Devices) > 0 || old != nil && len(old.Devices) > 0 {
		s.enterDevices()
	}
}

func (s *Snapshot) dropSeat(id string) {
	devices := s.seats[id].Devices
	s.seats = maps.Clone(s.seats)
	delete(s.seats, id)
	if len(devices) > 0 {
		s.enterDevices()
	}
}

// setHost adds or replaces a host; the seats it is bound to and its office are there already.
func (s *Snapshot) setHost(record *Host) {
	s.hosts = s.hosts.InsertPersist(hostPrefix(record.Addr), s.machineOf(record))
}

// machineOf is a host as the query path needs it.
func (s *Snapshot) machineOf(record *Host) *machine {
	m := &machine{Host: record}
	if record.Office != "" {
		m.office = s.offices[record.Office].number
	}
	for _, b := range record.Seats {
		seat := s.seats[b.Seat]
		m.bound = append(m.bound, boundSeat{spanOf(b.From, b.Until, s.town.Zone), seat.ID, s.offices[seat.Office].number, seat.Role})
	}
	return m
}

func (s *Snapshot) dropHost(addr netip.Addr) { s.hosts = s.hosts.DeletePersist(hostPrefix(addr)) }

// setService adds a service or replaces its rules.
func (s *Snapshot) setService(record *Service) {
	if old, ok := s.services[record.ID]; ok {
		s.eachServiceEntry(old, s.takeEntry)
	}
	s.servicen, s.services = slices.Clone(s.servicen), maps.Clone(s.services)
	s.eachServiceEntry(s.enterService(record), s.putEntry)
}

// enterService adds or replaces the record of a service within what is not shared.
func (s *Snapshot) enterService(record *Service) *service {
	next := &service{Service: record}
	switch old, ok := s.services[record.ID]; {
	case ok:
		next.number, next.used = old.number, old.used
		s.servicen[next.number-1] = next
	case record.ID == Signature && record.Builtin:
		next.number = signatureNumber
		s.servicen[next.number-1] = next
	default:
		s.servicen = append(s.servicen, next)
		next.number = uint32(len(s.servicen))
	}
	s.services[record.ID] = next
	return next
}

// dropService takes out a service that nobody is granted.
func (s *Snapshot) dropService(id string) {
	old := s.services[id]
	s.eachServiceEntry(old, s.takeEntry)
	s.servicen = slices.Clone(s.servicen)
	s.servicen[old.number-1] = nil
	s.services = maps.Clone(s.services)
	delete(s.services, id)
}

// countUse notes that a service has n more grants.
func (s *Snapshot) countUse(id string, n int) {
	next := *s.services[id]
	next.used += n
	s.servicen = slices.Clone(s.servicen)
	s.servicen[next.number-1] = &next
	s.services = maps.Clone(s.services)
	s.services[id] = &next
}

func (s *Snapshot) addGrant(g *Grant) {
	s.grants++
	cond := s.condition(g.terms())
	if g.Rule != nil {
		eachEntry([]byte(g.Rule.Name), s.owner(g.Subject), uint32(g.ID), cond, s.putEntry)
	} else {
		s.hold(g.Subject, held{s.services[g.Service].number, uint32(g.ID), cond})
		s.countUse(g.Service, 1)
	}
	if h, ok := s.signatureOf(g); ok {
		s.hold(g.Subject, h)
	}
}

func (s *Snapshot) dropGrant(g *Grant) {
	s.grants--
	cond := s.condition(g.terms())
	if g.Rule != nil {
		eachEntry([]byte(g.Rule.Name), s.owner(g.Subject), uint32(g.ID), cond, s.takeEntry)
	} else {
		s.release(g.Subject, held{s.services[g.Service].number, uint32(g.ID), cond})
		s.countUse(g.Service, -1)
	}
	if h, ok := s.signatureOf(g); ok {
		s.release(g.Subject, h)
	}
}

// signatureOf is what of the signature infrastructure comes with a grant, if it is one of mail (R4).
func (s *Snapshot) signatureOf(g *Grant) (held, bool) {
	t, ok := g.signatureTerms()
	if !ok {
		return held{}, false
	}
	return held{signatureNumber, uint32(g.ID), s.condition(t)}, true
}

func (s *Snapshot) hold(to Subject, h held) {
	s.changeHoldings(to, func(all holdings) holdings {
		i, _ := slices.BinarySearchFunc(all, h, held.order)
		return slices.Insert(slices.Clone(all), i, h)
	})
}

func (s *Snapshot) release(to Subject, h held) {
	s.changeHoldings(to, func(all holdings) holdings {
		return slices.DeleteFunc(slices.Clone(all), func(o held) bool { return o == h })
	})
}

// Twin is a grant with the same subject, rule or service, and terms, if there is one.
func (s *Snapshot) Twin(g *Grant) (GrantID, bool) {
	i := slices.IndexFunc(s.conds, func(c condition) bool { return c.terms == g.terms() })
	if i < 0 {
		return 0, false
	}
	if g.Rule != nil {
		for _, e := range of(s.rules.find([]byte(g.Rule.Name)), s.owner(g.Subject)) {
			if e.cond == uint32(i) {
				return GrantID(e.grant), true
			}
		}
		return 0, false
	}
	for _, h := range s.holdings(g.Subject).of(s.services[g.Service].number) {
		if h.cond == uint32(i) {
			return GrantID(h.grant), true
		}
	}
	return 0, false
}

func (s *Snapshot) holdings(to Subject) holdings {
	switch {
	case to.Everyone:
		return s.everyone
	case to.Role != "":
		return s.roles[to.Role.number()]
	default:
		return s.offices[to.Office].holds
	}
}

func (s *Snapshot) changeHoldings(to Subject, change func(holdings) holdings) {
	all := change(s.holdings(to))
	switch {
	case to.Everyone:
		s.everyone = all
	case to.Role != "":
		s.roles[to.Role.number()] = all
	default:
		next := *s.offices[to.Office]
		next.holds = all
		s.byNumber = slices.Clone(s.byNumber)
		s.byNumber[next.number-1] = &next
		s.offices = maps.Clone(s.offices)
		s.offices[to.Office] = &next
	}
}

func (s *Snapshot) owner(to Subject) owner {
	switch {
	case to.Everyone:
		return everyone
	case to.Role != "":
		return ownerRole | owner(to.Role.number())
	default:
		return ownerOffice | owner(s.offices[to.Office].number)
	}
}

// condition is the place of these terms in conds, where they are added if they are new. Readers of an older snapshot never
// look past its own length.
func (s *Snapshot) condition(t terms) uint32 {
	for i := 1; i < len(s.conds); i++ {
		if s.conds[i].terms == t {
			return uint32(i)
		}
	}
	s.conds = append(s.conds, t.compile(s.town.Zone))
	return uint32(len(s.conds) - 1)
}

// putEntry and takeEntry take entries into the rules or the marks, or out of them.
func (s *Snapshot) putEntry(e entry) {
	if e.cond == isMark {
		s.marks = s.marks.with(e)
	} else {
		s.rules = s.rules.with(e)
	}
}

func (s *Snapshot) takeEntry(e entry) {
	if e.cond == isMark {
		s.marks = s.marks.without(e)
	} else {
		s.rules = s.rules.without(e)
	}
}

// eachEntry gives the entries of a rule, whose name is in wire form: its own, and a mark at each name above it but the root.
func eachEntry(name []byte, who owner, grant, cond uint32, do func(entry)) {
	hi, lo := nameHash(name)
	do(entry{hi, lo, who, grant, cond})
	for name = name[1+name[0]:]; name[0] != 0; name = name[1+name[0]:] {
		hi, lo := nameHash(name)
		do(entry{hi, lo, who, 1, isMark})
	}
}

func (s *Snapshot) eachServiceEntry(sv *service, do func(entry)) {
	for _, r := range sv.Rules {
		t := termsOf(r.Rule.Kind, Web, nil)
		t.mail = sv.Channel == Mail
		eachEntry([]byte(r.Rule.Name), ownerKind|owner(sv.number), 0, s.condition(t), do)
	}
}
