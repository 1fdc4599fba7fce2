package main

import (
	"github.com/spf13/cobra"

	"usciere/policy"
	"usciere/policy/request"
)

// The commands of this file bring a request on: they take one request, and say what became of it.

func requestEndorse() *cobra.Command {
	var change request.Endorse
	c := online(&cobra.Command{
		Use:               "endorse ID --protocol N/YYYY",
		Short:             "Enter the signed letter of a request that was written on the page, or unsigned",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(requests),
	}, func(s *session, args []string) (err error) {
		if change.Request, err = policy.ParseRequestID(args[0]); err != nil {
			return err
		}
		moved, err := s.EndorseRequest(s.ctx, change)
		return s.moved("endorsed", moved, err)
	})
	paperFlags(c, &change.Paper)
	return c
}

func requestApprove() *cobra.Command {
	var change request.Approve
	var types []string
	c := online(&cobra.Command{
		Use:   "approve ID",
		Short: "Grant what a request asks for, or a part of it",
		Long: "Grant what a request asks for. With --open only what is named; --why-not then tells the office why not the rest.\n" +
			"What goes beyond what was asked for is refused, unless --wider says that it is meant: the letter says so too.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(requests),
	}, func(s *session, args []string) (err error) {
		if change.Request, err = policy.ParseRequestID(args[0]); err != nil {
			return err
		}
		if change.Types, err = parseAll(types, policy.ParseType); err != nil {
			return err
		}
		moved, err := s.ApproveRequest(s.ctx, change)
		return s.moved("approved", moved, err)
	})
	f := c.Flags()
	f.StringArrayVar(&change.Names, "open", nil, "`NAME` or service to open in place of all that was asked for; repeatable")
	f.StringVar(&change.WhyNot, "why-not", "", "why not the rest, in full")
	f.BoolVar(&change.Wider, "wider", false, "what goes beyond the request is meant")
	paperFlags(c, &change.Paper)
	textFlag(c, &change.From, "from", "first `DAY` or minute (as asked for)")
	textFlag(c, &change.Until, "until", "last `DAY`, or the minute it ends (as asked for)")
	f.StringSliceVar(&types, "types", nil, "record `TYPES` it opens, with commas (all of the channel)")
	textFlag(c, &change.Schedule, "schedule", "weekly `TIMETABLE`: \"mon-fri 08:00-14:00; tue,thu 14:30-17:30\"")
	noticeFlags(c, &change.Notice)
	complete(c, "open", services)
	return c
}

func requestDeny() *cobra.Command {
	var change request.Deny
	c := online(&cobra.Command{
		Use:               "deny ID --reason TEXT",
		Short:             "Refuse a request; the office is told in writing",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(requests),
	}, func(s *session, args []string) (err error) {
		if change.Request, err = policy.ParseRequestID(args[0]); err != nil {
			return err
		}
		moved, err := s.DenyRequest(s.ctx, change)
		return s.moved("denied", moved, err)
	})
	c.Flags().StringVar(&change.Reason, "reason", "", "why, in full: the letter says it")
	paperFlags(c, &change.Paper)
	noticeFlags(c, &change.Notice)
	return c
}

// noticeFlags say how the office is told.
func noticeFlags(c *cobra.Command, n *request.Notice) {
	c.Flags().StringVar(&n.Out, "out", "", "outgoing number of the notice in the protocol register, `N/YYYY`; without, it waits for it")
	c.Flags().BoolVar(&n.Urgent, "urgent", false, "a copy of the notice goes to the seat's own mailbox")
}

func requestWithdraw() *cobra.Command {
	var change request.Withdraw
	c := online(&cobra.Command{
		Use:               "withdraw ID --reason TEXT",
		Short:             "Take a request back for its office; its grants end",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(requests),
	}, func(s *session, args []string) (err error) {
		if change.Request, err = policy.ParseRequestID(args[0]); err != nil {
			return err
		}
		moved, err := s.WithdrawRequest(s.ctx, change)
		return s.moved("withdrawn", moved, err)
	})
	c.Flags().StringVar(&change.Reason, "reason", "", "for whom and why: \"letter 140/2026 of the office\"")
	return c
}

// moved prints what became of a request.
func (s *session) moved(what string, m *request.Moved, err error) error {
	if err != nil {
		return err
	}
	return s.show(m, func() {
		q := m.Request
		s.line(what, q.ID.String(), q.Office, "request "+q.Label())
		s.notes(m.Notes)
		for _, g := range m.Grants {
			s.line("granted", g.ID.String(), g.Subject.String(), string(g.Channel), g.Opens(), terms(g))
		}
		if len(m.Grants) > 0 { // what was left out was so before what ends now
			for _, l := range q.Left {
				s.line("left out", l.What+": "+l.Why)
			}
		}
		for _, g := range m.Ended {
			s.line("revoked", g.ID.String(), g.Subject.String(), string(g.Channel), g.Opens())
		}
		for _, old := range m.Requests {
			s.line(string(old.State), old.ID.String(), "request "+old.Label())
		}
		if m.Letter != nil {
			s.notice(m.Letter)
		}
		if len(m.Grants) > 0 {
			s.inForce(m.Grants[0].From)
		}
		if next := nextStep(q); next != "" {
			s.detail("next", next)
		}
	})
}
