package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"usciere/policy"
)

func serviceCommand() *cobra.Command {
	return group("service", "Services: named sets of domain rules, built-in and the town's own",
		serviceList(), serviceShow(), serviceAdd(), serviceRemove())
}

func serviceList() *cobra.Command {
	return online(&cobra.Command{
		Use:   "list",
		Short: "List the services",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		list, err := s.Services(s.ctx)
		if err != nil {
			return err
		}
		return s.show(list, func() {
			var rows [][]string
			for _, sv := range list.Services {
				origin := "the town's own"
				if sv.Builtin {
					origin = "built-in"
				}
				rows = append(rows, []string{sv.ID, channelText(sv.Channel, sv.PEC), strconv.Itoa(sv.Rules), origin, sv.Title, strings.Join(sv.Eligible, ", ")})
			}
			s.table("no services", []string{"SERVICE", "CHANNEL", "RULES", "ORIGIN", "TITLE", "ONLY FOR"}, rows)
		})
	})
}

func serviceShow() *cobra.Command {
	return online(&cobra.Command{
		Use:               "show ID",
		Short:             "Show a service: each domain rule with its source and date",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(services),
	}, func(s *session, args []string) error {
		sv, err := s.Service(s.ctx, args[0])
		if err != nil {
			return err
		}
		return s.show(sv, func() {
			s.line("service", sv.ID, sv.Title, channelText(sv.Channel, sv.PEC))
			if len(sv.Eligible) > 0 {
				s.detail("only for", strings.Join(sv.Eligible, ", "))
			}
			s.detail("version", fmt.Sprint(sv.Version))
			s.rules(sv.Rules)
		})
	})
}

// rules prints domain rules with their sources.
func (s screen) rules(all []policy.ServiceRule) {
	var rows [][]string
	for _, r := range all {
		rows = append(rows, []string{r.Rule.String(), r.Date, r.Source})
	}
	s.table("no rules", []string{"RULE", "DATE", "SOURCE"}, rows)
}

// channelText is a service's channel, and whether it is certified mail.
func channelText(c policy.Channel, pec bool) string {
	if pec {
		return string(c) + " (PEC)"
	}
	return string(c)
}

func serviceAdd() *cobra.Command {
	var change policy.AddService
	var rules []string
	var file, source, date string
	c := online(&cobra.Command{
		Use:               "add ID --rule RULE --source TEXT",
		Short:             "Make a service of the town's own, or with --replace change one",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(services),
	}, func(s *session, args []string) error {
		change.ID = args[0]
		all, err := withFile(rules, file)
		if err != nil {
			return err
		}
		for _, text := range all {
			rule, note, err := policy.ParseRule(text)
			if err != nil {
				return err
			}
			if note != "" && !s.asJSON {
				s.note(note)
			}
			change.Rules = append(change.Rules, policy.ServiceRule{Rule: rule, Source: source, Date: date})
		}
		sv, err := s.AddService(s.ctx, change)
		if err != nil {
			return err
		}
		return s.show(sv, func() {
			s.line("kept", sv.ID, sv.Title, channelText(sv.Channel, sv.PEC), counted(len(sv.Rules), "rule"))
		})
	})
	f := c.Flags()
	f.StringVar(&change.Title, "title", "", "`TITLE` that people know it by")
	textFlag(c, &change.Channel, "channel", "`CHANNEL`: web or mail (web)")
	f.StringArrayVar(&rules, "rule", nil, "domain `RULE`: www.inps.it, *.inps.it or .inps.it; repeatable")
	f.StringVar(&file, "from-file", "", "`FILE` with a rule on each line, # before comments; - for standard input")
	f.StringVar(&source, "source", "", "where the rules come from: the supplier's letter, a page")
	f.StringVar(&date, "date", "", "`DAY` or month of the source")
	f.StringArrayVar(&change.Eligible, "only-for", nil, "`ID` of an office that may be granted it (any); repeatable")
	f.BoolVar(&change.PEC, "pec", false, "it is certified mail: a request for it names its ground; with --channel mail")
	f.BoolVar(&change.Replace, "replace", false, "put this in the place of a service that is there")
	complete(c, "channel", channels)
	complete(c, "only-for", offices)
	basedFlag(c, &change.Based)
	return c
}

// withFile adds the lines of a file, less comments and empty ones.
func withFile(all []string, path string) ([]string, error) {
	if path == "" {
		return all, nil
	}
	var in io.Reader = os.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read the list: %w", err)
		}
		defer f.Close()
		in = f
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text != "" {
			all = append(all, text)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the list %s: %w", path, err)
	}
	return all, nil
}

func serviceRemove() *cobra.Command {
	var change policy.RemoveService
	c := online(&cobra.Command{
		Use:               "remove ID",
		Short:             "Take out a service of the town's own that nobody is granted",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(services),
	}, func(s *session, args []string) error {
		change.ID = args[0]
		sv, err := s.RemoveService(s.ctx, change)
		if err != nil {
			return err
		}
		return s.show(sv, func() { s.line("removed", sv.ID, sv.Title) })
	})
	basedFlag(c, &change.Based)
	return c
}
