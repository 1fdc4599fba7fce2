package policy

import (
	"net/netip"
	"slices"
	"strings"
)

// The changes of this file put a whole record in the place of what is there, as a document that describes the town needs it.

// SetSeat makes a seat what it says, with all who held, hold and will hold it; a seat that is not there is made. Its
// workstations are not its own: they are bound to it by SetHost.
type SetSeat struct {
	Based
	ID      string   `json:"id"`
	Name    string   `json:"name,omitempty"`
	Office  string   `json:"office"`
	Role    Role     `json:"role,omitempty"` // Manager if empty
	Mailbox string   `json:"mailbox,omitempty"`
	Holders []Holder `json:"holders,omitempty"` // in order of time, without overlaps
	Devices []Device `json:"devices,omitempty"`
}

// Kind names the change in the journal.
func (SetSeat) Kind() string { return "seat.set" }

// Apply makes the change; its body is a Seated.
func (c SetSeat) Apply(e *Edit) (Made, error) {
	if err := CheckID("a seat", c.ID); err != nil {
		return Made{}, err
	}
	old, exists := e.Seat(c.ID)
	if exists {
		if err := c.check("seat "+c.ID, old.Version); err != nil {
			return Made{}, err
		}
	}
	s := Seat{ID: c.ID, Name: strings.TrimSpace(c.Name), Office: c.Office, Role: c.Role, Mailbox: c.Mailbox, Holders: slices.Clone(c.Holders)}
	if err := e.checkSeat(&s); err != nil {
		return Made{}, err
	}
	if err := checkHolders(s.Holders); err != nil {
		return Made{}, err
	}
	if !exists || old.Mailbox != s.Mailbox {
		if err := e.checkSeatMailbox(&s); err != nil {
			return Made{}, err
		}
	}
	if err := e.checkHoldersMail(&s); err != nil {
		return Made{}, err
	}
	var err error
	if s.Devices, err = e.checkDevices(c.ID, slices.Clone(c.Devices)); err != nil {
		return Made{}, err
	}
	seat, err := e.putSeat(s)
	if err != nil {
		return Made{}, err
	}
	hosts := e.hostsOf(c.ID)
	for _, h := range hosts {
		e.setHost(h) // its role and office are the seat's
	}
	return Made{Office: c.Office, Body: Seated{Seat: seat, Hosts: hosts}}, nil
}

// checkSeat checks what a seat is, but who holds it; it fills in the role.
func (e *Edit) checkSeat(s *Seat) error {
	if _, err := e.officeOf(s.Office); err != nil {
		return err
	}
	if s.Role == "" {
		s.Role = Manager
	}
	if s.Role == Server {
		return invalid("enter the machine with `usciere host add ADDR --role server`", "a seat is held by a person: it cannot be a server")
	}
	if err := CheckText("the name", s.Name, 200); err != nil {
		return err
	}
	return checkMailbox(s.Mailbox)
}

// checkHolders checks who held a seat when.
func checkHolders(holders []Holder) error {
	for i := range holders {
		h := &holders[i]
		if h.Name = strings.TrimSpace(h.Name); h.Name == "" {
			return invalid("leave the holder out while nobody holds the seat", "a holder has no name")
		}
		if err := CheckText("the holder's name", h.Name, 200); err != nil {
			return err
		}
		if err := checkDays(h.From, h.Until); err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		if last := holders[i-1]; last.Until == "" || h.From <= last.Until {
			return invalid("write the holders in order of time, each until the day before the next", "%s holds the seat from %s, but %s holds it%s",
				h.Name, h.From, last.Name, orOpen(last.Until))
		}
	}
	return nil
}

// checkDays checks a stretch of days with a beginning.
func checkDays(from, until Moment) error {
	if _, err := ParseDay(string(from)); err != nil {
		return err
	}
	if until == "" {
		return nil
	}
	if _, err := ParseDay(string(until)); err != nil {
		return err
	}
	if until < from {
		return invalid("turn them round", "it would end (%s) before it begins (%s)", until, from)
	}
	return nil
}

func orOpen(m Moment) string {
	if m == "" {
		return " without an end"
	}
	return until(m)
}

// SetHost makes a machine's entry what it says, with all its bindings to seats; an entry that is not there is made.
type SetHost struct {
	Based
	Addr   netip.Addr `json:"addr"`
	Name   string     `json:"name,omitempty"`
	Office string     `json:"office,omitempty"` // empty: what the network says
	Role   Role       `json:"role,omitempty"`   // Employee (also when empty) or Server
	Seats  []Binding  `json:"seats,omitempty"`  // in order of time, without overlaps
}

// Kind names the change in the journal.
func (SetHost) Kind() string { return "host.set" }

// Apply makes the change; its body is a *Host.
func (c SetHost) Apply(e *Edit) (Made, error) {
	if err := e.checkHostAddr(c.Addr); err != nil {
		return Made{}, err
	}
	if old, ok := e.Host(c.Addr); ok {
		if err := c.check("host "+c.Addr.String(), old.Version); err != nil {
			return Made{}, err
		}
	}
	h := Host{Addr: c.Addr, Name: c.Name, Office: c.Office, Seats: slices.Clone(c.Seats)}
	switch {
	case !c.Role.Restricted():
		return Made{}, invalid("make a seat with that role and bind the workstation to it", "role %s belongs to a seat, not to a machine", c.Role)
	case c.Role == Server && len(c.Seats) > 0:
		return Made{}, conflict("take the one or the other away", "%s is a server: it cannot be the workstation of the seat %s", c.Addr, c.Seats[0].Seat)
	case c.Role == Server:
		h.Role = Server
	}
	if c.Office != "" {
		if _, err := e.officeOf(c.Office); err != nil {
			return Made{}, err
		}
	}
	if err := CheckText("the name", c.Name, 100); err != nil {
		return Made{}, err
	}
	if err := e.checkBindings(&h); err != nil {
		return Made{}, err
	}
	if h.Name == "" && h.Office == "" && h.Role == "" && len(h.Seats) == 0 {
		return Made{}, invalid("give its office, the role server, a name or a seat, or leave it out", "nothing is said of %s that its network does not say", c.Addr)
	}
	out, err := e.putHost(h)
	return Made{Office: h.Office, Body: out}, err
}

// checkBindings checks to which seats a machine is bound when.
func (e *Edit) checkBindings(h *Host) error {
	for i, b := range h.Seats {
		if _, err := e.seatOf(b.Seat); err != nil {
			return err
		}
		if err := checkDays(b.From, b.Until); err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		if last := h.Seats[i-1]; last.Until == "" || b.From <= last.Until {
			return conflict("end the one before the other begins", "%s is bound to the seat %s from %s, but to the seat %s%s",
				h.Addr, b.Seat, b.From, last.Seat, orOpen(last.Until))
		}
	}
	return nil
}
