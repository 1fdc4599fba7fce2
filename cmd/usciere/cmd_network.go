package main

import (
	"strings"

	"github.com/spf13/cobra"

	"usciere/policy"
)

func networkCommand() *cobra.Command {
	return group("network", "Networks: which prefix is which office's", networkAdd(), networkList(), networkRemove())
}

func networkAdd() *cobra.Command {
	var change policy.AddNetwork
	c := online(&cobra.Command{
		Use:               "add CIDR --office ID",
		Short:             "Give a network to an office; the longest prefix wins",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}, func(s *session, args []string) (err error) {
		if change.Network, err = parsePrefix(args[0]); err != nil {
			return err
		}
		o, err := s.AddNetwork(s.ctx, change)
		if err != nil {
			return err
		}
		return s.show(o, func() { s.line("added", change.Network.String(), o.ID, o.Name) })
	})
	officeFlag(c, &change.Office, "whose network it is")
	basedFlag(c, &change.Based)
	return c
}

// officeFlag is an office that must be named.
func officeFlag(c *cobra.Command, office *string, usage string) {
	c.Flags().StringVar(office, "office", "", "`ID` of the office "+usage)
	if err := c.MarkFlagRequired("office"); err != nil {
		panic(err) // the flag is not there: a fault of the program
	}
	complete(c, "office", offices)
}

func networkRemove() *cobra.Command {
	var change policy.RemoveNetwork
	c := online(&cobra.Command{
		Use:               "remove CIDR --office ID",
		Short:             "Take a network from an office",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}, func(s *session, args []string) (err error) {
		if change.Network, err = parsePrefix(args[0]); err != nil {
			return err
		}
		o, err := s.RemoveNetwork(s.ctx, change)
		if err != nil {
			return err
		}
		return s.show(o, func() { s.line("removed", change.Network.String(), o.ID, o.Name) })
	})
	officeFlag(c, &change.Office, "whose network it is")
	basedFlag(c, &change.Based)
	return c
}

func networkList() *cobra.Command {
	return online(&cobra.Command{
		Use:   "list",
		Short: "List the networks of all offices",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		list, err := s.Networks(s.ctx)
		if err != nil {
			return err
		}
		return s.show(list, func() {
			var rows [][]string
			for _, n := range list.Networks {
				note := ""
				if n.Outside {
					note = "outside the site: nobody in it is answered"
				}
				rows = append(rows, []string{n.Network.String(), n.Office, note})
			}
			s.table("no networks; give one to an office with `usciere network add`", []string{"NETWORK", "OFFICE", "NOTE"}, rows)
		})
	})
}

func hostCommand() *cobra.Command {
	return group("host", "Hosts: single machines, by address", hostAdd(), hostList(), hostRemove())
}

func hostAdd() *cobra.Command {
	var change policy.AddHost
	c := online(&cobra.Command{
		Use:               "add ADDR",
		Short:             "Enter a machine: in an office, as a server, or bound to a seat",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}, func(s *session, args []string) (err error) {
		if change.Addr, err = parseAddr(args[0]); err != nil {
			return err
		}
		h, err := s.AddHost(s.ctx, change)
		if err != nil {
			return err
		}
		return s.show(h, func() { s.line("added", hostFields(h)...) })
	})
	f := c.Flags()
	f.StringVar(&change.Name, "name", "", "`NAME` of the machine")
	f.StringVar(&change.Office, "office", "", "`ID` of its office, if its network does not say")
	textFlag(c, &change.Role, "role", "`ROLE`: employee or server")
	f.StringVar(&change.Seat, "seat", "", "`ID` of the seat whose workstation it is")
	textFlag(c, &change.From, "from", "first `DAY` of that (today)")
	complete(c, "office", offices)
	complete(c, "role", fixed([]policy.Role{policy.Employee, policy.Server}))
	complete(c, "seat", seats)
	return c
}

// hostFields are a host as a row: address, name, office, role, seats.
func hostFields(h *policy.Host) []string {
	var bound []string
	for _, b := range h.Seats {
		bound = append(bound, b.Seat+span(b.From, b.Until))
	}
	return []string{h.Addr.String(), h.Name, h.Office, string(h.Role), strings.Join(bound, ", ")}
}

// span says from when until when, as far as it is known.
func span(from, until policy.Moment) string {
	out := ""
	if from != "" {
		out = " from " + string(from)
	}
	if until != "" {
		out += " until " + string(until)
	}
	return out
}

func hostRemove() *cobra.Command {
	var change policy.RemoveHost
	c := online(&cobra.Command{
		Use:               "remove ADDR",
		Short:             "Take a machine's entry out, with its bindings to seats",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}, func(s *session, args []string) (err error) {
		if change.Addr, err = parseAddr(args[0]); err != nil {
			return err
		}
		h, err := s.RemoveHost(s.ctx, change)
		if err != nil {
			return err
		}
		return s.show(h, func() { s.line("removed", hostFields(h)...) })
	})
	basedFlag(c, &change.Based)
	return c
}

func hostList() *cobra.Command {
	return online(&cobra.Command{
		Use:   "list",
		Short: "List the hosts",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		list, err := s.Hosts(s.ctx)
		if err != nil {
			return err
		}
		return s.show(list, func() {
			var rows [][]string
			for _, h := range list.Hosts {
				rows = append(rows, hostFields(h))
			}
			s.table("no hosts: every machine is what its network says", []string{"ADDRESS", "NAME", "OFFICE", "ROLE", "SEATS"}, rows)
		})
	})
}
