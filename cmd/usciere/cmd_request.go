package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usciere/policy"
	"usciere/policy/admin"
	"usciere/policy/request"
)

func requestCommand() *cobra.Command {
	return group("request", "Requests: what an office asks for in writing, and what became of it",
		requestNew(), requestRenew(), requestList(), requestShow(), requestEndorse(), requestApprove(), requestDeny(), requestWithdraw())
}

func requestNew() *cobra.Command {
	var change request.Submit
	var interactive bool
	c := online(&cobra.Command{
		Use:   "new NAME… --office ID --protocol N/YYYY --reason TEXT",
		Short: "Enter a request: addresses or services that an office asks for, signed by its manager",
		Long: "Enter a request as the letter has it: the addresses of pages or names, or services, signed by the office's manager.\n" +
			"An address asks for that name only; \"inps.it e sottodomini\" or .inps.it also for all names below it.\n" +
			"--unsigned enters one that was not signed yet; --from-letter asks for everything, one thing after the other.",
		ValidArgsFunction: services,
	}, func(s *session, args []string) error {
		change.Names = args
		if interactive {
			d, err := newDialog(s)
			if err != nil {
				return err
			}
			if err := d.letter(&change); err != nil {
				return err
			}
		}
		return s.submit(change)
	})
	f := c.Flags()
	f.StringVar(&change.Office, "office", "", "`ID` of the office that asks")
	paperFlags(c, &change.Paper)
	f.StringVar(&change.Reason, "reason", "", "the reasons of the letter, in full")
	textFlag(c, &change.Channel, "channel", "`CHANNEL` of the addresses: web or mail (web)")
	textFlag(c, &change.Ground, "ground", "`GROUND` of certified mail: outside-bodies, court-acts or acts-of-outside-bodies")
	textFlag(c, &change.From, "from", "first `DAY` or minute asked for (at once)")
	textFlag(c, &change.Until, "until", "last `DAY` asked for, or the minute it ends (none)")
	f.BoolVar(&change.Unsigned, "unsigned", false, "it waits for the seat's signature")
	f.BoolVar(&interactive, "from-letter", false, "ask on the terminal for what the letter says")
	complete(c, "office", offices)
	complete(c, "channel", channels)
	complete(c, "ground", fixed(policy.Grounds))
	return c
}

// paperFlags say what the register and the letter say of a request.
func paperFlags(c *cobra.Command, p *request.Paper) {
	c.Flags().StringVar(&p.Protocol, "protocol", "", "incoming number of the letter in the protocol register, `N/YYYY`")
	textFlag(c, &p.Date, "date", "`DAY` of the letter (today)")
	c.Flags().StringVar(&p.Seat, "seat", "", "`ID` of the seat that signed (the office's only manager's)")
	complete(c, "seat", seats)
}

// submit enters a request, and says what is next.
func (s *session) submit(change request.Submit) error {
	moved, err := s.SubmitRequest(s.ctx, change)
	if err != nil {
		return err
	}
	return s.show(moved, func() {
		q := moved.Request
		s.line("request", q.ID.String(), q.Office, string(q.State), q.Protocol)
		s.notes(moved.Notes)
		s.detail("next", nextStep(q))
	})
}

func requestRenew() *cobra.Command {
	change := request.Submit{}
	c := online(&cobra.Command{
		Use:               "renew ID [NAME…] --protocol N/YYYY --reason TEXT",
		Short:             "Enter a new request that takes the place of an old one when it is approved",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: first(requests),
	}, func(s *session, args []string) (err error) {
		if change.Renews, err = policy.ParseRequestID(args[0]); err != nil {
			return err
		}
		old, err := s.Request(s.ctx, change.Renews)
		if err != nil {
			return err
		}
		change.Office, change.Names = old.Request.Office, args[1:]
		return s.submit(change)
	})
	paperFlags(c, &change.Paper)
	c.Flags().StringVar(&change.Reason, "reason", "", "the reasons of the letter, in full")
	textFlag(c, &change.From, "from", "first `DAY` or minute asked for (at once)")
	textFlag(c, &change.Until, "until", "last `DAY` asked for, or the minute it ends (none)")
	c.Flags().BoolVar(&change.Unsigned, "unsigned", false, "it waits for the seat's signature")
	return c
}

func requestList() *cobra.Command {
	var filter admin.RequestFilter
	var all bool
	c := online(&cobra.Command{
		Use:   "list",
		Short: "List the requests that wait for a signature or a decision, or all",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		filter.Open, filter.Limit = !all && filter.State == "", admin.MaxRequests
		list := &admin.RequestList{Requests: []*policy.Request{}}
		for {
			page, err := s.Requests(s.ctx, filter)
			if err != nil {
				return err
			}
			list.Requests = append(list.Requests, page.Requests...)
			if filter.After = page.Next; page.Next == 0 {
				break
			}
		}
		return s.show(list, func() {
			var rows [][]string
			for _, q := range list.Requests {
				rows = append(rows, []string{q.ID.String(), q.Office, string(q.State), q.Protocol, string(q.Date), q.Holder, brief(asks(q))})
			}
			empty := "no requests"
			if filter.Open {
				empty = "no requests wait; --all lists those decided"
			}
			s.table(empty, []string{"REQUEST", "OFFICE", "STATE", "PROTOCOL", "DATE", "SIGNED", "ASKS FOR"}, rows)
		})
	})
	c.Flags().StringVar(&filter.Office, "office", "", "only those of the office `ID`")
	textFlag(c, &filter.State, "state", "only those in `STATE`")
	c.Flags().BoolVar(&all, "all", false, "those decided too")
	complete(c, "office", offices)
	complete(c, "state", fixed(policy.RequestStates))
	return c
}

// asks is what a request asks for.
func asks(q *policy.Request) string {
	return strings.Join(append(append([]string{}, q.Addresses...), q.Services...), ", ")
}

// brief is the beginning of a text that may be long.
func brief(text string) string {
	const most = 60
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}

func requestShow() *cobra.Command {
	return online(&cobra.Command{
		Use:               "show ID",
		Short:             "Show a request, what granting it would open, and what came of it",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(requests),
	}, func(s *session, args []string) error {
		id, err := policy.ParseRequestID(args[0])
		if err != nil {
			return err
		}
		d, err := s.Request(s.ctx, id)
		if err != nil {
			return err
		}
		return s.show(d, func() { s.request(d) })
	})
}

// request prints the whole of a request.
func (s *session) request(d *admin.RequestDetails) {
	q := d.Request
	s.line("request", q.ID.String(), orIT(q.Office), string(q.State))
	s.detail("protocol", orNone(q.Protocol, "not registered")+" of "+string(q.Date))
	if q.Seat != "" {
		s.detail("signed", fmt.Sprintf("by the seat %s (held by %s)", q.Seat, q.Holder))
	}
	s.detail("reasons", fmt.Sprintf("%q", q.Reason))
	for _, a := range d.Asked {
		s.detail("asks", a.Text+opening(&a))
		if a.Has != "" {
			s.detail("", a.Has)
		}
	}
	if d.Problem != "" {
		s.detail("problem", d.Problem)
	}
	if q.Ground != "" {
		s.detail("ground", string(q.Ground))
	}
	if when := strings.TrimSpace(span(q.From, q.Until)); when != "" {
		s.detail("for", when)
	}
	if d.Renews != "" {
		s.detail("renews", q.Renews.String(), d.Renews)
	}
	for _, step := range q.Steps {
		by := "by " + step.By
		if step.Seat != "" {
			by += " for " + step.Holder
		}
		s.detail(string(step.State), step.At.Format(time.DateTime)+" UTC", by, step.Note)
	}
	if len(q.Steps) == 0 && !q.Decided.IsZero() {
		s.detail("decided", q.Decided.Format(time.DateTime)+" UTC by "+q.DecidedBy)
	}
	for _, l := range q.Left {
		s.detail("left out", l.What+": "+l.Why)
	}
	for _, wider := range q.Wider {
		s.detail("wider", wider)
	}
	for _, g := range d.Grants {
		s.detail("grant", g.Grant.ID.String(), g.Grant.Opens(), string(g.Grant.Channel), terms(g.Grant), string(g.State))
	}
	for _, l := range d.Letters {
		s.detail("letter", l.ID.String(), string(l.Kind), string(l.State))
	}
	if d.Renewed != nil {
		s.detail("renewed", "by "+d.Renewed.String())
	}
	if next := nextStep(q); next != "" {
		s.detail("next", next)
	}
}

// opening says what granting an asked thing opens, where that is more than the name asked.
func opening(a *admin.AskedFor) string {
	text := ""
	switch {
	case strings.HasPrefix(a.What, "service "):
		text = fmt.Sprintf(" (%s, %s): opens %s", a.Title, channelText(a.Channel, a.PEC), some(a.Rules, strings.TrimPrefix(a.What, "service ")))
	case a.Subtree:
		text = ": opens " + a.What + ", which is every name below " + strings.TrimLeft(a.What, "*.")
	case a.Channel == policy.Mail:
		text = ": opens the mail of " + a.What
	case a.Text != a.What:
		text = ": opens " + a.What + ", that name only"
	}
	if a.Along != nil {
		text += fmt.Sprintf("; and with it service %s: %s", a.Along.Service, some(a.Along.Rules, a.Along.Service))
	}
	return text
}

// some are the first rules of a service, and how many there are more.
func some(rules []policy.ServiceRule, service string) string {
	const shown = 12
	var out []string
	for i, r := range rules {
		if i == shown {
			out = append(out, fmt.Sprintf("and %d more: usciere service show %s", len(rules)-shown, service))
			break
		}
		out = append(out, r.Rule.String())
	}
	return strings.Join(out, ", ")
}

// nextStep is the command that brings an open request on.
func nextStep(q *policy.Request) string {
	switch {
	case q.State == policy.Submitted:
		return fmt.Sprintf("have it signed, then `usciere request endorse %s --protocol N/YYYY`", q.ID)
	case q.State == policy.Endorsed && q.Protocol == "":
		return fmt.Sprintf("have it registered, then `usciere request approve %s --protocol N/YYYY`, or deny it", q.ID)
	case q.State == policy.Endorsed:
		return fmt.Sprintf("`usciere request approve %s`, or `usciere request deny %s --reason \"…\"`", q.ID, q.ID)
	}
	return ""
}

func orIT(office string) string { return orNone(office, "the IT office") }

func orNone(text, none string) string {
	if text == "" {
		return none
	}
	return text
}
