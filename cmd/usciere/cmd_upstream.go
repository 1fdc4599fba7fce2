package main

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usciere/policy/admin"
)

func upstreamCommand() *cobra.Command {
	list := online(&cobra.Command{
		Use:   "list",
		Short: "List the servers that are asked, and how they are doing",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		list, err := s.Upstreams(s.ctx)
		if err != nil {
			return err
		}
		return s.show(list, func() {
			var rows [][]string
			for _, u := range list.Upstreams {
				rows = append(rows, upstreamRow(u))
			}
			s.table("no upstream servers", []string{"GROUP", "SERVER", "STATE", "RTT", "QUERIES", "FAILURES", "DROPPED", "WITHOUT", "LAST ERROR"}, rows)
		})
	})
	return group("upstream", "The servers that are asked", list)
}

func upstreamRow(u admin.Upstream) []string {
	state, rtt := u.State, ""
	if u.State == "trying" {
		state = "trying, out"
	}
	if !u.Since.IsZero() {
		state += " since " + u.Since.UTC().Format(time.DateTime) + " UTC"
	}
	if u.Smoothed > 0 {
		rtt = u.Smoothed.Round(10 * time.Microsecond).String()
	}
	var without []string
	if u.SameCase {
		without = append(without, "0x20")
	}
	if u.NoEDNS {
		without = append(without, "EDNS")
	}
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	return []string{
		u.Group, serverText(u.Addr, u.Over, u.Name), state, rtt, number(u.Queries), number(u.Failures), number(u.Dropped), strings.Join(without, ", "), u.LastError,
	}
}

// serverText is a server's address and, of one that is asked encrypted, how and under which name.
func serverText(addr netip.AddrPort, over, name string) string {
	if over == "" {
		return addr.String()
	}
	return addr.String() + " " + over + " " + name
}
