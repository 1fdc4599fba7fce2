package policy

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// The functions of this file build a snapshot of everything in a store. They write into it: nobody has it yet.

// Check reads all rules of a store and says what keeps them from being in force.
func Check(store Store) error {
	return store.View(func(tx Tx) error {
		_, err := load(tx, Town{Zone: time.UTC})
		return err
	})
}

// Compile builds the rules that records make, as they are in force in a town.
func Compile(records Reader, town Town) (*Snapshot, error) { return load(records, town) }

// load builds the snapshot of everything in the store.
func load(tx Reader, town Town) (*Snapshot, error) {
	s := newSnapshot(town)
	s.version = tx.Version()
	steps := []func() error{
		func() error { return eachRecord(tx, TableOffices, s.loadOffice) },
		func() error { return eachRecord(tx, TableSeats, s.loadSeat) },
		func() error { return eachRecord(tx, TableHosts, s.loadHost) },
		func() error { return eachRecord(tx, TableTokens, s.loadToken) },
		func() error { s.enterTokens(); return nil },
		func() error {
			return eachRecord(tx, TableServices, func(sv *Service) error {
				s.enterService(sv)
				return nil
			})
		},
		func() error { return s.loadGrants(tx) },
		func() error { s.enterDevices(); return nil },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Snapshot) loadOffice(o *Office) error {
	number := s.enterOffice(o).number
	for _, p := range o.Networks {
		s.networks.Insert(p, number)
	}
	return nil
}

func (s *Snapshot) loadSeat(seat *Seat) error {
	if s.offices[seat.Office] == nil {
		return fmt.Errorf("seat %s belongs to office %s, which is not there", seat.ID, seat.Office)
	}
	s.seats[seat.ID] = seat
	return nil
}

func (s *Snapshot) loadHost(h *Host) error {
	for _, b := range h.Seats {
		if s.seats[b.Seat] == nil {
			return fmt.Errorf("host %s is bound to seat %s, which is not there", h.Addr, b.Seat)
		}
	}
	if h.Office != "" && s.offices[h.Office] == nil {
		return fmt.Errorf("host %s belongs to office %s, which is not there", h.Addr, h.Office)
	}
	s.hosts.Insert(hostPrefix(h.Addr), s.machineOf(h))
	return nil
}

func (s *Snapshot) loadToken(t *Token) error {
	if t.Seat != "" && s.seats[t.Seat] == nil {
		return fmt.Errorf("token %s is of seat %s, which is not there", t.ID, t.Seat)
	}
	s.tokens[t.ID] = &bearer{t, spanOf("", t.Until, s.town.Zone)}
	return nil
}

// loadGrants adds all grants in force, and the rules of the services, which are there already. There may be a million of
// them, so that every processor reads its share.
func (s *Snapshot) loadGrants(tx Reader) error {
	shared := &knownTerms{s: s, places: map[terms]uint32{}}
	loaders := make([]*grantLoader, runtime.GOMAXPROCS(0))
	readers := make([]RecordReader, len(loaders))
	var rules, marks []*gathering
	for i := range loaders {
		l := newGrantLoader(s, shared)
		loaders[i], readers[i] = l, l.read
		rules, marks = append(rules, &l.rules), append(marks, &l.marks)
	}
	if err := tx.Scan(TableGrants, readers); err != nil {
		return err
	}
	for _, sv := range s.services {
		s.eachServiceEntry(sv, loaders[0].gather)
	}
	s.rules, s.marks = indexOf(rules), indexOf(marks)
	for _, l := range loaders {
		s.grants += l.grants
		for _, h := range l.held {
			if !h.along {
				s.servicen[h.service-1].used++
			}
			*s.holdingsOf(h.owner) = append(*s.holdingsOf(h.owner), h.held)
		}
	}
	s.everyone.sort()
	for i := range s.roles {
		s.roles[i].sort()
	}
	for _, o := range s.byNumber {
		o.holds.sort()
	}
	return nil
}

func (h holdings) sort() { slices.SortFunc(h, held.order) }

// holdingsOf is where a snapshot that is being loaded keeps the services of an owner.
func (s *Snapshot) holdingsOf(who owner) *holdings {
	switch number := who &^ ownerKind; who & ownerKind {
	case ownerOffice:
		return &s.byNumber[number-1].holds
	case ownerRole:
		return &s.roles[number]
	default:
		return &s.everyone
	}
}

// knownTerms are the places in Snapshot.conds of the terms met so far, for several loaders.
type knownTerms struct {
	mu     sync.Mutex
	s      *Snapshot
	places map[terms]uint32
}

func (k *knownTerms) place(t terms) uint32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	place, ok := k.places[t]
	if !ok {
		place = k.s.condition(t)
		k.places[t] = place
	}
	return place
}

// grantLoader reads one processor's share of the grants.
type grantLoader struct {
	s      *Snapshot // only read here, but for its conditions
	shared *knownTerms
	conds  [len(kindSigns) + 1]map[string]places // by kind of rule, or of services, and terms as written
	stored storedGrant

	rules, marks gathering
	held         []ownHeld
	grants       int // in force
}

// places are where in Snapshot.conds the conditions of a grant stand.
type places struct {
	own       uint32
	signature uint32 // of what comes with a grant of mail; 0: nothing does
}

type ownHeld struct {
	owner
	held
	along bool // it comes with a grant of something else
}

// ofService is the place of services in grantLoader.conds.
const ofService = RuleKind(len(kindSigns))

func newGrantLoader(s *Snapshot, shared *knownTerms) *grantLoader {
	l := &grantLoader{s: s, shared: shared}
	for i := range l.conds {
		l.conds[i] = map[string]places{}
	}
	return l
}

func (l *grantLoader) gather(e entry) {
	if e.cond == isMark {
		l.marks.addMark(e)
	} else {
		l.rules.add(e)
	}
}

// read takes in one grant. What is not plain, or refers to what the loader has not met yet, is decoded in full.
func (l *grantLoader) read(text []byte, decode func(into any) error) error {
	plain := l.stored.read(text)
	if plain && (l.stored.revoked || l.addStored()) {
		return nil
	}
	var g Grant
	if err := decode(&g); err != nil {
		return err
	}
	if g.Revoked != nil {
		return nil
	}
	if g.Office != "" && l.s.offices[g.Office] == nil || g.Rule == nil && l.s.services[g.Service] == nil {
		return fmt.Errorf("grant %s is for %s on %s, one of which is not there", g.ID, g.Subject, g.Opens())
	}
	at, kind := places{own: l.shared.place(g.terms())}, ofService
	if t, ok := g.signatureTerms(); ok {
		at.signature = l.shared.place(t)
	}
	if g.Rule != nil {
		kind = g.Rule.Kind
		l.addRule([]byte(g.Rule.Name), l.s.owner(g.Subject), g.ID, at)
	} else {
		l.addService(l.s.services[g.Service], l.s.owner(g.Subject), g.ID, at)
	}
	if plain {
		l.conds[kind][string(l.stored.terms)] = at
	}
	return nil
}

// addStored adds the grant that was read, if its office, service and terms are known.
func (l *grantLoader) addStored() bool {
	g := &l.stored
	who := everyone
	if len(g.office) > 0 {
		o := l.s.offices[string(g.office)]
		if o == nil {
			return false
		}
		who = ownerOffice | owner(o.number)
	}
	kind := g.kind
	if !g.rule {
		kind = ofService
	}
	at, known := l.conds[kind][string(g.terms)]
	if !known {
		return false
	}
	if g.rule {
		l.addRule(g.name(), who, g.id, at)
		return true
	}
	sv := l.s.services[string(g.service)]
	if sv != nil {
		l.addService(sv, who, g.id, at)
	}
	return sv != nil
}

func (l *grantLoader) addRule(name []byte, who owner, id GrantID, at places) {
	l.grants++
	eachEntry(name, who, uint32(id), at.own, l.gather)
	l.addSignature(who, id, at)
}

func (l *grantLoader) addService(sv *service, who owner, id GrantID, at places) {
	l.grants++
	l.held = append(l.held, ownHeld{who, held{sv.number, uint32(id), at.own}, false})
	l.addSignature(who, id, at)
}

// addSignature adds the signature infrastructure that comes with a grant of mail (R4).
func (l *grantLoader) addSignature(who owner, id GrantID, at places) {
	if at.signature != isMark {
		l.held = append(l.held, ownHeld{who, held{signatureNumber, uint32(id), at.signature}, true})
	}
}
