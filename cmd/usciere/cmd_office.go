package main

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"usciere/policy"
)

func officeCommand() *cobra.Command {
	return group("office", "Offices: who they are and where they sit",
		officeAdd(), officeList(), officeShow(), officeChange(), officeRemove())
}

// basedFlag lets a command change an object only if it is still at a version.
func basedFlag(c *cobra.Command, b *policy.Based) {
	c.Flags().Uint64Var(&b.IfVersion, "if-version", 0, "only if the object is still at `VERSION`")
}

func officeAdd() *cobra.Command {
	var change policy.AddOffice
	var networks []string
	var pec string
	c := online(&cobra.Command{
		Use:   "add ID --name NAME",
		Short: "Make an office, with its networks",
		Args:  cobra.ExactArgs(1),
	}, func(s *session, args []string) (err error) {
		change.ID = args[0]
		if change.Networks, err = parseAll(networks, parsePrefix); err != nil {
			return err
		}
		if change.PEC, err = policy.ParseGrounds(pec); err != nil {
			return err
		}
		o, err := s.AddOffice(s.ctx, change)
		if err != nil {
			return err
		}
		return s.show(o, func() { s.line("added", o.ID, o.Name, texts(o.Networks)) })
	})
	f := c.Flags()
	f.StringVar(&change.Name, "name", "", "`NAME` that people know it by")
	f.StringVar(&change.Mailbox, "mailbox", "", "the office's own `MAILBOX`")
	f.StringVar(&change.IPA, "ipa", "", "its `CODE` in the national index (indicepa.gov.it)")
	f.StringArrayVar(&networks, "network", nil, "`CIDR` of its workstations; repeatable")
	textFlag(c, &change.Sinkhole, "sinkhole", "`MODE` in which its sinkholed names are answered")
	f.StringVar(&pec, "pec", "", "`GROUNDS` on which it may ask for certified mail: outside-bodies, court-acts, acts-of-outside-bodies, with commas (none)")
	complete(c, "sinkhole", fixed(policy.Modes))
	complete(c, "pec", fixed(policy.Grounds))
	return c
}

func officeList() *cobra.Command {
	return online(&cobra.Command{
		Use:   "list",
		Short: "List the offices",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		list, err := s.Offices(s.ctx)
		if err != nil {
			return err
		}
		return s.show(list, func() {
			var rows [][]string
			for _, o := range list.Offices {
				rows = append(rows, []string{o.ID, o.Name, o.Mailbox, texts(o.Networks)})
			}
			s.table("no offices; make one with `usciere office add`", []string{"OFFICE", "NAME", "MAILBOX", "NETWORKS"}, rows)
		})
	})
}

func officeShow() *cobra.Command {
	return online(&cobra.Command{
		Use:               "show ID",
		Short:             "Show an office and what belongs to it",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(offices),
	}, func(s *session, args []string) error {
		d, err := s.Office(s.ctx, args[0])
		if err != nil {
			return err
		}
		return s.show(d, func() {
			o := d.Office
			s.line("office", o.ID, o.Name)
			for _, field := range [][2]string{{"mailbox", o.Mailbox}, {"ipa", o.IPA}, {"networks", texts(o.Networks)}, {"sinkhole", string(o.Sinkhole)}, {"pec", texts(o.PEC)}} {
				if field[1] != "" {
					s.detail(field[0], field[1])
				}
			}
			for _, seat := range d.Seats {
				s.detail("seat", seat.ID, string(seat.Role))
			}
			for _, h := range d.Hosts {
				s.detail("host", h.Addr.String(), h.Name, string(h.Role))
			}
			s.detail("grants", fmt.Sprintf("%d; see `usciere grant list --office %s`", d.Grants, o.ID))
			s.detail("version", fmt.Sprint(o.Version))
		})
	})
}

func officeChange() *cobra.Command {
	var change policy.ChangeOffice
	var name, mailbox, ipa, pec string
	var sinkhole policy.Mode
	var c *cobra.Command
	c = online(&cobra.Command{
		Use:               "change ID",
		Aliases:           []string{"rename"},
		Short:             "Give an office another name, mailbox, IPA code, sinkhole mode, or grounds for certified mail",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(offices),
	}, func(s *session, args []string) error {
		change.ID = args[0]
		given := c.Flags().Changed
		if given("name") {
			change.Name = &name
		}
		if given("mailbox") {
			change.Mailbox = &mailbox
		}
		if given("ipa") {
			change.IPA = &ipa
		}
		if given("sinkhole") {
			change.Sinkhole = &sinkhole
		}
		if given("pec") {
			grounds, err := policy.ParseGrounds(pec)
			if err != nil {
				return err
			}
			change.PEC = &grounds
		}
		o, err := s.ChangeOffice(s.ctx, change)
		if err != nil {
			return err
		}
		return s.show(o, func() { s.line("changed", o.ID, o.Name, o.Mailbox, o.IPA, string(o.Sinkhole), texts(o.PEC)) })
	})
	f := c.Flags()
	f.StringVar(&name, "name", "", "its new `NAME`")
	f.StringVar(&mailbox, "mailbox", "", "its new `MAILBOX`")
	f.StringVar(&ipa, "ipa", "", "its new `CODE` in the national index")
	textFlag(c, &sinkhole, "sinkhole", "its new sinkhole `MODE`; empty for that of the settings")
	f.StringVar(&pec, "pec", "", "its `GROUNDS` for certified mail, all of them, with commas; empty for none")
	c.MarkFlagsOneRequired("name", "mailbox", "ipa", "sinkhole", "pec")
	complete(c, "sinkhole", fixed(policy.Modes))
	complete(c, "pec", fixed(policy.Grounds))
	basedFlag(c, &change.Based)
	return c
}

func officeRemove() *cobra.Command {
	var change policy.RemoveOffice
	c := online(&cobra.Command{
		Use:               "remove ID",
		Short:             "Take an office out",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(offices),
	}, func(s *session, args []string) error {
		change.ID = args[0]
		gone, err := s.RemoveOffice(s.ctx, change)
		if err != nil {
			return err
		}
		return s.show(gone, func() {
			s.line("removed", gone.Office.ID, gone.Office.Name)
			if len(gone.Grants)+len(gone.Seats)+len(gone.Hosts)+len(gone.Requests) > 0 {
				s.line("with it", counted(len(gone.Grants), "grant"), counted(len(gone.Seats), "seat"), counted(len(gone.Hosts), "host"),
					counted(len(gone.Requests), "open request"))
			}
		})
	})
	c.Flags().BoolVar(&change.All, "all", false, "with its seats, hosts, grants and open requests")
	basedFlag(c, &change.Based)
	return c
}

// parseAll reads each text.
func parseAll[T any](all []string, parse func(string) (T, error)) ([]T, error) {
	var out []T
	for _, text := range all {
		v, err := parse(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%q is no network\n  write it as 10.20.1.0/24 or 2001:db8:20:1::/64", text)
	}
	return p, nil
}

func parseAddr(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return a, fmt.Errorf("%q is no address\n  write it as 10.20.1.9 or 2001:db8:20:1::9", text)
	}
	return a, nil
}
