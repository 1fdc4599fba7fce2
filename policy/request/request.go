// Package request is the way of a written request (R5): an office asks, the holder of its seat signs, the IT head approves
// or denies, grants come of it and end. It is made of typed changes of the policy; every step of theirs is journalled, and
// what is missing is refused, naming the article.
//
//	submitted ──► endorsed ──► approved ──► expired, renewed, withdrawn
//	    │             ├──────► denied
//	    └─────────────┴──────► withdrawn
//
// What is expired is approved again when a grant is added on its letter.
package request

import (
	"slices"

	"usciere/policy"
)

// Moved is what a change of this package made.
type Moved struct {
	Request  *policy.Request   `json:"request,omitempty"`
	Requests []*policy.Request `json:"requests,omitempty"` // others that moved with it: renewed, expired
	Grants   []*policy.Grant   `json:"grants,omitempty"`   // made
	Ended    []*policy.Grant   `json:"ended,omitempty"`    // revoked
	Letter   *policy.Letter    `json:"letter,omitempty"`
	Notes    []string          `json:"notes,omitempty"` // what was understood, and what the office has already
}

func (m *Moved) made() policy.Made {
	return policy.Made{Office: m.Request.Office, Request: m.Request.Label(), Body: m}
}

// find is a request that is in one of the states.
func find(e *policy.Edit, id policy.RequestID, what string, states ...policy.RequestState) (policy.Request, error) {
	q, err := e.Records().Request(id)
	if err != nil {
		return policy.Request{}, err
	}
	if slices.Contains(states, q.State) {
		return *q, nil
	}
	return *q, policy.Refusef(policy.Conflict, "see `usciere request show "+id.String()+"`", "%s is %s: it cannot be %s", id, q.State, what)
}

// Paper is what the protocol register and the letter itself say of a request: the number and date in, and the seat that
// signed.
type Paper struct {
	Protocol string        `json:"protocol,omitempty"` // N/YYYY (R6)
	Date     policy.Moment `json:"date,omitempty"`     // of the letter; today if empty
	Seat     string        `json:"seat,omitempty"`     // that signed; the office's only manager's if empty
}

func (p Paper) given() bool { return p.Protocol != "" || p.Date != "" || p.Seat != "" }

// file enters the paper of a request, and who signed it.
func (p Paper) file(e *policy.Edit, q *policy.Request) (err error) {
	if err := p.number(e, q); err != nil {
		return err
	}
	q.Date = p.Date
	if err := e.CheckLetterDay(&q.Date); err != nil {
		return err
	}
	q.Seat, q.Holder, err = e.Signer(q.Office, p.Seat, q.Date)
	return err
}

// number enters the incoming protocol number of a request.
func (p Paper) number(e *policy.Edit, q *policy.Request) (err error) {
	if p.Protocol == "" {
		return policy.Refusef(policy.Invalid, "have the letter registered, and give --protocol N/YYYY",
			"the incoming protocol number is missing: a request follows the rules of the protocol register (Art. 6)")
	}
	if q.Protocol, err = policy.ParseProtocol(p.Protocol); err != nil {
		return err
	}
	return e.Records().NumberTaken(q.Protocol, q.ID)
}

// reasons checks reasons; missing says what is refused without them.
func reasons(text, missing, hint string) error {
	if text == "" {
		return policy.Refusef(policy.Invalid, hint, "%s", missing)
	}
	return policy.CheckText("the reason", text, maxReason)
}

const maxReason = 4000 // octets
