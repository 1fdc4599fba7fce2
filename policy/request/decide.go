package request

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"usciere/policy"
	"usciere/policy/letter"
)

// Approve grants what a request asks for, or what is named in its place: a part of it, for which it says why not the rest,
// or, when Wider says that this is meant, more (R7).
type Approve struct {
	Request  policy.RequestID `json:"request"`
	Paper                     // of a request whose letter was not registered before
	Names    []string         `json:"names,omitempty"`   // domain rules or services to open; all that was asked for if empty
	WhyNot   string           `json:"why_not,omitempty"` // the rest of what was asked for
	Wider    bool             `json:"wider,omitempty"`   // more is opened than was asked for
	Types    []policy.Type    `json:"types,omitempty"`
	From     policy.Moment    `json:"from,omitempty"` // as asked for if empty, as Until
	Until    policy.Moment    `json:"until,omitempty"`
	Schedule policy.Schedule  `json:"schedule,omitempty"`
	Notice
}

// Kind names the change in the journal.
func (Approve) Kind() string { return "request.approve" }

// Apply makes the change, with its grants and the notice; its body is a *Moved.
func (c Approve) Apply(e *policy.Edit) (policy.Made, error) {
	q, err := decidable(e, c.Request, c.Paper, "approved")
	if err != nil {
		return policy.Made{}, err
	}
	out := &Moved{}
	open, err := c.weigh(e, &q)
	if err != nil {
		return policy.Made{}, err
	}
	terms := grantsOf(&q, open)
	terms.Types, terms.Schedule = c.Types, c.Schedule
	if err := c.times(e, &q, &terms); err != nil {
		return policy.Made{}, err
	}
	if q.Renews != 0 {
		if err := renew(e, &q, terms.From, out); err != nil {
			return policy.Made{}, err
		}
	}
	wanted, _, err := e.Wanted(&terms)
	if err != nil {
		return policy.Made{}, err
	}
	fresh, kept, err := apart(e, wanted)
	if err != nil {
		return policy.Made{}, err
	}
	for _, g := range kept {
		out.Notes = append(out.Notes, fmt.Sprintf("%s: %s has it already by %s, which stays", g.Opens(), q.Office, g.ID))
	}
	q.MoveTo(e, policy.Approved, "")
	q.Decided, q.DecidedBy = e.Now().Truncate(time.Second), e.Actor().Name
	if out.Grants, err = e.Open(fresh, &q); err != nil {
		return policy.Made{}, err
	}
	return conclude(e, &q, out, kept, policy.DecisionNotice, c.Notice)
}

// apart parts what is wanted into what is to be granted, and the grants by which the office has the rest on the same terms.
func apart(e *policy.Edit, wanted []policy.Grant) (fresh []policy.Grant, kept []*policy.Grant, err error) {
	for _, g := range wanted {
		twin, ok := e.Twin(&g)
		if !ok {
			fresh = append(fresh, g)
			continue
		}
		has, err := e.Records().Grant(twin)
		if err != nil {
			return nil, nil, err
		}
		kept = append(kept, has)
	}
	return fresh, kept, nil
}

// decidable is a request that can be decided: signed, and registered now if it was not before.
func decidable(e *policy.Edit, id policy.RequestID, paper Paper, what string) (policy.Request, error) {
	q, err := find(e, id, what, policy.Submitted, policy.Endorsed)
	switch {
	case err != nil:
		return q, err
	case q.State == policy.Submitted:
		return q, policy.Refusef(policy.Conflict,
			"have it signed at the seat's workstation, or enter the signed letter: `usciere request endorse "+id.String()+" --protocol N/YYYY`\n"+
				"when it was entered by mistake: `usciere request withdraw "+id.String()+" --reason \"…\"`",
			"%s is not signed by the responsible manager of %s (Art. 5)", id, q.Office)
	case q.Protocol == "" || paper.given():
		return q, paper.register(e, &q)
	}
	return q, nil
}

// weigh holds what is to be opened against what was asked for.
func (c *Approve) weigh(e *policy.Edit, q *policy.Request) ([]Asked, error) {
	asked, err := Understand(e.Snapshot, q)
	if err != nil {
		return nil, err
	}
	if len(c.Names) == 0 {
		return asked, c.unneeded()
	}
	open, err := understand(e.Snapshot, c.Names, q.Channel)
	if err != nil {
		return nil, err
	}
	for i := range open {
		beyond := open[i].Beyond(asked)
		if beyond == "" {
			continue
		}
		if !c.Wider {
			return nil, policy.Refusef(policy.Invalid, "leave it out; or repeat with --wider if the office needs it, and the letter shall say so",
				"%s goes beyond what %s asks for, and would open %s (Art. 7)", open[i].Opens(), q.ID, beyond)
		}
		q.Wider = append(q.Wider, open[i].Opens()+": "+beyond)
	}
	var left []string
	for i := range asked {
		if !asked[i].covered(open) {
			left = append(left, asked[i].Text)
		}
	}
	if len(left) == 0 {
		return open, c.unneeded()
	}
	why := strings.TrimSpace(c.WhyNot)
	if err := reasons(why, strings.Join(left, ", ")+": asked for, and not granted without a word (Art. 7)", "say why with --why-not"); err != nil {
		return nil, err
	}
	for _, what := range left {
		q.Left = append(q.Left, policy.Left{What: what, Why: why})
	}
	return open, nil
}

// times puts the times of the decision in the place of those asked for, which stay in the request; longer than was asked for
// is wider.
func (c *Approve) times(e *policy.Edit, q *policy.Request, terms *policy.AddGrants) error {
	terms.From, terms.Until = cmp.Or(c.From, q.From), cmp.Or(c.Until, q.Until)
	zone := e.Town().Zone
	var beyond []string
	if q.From != "" && terms.From.Start(zone).Before(q.From.Start(zone)) {
		beyond = append(beyond, fmt.Sprintf("from %s: asked for from %s", terms.From, q.From))
	}
	if q.Until != "" && terms.Until.End(zone).After(q.Until.End(zone)) {
		beyond = append(beyond, fmt.Sprintf("until %s: asked for until %s", terms.Until, q.Until))
	}
	if len(beyond) > 0 && !c.Wider {
		return policy.Refusef(policy.Invalid, "leave it out; or repeat with --wider if the office needs it",
			"that is longer than %s asks for: %s (Art. 7)", q.ID, strings.Join(beyond, "; "))
	}
	q.Wider = append(q.Wider, beyond...)
	return nil
}

func (c *Approve) unneeded() error {
	if c.WhyNot != "" {
		return policy.Refusef(policy.Invalid, "leave --why-not out, or name with --open what is granted", "everything that was asked for is granted")
	}
	return nil
}

// renew ends the request whose place this one takes, and its grants. Where this one begins later, that stays in force with them until they end by
// themselves, which is to be sooner: the office is not left without what it has.
func renew(e *policy.Edit, q *policy.Request, from policy.Moment, out *Moved) error {
	old, err := find(e, q.Renews, "renewed", policy.Approved, policy.Expired)
	if err != nil {
		return err
	}
	if from.Start(e.Town().Zone).After(e.Now()) {
		return endBefore(e, q, &old, from)
	}
	if out.Ended, err = end(e, &old, "renewed by request "+q.Label()); err != nil {
		return err
	}
	old.MoveTo(e, policy.Renewed, "by "+q.Label())
	moved, err := e.PutRequest(old)
	out.Requests = append(out.Requests, moved)
	return err
}

// endBefore refuses a renewal unless the grants of the old request end by themselves when it begins, or before.
func endBefore(e *policy.Edit, q, old *policy.Request, from policy.Moment) error {
	grants, err := grantsOn(e, old)
	if err != nil {
		return err
	}
	zone := e.Town().Zone
	for _, g := range grants {
		if g.Until == "" || g.Until.End(zone).After(from.Start(zone)) {
			return policy.Refusef(policy.Conflict, "approve it on that day; or to have it begin now, with --from "+string(e.Today())+" --wider",
				"%s takes the place of %s with %s (%s), which runs beyond %s: ended now, %s would be without it until then", q.ID, old.ID, g.ID, g.Opens(), from, q.Office)
		}
	}
	return nil
}

// Deny refuses a request, in writing and with the reasons (R8).
type Deny struct {
	Request policy.RequestID `json:"request"`
	Paper
	Reason string `json:"reason"`
	Notice
}

// Notice is how the office is told of a decision. With the outgoing number of the protocol register (R6) the letter is
// issued at once, in the style given; without, it waits for its number.
type Notice struct {
	Out    string       `json:"out,omitempty"`
	Urgent bool         `json:"urgent,omitempty"` // a copy goes to the seat's own mailbox (R13)
	Style  letter.Style `json:"-"`
}

// Kind names the change in the journal.
func (Deny) Kind() string { return "request.deny" }

// Apply makes the change, with the notice; its body is a *Moved.
func (c Deny) Apply(e *policy.Edit) (policy.Made, error) {
	q, err := decidable(e, c.Request, c.Paper, "denied")
	if err != nil {
		return policy.Made{}, err
	}
	q.Decision = strings.TrimSpace(c.Reason)
	if err := reasons(q.Decision, "a denial is told to the office in writing, with its reasons (Art. 7)", "give --reason"); err != nil {
		return policy.Made{}, err
	}
	q.MoveTo(e, policy.Denied, q.Decision)
	q.Decided, q.DecidedBy = e.Now().Truncate(time.Second), e.Actor().Name
	return conclude(e, &q, &Moved{}, nil, policy.DenialNotice, c.Notice)
}

// conclude keeps the decided request and writes the notice, which names the grants that were made and those kept.
func conclude(e *policy.Edit, q *policy.Request, out *Moved, kept []*policy.Grant, kind policy.LetterKind, n Notice) (_ policy.Made, err error) {
	if out.Request, err = e.PutRequest(*q); err != nil {
		return policy.Made{}, err
	}
	content := e.ContentOf(out.Request, slices.Concat(out.Grants, kept))
	if q.Renews != 0 && kind == policy.DecisionNotice {
		old, err := e.Records().Request(q.Renews)
		if err != nil {
			return policy.Made{}, err
		}
		content.Renews = old.Label()
	}
	if out.Letter, err = e.WriteLetter(policy.Letter{Kind: kind, Office: q.Office, Content: content, Urgent: n.Urgent}, out.Request); err != nil {
		return policy.Made{}, err
	}
	if n.Out != "" {
		if out.Letter, err = letter.Issue(e, *out.Letter, letter.Out{Protocol: n.Out}, n.Style); err != nil {
			return policy.Made{}, err
		}
	}
	return out.made(), nil
}
