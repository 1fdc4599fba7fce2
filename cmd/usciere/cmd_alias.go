package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usciere/policy"
	"usciere/policy/admin"
)

func aliasCommand() *cobra.Command {
	return group("alias", "Aliases: to whom granted names lead, and since when to somebody new", aliasList(), aliasAccept())
}

func aliasList() *cobra.Command {
	var all bool
	c := online(&cobra.Command{
		Use:   "list",
		Short: "List the granted names whose aliases lead to an owner that was not seen before",
		Long: "List the granted names whose aliases (CNAME) lead to an owner, by its registrable domain, that was not seen before. It may be right:\n" +
			"a site moved to another provider. It may be that a domain was taken over: ask the site's owner, or look with\n" +
			"usciere explain --trace, before you accept it. Names and owners are kept, never who asked.",
		Args: cobra.NoArgs,
	}, func(s *session, _ []string) error {
		list, err := s.Aliases(s.ctx, all)
		if err != nil {
			return err
		}
		return s.show(list, func() {
			var rows [][]string
			for _, a := range list.Aliases {
				rows = append(rows, aliasRow(a))
			}
			s.table("no granted name leads to an owner that was not seen before", []string{"NAME", "LEADS TO", "SINCE", "BEFORE", "GRANTED TO"}, rows)
		})
	})
	c.Flags().BoolVar(&all, "all", false, "list all that are remembered, also those that lead to nobody new")
	return c
}

// aliasRow is a name, to whom new it leads and since when, to whom it led before, and who may ask it.
func aliasRow(a admin.Alias) []string {
	var is, since, before []string
	for _, o := range a.Owners {
		if o.New {
			is, since = append(is, o.Owner), append(since, o.Since.Format(time.DateOnly))
		} else {
			before = append(before, o.Owner)
		}
	}
	if len(before) == 0 {
		before = []string{a.Name.Owner()} // its own
	}
	return []string{a.Name.String(), strings.Join(is, ", "), strings.Join(since, ", "), strings.Join(before, ", "), strings.Join(a.Granted, ", ")}
}

func aliasAccept() *cobra.Command {
	var all bool
	c := online(&cobra.Command{
		Use:               "accept NAME...",
		Short:             "Say that it is right where names lead now",
		ValidArgsFunction: aliases,
	}, func(s *session, args []string) error {
		var change policy.AcceptAliases
		for _, text := range args {
			name, err := policy.ParseName(text)
			if err != nil {
				return err
			}
			change.Names = append(change.Names, name)
		}
		if all {
			list, err := s.Aliases(s.ctx, false)
			if err != nil {
				return err
			}
			for _, a := range list.Aliases {
				change.Names = append(change.Names, a.Name)
			}
		}
		made, err := s.AcceptAliases(s.ctx, change)
		if err != nil {
			return err
		}
		return s.show(made, func() {
			for _, a := range made.Aliases {
				s.line("accepted", a.Name.String(), strings.Join(ownersOf(a), ", "))
			}
		})
	})
	c.Flags().BoolVar(&all, "all", false, "all that usciere alias list has")
	return c
}

func ownersOf(a policy.Alias) (owners []string) {
	for _, o := range a.Owners {
		owners = append(owners, o.Owner)
	}
	return owners
}
