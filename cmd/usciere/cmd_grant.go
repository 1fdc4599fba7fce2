package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usciere/policy"
	"usciere/policy/admin"
)

// keepOld is how long a workstation may go on with an old answer: browsers keep names for a minute whatever their TTL.
const keepOld = 60 * time.Second

func allowCommand() *cobra.Command {
	var change policy.AddGrants
	var file string
	var types []string
	var dryRun bool
	c := online(&cobra.Command{
		Use:   "allow NAME… --office ID --protocol N/YYYY --reason TEXT",
		Short: "Grant names, addresses of pages or services on the paperwork of a request",
		Long: "Grant names, addresses of pages or services to an office, a role or everyone, on the paperwork of a request.\n" +
			"A rule is www.inps.it (that name only), *.inps.it (every name below it) or .inps.it (both).",
		ValidArgsFunction: services,
	}, func(s *session, args []string) (err error) {
		if change.Names, err = withFile(args, file); err != nil {
			return err
		}
		if change.Types, err = parseAll(types, policy.ParseType); err != nil {
			return err
		}
		if dryRun {
			return s.previewGrants(change)
		}
		made, err := s.AddGrants(s.ctx, change)
		if err != nil {
			return err
		}
		return s.show(made, func() {
			for _, note := range made.Notes {
				s.note(note)
			}
			for _, g := range made.Grants {
				s.line("granted", g.ID.String(), g.Subject.String(), string(g.Channel), g.Opens(), terms(g), "request "+made.Request.Protocol)
			}
			s.inForce(change.From)
			if made.Letter != nil {
				s.notice(made.Letter)
			}
		})
	})
	f := c.Flags()
	subjectFlags(c, &change.Subject)
	f.StringVar(&file, "from-file", "", "`FILE` with a name on each line, # before comments; - for standard input")
	f.StringVar(&change.Protocol, "protocol", "", "incoming number of the request in the protocol register, `N/YYYY`")
	textFlag(c, &change.Date, "date", "`DAY` of the letter (today)")
	f.StringVar(&change.Seat, "seat", "", "`ID` of the seat that signed (the office's only manager's)")
	f.StringVar(&change.Reason, "reason", "", "the reasons of the letter, in full")
	textFlag(c, &change.From, "from", "first `DAY` or minute (now)")
	textFlag(c, &change.Until, "until", "last `DAY`, or the minute it ends (none)")
	textFlag(c, &change.Channel, "channel", "`CHANNEL`: web or mail (web, or the service's own)")
	f.StringSliceVar(&types, "types", nil, "record `TYPES` it opens, with commas (all of the channel)")
	textFlag(c, &change.Schedule, "schedule", "weekly `TIMETABLE`: \"mon-fri 08:00-14:00; tue,thu 14:30-17:30\"")
	textFlag(c, &change.Ground, "ground", "`GROUND` of certified mail (the office's only one)")
	f.BoolVar(&dryRun, "dry-run", false, "only say what would be opened, in full")
	f.BoolVar(&change.Notice, "notice", false, "write the office a notice of the decision")
	complete(c, "seat", seats)
	complete(c, "channel", channels)
	complete(c, "ground", fixed(policy.Grounds))
	return c
}

// inForce says from when on a grant that was made opens something.
func (s *session) inForce(from policy.Moment) {
	start := "from the next query"
	if from.Start(time.Local).After(time.Now()) {
		start = "from " + string(from)
	}
	s.line("in force", fmt.Sprintf("%s; workstations may keep an old answer for up to %d s", start, int(keepOld.Seconds())))
}

// subjectFlags say whose grants are meant.
func subjectFlags(c *cobra.Command, subject *policy.Subject) {
	f := c.Flags()
	f.StringVar(&subject.Office, "office", "", "`ID` of an office")
	textFlag(c, &subject.Role, "role", "a `ROLE`: employee or server")
	f.BoolVar(&subject.Everyone, "everyone", false, "everyone in the site")
	complete(c, "office", offices)
	complete(c, "role", fixed([]policy.Role{policy.Employee, policy.Server}))
}

// terms are a grant's types, dates and timetable, as far as it has any.
func terms(g *policy.Grant) string {
	var out []string
	if len(g.Types) > 0 {
		out = append(out, "types "+texts(g.Types))
	}
	if when := strings.TrimSpace(span(g.From, g.Until)); when != "" {
		out = append(out, when)
	}
	if g.Schedule != "" {
		out = append(out, string(g.Schedule))
	}
	return strings.Join(out, "  ")
}

func grantCommand() *cobra.Command {
	return group("grant", "Grants: what was opened to whom, on which request", grantList(), grantShow(), grantRevoke())
}

func grantList() *cobra.Command {
	var filter admin.GrantFilter
	c := online(&cobra.Command{
		Use:   "list",
		Short: "List the grants in force or to come",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		filter.Limit = admin.MaxGrants
		all := &admin.GrantList{Grants: []admin.GrantBrief{}}
		for {
			page, err := s.Grants(s.ctx, filter)
			if err != nil {
				return err
			}
			all.Grants = append(all.Grants, page.Grants...)
			if filter.After = page.Next; page.Next == 0 {
				break
			}
		}
		return s.show(all, func() {
			var rows [][]string
			for _, g := range all.Grants {
				rows = append(rows, []string{
					g.Grant.ID.String(), g.Grant.Subject.String(), g.Grant.Opens(), string(g.Grant.Channel), terms(g.Grant), string(g.State), g.Letter,
				})
			}
			s.table("no grants", []string{"GRANT", "FOR", "OPENS", "CHANNEL", "TERMS", "STATE", "REQUEST"}, rows)
		})
	})
	subjectFlags(c, &filter.Subject)
	c.Flags().StringVar(&filter.Name, "name", "", "only those that cover `NAME`, or are of the service of that name")
	c.Flags().BoolVar(&filter.All, "all", false, "expired and revoked ones too")
	c.MarkFlagsMutuallyExclusive("office", "role", "everyone")
	return c
}

func grantShow() *cobra.Command {
	return online(&cobra.Command{
		Use:               "show ID",
		Short:             "Show a grant and the request it rests on",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(grants),
	}, func(s *session, args []string) error {
		id, err := policy.ParseGrantID(args[0])
		if err != nil {
			return err
		}
		d, err := s.Grant(s.ctx, id)
		if err != nil {
			return err
		}
		return s.show(d, func() {
			g, q := d.Grant, d.Request
			s.line("grant", g.ID.String(), g.Subject.String(), string(g.Channel), g.Opens(), terms(g))
			s.detail("state", string(d.State))
			if r := g.Revoked; r != nil {
				s.detail("revoked", r.At.Format(time.DateTime)+" UTC by "+r.By, r.Reason)
			}
			signed := ""
			if q.Seat != "" {
				signed = fmt.Sprintf(", signed by the seat %s (held by %s)", q.Seat, q.Holder)
			}
			s.detail("request", q.Label()+signed)
			s.detail("", fmt.Sprintf("%q", q.Reason))
			if len(q.Addresses) > 0 {
				s.detail("asked", strings.Join(q.Addresses, ", "))
			}
			if len(q.Services) > 0 {
				s.detail("services", strings.Join(q.Services, ", "))
			}
			if q.Ground != "" {
				s.detail("ground", string(q.Ground))
			}
			s.detail("decided", q.Decided.Format(time.DateTime)+" UTC by "+q.DecidedBy)
			s.detail("version", fmt.Sprint(g.Version))
		})
	})
}

func grantRevoke() *cobra.Command {
	var change policy.RevokeGrants
	var noNotice bool
	c := online(&cobra.Command{
		Use:   "revoke ID…",
		Short: "End grants at once, with a notice to the office",
		Long: "End grants at once. An office whose grants end is written a notice with the reasons, which waits for its number in\n" +
			"the protocol register; grants of roles and of everyone need none.",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: grants,
	}, func(s *session, args []string) (err error) {
		if change.Grants, err = parseAll(args, policy.ParseGrantID); err != nil {
			return err
		}
		change.Notice = !noNotice
		made, err := s.RevokeGrants(s.ctx, change)
		if err != nil {
			return err
		}
		return s.show(made, func() {
			for _, g := range made.Grants {
				s.line("revoked", g.ID.String(), g.Subject.String(), string(g.Channel), g.Opens())
			}
			s.line("in force", "from the next query; workstations may keep what they were told for up to cache.client_ttl, 5 minutes by default")
			for _, l := range made.Letters {
				s.notice(l)
			}
		})
	})
	c.Flags().StringVar(&change.Reason, "reason", "", "why, as the office will read it")
	c.Flags().BoolVar(&noNotice, "no-notice", false, "write no notice: to correct what was entered wrong")
	c.Flags().BoolVar(&change.Urgent, "urgent", false, "a copy of the notice to the mailbox of the seat that signed the request")
	basedFlag(c, &change.Based)
	return c
}
