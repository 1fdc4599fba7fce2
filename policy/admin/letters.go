package admin

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"usciere/policy"
	"usciere/policy/letter"
)

// LetterFilter chooses letters; the empty one takes all.
type LetterFilter struct {
	Office string
	State  policy.LetterState
	After  policy.LetterID // those with a higher number
	Limit  int             // 1 to MaxLetters; 0: DefaultLetters
}

// How many letters a page has.
const (
	DefaultLetters = 100
	MaxLetters     = 1000
)

// LetterList is one page of letters, by number.
type LetterList struct {
	Letters []*policy.Letter `json:"letters"`
	Next    policy.LetterID  `json:"next,omitempty"` // give it as after to see the next page
}

// LetterDetails are a letter, its paper, and how sending it goes.
type LetterDetails struct {
	Letter  *policy.Letter  `json:"letter"`
	Text    string          `json:"text"`
	Page    string          `json:"page"`            // HTML, for print
	Draft   bool            `json:"draft,omitempty"` // it awaits its protocol number, and would look like this today
	Mailing *policy.Mailing `json:"mailing,omitempty"`
}

// Outbox are the letters that wait to be sent, oldest first.
type Outbox struct {
	Mailings []MailingBrief  `json:"mailings"`
	Next     policy.LetterID `json:"next,omitempty"`      // give it as after to see the next page
	NoServer bool            `json:"no_server,omitempty"` // none is set, so that nothing is sent
}

// MailingBrief is a letter that waits to be sent.
type MailingBrief struct {
	policy.Mailing
	Kind   policy.LetterKind `json:"kind"`
	Office string            `json:"office"`
	To     []string          `json:"to"`
}

// LetterCounts are how many letters wait for what.
type LetterCounts struct {
	Awaiting int `json:"awaiting_protocol"` // notices without their outgoing number
	Outbox   int `json:"outbox"`            // to be sent
	Failing  int `json:"failing"`           // of these: for an hour without success
	Refused  int `json:"refused"`           // of these: refused by the mail server for good
}

func (n LetterCounts) String() string {
	return fmt.Sprintf("%d await a protocol number, %d to be sent, of which %d stuck", n.Awaiting, n.Outbox, n.Failing+n.Refused)
}

// patience is how long a letter may fail to be sent before somebody should look at it: mail servers are restarted.
const patience = time.Hour

// CountLetters counts the letters that wait.
func CountLetters(rules *policy.Live, now time.Time) (n LetterCounts, err error) {
	err = rules.View(func(r policy.Records) error {
		if err := r.EachMailing(func(m *policy.Mailing) bool {
			n.Outbox++
			switch {
			case m.Refused:
				n.Refused++
			case m.Attempts > 0 && now.Sub(m.Queued) >= patience:
				n.Failing++
			}
			return true
		}); err != nil {
			return err
		}
		return r.EachLetter(func(l *policy.Letter) bool {
			if l.State == policy.AwaitingProtocol {
				n.Awaiting++
			}
			return true
		})
	})
	return n, err
}

// LetterResend says which letter is to be sent again.
type LetterResend struct {
	Letter policy.LetterID `json:"letter"`
}

// query writes the filter as parameters.
func (f LetterFilter) query() url.Values {
	q := url.Values{}
	for key, value := range map[string]string{"office": f.Office, "state": string(f.State)} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if f.After != 0 {
		q.Set("after", f.After.String())
	}
	if f.Limit != 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return q
}

// parseLetterFilter reads what query writes.
func parseLetterFilter(q url.Values) (f LetterFilter, err error) {
	f.Office = q.Get("office")
	if err := f.State.UnmarshalText([]byte(q.Get("state"))); err != nil {
		return f, err
	}
	if text := q.Get("after"); text != "" {
		if f.After, err = policy.ParseLetterID(text); err != nil {
			return f, err
		}
	}
	f.Limit, err = limit(q, DefaultLetters, MaxLetters)
	return f, err
}

func listLetters(c *call) (any, error) {
	q, err := params(c.r, "office", "state", "after", "limit")
	if err != nil {
		return nil, err
	}
	f, err := parseLetterFilter(q)
	if err != nil {
		return nil, err
	}
	out := LetterList{Letters: []*policy.Letter{}}
	err = c.cfg.Rules.View(func(r policy.Records) error {
		return r.EachLetter(func(l *policy.Letter) bool {
			switch {
			case l.ID <= f.After, f.Office != "" && f.Office != l.Office, f.State != "" && f.State != l.State:
				return true
			case len(out.Letters) == f.Limit:
				out.Next = out.Letters[f.Limit-1].ID
				return false
			}
			out.Letters = append(out.Letters, l)
			return true
		})
	})
	return out, err
}

func showLetter(c *call) (any, error) {
	p, err := params(c.r, "id")
	if err != nil {
		return nil, err
	}
	id, err := policy.ParseLetterID(p.Get("id"))
	if err != nil {
		return nil, err
	}
	out := new(LetterDetails)
	var paper policy.Paper
	err = c.cfg.Rules.View(func(r policy.Records) (err error) {
		if out.Letter, err = r.Letter(id); err != nil {
			return err
		}
		switch m, waits, err := r.Mailing(id); {
		case err != nil:
			return err
		case waits:
			out.Mailing = &m
		}
		if out.Letter.Issue == nil {
			out.Draft = true
			paper, err = letter.Draft(out.Letter, policy.DayOf(c.now, c.rules.Town().Zone), c.cfg.Letters())
			return err
		}
		if out.Letter.Kind == policy.RequestForm && c.mine < change { // its one-time link is not for everyone who may read
			paper, err = letter.Render(out.Letter, "")
			return err
		}
		paper, _, err = r.Paper(id)
		return err
	})
	if err != nil {
		return nil, err
	}
	out.Text, out.Page = paper.Text, paper.Page
	return out, nil
}

// registerLetter enters a notice's outgoing number, which sends it.
func registerLetter(c *call) (any, error) {
	wanted, err := body[letter.Register](c.w, c.r)
	if err != nil {
		return nil, err
	}
	wanted.Style = c.cfg.Letters()
	return c.apply(wanted)
}

func resendLetter(c *call) (any, error) {
	wanted, err := body[LetterResend](c.w, c.r)
	if err != nil {
		return nil, err
	}
	return c.apply(letter.Resend{Letter: wanted.Letter, Style: c.cfg.Letters()})
}

func showOutbox(c *call) (any, error) {
	q, err := params(c.r, "after", "limit")
	if err != nil {
		return nil, err
	}
	f, err := parseLetterFilter(q)
	if err != nil {
		return nil, err
	}
	out := Outbox{Mailings: []MailingBrief{}, NoServer: !c.cfg.Letters().Mail}
	err = c.cfg.Rules.View(func(r policy.Records) (err error) {
		each := r.EachMailing(func(m *policy.Mailing) bool {
			switch {
			case m.Letter <= f.After:
				return true
			case len(out.Mailings) == f.Limit:
				out.Next = out.Mailings[f.Limit-1].Letter
				return false
			}
			var l *policy.Letter
			if l, err = r.Letter(m.Letter); err != nil {
				return false
			}
			out.Mailings = append(out.Mailings, MailingBrief{*m, l.Kind, l.Office, l.Issue.To})
			return true
		})
		if err == nil {
			err = each
		}
		return err
	})
	return out, err
}

// RegisterLetter enters the outgoing protocol number of a notice.
func (c *Client) RegisterLetter(ctx context.Context, change letter.Register) (*letter.Moved, error) {
	return post[*letter.Moved](ctx, c, "/v1/letter/register", change)
}

// ResendLetter sends a letter again.
func (c *Client) ResendLetter(ctx context.Context, id policy.LetterID) (*letter.Moved, error) {
	return post[*letter.Moved](ctx, c, "/v1/letter/resend", LetterResend{id})
}

// Letters lists one page of letters.
func (c *Client) Letters(ctx context.Context, filter LetterFilter) (*LetterList, error) {
	return get[*LetterList](ctx, c, "/v1/letter/list", filter.query())
}

// Letter shows a letter, its paper, and how sending it goes.
func (c *Client) Letter(ctx context.Context, id policy.LetterID) (*LetterDetails, error) {
	return get[*LetterDetails](ctx, c, "/v1/letter/show", url.Values{"id": {id.String()}})
}

// Outbox lists one page of the letters that wait to be sent.
func (c *Client) Outbox(ctx context.Context, after policy.LetterID) (*Outbox, error) {
	return get[*Outbox](ctx, c, "/v1/outbox", LetterFilter{After: after, Limit: MaxLetters}.query())
}
