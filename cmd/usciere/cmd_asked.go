package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
)

func askedCommand() *cobra.Command {
	var office string
	var days, limit int
	c := online(&cobra.Command{
		Use:   "asked",
		Short: "Show for which names offices asked, those first that were not granted",
		Long: "Show for which names the clients of offices asked on the last days, those first that led to the page: what an office may want to\n" +
			"ask for. A name is only counted once three clients of the office asked for it on a day, nobody is named, and repetitions within\n" +
			"a minute mostly count once.",
		Args: cobra.NoArgs,
	}, func(s *session, _ []string) error {
		list, err := s.Asked(s.ctx, office, days, limit)
		if err != nil {
			return err
		}
		return s.show(list, func() {
			var rows [][]string
			for _, n := range list.Names {
				rows = append(rows, []string{n.Name.String(), n.Office, fmt.Sprint(n.Sinkholed), fmt.Sprint(n.Allowed), strconv.Itoa(n.Days), n.Last})
			}
			s.table("no name was asked for by three clients of an office on one day since "+list.Since, []string{"NAME", "OFFICE", "SINKHOLED", "ALLOWED", "DAYS", "LAST"}, rows)
		})
	})
	c.Flags().StringVar(&office, "office", "", "only this `OFFICE`")
	c.Flags().IntVar(&days, "days", 7, "look back so many `DAYS`")
	c.Flags().IntVar(&limit, "limit", 50, "show at most so `MANY`")
	complete(c, "office", offices)
	return c
}
