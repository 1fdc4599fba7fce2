package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"usciere/policy/admin"
)

// The exit codes of explain, beside 0 for a name that may be asked.
const (
	exitSinkholed exitCode = 3
	exitRefused   exitCode = 4
)

func explainCommand() *cobra.Command {
	var q admin.Question
	var client string
	c := online(&cobra.Command{
		Use:               "explain --client ADDR|--office ID|--token ID NAME",
		Short:             "Say whether a name may be asked, and why; exit 0 allowed, 3 sinkholed, 4 refused",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}, func(s *session, args []string) (err error) {
		if q.Name = args[0]; client != "" {
			if q.Client, err = parseAddr(client); err != nil {
				return err
			}
		}
		e, err := s.Explain(s.ctx, q)
		if err != nil {
			return err
		}
		if err := s.show(e, func() { s.explanation(e, q.At != "") }); err != nil {
			return err
		}
		switch e.Action {
		case "sinkhole":
			return exitSinkholed
		case "refuse":
			return exitRefused
		}
		return nil
	})
	f := c.Flags()
	f.StringVar(&client, "client", "", "`ADDR` of the workstation that asks")
	f.StringVar(&q.Office, "office", "", "`ID` of the office any of whose employees asks")
	f.StringVar(&q.Type, "type", "", "record `TYPE` asked for (A)")
	f.StringVar(&q.At, "at", "", "`TIME` of the question: a day, a minute, or RFC 3339 (now)")
	f.BoolVar(&q.Trace, "trace", false, "ask the servers too, and show by which aliases the name comes to what")
	f.StringVar(&q.Token, "token", "", "`ID` of the token that is shown, from outside the site")
	c.MarkFlagsMutuallyExclusive("client", "office", "token")
	c.MarkFlagsOneRequired("client", "office", "token")
	complete(c, "office", offices)
	complete(c, "token", tokens)
	return c
}

// explanation prints the answer first, then why, then what to do next.
func (s screen) explanation(e *admin.Explanation, dated bool) {
	who := e.Client
	if e.Token != "" {
		who = "whoever shows the token " + e.Token
	} else if who == "" {
		who = "any employee of " + e.Office
	}
	if dated {
		who += " at " + e.At.Format("2006-01-02 15:04 MST")
	}
	s.line(e.Action, fmt.Sprintf("%s %s for %s", e.Name, e.Type, who))
	if e.Office != "" {
		s.detail("office", e.Office+place(e)+", role "+string(e.Role))
	}
	if e.Grant == nil {
		s.detail("why", e.Why)
	} else {
		s.basis(e)
	}
	for _, a := range e.Asked {
		label := a.Letter
		if a.State.Open() {
			label += ", which waits: usciere request show " + a.Request.String()
		}
		s.detail("asked", fmt.Sprintf("%s: %s, request %s", a.Request, a.State, label))
	}
	for _, n := range e.Nearby {
		what := n.Rule
		if n.Service != "" {
			what = "service " + n.Service
		}
		s.detail("nearby", fmt.Sprintf("%s has it: %s, request %s", n.Subject, what, n.Letter))
	}
	if e.Hint != "" {
		s.detail("to allow", e.Hint)
	}
	if e.Trace != nil {
		s.trace(e.Trace)
	}
}

// trace prints what a name comes to.
func (s screen) trace(t *admin.Trace) {
	for _, l := range t.Links {
		owner := ""
		if l.Leaves && l.Owner != "" {
			owner = ", of another owner: " + l.Owner
		}
		s.detail("alias", fmt.Sprintf("%s is %s for %ds%s", l.Name, l.Target, l.TTL, owner))
	}
	for _, r := range t.Records {
		s.detail("record", r)
	}
	switch {
	case t.Problem != "":
		s.detail("no answer", t.Problem)
	case len(t.Records) == 0:
		s.detail("record", "none, "+t.Rcode)
	}
}

// place says by what the client is of its office.
func place(e *admin.Explanation) string {
	by := ""
	if e.Device != "" {
		by = ", by its device " + e.Device.String()
	}
	switch {
	case e.Seat != "" && e.Holder != "":
		return fmt.Sprintf(" (seat %s, held by %s%s)", e.Seat, e.Holder, by)
	case e.Seat != "":
		return fmt.Sprintf(" (seat %s%s)", e.Seat, by)
	case e.Network != "":
		return fmt.Sprintf(" (%s)", e.Network)
	}
	return ""
}

// basis prints the rule that allowed, and the paperwork behind it.
func (s screen) basis(e *admin.Explanation) {
	rule := e.Rule
	switch {
	case e.Service != "" && e.Service != e.Grant.Service:
		rule += " (service " + e.Service + ", which comes with mail)"
	case e.Service != "":
		rule += " (service " + e.Service + ")"
	}
	when := strings.ReplaceAll(terms(e.Grant), "  ", ", ")
	if e.Grant.Until == "" {
		when = strings.TrimPrefix(when+", no end date", ", ")
	}
	s.detail("rule", fmt.Sprintf("%s, grant %s, %s, %s", rule, e.Grant.ID, e.Grant.Channel, when))
	if e.Grant.Office == "" {
		s.detail("for", e.Grant.Subject.String())
	}
	if e.Through != "" {
		s.detail("through", "the "+e.By+" record of "+e.Through+", which points here")
	}
	q := e.Request
	signed := ""
	if q.Seat != "" {
		name := q.SeatName
		if name == "" {
			name = q.Seat
		}
		held := q.Holder
		if q.Since != "" {
			held += " since " + string(q.Since)
		}
		signed = fmt.Sprintf(", signed by the seat %q (held by %s)", name, held)
	}
	s.detail("request", q.Label+signed)
	s.detail("", fmt.Sprintf("%q", q.Reason))
}
