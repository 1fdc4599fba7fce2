package request

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"usciere/policy"
)

// Submit writes a request: office, reasons, and the addresses or services asked for (R5). With its paper it is a letter
// that came in signed, and so endorsed; Unsigned, it waits for the seat's signature.
type Submit struct {
	Office   string           `json:"office"`
	Names    []string         `json:"names"` // addresses as asked, and ids of services; with Renews those of the old request if empty
	Channel  policy.Channel   `json:"channel,omitempty"`
	Ground   policy.Ground    `json:"ground,omitempty"` // of certified mail
	Reason   string           `json:"reason"`
	From     policy.Moment    `json:"from,omitempty"`
	Until    policy.Moment    `json:"until,omitempty"`
	Renews   policy.RequestID `json:"renews,omitempty"`
	Unsigned bool             `json:"unsigned,omitempty"`
	Paper
	Link *policy.Link `json:"-"` // by which it can be signed; of one made by the portal
}

// Kind names the change in the journal.
func (Submit) Kind() string { return "request.submit" }

const (
	maxNames    = 10_000 // of one request
	maxUnsigned = 100    // requests of one office that wait for a signature
)

// Apply makes the change; its body is a *Moved.
func (c Submit) Apply(e *policy.Edit) (policy.Made, error) {
	out := &Moved{}
	q, asked, err := c.read(e, out)
	if err != nil {
		return policy.Made{}, err
	}
	switch {
	case !c.Unsigned:
		if err := c.file(e, q); err != nil {
			return policy.Made{}, err
		}
		q.MoveTo(e, policy.Submitted, "")
		s := q.MoveTo(e, policy.Endorsed, "signed letter, protocol "+q.Protocol)
		s.Seat, s.Holder = q.Seat, q.Holder
	case c.given():
		return policy.Made{}, policy.Refusef(policy.Invalid, "leave out --unsigned; or --protocol, --date and --seat until it is signed",
			"a letter that has a number, a date or a seat is signed")
	default:
		if err := roomFor(e, c.Office); err != nil {
			return policy.Made{}, err
		}
		q.Date, q.Link = e.Today(), c.Link
		q.MoveTo(e, policy.Submitted, "")
	}
	for i := range asked {
		note, err := Already(e.Snapshot, e.Records(), e.Now(), q.Office, &asked[i], q.Renews)
		if err != nil {
			return policy.Made{}, err
		}
		if note != "" {
			out.Notes = append(out.Notes, note)
		}
	}
	if out.Request, err = e.PutRequest(*q); err != nil {
		return policy.Made{}, err
	}
	return out.made(), nil
}

// read checks what is asked for, and why.
func (c *Submit) read(e *policy.Edit, out *Moved) (*policy.Request, []Asked, error) {
	if c.Office == "" {
		return nil, nil, policy.Refusef(policy.Invalid, "give --office ID", "the office is missing: a request is an office's (Art. 5)")
	}
	q := &policy.Request{Office: c.Office, Channel: c.Channel, Ground: c.Ground, Reason: strings.TrimSpace(c.Reason), From: c.From, Until: c.Until, Renews: c.Renews}
	if err := reasons(q.Reason, "the reasons are missing: a request gives them in full (Art. 5 and 7)", "give --reason with the reasons of the letter"); err != nil {
		return nil, nil, err
	}
	names := slices.Clone(c.Names)
	if c.Renews != 0 {
		old, err := find(e, c.Renews, "renewed", policy.Approved, policy.Expired)
		switch {
		case err != nil:
			return nil, nil, err
		case old.Office != c.Office:
			return nil, nil, policy.Refusef(policy.Invalid, "an office renews its own requests", "%s is a request of %s", old.ID, old.Asker())
		case !owns(e, &old):
			return nil, nil, policy.Refusef(policy.Invalid, "write a new request", "%s is a request of the office that was %s before", old.ID, old.Office)
		}
		if len(names) == 0 {
			names, q.Channel = append(slices.Clone(old.Addresses), old.Services...), old.Channel
			if q.Ground == "" {
				q.Ground = old.Ground
			}
		}
	}
	if len(names) == 0 {
		if c.Channel == policy.Mail {
			return nil, nil, policy.Refusef(policy.Invalid, "name it; see `usciere service list`", "the service is missing: a request for mail names it (Art. 3 and 5)")
		}
		return nil, nil, policy.Refusef(policy.Invalid, "give them as the letter has them", "the addresses are missing: access is allowed only to those asked for (Art. 7)")
	}
	if len(names) > maxNames {
		return nil, nil, policy.Refusef(policy.Invalid, "send several requests", "%d addresses are asked for: %d are the most", len(names), maxNames)
	}
	asked, err := readNames(e, q, names, out)
	return q, asked, err
}

func owns(e *policy.Edit, q *policy.Request) bool {
	o, ok := e.Office(q.Office)
	return ok && o.Owns(q)
}

// readNames sorts what is asked for into addresses and services, and refuses what could not be granted.
func readNames(e *policy.Edit, q *policy.Request, names []string, out *Moved) ([]Asked, error) {
	for _, text := range names {
		text = strings.TrimSpace(text)
		switch _, isService := e.Service(text); {
		case isService && !slices.Contains(q.Services, text):
			q.Services = append(q.Services, text)
		case !isService && !slices.Contains(q.Addresses, text):
			if err := policy.CheckText("an address", text, 2000); err != nil {
				return nil, err
			}
			q.Addresses = append(q.Addresses, text)
		}
	}
	asked, err := Understand(e.Snapshot, q)
	if err != nil {
		return nil, err
	}
	terms := grantsOf(q, asked)
	if _, _, err = e.Wanted(&terms); err != nil {
		return nil, err
	}
	q.Ground, err = e.CheckGround(q.Office, q.Services, q.Ground)
	for _, a := range asked {
		if a.Service == nil && a.Rule.String() != a.Text {
			out.Notes = append(out.Notes, a.Text+": understood as "+a.Rule.String()+covering(a.Rule))
		}
	}
	return asked, err
}

// covering says what a rule covers, for people.
func covering(r policy.Rule) string {
	return [...]string{policy.Exact: " (that name only)", policy.Below: " (every name below it)", policy.Tree: " (the name and all below)"}[r.Kind]
}

// grantsOf are the grants that would open what is named, on the terms that the request asks for.
func grantsOf(q *policy.Request, asked []Asked) policy.AddGrants {
	c := policy.AddGrants{Subject: policy.Subject{Office: q.Office}, Channel: q.Channel, From: q.From, Until: q.Until, Ground: q.Ground}
	for i := range asked {
		if a := &asked[i]; a.Service != nil {
			c.Names = append(c.Names, a.Service.ID)
		} else {
			c.Names = append(c.Names, a.Rule.String())
		}
	}
	return c
}

// roomFor refuses an unsigned request when too many of the office wait for a signature.
func roomFor(e *policy.Edit, office string) error {
	waiting := 0
	err := e.Records().EachRequest(func(q *policy.Request) bool {
		if q.Office == office && q.State == policy.Submitted {
			waiting++
		}
		return waiting < maxUnsigned
	})
	if err == nil && waiting == maxUnsigned {
		err = policy.Refusef(policy.Conflict, "sign or withdraw those first; see `usciere request list --office "+office+"`",
			"%d requests of %s wait for a signature", waiting, office)
	}
	return err
}

// NewToken is the secret of a new one-time link: 26 letters and digits, 130 bits.
func NewToken() string { return rand.Text() }

// TokenDigest is what is kept of a token.
func TokenDigest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
