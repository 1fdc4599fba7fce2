package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usciere/policy"
	"usciere/policy/admin"
	"usciere/policy/letter"
)

func letterCommand() *cobra.Command {
	return group("letter", "Letters to the offices: notices, reminders, forms to sign", letterList(), letterShow(), letterRegister(), letterResend())
}

var letters = completing(func(ctx context.Context, c *admin.Client) (out []cobra.Completion, err error) {
	list, err := c.Letters(ctx, admin.LetterFilter{Limit: admin.MaxLetters})
	if err != nil {
		return nil, err
	}
	for _, l := range list.Letters {
		out = append(out, cobra.CompletionWithDesc(l.ID.String(), printable(string(l.Kind)+" "+l.Office)))
	}
	return out, nil
})

// notice says of a notice that was written what becomes of it.
func (s *session) notice(l *policy.Letter) {
	switch {
	case l.State == policy.AwaitingProtocol:
		s.line("notice", fmt.Sprintf("%s awaits its protocol number: usciere letter register %s --protocol N/YYYY", l.ID, l.ID))
	case len(l.Issue.To) > 0:
		s.line("notice", l.ID.String(), "issued as "+l.Issue.Protocol, "to "+strings.Join(l.Issue.To, ", "))
	default:
		s.line("notice", l.ID.String(), "issued as "+l.Issue.Protocol, "to be printed: usciere letter show "+l.ID.String()+" --html FILE")
	}
}

func letterList() *cobra.Command {
	var filter admin.LetterFilter
	c := online(&cobra.Command{
		Use:   "list",
		Short: "List the letters, oldest first",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		filter.Limit = admin.MaxLetters
		all := &admin.LetterList{Letters: []*policy.Letter{}}
		for {
			page, err := s.Letters(s.ctx, filter)
			if err != nil {
				return err
			}
			all.Letters = append(all.Letters, page.Letters...)
			if filter.After = page.Next; page.Next == 0 {
				break
			}
		}
		return s.show(all, func() {
			var rows [][]string
			for _, l := range all.Letters {
				number, day, to := "", l.Written.Format(time.DateOnly), ""
				if l.Issue != nil {
					number, day, to = l.Issue.Protocol, string(l.Issue.Date), cmp.Or(strings.Join(l.Issue.To, ", "), "printed")
				}
				rows = append(rows, []string{l.ID.String(), string(l.Kind), l.Office, string(l.State), number, day, l.Content.Protocol, to})
			}
			s.table("no letters", []string{"LETTER", "KIND", "OFFICE", "STATE", "PROTOCOL", "DATE", "REQUEST", "TO"}, rows)
		})
	})
	c.Flags().StringVar(&filter.Office, "office", "", "only those of an office, by `ID`")
	textFlag(c, &filter.State, "state", "only those in a `STATE`: awaiting-protocol, issued or sent")
	complete(c, "office", offices)
	complete(c, "state", fixed(policy.LetterStates))
	return c
}

func letterShow() *cobra.Command {
	var page string
	c := online(&cobra.Command{
		Use:   "show ID",
		Short: "Show a letter, or write its page for print to a file",
		Long: "Show a letter as it was issued, or as it would be today while it awaits its protocol number.\n" +
			"With --html, write the page for print (A4): open it in a browser.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(letters),
	}, func(s *session, args []string) error {
		id, err := policy.ParseLetterID(args[0])
		if err != nil {
			return err
		}
		d, err := s.Letter(s.ctx, id)
		if err != nil {
			return err
		}
		switch page {
		case "":
			return s.show(d, func() { s.paper(d) })
		case "-":
			s.print(d.Page) // as it is: a program reads it
			return nil
		}
		if err := os.WriteFile(page, []byte(d.Page), 0o600); err != nil {
			return err
		}
		return s.show(d, func() { s.line("written", page, "open it in a browser and print it") })
	})
	c.Flags().StringVar(&page, "html", "", "`FILE` for the page for print; - for standard output")
	return c
}

// paper prints a letter, and how sending it goes.
func (s *session) paper(d *admin.LetterDetails) {
	l := d.Letter
	s.line("letter", l.ID.String(), string(l.Kind), l.Office, string(l.State))
	switch m := d.Mailing; {
	case d.Draft:
		s.detail("draft", "as it would look today; usciere letter register "+l.ID.String()+" --protocol N/YYYY sends it")
	case m != nil:
		s.detail("outbox", mailingState(m), m.Error)
	case l.State == policy.Sent:
		s.detail("sent", l.Sent.Format(time.DateTime)+" UTC to "+strings.Join(l.Issue.To, ", "))
	case l.State == policy.Issued:
		s.detail("print", "no mail was sent: usciere letter show "+l.ID.String()+" --html FILE")
	}
	if l.Issue != nil && l.Issue.MessageID != "" {
		s.detail("mail", "<"+l.Issue.MessageID+">")
	}
	s.note("")
	for line := range strings.Lines(d.Text) {
		s.note(strings.TrimSuffix(line, "\n"))
	}
}

// mailingState says how sending a letter goes.
func mailingState(m *policy.Mailing) string {
	switch {
	case m.Refused:
		return "refused"
	case m.Attempts == 0:
		return "waiting"
	}
	return fmt.Sprintf("tried %s, again at %s UTC", counted(m.Attempts, "time"), m.Next.UTC().Format(time.DateTime))
}

func letterRegister() *cobra.Command {
	var change letter.Register
	c := online(&cobra.Command{
		Use:   "register ID --protocol N/YYYY",
		Short: "Enter the outgoing protocol number of a notice, which makes it final and sends it",
		Long: "Enter the number that the town's register gave a notice (Art. 6). The notice is then final, and goes to the\n" +
			"office's mailbox; without one, or without a mail server, it is printed.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(letters),
	}, func(s *session, args []string) (err error) {
		if change.Letter, err = policy.ParseLetterID(args[0]); err != nil {
			return err
		}
		moved, err := s.RegisterLetter(s.ctx, change)
		if err != nil {
			return err
		}
		return s.show(moved, func() {
			l := moved.Letter
			s.line("issued", l.ID.String(), string(l.Kind), l.Office, "protocol "+l.Issue.Protocol+" of "+string(l.Issue.Date))
			s.goes(l)
		})
	})
	c.Flags().StringVar(&change.Protocol, "protocol", "", "outgoing number in the protocol register, `N/YYYY`")
	textFlag(c, &change.Date, "date", "`DAY` on which it left (today)")
	return c
}

// goes says how an issued letter reaches the office.
func (s *session) goes(l *policy.Letter) {
	if len(l.Issue.To) > 0 {
		s.detail("mail", "to "+strings.Join(l.Issue.To, ", ")+"; `usciere outbox` shows what waits")
		return
	}
	s.detail("print", "it goes by no mail: usciere letter show "+l.ID.String()+" --html FILE")
}

func letterResend() *cobra.Command {
	return online(&cobra.Command{
		Use:   "resend ID…",
		Short: "Send letters again as they were issued, also those that are stuck",
		Long: "Send letters again as they were issued, to the mailboxes that the office has now, and under the same Message-ID.\n" +
			"What the mail server refused is tried again only so.",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: letters,
	}, func(s *session, args []string) error {
		ids, err := parseAll(args, policy.ParseLetterID)
		if err != nil {
			return err
		}
		all := &admin.LetterList{}
		for _, id := range ids {
			moved, err := s.ResendLetter(s.ctx, id)
			if err != nil {
				return err
			}
			all.Letters = append(all.Letters, moved.Letter)
		}
		return s.show(all, func() {
			for _, l := range all.Letters {
				s.line("queued", l.ID.String(), string(l.Kind), l.Office)
				s.goes(l)
			}
		})
	})
}

func outboxCommand() *cobra.Command {
	return online(&cobra.Command{
		Use:   "outbox",
		Short: "Show the letters that wait to be sent, and what keeps them",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		all, err := s.Outbox(s.ctx, 0)
		if err != nil {
			return err
		}
		for next := all.Next; next != 0; {
			page, err := s.Outbox(s.ctx, next)
			if err != nil {
				return err
			}
			all.Mailings, next = append(all.Mailings, page.Mailings...), page.Next
		}
		all.Next = 0
		return s.show(all, func() {
			var rows [][]string
			for i := range all.Mailings {
				m := &all.Mailings[i]
				rows = append(rows, []string{
					m.Letter.String(), string(m.Kind), m.Office, strings.Join(m.To, ", "), m.Queued.UTC().Format(time.DateTime), mailingState(&m.Mailing), m.Error,
				})
			}
			s.table("nothing waits to be sent", []string{"LETTER", "KIND", "OFFICE", "TO", "QUEUED", "STATE", "LAST ERROR"}, rows)
			if all.NoServer && len(rows) > 0 {
				s.note("no mail server is set: nothing is sent (mail.server in the settings)")
			}
		})
	})
}
