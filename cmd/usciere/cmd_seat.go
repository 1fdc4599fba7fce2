package main

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"usciere/policy"
	"usciere/policy/admin"
)

func seatCommand() *cobra.Command {
	return group("seat", "Seats: positions, who holds them, and their workstations",
		seatAdd(), seatAssign(), seatList(), seatHistory(), seatRemove())
}

func seatAdd() *cobra.Command {
	var change policy.AddSeat
	var hosts []string
	c := online(&cobra.Command{
		Use:               "add ID --office ID",
		Short:             "Make a seat; its role comes with it, not with the person",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}, func(s *session, args []string) (err error) {
		change.ID = args[0]
		if change.Hosts, err = parseAll(hosts, parseAddr); err != nil {
			return err
		}
		made, err := s.AddSeat(s.ctx, change)
		if err != nil {
			return err
		}
		return s.show(made, func() {
			s.line("added", made.Seat.ID, made.Seat.Name, made.Seat.Office, string(made.Seat.Role))
			for _, h := range made.Seat.Holders {
				s.detail("holder", h.Name+span(h.From, h.Until))
			}
			for _, h := range made.Hosts {
				s.detail("host", h.Addr.String(), h.Name)
			}
			s.notes(made.Notes)
		})
	})
	f := c.Flags()
	officeFlag(c, &change.Office, "it belongs to")
	f.StringVar(&change.Name, "name", "", "`NAME` of the position: Dirigente Anagrafe")
	textFlag(c, &change.Role, "role", "`ROLE` of its holder's workstations (manager)")
	f.StringVar(&change.Mailbox, "mailbox", "", "the seat's own `MAILBOX`")
	f.StringVar(&change.Holder, "holder", "", "`NAME` of who holds it")
	textFlag(c, &change.From, "from", "first `DAY` of that (today)")
	f.StringArrayVar(&hosts, "host", nil, "`ADDR` of a workstation bound to it; repeatable")
	complete(c, "role", fixed(slices.DeleteFunc(slices.Clone(policy.Roles), func(r policy.Role) bool { return r == policy.Server })))
	return c
}

func seatAssign() *cobra.Command {
	var change policy.AssignSeat
	var hosts []string
	c := online(&cobra.Command{
		Use:               "assign ID --holder NAME --from DAY",
		Short:             "Give a seat to another holder; no grant changes",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(seats),
	}, func(s *session, args []string) (err error) {
		change.Seat = args[0]
		if change.Hosts, err = parseAll(hosts, parseAddr); err != nil {
			return err
		}
		made, err := s.AssignSeat(s.ctx, change)
		if err != nil {
			return err
		}
		return s.show(made, func() {
			s.line("seat", made.Seat.ID+": "+succession(made))
			if office, err := s.Office(s.ctx, made.Seat.Office); err == nil {
				unchanged := counted(office.Grants, "grant") + " of " + made.Seat.Office
				if open, err := s.Requests(s.ctx, admin.RequestFilter{Office: made.Seat.Office, Open: true}); err == nil && len(open.Requests) > 0 {
					unchanged += ", " + counted(len(open.Requests), "open request")
				}
				s.line("unchanged", unchanged)
			}
			s.notes(made.Notes)
		})
	})
	f := c.Flags()
	f.StringVar(&change.Holder, "holder", "", "`NAME` of who holds it from then on")
	f.BoolVar(&change.Vacant, "vacant", false, "nobody holds it from then on")
	f.BoolVar(&change.Correct, "correct", false, "the last holder was entered wrong: this takes the entry's place")
	textFlag(c, &change.From, "from", "first `DAY` (today)")
	f.StringArrayVar(&hosts, "host", nil, "`ADDR` of its workstation from then on; repeatable; without, they stay")
	c.MarkFlagsMutuallyExclusive("holder", "vacant")
	basedFlag(c, &change.Based)
	return c
}

// succession says who leaves a seat, who comes, and on which workstations: "M. Verdi until 2026-11-30, A. Bianchi from
// 2026-12-01 on 10.20.2.31".
func succession(made *policy.Seated) string {
	holders := made.Seat.Holders
	if len(holders) == 0 {
		return "vacant"
	}
	last := holders[len(holders)-1]
	if last.Until != "" {
		return last.Name + " until " + string(last.Until) + ", then nobody"
	}
	out := ""
	if len(holders) > 1 {
		before := holders[len(holders)-2]
		out = before.Name + " until " + string(before.Until) + ", "
	}
	out += last.Name + " from " + string(last.From)
	var on []netip.Addr
	for _, h := range made.Hosts {
		if slices.ContainsFunc(h.Seats, func(b policy.Binding) bool { return b.Seat == made.Seat.ID && b.Until == "" }) {
			on = append(on, h.Addr)
		}
	}
	if len(on) > 0 {
		out += " on " + texts(on)
	}
	return out
}

func seatList() *cobra.Command {
	return online(&cobra.Command{
		Use:   "list",
		Short: "List the seats, with who holds them today",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		list, err := s.Seats(s.ctx)
		if err != nil {
			return err
		}
		return s.show(list, func() {
			var rows [][]string
			for _, seat := range list.Seats {
				rows = append(rows, []string{seat.ID, seat.Name, seat.Office, string(seat.Role), seat.Holder, workstations(seat.Hosts, seat.Devices)})
			}
			s.table("no seats; make one with `usciere seat add`", []string{"SEAT", "NAME", "OFFICE", "ROLE", "HOLDER", "WORKSTATIONS"}, rows)
		})
	})
}

// workstations are those of a seat: by their addresses, and those that are known by themselves.
func workstations(hosts []netip.Addr, devices []policy.Device) string {
	var all []string
	for _, h := range hosts {
		all = append(all, h.String())
	}
	for _, d := range devices {
		all = append(all, d.ID.String())
	}
	return strings.Join(all, ", ")
}

func seatHistory() *cobra.Command {
	return online(&cobra.Command{
		Use:               "history ID",
		Short:             "Show who held a seat when, and on which workstations",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(seats),
	}, func(s *session, args []string) error {
		past, err := s.SeatHistory(s.ctx, args[0])
		if err != nil {
			return err
		}
		return s.show(past, func() {
			s.line("seat", past.Seat.ID, past.Seat.Name, past.Seat.Office, string(past.Seat.Role))
			for _, h := range past.Seat.Holders {
				s.detail("holder", h.Name+span(h.From, h.Until))
			}
			for _, h := range past.Hosts {
				for _, b := range h.Seats {
					if b.Seat == past.Seat.ID {
						s.detail("host", h.Addr.String()+span(b.From, b.Until))
					}
				}
			}
			for _, d := range past.Seat.Devices {
				s.detail("device", strings.TrimSpace(d.ID.String()+" "+d.Name))
			}
		})
	})
}

func seatRemove() *cobra.Command {
	var change policy.RemoveSeat
	c := online(&cobra.Command{
		Use:               "remove ID",
		Short:             "Take a seat out, with the bindings of its workstations",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(seats),
	}, func(s *session, args []string) error {
		change.Seat = args[0]
		seat, err := s.RemoveSeat(s.ctx, change)
		if err != nil {
			return err
		}
		return s.show(seat, func() { s.line("removed", seat.ID, seat.Name, seat.Office) })
	})
	basedFlag(c, &change.Based)
	return c
}
