package main

import (
	"strings"

	"github.com/spf13/cobra"

	"usciere/policy"
)

func deviceCommand() *cobra.Command {
	return group("device", "Devices: workstations of seats, known by their DHCP leases wherever they are", deviceAdd(), deviceList(), deviceRemove())
}

func deviceAdd() *cobra.Command {
	var change policy.AddDevice
	c := online(&cobra.Command{
		Use:   "add MAC|HOSTNAME --seat ID",
		Short: "Make a machine a workstation of a seat, at whatever address it has a lease of",
		Long: "Make a machine a workstation of a seat, at whatever address it has a lease of.\n\n" +
			"A hardware address and a host name are what a machine says of itself: who can copy them has the seat's role. A switch that\n" +
			"checks them (802.1X, port security) keeps the promise; a host name is the weaker of the two.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}, func(s *session, args []string) (err error) {
		if change.Device, err = policy.ParseDevice(args[0]); err != nil {
			return err
		}
		made, err := s.AddDevice(s.ctx, change)
		if err != nil {
			return err
		}
		return s.show(made, func() { s.line("added", change.Device.String(), change.Name, made.Seat.ID, string(made.Seat.Role)) })
	})
	f := c.Flags()
	f.StringVar(&change.Seat, "seat", "", "`ID` of the seat whose workstation it is")
	f.StringVar(&change.Name, "name", "", "a `NAME` for people")
	complete(c, "seat", seats)
	if err := c.MarkFlagRequired("seat"); err != nil {
		panic(err) // the flag is not there: a fault of the program
	}
	return c
}

func deviceRemove() *cobra.Command {
	return online(&cobra.Command{
		Use:               "remove MAC|HOSTNAME",
		Short:             "Take a machine from its seat",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}, func(s *session, args []string) error {
		id, err := policy.ParseDevice(args[0])
		if err != nil {
			return err
		}
		made, err := s.RemoveDevice(s.ctx, policy.RemoveDevice{Device: id})
		if err != nil {
			return err
		}
		return s.show(made, func() { s.line("removed", id.String(), made.Seat.ID) })
	})
}

func deviceList() *cobra.Command {
	return online(&cobra.Command{
		Use:   "list",
		Short: "List the devices of seats, and where they are now",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		list, err := s.Devices(s.ctx)
		if err != nil {
			return err
		}
		return s.show(list, func() {
			var rows [][]string
			for _, d := range list.Devices {
				at := texts(d.Addrs)
				if len(d.Own) > 0 {
					at = strings.TrimPrefix(at+", "+texts(d.Own)+" (decided by an entry of its own: usciere host list)", ", ")
				}
				rows = append(rows, []string{d.ID.String(), d.Name, d.Seat, at})
			}
			s.table("no devices; make a machine a seat's with `usciere device add MAC --seat ID`", []string{"DEVICE", "NAME", "SEAT", "ADDRESSES"}, rows)
		})
	})
}
