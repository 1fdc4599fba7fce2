package policy

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Sightings are which machine has which address, as DHCP servers and the neighbour table have it. What is contested is not among
// them: who sees machines decides that.
type Sightings map[netip.Addr]Sighting

// Sighting is the machine at one address.
type Sighting struct {
	MAC   DeviceID  // empty when only the name is known
	Host  DeviceID  // the name it gave; empty: none, or one that more than one machine gives
	Until time.Time // when it ends; zero: until further notice
}

// placement is a seat's device at an address that it has for a while.
type placement struct {
	device DeviceID
	seat   *Seat
	office uint32
	until  time.Time
}

func (p *placement) holds(at time.Time) bool { return p.until.IsZero() || at.Before(p.until) }

// See takes in which machine has which address now, in place of what was seen before. It journals nothing, since no rule changes; the
// snapshot is another only if a device of a seat came, went, moved or may stay longer.
func (l *Live) See(seen Sightings) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = seen
	now := l.current.Load()
	next := now.fork()
	next.place(seen)
	if !maps.Equal(now.placed, next.placed) {
		l.current.Store(next)
	}
}

// place finds the devices of seats among the machines that were seen: by the hardware address first, then by the name.
func (s *Snapshot) place(seen Sightings) {
	s.seen, s.placed = seen, map[netip.Addr]placement{}
	if len(s.devices) == 0 {
		return
	}
	for addr, m := range seen {
		for _, id := range []DeviceID{m.MAC, m.Host} {
			if seat, ok := s.devices[id]; ok {
				s.placed[addr] = placement{id, seat, s.offices[seat.Office].number, m.Until}
				break
			}
		}
	}
}

// enterDevices makes the devices those of the seats as they are now.
func (s *Snapshot) enterDevices() {
	s.devices = map[DeviceID]*Seat{}
	for _, seat := range s.seats {
		for _, d := range seat.Devices {
			s.devices[d.ID] = seat
		}
	}
	s.place(s.seen)
}

// Whereabouts are the addresses at which a device is now, in order; own are those of which an entry by address decides instead, or that
// lie outside the site.
func (s *Snapshot) Whereabouts(id DeviceID, at time.Time) (addrs, own []netip.Addr) {
	for addr, p := range s.placed {
		if p.device != id || !p.holds(at) {
			continue
		}
		if c := s.Who(addr, at); c.Device == id {
			addrs = append(addrs, addr)
		} else {
			own = append(own, addr)
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	slices.SortFunc(own, netip.Addr.Compare)
	return addrs, own
}

// SeatOf is the seat that a device belongs to.
func (s *Snapshot) SeatOf(id DeviceID) (*Seat, bool) {
	seat, ok := s.devices[id]
	return seat, ok
}
