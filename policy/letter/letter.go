// Package letter writes what the IT office tells the other offices: notices of decisions, denials and revocations, reminders
// of what will end, and forms to sign; each as plain text and as a page for print, in the language of the settings.
//
// What a letter says was kept when it was written (policy.LetterContent); Issue makes it final. From then on Render gives the
// same octets for ever, whatever becomes of offices, seats and settings.
package letter

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"usciere/policy"
)

// Style is how letters look and go out: of the settings.
type Style struct {
	Language  string   // it, en or de
	Town      string   // its name
	Heading   []string // below the town's name
	Signature string   // who signs
	Portal    string   // URL where offices ask; empty: none
	Mail      bool     // a mail server is there; else letters are printed
	Domain    string   // right side of Message-IDs
}

// Out is the outgoing number and day of a letter; zero for what is not registered.
type Out struct {
	Protocol string
	Date     policy.Moment // today if empty
}

// Issue makes a letter final: it is rendered, kept as it is, and queued for the office's mailbox if mail can be sent. A
// notice needs its outgoing protocol number (R6).
func Issue(e *policy.Edit, l policy.Letter, out Out, s Style) (*policy.Letter, error) {
	if err := checkOut(e, &l, &out); err != nil {
		return nil, err
	}
	l.State = policy.Issued
	l.Issue = issueOf(out.Date, s)
	l.Issue.At, l.Issue.Protocol, l.Issue.Head = e.Now().Truncate(time.Second), out.Protocol, e.Head()
	if s.Mail {
		l.Issue.To = recipients(e, &l)
	}
	paper, err := Render(&l, l.Content.Token)
	if err != nil {
		return nil, err
	}
	l.Issue.Digest = Digest(paper)
	l.Issue.MessageID = messageID(&l, s.Domain)
	kept, err := e.PutLetter(l)
	if err != nil {
		return nil, err
	}
	if err := e.PutPaper(l.ID, paper); err != nil {
		return nil, err
	}
	if len(l.Issue.To) > 0 {
		err = e.PutMailing(policy.Mailing{Letter: l.ID, Queued: l.Issue.At, Next: l.Issue.At})
	}
	return kept, err
}

func issueOf(day policy.Moment, s Style) *policy.Issue {
	return &policy.Issue{
		Date: day, Language: wordsOf(s.Language).Tag, Town: s.Town, Heading: s.Heading, Signature: s.Signature, Portal: s.Portal,
	}
}

// checkOut checks number and day, and fills in today.
func checkOut(e *policy.Edit, l *policy.Letter, out *Out) error {
	if l.Issue != nil {
		return policy.Refusef(policy.Conflict, "`usciere letter show "+l.ID.String()+"` shows it, `usciere letter resend "+l.ID.String()+"` sends it again",
			"letter %s was issued on %s%s", l.ID, l.Issue.Date, under(l.Issue.Protocol))
	}
	if err := new(policy.Moment).UnmarshalText([]byte(out.Date)); err != nil {
		return err
	}
	if out.Date == "" {
		out.Date = e.Today()
	}
	if len(out.Date) > len(time.DateOnly) {
		return policy.Refusef(policy.Invalid, "give the day alone", "%s is no day", out.Date)
	}
	if out.Date > e.Today() {
		return policy.Refusef(policy.Invalid, "give the day on which it left, with --date", "the letter's date %s is in the future", out.Date)
	}
	if out.Date < l.Content.Date {
		return policy.Refusef(policy.Invalid, "check the day on which it left", "the letter's date %s is before that of the request that it answers, %s", out.Date, l.Content.Date)
	}
	if !l.Kind.Registered() {
		if out.Protocol != "" {
			return policy.Refusef(policy.Invalid, "leave the number out", "letter %s is a %s, which stays outside the protocol register", l.ID, l.Kind)
		}
		return nil
	}
	if out.Protocol == "" {
		return policy.Refusef(policy.Invalid, "give --protocol N/YYYY with its number in the protocol register (Art. 6)",
			"letter %s is a notice of %s: it cannot leave without an outgoing protocol number (R6)", l.ID, l.Kind)
	}
	protocol, err := policy.ParseProtocol(out.Protocol)
	if err != nil {
		return err
	}
	out.Protocol = protocol
	switch other, taken, err := e.Records().LetterOf(protocol); {
	case err != nil:
		return err
	case taken:
		return policy.Refusef(policy.Conflict, "see `usciere letter show "+other.String()+"`, and check the number (Art. 6)",
			"protocol %s is the outgoing number of letter %s already", protocol, other)
	}
	return nil
}

func under(protocol string) string {
	if protocol == "" {
		return ""
	}
	return " under protocol " + protocol
}

// recipients are the office's mailbox and, for an urgent letter only, the mailbox of the seat that signed (R12, R13); none
// that is certified mail (R10).
func recipients(e *policy.Edit, l *policy.Letter) (to []string) {
	add := func(mailbox string) {
		if !policy.IsMailbox(mailbox) || policy.CertifiedMailbox(mailbox) || len(to) > 0 && strings.EqualFold(to[0], mailbox) {
			return
		}
		to = append(to, mailbox)
	}
	office, ok := e.Office(l.Office)
	if !ok || toFormer(office, l) {
		return nil
	}
	add(office.Mailbox)
	if seat, ok := e.Seat(l.Content.Seat); ok && l.Urgent && seat.Office == l.Office {
		add(seat.Mailbox)
	}
	return to
}

// toFormer says whether a letter is to an office that had the id before.
func toFormer(o *policy.Office, l *policy.Letter) bool {
	return l.Request != 0 && l.Request <= o.Former
}

// Digest is the SHA-256 of a letter's text and page, hexadecimal.
func Digest(p policy.Paper) string {
	sum := sha256.Sum256([]byte(p.Text + "\x00" + p.Page))
	return hex.EncodeToString(sum[:])
}

// messageID is the same for every attempt to send the letter (RFC 5322 §3.6.4): its right side is the town's domain, its
// left the letter's number and, so that stores do not share it, part of its digest.
func messageID(l *policy.Letter, domain string) string {
	if domain == "" {
		domain = "usciere.invalid"
	}
	return fmt.Sprintf("%s.%s@%s", l.ID, l.Issue.Digest[:24], domain)
}

// WriteForm writes a request from the page as a form for the manager to sign, with the one-time link, and issues it.
func WriteForm(e *policy.Edit, q *policy.Request, token string, s Style) (*policy.Letter, error) {
	content := e.ContentOf(q, nil)
	content.From, content.Until, content.Token = q.From, q.Until, token
	for i, asked := range content.Asked {
		if sv, ok := e.Service(asked); ok && i >= len(q.Addresses) {
			content.Asked[i] = sv.Title
		}
	}
	if q.Link != nil {
		content.LinkEnds = policy.Moment(q.Link.Until.In(e.Town().Zone).Format("2006-01-02T15:04"))
	}
	l, err := e.WriteLetter(policy.Letter{Kind: policy.RequestForm, Office: q.Office, Content: content}, q)
	if err != nil {
		return nil, err
	}
	return Issue(e, *l, Out{}, s)
}
