package post

import (
	"fmt"
	"strings"

	"github.com/wneessen/go-mail"

	"usciere/policy"
	"usciere/policy/letter"
)

// message is a letter as a mail: plain text, and the page for print. All of its header but what the library adds comes from
// the record, so that every attempt is the same mail.
func (s *Server) message(l *policy.Letter, p policy.Paper) (*mail.Msg, error) {
	if l.Issue == nil || len(l.Issue.To) == 0 {
		return nil, fmt.Errorf("letter %s has no mailbox to go to", l.ID)
	}
	for _, value := range append([]string{l.Issue.MessageID, l.Issue.Language}, l.Issue.To...) {
		if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return nil, fmt.Errorf("letter %s: %q cannot stand in the header of a mail", l.ID, value)
		}
	}
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := m.FromFormat(s.Name, s.From); err != nil {
		return nil, fmt.Errorf("mail.from: %w", err)
	}
	if err := m.To(l.Issue.To[0]); err != nil {
		return nil, fmt.Errorf("letter %s: %w", l.ID, err)
	}
	if err := m.Cc(l.Issue.To[1:]...); err != nil {
		return nil, fmt.Errorf("letter %s: %w", l.ID, err)
	}
	m.SetMessageIDWithValue(l.Issue.MessageID)
	m.SetDateWithValue(l.Issue.At)
	m.Subject(letter.Subject(l))
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 §5: no out-of-office replies
	m.SetGenHeader(mail.HeaderContentLang, l.Issue.Language)
	if l.Urgent {
		m.SetImportance(mail.ImportanceHigh)
	}
	m.SetBodyString(mail.TypeTextPlain, p.Text)
	m.AddAlternativeString(mail.TypeTextHTML, p.Page)
	return m, nil
}
