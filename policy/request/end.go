package request

import (
	"strings"
	"time"

	"usciere/policy"
)

// Withdraw takes a request back for its office. If it was approved, its grants end.
type Withdraw struct {
	Request policy.RequestID `json:"request"`
	Reason  string           `json:"reason"`
}

// Kind names the change in the journal.
func (Withdraw) Kind() string { return "request.withdraw" }

// Apply makes the change; its body is a *Moved.
func (c Withdraw) Apply(e *policy.Edit) (policy.Made, error) {
	q, err := find(e, c.Request, "withdrawn", policy.Submitted, policy.Endorsed, policy.Approved)
	if err != nil {
		return policy.Made{}, err
	}
	if q.Office == "" {
		return policy.Made{}, policy.Refusef(policy.Invalid, "revoke its grants with `usciere grant revoke`", "%s is an act of the IT office: no office takes it back", q.ID)
	}
	why := strings.TrimSpace(c.Reason)
	if err := reasons(why, "say for whom and why it is withdrawn: the register keeps it (Art. 6)", "give --reason, such as \"letter 140/2026 of the office\""); err != nil {
		return policy.Made{}, err
	}
	out := &Moved{}
	if out.Ended, err = end(e, &q, "withdrawn: "+why); err != nil {
		return policy.Made{}, err
	}
	q.Link = nil
	q.MoveTo(e, policy.Withdrawn, why)
	if out.Request, err = e.PutRequest(q); err != nil {
		return policy.Made{}, err
	}
	if len(out.Ended) > 0 {
		content := e.ContentOf(out.Request, out.Ended)
		content.Decision, content.Left, content.Ends = why, nil, e.Today()
		if out.Letter, err = e.WriteLetter(policy.Letter{Kind: policy.RevocationNotice, Office: q.Office, Content: content}, out.Request); err != nil {
			return policy.Made{}, err
		}
	}
	return out.made(), nil
}

// end revokes the grants of a request.
func end(e *policy.Edit, q *policy.Request, why string) (ended []*policy.Grant, err error) {
	grants, err := grantsOn(e, q)
	for _, g := range grants {
		over, err := e.Revoke(g, why)
		if err != nil {
			return nil, err
		}
		ended = append(ended, over)
	}
	return ended, err
}

// grantsOn are the grants of a request that are not revoked.
func grantsOn(e *policy.Edit, q *policy.Request) (grants []*policy.Grant, err error) {
	err = e.Records().EachGrantOf(policy.Subject{Office: q.Office}, func(g *policy.Grant) bool {
		if g.Request == q.ID {
			grants = append(grants, g)
		}
		return true
	})
	return grants, err
}

// Expire notes of approved requests that all their grants are past their end. The daemon does it once a day.
type Expire struct {
	Requests []policy.RequestID `json:"requests"` // as Over found them
}

// Kind names the change in the journal.
func (Expire) Kind() string { return "request.expire" }

// Apply makes the change; its body is a *Moved.
func (c Expire) Apply(e *policy.Edit) (policy.Made, error) {
	if len(c.Requests) == 0 {
		return policy.Made{}, policy.Refusef(policy.Invalid, "", "nothing is over")
	}
	out := &Moved{}
	for _, id := range c.Requests {
		q, err := find(e, id, "expired", policy.Approved)
		if err != nil {
			return policy.Made{}, err
		}
		q.MoveTo(e, policy.Expired, "")
		moved, err := e.PutRequest(q)
		if err != nil {
			return policy.Made{}, err
		}
		out.Requests = append(out.Requests, moved)
	}
	return policy.Made{Body: out}, nil
}

// Over are the approved requests of offices whose grants have all ended, one at least by its date, oldest first. What was
// granted on them by `usciere allow` counts too.
func Over(r policy.Records, now time.Time, zone *time.Location) ([]policy.RequestID, error) {
	live, past := map[policy.RequestID]bool{}, map[policy.RequestID]bool{}
	if err := r.EachGrant(func(g *policy.Grant) bool {
		switch {
		case g.Revoked != nil:
		case g.Until != "" && !now.Before(g.Until.End(zone)):
			past[g.Request] = true
		default:
			live[g.Request] = true
		}
		return true
	}); err != nil {
		return nil, err
	}
	var out []policy.RequestID
	err := r.EachRequest(func(q *policy.Request) bool {
		if q.State == policy.Approved && past[q.ID] && !live[q.ID] {
			out = append(out, q.ID)
		}
		return true
	})
	return out, err
}
