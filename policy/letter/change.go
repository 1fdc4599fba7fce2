package letter

import (
	"time"

	"usciere/policy"
)

// Moved is what the changes here leave in the journal.
type Moved struct {
	Letter *policy.Letter `json:"letter"`
}

func moved(e *policy.Edit, l *policy.Letter) (policy.Made, error) {
	label := ""
	if l.Request != 0 {
		q, err := e.Records().Request(l.Request)
		if err != nil {
			return policy.Made{}, err
		}
		label = q.Label()
	}
	return policy.Made{Office: l.Office, Request: label, Body: Moved{l}}, nil
}

// Register enters the outgoing protocol number of a notice (R6), which makes it final and sends it.
type Register struct {
	Letter   policy.LetterID `json:"letter"`
	Protocol string          `json:"protocol"`
	Date     policy.Moment   `json:"date,omitempty"` // today if empty
	Style    Style           `json:"-"`
}

// Kind names the change in the journal.
func (Register) Kind() string { return "letter.register" }

// Apply implements policy.Change.
func (c Register) Apply(e *policy.Edit) (policy.Made, error) {
	l, err := e.Records().Letter(c.Letter)
	if err != nil {
		return policy.Made{}, err
	}
	if l, err = Issue(e, *l, Out{c.Protocol, c.Date}, c.Style); err != nil {
		return policy.Made{}, err
	}
	return moved(e, l)
}

// Sent notes that the mail server took a letter.
type Sent struct {
	Letter policy.LetterID
	At     time.Time
}

// Kind names the change in the journal.
func (Sent) Kind() string { return "letter.sent" }

// Apply implements policy.Change.
func (c Sent) Apply(e *policy.Edit) (policy.Made, error) {
	l, err := e.Records().Letter(c.Letter)
	if err != nil {
		return policy.Made{}, err
	}
	switch _, waits, err := e.Records().Mailing(c.Letter); {
	case err != nil:
		return policy.Made{}, err
	case !waits:
		return policy.Made{}, policy.Refusef(policy.Conflict, "", "letter %s does not wait to be sent", c.Letter)
	}
	l.State, l.Sent = policy.Sent, c.At.UTC().Truncate(time.Second)
	kept, err := e.PutLetter(*l)
	if err != nil {
		return policy.Made{}, err
	}
	if err := e.DropMailing(l.ID); err != nil {
		return policy.Made{}, err
	}
	return moved(e, kept)
}

// Resend sends a letter again, or one that is stuck at last, as it was issued, to the mailboxes that the office has now.
type Resend struct {
	Letter policy.LetterID `json:"letter"`
	Style  Style           `json:"-"`
}

// Kind names the change in the journal.
func (Resend) Kind() string { return "letter.resend" }

// Apply implements policy.Change.
func (c Resend) Apply(e *policy.Edit) (policy.Made, error) {
	l, err := e.Records().Letter(c.Letter)
	if err != nil {
		return policy.Made{}, err
	}
	print := "print it instead: `usciere letter show " + l.ID.String() + " --html FILE`"
	if l.Issue == nil {
		return policy.Made{}, policy.Refusef(policy.Conflict, "enter its number with `usciere letter register "+l.ID.String()+" --protocol N/YYYY`",
			"letter %s is not issued: it has no protocol number yet (R6)", l.ID)
	}
	if !c.Style.Mail {
		return policy.Made{}, policy.Refusef(policy.Conflict, print+"; or name a mail server in the settings (mail.server)", "no letter can be sent: there is no mail server")
	}
	if office, ok := e.Office(l.Office); !ok || toFormer(office, l) {
		return policy.Made{}, policy.Refusef(policy.Conflict, print, "the office that letter %s is to is gone", l.ID)
	}
	issue := *l.Issue
	if issue.To = recipients(e, l); len(issue.To) == 0 {
		return policy.Made{}, policy.Refusef(policy.Conflict, "give it one with `usciere office change "+l.Office+" --mailbox ADDRESS`; or "+print,
			"the office %s has no mailbox that letters may go to (R10, R12)", l.Office)
	}
	l.Issue, l.State = &issue, policy.Issued
	kept, err := e.PutLetter(*l)
	if err != nil {
		return policy.Made{}, err
	}
	now := e.Now().Truncate(time.Second)
	if err := e.PutMailing(policy.Mailing{Letter: l.ID, Queued: now, Next: now}); err != nil {
		return policy.Made{}, err
	}
	return moved(e, kept)
}
