package policy

import (
	"slices"
	"strings"
	"time"
)

// RevokeGrants ends grants at once.
type RevokeGrants struct {
	Based
	Grants []GrantID `json:"grants"`
	Reason string    `json:"reason,omitempty"`
	Notice bool      `json:"notice,omitempty"` // write the offices whose grants end a notice, which needs the reasons; of other grants there is none
	Urgent bool      `json:"urgent,omitempty"` // a copy of it to the seat's own mailbox (R13)
}

// Kind names the change in the journal.
func (RevokeGrants) Kind() string { return "grant.revoke" }

// GrantsRevoked is what RevokeGrants ended.
type GrantsRevoked struct {
	Grants  []*Grant  `json:"grants"`
	Letters []*Letter `json:"letters,omitempty"`
}

// Apply makes the change; its body is a GrantsRevoked.
func (c RevokeGrants) Apply(e *Edit) (Made, error) {
	if len(c.Grants) == 0 || len(c.Grants) > maxNames {
		return Made{}, invalid("name 1 to 10000 of them: g-17", "%d grants are to be revoked", len(c.Grants))
	}
	reason := strings.TrimSpace(c.Reason)
	if err := CheckText("the reason", reason, 4000); err != nil {
		return Made{}, err
	}
	var out GrantsRevoked
	for _, id := range c.Grants {
		g, err := e.Records().Grant(id)
		if err != nil {
			return Made{}, err
		}
		if err := c.check("grant "+id.String(), g.Version); err != nil {
			return Made{}, err
		}
		if g.Revoked != nil {
			return Made{}, conflict("", "grant %s was revoked on %s", id, DayOf(g.Revoked.At, e.town.Zone))
		}
		if c.Notice && reason == "" && g.Office != "" {
			return Made{}, invalid("give --reason; or --no-notice, to correct what was entered wrong", "a notice of revocation gives the office its reasons (Art. 7)")
		}
		ended, err := e.Revoke(g, reason)
		if err != nil {
			return Made{}, err
		}
		out.Grants = append(out.Grants, ended)
	}
	if c.Notice {
		var err error
		if out.Letters, err = e.revocationNotices(out.Grants, reason, c.Urgent); err != nil {
			return Made{}, err
		}
	}
	return e.madeOf(out)
}

// madeOf names the office and the request of grants that ended, where they have one in common.
func (e *Edit) madeOf(out GrantsRevoked) (Made, error) {
	m, first := Made{Body: out}, out.Grants[0]
	if !slices.ContainsFunc(out.Grants, func(g *Grant) bool { return g.Office != first.Office }) {
		m.Office = first.Office
	}
	if slices.ContainsFunc(out.Grants, func(g *Grant) bool { return g.Request != first.Request }) {
		return m, nil
	}
	q, err := e.Records().Request(first.Request)
	if err == nil {
		m.Request = q.Label()
	}
	return m, err
}

// Revoke ends a grant at once.
func (e *Edit) Revoke(g *Grant, reason string) (*Grant, error) {
	e.dropGrant(g)
	ended := *g
	ended.Revoked = &Revocation{At: e.now.Truncate(time.Second), By: e.who.Name, Reason: reason}
	ended.Version = e.version
	n := uint64(g.ID)
	if err := e.tx.Delete(TableHoldings, subjectPrefix(g.Subject)+numberKey(n)); err != nil {
		return nil, err
	}
	return &ended, e.tx.Put(TableGrants, numberKey(n), &ended)
}
