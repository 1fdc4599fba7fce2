package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func dhcpCommand() *cobra.Command {
	return group("dhcp", "DHCP: leases by which devices are known, and what to tell the DHCP server", dhcpLeases(), dhcpSnippet())
}

func dhcpLeases() *cobra.Command {
	var all bool
	c := online(&cobra.Command{
		Use:   "leases",
		Short: "List the leases of devices of seats, and why one is not taken for its seat's",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		list, err := s.Leases(s.ctx)
		if err != nil {
			return err
		}
		return s.show(list, func() {
			if !list.Watched {
				s.line("no leases are read", "name the DHCP server's in the settings (dhcp.leases), and restart")
				return
			}
			for _, source := range list.Sources {
				if source.Problem != "" {
					s.line("not read", source.Source, source.Problem)
				} else {
					s.line("read", source.Source, counted(source.Leases, "lease"))
				}
			}
			var rows [][]string
			for _, l := range list.Leases {
				if l.Seat == "" && !all {
					continue
				}
				until, state := "", l.Against
				if !l.Until.IsZero() {
					until = l.Until.Local().Format(time.DateTime)
				}
				if state == "" && l.Seat != "" {
					state = "in force"
				}
				rows = append(rows, []string{l.Addr.String(), l.MAC.String(), l.Host.String(), l.Seat, until, state})
			}
			empty := "none of them is of a device of a seat; all are listed with --all"
			if all {
				empty = "no machine has a lease now"
			}
			s.table(empty, []string{"ADDRESS", "MAC", "HOSTNAME", "SEAT", "UNTIL", "STATE"}, rows)
		})
	})
	c.Flags().BoolVar(&all, "all", false, "those of all machines")
	return c
}

func dhcpSnippet() *cobra.Command {
	var o serveOptions
	c := &cobra.Command{
		Use:       "snippet kea|dnsmasq|isc",
		Short:     "Print the lines for the DHCP server's configuration that make this resolver the workstations'",
		ValidArgs: []string{"kea", "dnsmasq", "isc"},
		Args:      cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&o.config, "config", "", "settings `FILE` of the daemon")
	c.RunE = func(c *cobra.Command, args []string) error {
		write, ok := snippets[args[0]]
		if !ok {
			return usageError(fmt.Sprintf("unknown DHCP server %q: there are kea, dnsmasq, isc", args[0]))
		}
		s, err := o.settings()
		if err != nil {
			return err
		}
		handed, err := handedOut(s)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(c.OutOrStdout(), write(handed))
		return err
	}
	return c
}
