package admin

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"usciere/policy"
)

func notFound(hint, format string, args ...any) *policy.Error {
	return &policy.Error{Code: policy.NotFound, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// today is the day by the town's clock.
func (c *call) today() policy.Moment { return policy.DayOf(c.now, c.rules.Town().Zone) }

func listOffices(c *call) (any, error) {
	if _, err := params(c.r); err != nil {
		return nil, err
	}
	return OfficeList{c.rules.Offices()}, nil
}

func showOffice(c *call) (any, error) {
	p, err := params(c.r, "id")
	if err != nil {
		return nil, err
	}
	o, ok := c.rules.Office(p.Get("id"))
	if !ok {
		return nil, notFound("see `usciere office list`", "there is no office %q", p.Get("id"))
	}
	out := OfficeDetails{Office: o, Seats: []*policy.Seat{}, Hosts: []*policy.Host{}}
	for _, s := range c.rules.Seats() {
		if s.Office == o.ID {
			out.Seats = append(out.Seats, s)
		}
	}
	for _, h := range c.rules.Hosts() {
		if h.Office == o.ID {
			out.Hosts = append(out.Hosts, h)
		}
	}
	err = c.cfg.Rules.View(func(r policy.Records) error {
		return r.EachGrantOf(policy.Subject{Office: o.ID}, func(*policy.Grant) bool { out.Grants++; return true })
	})
	return out, err
}

func listNetworks(c *call) (any, error) {
	if _, err := params(c.r); err != nil {
		return nil, err
	}
	outside := c.rules.NetworksOutside()
	out := NetworkList{Networks: []Network{}}
	for _, o := range c.rules.Offices() {
		for _, p := range o.Networks {
			out.Networks = append(out.Networks, Network{p, o.ID, slices.Contains(outside, p)})
		}
	}
	slices.SortFunc(out.Networks, func(a, b Network) int {
		return cmp.Or(a.Network.Addr().Compare(b.Network.Addr()), cmp.Compare(a.Network.Bits(), b.Network.Bits()))
	})
	return out, nil
}

func listHosts(c *call) (any, error) {
	if _, err := params(c.r); err != nil {
		return nil, err
	}
	return HostList{append([]*policy.Host{}, c.rules.Hosts()...)}, nil
}

func listSeats(c *call) (any, error) {
	if _, err := params(c.r); err != nil {
		return nil, err
	}
	today := c.today()
	workstations := map[string][]netip.Addr{}
	for _, h := range c.rules.Hosts() {
		for _, b := range h.Seats {
			if b.From <= today && (b.Until == "" || today <= b.Until) {
				workstations[b.Seat] = append(workstations[b.Seat], h.Addr)
			}
		}
	}
	out := SeatList{Seats: []SeatToday{}}
	for _, s := range c.rules.Seats() {
		holder, _ := s.HolderOn(today)
		out.Seats = append(out.Seats, SeatToday{s, holder.Name, workstations[s.ID]})
	}
	return out, nil
}

func seatHistory(c *call) (any, error) {
	p, err := params(c.r, "id")
	if err != nil {
		return nil, err
	}
	s, ok := c.rules.Seat(p.Get("id"))
	if !ok {
		return nil, notFound("see `usciere seat list`", "there is no seat %q", p.Get("id"))
	}
	out := SeatHistory{Seat: s, Hosts: []*policy.Host{}}
	for _, h := range c.rules.Hosts() {
		if slices.ContainsFunc(h.Seats, func(b policy.Binding) bool { return b.Seat == s.ID }) {
			out.Hosts = append(out.Hosts, h)
		}
	}
	return out, nil
}
