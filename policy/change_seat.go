package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// AddSeat makes a seat, with its first holder and workstations if they are given.
type AddSeat struct {
	ID      string       `json:"id"`
	Name    string       `json:"name,omitempty"`
	Office  string       `json:"office"`
	Role    Role         `json:"role,omitempty"` // Manager if empty
	Mailbox string       `json:"mailbox,omitempty"`
	Holder  string       `json:"holder,omitempty"`
	From    Moment       `json:"from,omitempty"` // today if empty
	Hosts   []netip.Addr `json:"hosts,omitempty"`
}

// Kind names the change in the journal.
func (AddSeat) Kind() string { return "seat.add" }

// Seated is what a change of a seat leaves: the seat and its workstations.
type Seated struct {
	Seat  *Seat    `json:"seat"`
	Hosts []*Host  `json:"hosts,omitempty"`
	Notes []string `json:"notes,omitempty"` // what may be a slip
}

// seated is the seat as a change leaves it. That a workstation stands in another office's network may be meant, or be an
// address mistaken, which would be without limits.
func (e *Edit) seated(seat *Seat, bound []netip.Addr) Seated {
	out := Seated{Seat: seat, Hosts: e.hostsOf(seat.ID)}
	for _, addr := range bound {
		if network, office, ok := e.NetworkOf(addr); ok && office.ID != seat.Office {
			out.Notes = append(out.Notes, fmt.Sprintf("%s stands in %s, the network of %s: is it the workstation of %s?", addr, network, office.ID, seat.ID))
		}
	}
	return out
}

// Apply makes the change; its body is a Seated.
func (c AddSeat) Apply(e *Edit) (Made, error) {
	if err := CheckID("a seat", c.ID); err != nil {
		return Made{}, err
	}
	if _, ok := e.Seat(c.ID); ok {
		return Made{}, conflict("to give it to somebody else: `usciere seat assign "+c.ID+"`", "seat %s is there already", c.ID)
	}
	s := Seat{ID: c.ID, Name: strings.TrimSpace(c.Name), Office: c.Office, Role: c.Role, Mailbox: c.Mailbox}
	if err := e.checkSeat(&s); err != nil {
		return Made{}, err
	}
	if err := e.checkDay(&c.From); err != nil {
		return Made{}, err
	}
	if holder := strings.TrimSpace(c.Holder); holder != "" {
		if err := CheckText("the holder's name", holder, 200); err != nil {
			return Made{}, err
		}
		s.Holders = []Holder{{Name: holder, From: c.From}}
	}
	if err := e.checkSeatMailbox(&s); err != nil {
		return Made{}, err
	}
	if err := e.checkHoldersMail(&s); err != nil {
		return Made{}, err
	}
	seat, err := e.putSeat(s)
	if err != nil {
		return Made{}, err
	}
	for _, addr := range c.Hosts {
		if err := e.bind(addr, seat, c.From); err != nil {
			return Made{}, err
		}
	}
	return Made{Office: c.Office, Body: e.seated(seat, c.Hosts)}, nil
}

// checkDay fills in today and refuses what is no day.
func (e *Edit) checkDay(day *Moment) error {
	if *day == "" {
		*day = e.Today()
	}
	_, err := ParseDay(string(*day))
	return err
}

// AssignSeat gives a seat to a holder from a day on (R12). No grant changes. With Hosts, the seat's workstations are these
// from that day; without, they stay. With Correct it is the last holding that was entered wrong, and this takes its place.
type AssignSeat struct {
	Based
	Seat    string       `json:"seat"`
	Holder  string       `json:"holder,omitempty"` // empty, with Vacant: nobody
	Vacant  bool         `json:"vacant,omitempty"`
	From    Moment       `json:"from,omitempty"` // today if empty
	Hosts   []netip.Addr `json:"hosts,omitempty"`
	Correct bool         `json:"correct,omitempty"`
}

// Kind names the change in the journal.
func (AssignSeat) Kind() string { return "seat.assign" }

// Apply makes the change; its body is a Seated.
func (c AssignSeat) Apply(e *Edit) (Made, error) {
	old, err := e.seatOf(c.Seat)
	if err != nil {
		return Made{}, err
	}
	if err := c.check("seat "+c.Seat, old.Version); err != nil {
		return Made{}, err
	}
	holder := strings.TrimSpace(c.Holder)
	if (holder == "") != c.Vacant {
		return Made{}, invalid("give --holder \"NAME\", or --vacant", "who is to hold %s?", c.Seat)
	}
	if err := CheckText("the holder's name", holder, 200); err != nil {
		return Made{}, err
	}
	if err := e.checkDay(&c.From); err != nil {
		return Made{}, err
	}
	s := *old
	if c.Correct {
		s.Holders = withoutLast(old.Holders)
	}
	if s.Holders, err = succeed(s.Holders, holder, c.From); err != nil {
		return Made{}, err
	}
	if err := e.checkHoldersMail(&s); err != nil {
		return Made{}, err
	}
	seat, err := e.putSeat(s)
	if err != nil {
		return Made{}, err
	}
	if len(c.Hosts) > 0 {
		if err := e.moveHosts(seat, c.Hosts, c.From); err != nil {
			return Made{}, err
		}
	}
	return Made{Office: s.Office, Body: e.seated(seat, c.Hosts)}, nil
}

// withoutLast takes the last holding back: the one that ended for it goes on.
func withoutLast(holders []Holder) []Holder {
	n := len(holders)
	if n == 0 {
		return nil
	}
	wrong := holders[n-1]
	holders = slices.Clone(holders[:n-1])
	if n > 1 && holders[n-2].Until == wrong.From.DayBefore() {
		holders[n-2].Until = ""
	}
	return holders
}

// succeed ends the last holder the day before and adds the new one; the empty name adds nobody.
func succeed(holders []Holder, name string, from Moment) ([]Holder, error) {
	holders = slices.Clone(holders)
	if n := len(holders); n > 0 {
		last := &holders[n-1]
		if from <= last.From {
			hint := "give a later day with --from, or correct that entry with --correct"
			if name == last.Name {
				hint = "a workstation is added with `usciere host add ADDR --seat ID`; another first day is entered with --correct"
			}
			return nil, conflict(hint, "%s holds the seat from %s", last.Name, last.From)
		}
		if last.Until == "" || from <= last.Until {
			last.Until = from.DayBefore()
		}
	}
	if name != "" {
		holders = append(holders, Holder{Name: name, From: from})
	}
	return holders, nil
}

// RemoveSeat takes a seat out, and with it the bindings of its workstations and its tokens.
type RemoveSeat struct {
	Based
	Seat string `json:"seat"`
}

// Kind names the change in the journal.
func (RemoveSeat) Kind() string { return "seat.remove" }

// Apply makes the change; its body is a *Seat, as it was.
func (c RemoveSeat) Apply(e *Edit) (Made, error) {
	old, err := e.seatOf(c.Seat)
	if err != nil {
		return Made{}, err
	}
	if err := c.check("seat "+c.Seat, old.Version); err != nil {
		return Made{}, err
	}
	return Made{Office: old.Office, Body: old}, e.removeSeat(old)
}

func (e *Edit) removeSeat(s *Seat) error {
	for _, h := range e.hostsOf(s.ID) {
		next := *h
		next.Seats = slices.DeleteFunc(slices.Clone(h.Seats), func(b Binding) bool { return b.Seat == s.ID })
		if err := e.keepHost(next); err != nil {
			return err
		}
	}
	if err := e.endTokens(func(t *Token) bool { return t.Seat == s.ID }); err != nil {
		return err
	}
	e.dropSeat(s.ID)
	return e.tx.Delete(TableSeats, s.ID)
}
