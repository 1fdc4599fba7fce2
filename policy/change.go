package policy

import "net/netip"

// Change is one typed change of the rules. How to add one: a struct with Kind and apply in the change_*.go of its subject, a
// route in policy/admin, a command in cmd/usciere.
//
// apply checks the change against the rules as they are, changes the draft and writes the records; what it returns goes
// into the journal. A refusal is an *Error.
type Change interface {
	Kind() string
	Apply(*Edit) (Made, error)
}

// Based is the version of the object that a change was based on; zero asks for no check.
type Based struct {
	IfVersion uint64 `json:"if_version,omitempty"`
}

func (b Based) check(what string, version uint64) error {
	if b.IfVersion != 0 && b.IfVersion != version {
		return conflict("look at it again and repeat the change if it is still wanted",
			"%s was changed meanwhile: it is at version %d, the change was based on %d", what, version, b.IfVersion)
	}
	return nil
}

func (e *Edit) officeOf(id string) (*Office, error) {
	if o, ok := e.Office(id); ok {
		return o, nil
	}
	return nil, notFound("see `usciere office list`, or add it with `usciere office add`", "there is no office %q", shorten(id))
}

func (e *Edit) seatOf(id string) (*Seat, error) {
	if s, ok := e.Seat(id); ok {
		return s, nil
	}
	return nil, notFound("see `usciere seat list`, or add it with `usciere seat add`", "there is no seat %q", shorten(id))
}

func (e *Edit) serviceOf(id string) (*service, error) {
	if s, ok := e.services[id]; ok {
		return s, nil
	}
	return nil, notFound("see `usciere service list`", "there is no service %q", shorten(id))
}

// putOffice keeps an office with the version of this change, as the other put methods do with their records.
func (e *Edit) putOffice(o Office) (*Office, error) {
	o.Version = e.version
	e.setOffice(&o)
	return &o, e.tx.Put(TableOffices, o.ID, &o)
}

func (e *Edit) putSeat(s Seat) (*Seat, error) {
	s.Version = e.version
	e.setSeat(&s)
	return &s, e.tx.Put(TableSeats, s.ID, &s)
}

func (e *Edit) putHost(h Host) (*Host, error) {
	h.Version = e.version
	e.setHost(&h)
	return &h, e.tx.Put(TableHosts, h.Addr.String(), &h)
}

func (e *Edit) deleteHost(addr netip.Addr) error {
	e.dropHost(addr)
	if err := e.endTokens(func(t *Token) bool { return t.Host == addr }); err != nil {
		return err
	}
	return e.tx.Delete(TableHosts, addr.String())
}
