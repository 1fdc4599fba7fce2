package policy

import (
	"net/netip"
	"slices"
)

// AddHost enters a machine by its address: in an office, with a restricted role, or bound to a seat.
type AddHost struct {
	Addr   netip.Addr `json:"addr"`
	Name   string     `json:"name,omitempty"`
	Office string     `json:"office,omitempty"` // empty: what the network says
	Role   Role       `json:"role,omitempty"`   // Employee (also when empty) or Server
	Seat   string     `json:"seat,omitempty"`   // bind it to this seat
	From   Moment     `json:"from,omitempty"`   // of the binding; today if empty
}

// Kind names the change in the journal.
func (AddHost) Kind() string { return "host.add" }

// Apply makes the change; its body is a *Host.
func (c AddHost) Apply(e *Edit) (Made, error) {
	if err := e.checkHostAddr(c.Addr); err != nil {
		return Made{}, err
	}
	if !c.Role.Restricted() {
		return Made{}, invalid("make the seat and bind the workstation to it: `usciere seat add`, `usciere host add "+c.Addr.String()+" --seat ID`",
			"role %s belongs to a seat, not to a machine", c.Role)
	}
	if c.Seat != "" && c.Role == Server {
		return Made{}, invalid("give one of --seat and --role", "a server is bound to no seat")
	}
	if err := CheckText("the name", c.Name, 100); err != nil {
		return Made{}, err
	}
	h := Host{Addr: c.Addr}
	if old, ok := e.Host(c.Addr); ok {
		if c.Seat == "" {
			return Made{}, conflict("remove it first with `usciere host remove "+c.Addr.String()+"`", "host %s is there already", c.Addr)
		}
		h = *old
	}
	if c.Office != "" {
		if _, err := e.officeOf(c.Office); err != nil {
			return Made{}, err
		}
		h.Office = c.Office
	}
	if c.Name != "" {
		h.Name = c.Name
	}
	if c.Role == Server {
		h.Role = Server
	}
	if err := e.keepHost(h); err != nil {
		return Made{}, err
	}
	if c.Seat != "" {
		seat, err := e.seatOf(c.Seat)
		if err != nil {
			return Made{}, err
		}
		if err := e.checkDay(&c.From); err != nil {
			return Made{}, err
		}
		if err := e.bind(c.Addr, seat, c.From); err != nil {
			return Made{}, err
		}
	}
	out, ok := e.Host(c.Addr)
	if !ok {
		return Made{}, invalid("give --office, --role server, --name or --seat", "nothing is said of %s that its network does not say", c.Addr)
	}
	return Made{Office: h.Office, Body: out}, nil
}

func (e *Edit) checkHostAddr(addr netip.Addr) error {
	if !addr.IsValid() || addr.IsUnspecified() || addr.IsMulticast() {
		return invalid("give the address of one machine, such as 10.20.1.9", "%s is no address of a machine", addr)
	}
	if addr.Is4In6() || addr.Zone() != "" {
		return invalid("write "+addr.Unmap().WithZone("").String(), "%s has a zone, or is an IPv4 address in IPv6 clothes", addr)
	}
	if !e.site.Contains(addr) {
		return invalid("add its network to town.site in the settings first, and reload", "%s lies outside the site, where nobody is answered", addr)
	}
	return nil
}

// RemoveHost takes a machine's entry out, and with it its bindings to seats and its tokens.
type RemoveHost struct {
	Based
	Addr netip.Addr `json:"addr"`
}

// Kind names the change in the journal.
func (RemoveHost) Kind() string { return "host.remove" }

// Apply makes the change; its body is a *Host, as it was.
func (c RemoveHost) Apply(e *Edit) (Made, error) {
	old, ok := e.Host(c.Addr)
	if !ok {
		return Made{}, notFound("see `usciere host list`", "there is no host %s", c.Addr)
	}
	if err := c.check("host "+c.Addr.String(), old.Version); err != nil {
		return Made{}, err
	}
	return Made{Office: old.Office, Body: old}, e.deleteHost(old.Addr)
}

// keepHost writes a host, or deletes it when nothing is left to say of it.
func (e *Edit) keepHost(h Host) error {
	if h.Name == "" && h.Office == "" && h.Role == "" && len(h.Seats) == 0 {
		return e.deleteHost(h.Addr)
	}
	_, err := e.putHost(h)
	return err
}

// hostsOf are the hosts that are, were or will be bound to a seat.
func (e *Edit) hostsOf(seat string) []*Host {
	return slices.DeleteFunc(e.Hosts(), func(h *Host) bool {
		return !slices.ContainsFunc(h.Seats, func(b Binding) bool { return b.Seat == seat })
	})
}

// bind ties a workstation to a seat from a day on.
func (e *Edit) bind(addr netip.Addr, s *Seat, from Moment) error {
	if err := e.checkHostAddr(addr); err != nil {
		return err
	}
	h := Host{Addr: addr}
	if old, ok := e.Host(addr); ok {
		h = *old
	}
	if h.Role == Server {
		return conflict("remove it first with `usciere host remove "+addr.String()+"`", "%s is a server: it cannot be a seat's workstation", addr)
	}
	next, others := Binding{Seat: s.ID, From: from}, []Binding(nil)
	for _, b := range h.Seats {
		if b.Seat == s.ID && (b.Until == "" || from <= b.Until) {
			next.From = min(next.From, b.From) // one stretch of time with the new one
			continue
		}
		others = append(others, b)
	}
	for _, b := range others {
		if b.Until == "" || next.From <= b.Until {
			return conflict("assign other workstations to that seat first, or remove the host", "%s is bound to the seat %s%s", addr, b.Seat, until(b.Until))
		}
	}
	h.Seats = append(others, next)
	_, err := e.putHost(h)
	return err
}

func until(m Moment) string {
	if m == "" {
		return ""
	}
	return " until " + string(m)
}

// moveHosts makes these the seat's workstations from a day on; those it had end the day before.
func (e *Edit) moveHosts(s *Seat, hosts []netip.Addr, from Moment) error {
	for _, h := range e.hostsOf(s.ID) {
		if slices.Contains(hosts, h.Addr) {
			continue
		}
		next := *h
		next.Seats = nil
		for _, b := range h.Seats {
			if b.Seat == s.ID && (b.Until == "" || from <= b.Until) {
				if from <= b.From {
					continue // it never came to be
				}
				b.Until = from.DayBefore()
			}
			next.Seats = append(next.Seats, b)
		}
		if err := e.keepHost(next); err != nil {
			return err
		}
	}
	for _, addr := range hosts {
		if err := e.bind(addr, s, from); err != nil {
			return err
		}
	}
	return nil
}
