package request

import (
	"crypto/subtle"
	"time"

	"usciere/policy"
)

// Endorse signs a request for its office: the holder of the seat by the one-time link, at a workstation of the seat; or the
// IT office, which has the signed letter with its protocol number (Paper). Of a request signed by the link it enters the
// number.
type Endorse struct {
	Request policy.RequestID `json:"request"`
	Paper
	Token  string `json:"-"` // of the link, with BySeat: the seat that the workstation is bound to
	BySeat string `json:"-"`
}

// Kind names the change in the journal.
func (Endorse) Kind() string { return "request.endorse" }

// ErrLink refuses a one-time link that is used up, past its end or wrong.
var ErrLink = policy.Refusef(policy.Conflict, "print the letter, have it signed, and hand it in", "the link does not hold any more")

// Apply makes the change; its body is a *Moved.
func (c Endorse) Apply(e *policy.Edit) (policy.Made, error) {
	q, err := find(e, c.Request, "endorsed", policy.Submitted, policy.Endorsed)
	if err != nil {
		if c.Token != "" {
			err = ErrLink
		}
		return policy.Made{}, err
	}
	if c.Token != "" {
		err = c.byLink(e, &q)
	} else {
		err = c.byLetter(e, &q)
	}
	if err != nil {
		return policy.Made{}, err
	}
	q.Link = nil
	out := &Moved{}
	if out.Request, err = e.PutRequest(q); err != nil {
		return policy.Made{}, err
	}
	return out.made(), nil
}

func (c *Endorse) byLink(e *policy.Edit, q *policy.Request) error {
	if err := CheckLink(q, c.Token, e.Now()); err != nil {
		return err
	}
	seat, ok := e.Seat(c.BySeat)
	if !ok || seat.Office != q.Office || seat.Role.Restricted() {
		return policy.Refusef(policy.Invalid, "sign at a workstation of the responsible manager's seat, or on the printed letter",
			"only a responsible manager of %s signs its requests (Art. 5)", q.Office)
	}
	day := e.Today()
	holder, ok := seat.HolderOn(day)
	if !ok {
		return policy.Refusef(policy.Conflict, "enter who holds it with `usciere seat assign "+seat.ID+"`", "nobody holds the seat %s today", seat.ID)
	}
	q.Date, q.Seat, q.Holder = day, seat.ID, holder.Name
	s := q.MoveTo(e, policy.Endorsed, "by the one-time link, at a workstation of the seat")
	s.Seat, s.Holder = q.Seat, q.Holder
	return nil
}

// CheckLink says with ErrLink that a token does not sign the request, or not any more.
func CheckLink(q *policy.Request, token string, now time.Time) error {
	if q.Link == nil || !now.Before(q.Link.Until) || subtle.ConstantTimeCompare([]byte(q.Link.Digest), []byte(TokenDigest(token))) != 1 {
		return ErrLink
	}
	return nil
}

func (c *Endorse) byLetter(e *policy.Edit, q *policy.Request) error {
	if q.State == policy.Endorsed {
		return c.register(e, q)
	}
	if err := c.file(e, q); err != nil {
		return err
	}
	s := q.MoveTo(e, policy.Endorsed, "signed letter, protocol "+q.Protocol)
	s.Seat, s.Holder = q.Seat, q.Holder
	return nil
}

// register enters the protocol number of a request that was signed without paper: who signed it, and when, stands.
func (p Paper) register(e *policy.Edit, q *policy.Request) error {
	if q.Protocol != "" {
		return policy.Refusef(policy.Conflict, "see `usciere request show "+q.ID.String()+"`", "%s is endorsed, with protocol %s", q.ID, q.Protocol)
	}
	if p.Seat != "" && p.Seat != q.Seat {
		return policy.Refusef(policy.Conflict, "leave --seat out", "%s was signed by the seat %s", q.ID, q.Seat)
	}
	if p.Date != "" && p.Date != q.Date {
		return policy.Refusef(policy.Conflict, "leave --date out", "%s was signed on %s", q.ID, q.Date)
	}
	return p.number(e, q)
}
