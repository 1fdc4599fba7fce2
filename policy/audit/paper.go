package audit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"usciere/policy"
	"usciere/policy/request"
)

// bases fills in the grants that opened the name, with the paper behind them.
func (d *day) bases(a *Answer) error {
	for _, s := range a.Stretches {
		if !s.Reached || slices.ContainsFunc(a.Grants, func(b Basis) bool { return b.Grant.ID == s.Grant }) {
			continue
		}
		g, err := d.rules.Records().Grant(s.Grant)
		if err != nil {
			return err
		}
		b, err := d.basis(g)
		if err != nil {
			return err
		}
		a.Grants = append(a.Grants, b)
	}
	return nil
}

func (d *day) basis(g *policy.Grant) (Basis, error) {
	out := Basis{Grant: g}
	var q policy.Request
	ok, err := d.rules.Get(policy.TableRequests, numberKey(g.Request), &q)
	if err != nil {
		return out, err
	}
	if !ok {
		d.note(true, "the request %s, on which grant %s rests, is not in this journal", g.Request, g.ID)
		return out, nil
	}
	out.Request = d.paper(&q)
	out.Notices, err = d.notices(func(l *policy.Letter) bool { return slices.Contains(l.Grants, g.ID) })
	return out, err
}

func (d *day) paper(q *policy.Request) *Paper {
	p := &Paper{
		ID: q.ID, Protocol: q.Protocol, Date: q.Date, Label: q.Label(), Seat: q.Seat, Holder: q.Holder, Reason: q.Reason,
		State: q.State, Decided: q.Decided, DecidedBy: q.DecidedBy,
	}
	if k := d.seats[q.Seat]; k != nil {
		p.SeatName = k.seat.Name
	}
	return p
}

// notices are the letters that go through the protocol register and are about something, oldest first.
func (d *day) notices(about func(*policy.Letter) bool) (out []Notice, err error) {
	err = d.rules.Records().EachLetter(func(l *policy.Letter) bool {
		if l.Kind.Registered() && about(l) {
			n := Notice{Letter: l.ID, Kind: l.Kind, State: l.State}
			if l.Issue != nil {
				n.Protocol, n.Date = l.Issue.Protocol, l.Issue.Date
			}
			out = append(out, n)
		}
		return true
	})
	return out, err
}

// maxOthers is how many grants are named that covered the name and did not decide.
const maxOthers = 20

// others fills in the grants that ever covered the name for the office and did not decide that day: the policy is asked again
// and again, of grants without their dates and terms, each time without those that it named before.
func (d *day) others(a *Answer) error {
	bare := &withoutTerms{Rules: d.rules, hidden: map[policy.GrantID]bool{}}
	for _, b := range a.Grants {
		bare.hidden[b.Grant.ID] = true
	}
	if _, ok := bare.tables[policy.TableOffices][d.Office]; !ok {
		return nil // it is not there any more: neither are its grants
	}
	for len(a.Others) < maxOthers {
		rules, err := policy.Compile(bare, d.town)
		if err != nil {
			return err
		}
		c, _ := rules.Employee(d.Office)
		v := rules.Decide(&c, []byte(d.Name), d.Type, d.from)
		if v.Reason != policy.Granted {
			break
		}
		bare.hidden[v.Grant] = true
		g, err := d.rules.Records().Grant(v.Grant)
		if err != nil {
			return err
		}
		b, err := d.basis(g)
		if err != nil {
			return err
		}
		a.Others = append(a.Others, Other{b, d.whyNot(g)})
	}
	slices.SortFunc(a.Others, func(x, y Other) int { return -cmp.Compare(x.Grant.ID, y.Grant.ID) })
	return nil
}

// whyNot says why a grant that covers the name did not open it that day.
func (d *day) whyNot(g *policy.Grant) string {
	switch {
	case !g.Created.Before(d.end):
		return "granted later, on " + stamp(g.Created, d.Zone)
	case g.Revoked != nil && !g.Revoked.At.After(d.from):
		return fmt.Sprintf("revoked before, on %s by %s%s", stamp(g.Revoked.At, d.Zone), g.Revoked.By, because(g.Revoked.Reason))
	case g.Until != "" && !g.Until.End(d.Zone).After(d.from):
		return "expired before, until " + string(g.Until)
	case !g.From.Start(d.Zone).Before(d.end):
		return "only from " + string(g.From)
	}
	if limits := g.Limits(); limits != "" {
		return "only " + limits
	}
	return "in force, beside the one that decided"
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return fmt.Sprintf(": %q", reason)
}

// withoutTerms are the records with grants that hold always, revoked ones too, less those that are hidden.
type withoutTerms struct {
	*Rules
	hidden map[policy.GrantID]bool
}

// Scan implements policy.Reader.
func (w *withoutTerms) Scan(t policy.Table, readers []policy.RecordReader) error {
	return w.Rules.Scan(t, []policy.RecordReader{func(_ []byte, decode func(any) error) error {
		var g policy.Grant
		if err := decode(&g); err != nil {
			return err
		}
		_, offers := w.tables[policy.TableServices][g.Service]
		if w.hidden[g.ID] || g.Rule == nil && !offers {
			return nil
		}
		g.Types, g.From, g.Until, g.Schedule, g.Revoked = nil, "", "", "", nil
		text, err := json.Marshal(&g)
		if err != nil {
			return err
		}
		return readers[0](text, func(into any) error { return json.Unmarshal(text, into) })
	}})
}

// refusals fills in the requests for the name that were denied, in whole or for it.
func (d *day) refusals(a *Answer) error {
	services := map[string]bool{} // that cover the name
	err := d.rules.Each(policy.TableServices, "", func(_ string, decode func(any) error) error {
		var sv policy.Service
		if err := decode(&sv); err != nil {
			return err
		}
		services[sv.ID] = slices.ContainsFunc(sv.Rules, func(r policy.ServiceRule) bool { return r.Rule.Covers(d.Name) })
		return nil
	})
	if err != nil {
		return err
	}
	covers := func(text string) bool {
		r, _, err := request.ParseAsked(text)
		return err == nil && r.Covers(d.Name) || services[strings.TrimSpace(text)]
	}
	var failed error
	err = d.rules.Records().EachRequest(func(q *policy.Request) bool {
		if q.Office != d.Office {
			return true
		}
		asked, why := d.refused(q, covers)
		if asked == "" {
			return true
		}
		r := Refusal{Paper: d.paper(q), What: asked, Why: why}
		r.Notices, failed = d.notices(func(l *policy.Letter) bool { return l.Request == q.ID })
		a.Refused = append(a.Refused, r)
		return failed == nil
	})
	return cmp.Or(err, failed)
}

// refused is what a request asked for that covers the name and was not granted.
func (d *day) refused(q *policy.Request, covers func(string) bool) (asked, why string) {
	if q.State == policy.Denied {
		for _, text := range append(slices.Clone(q.Addresses), q.Services...) {
			if covers(text) {
				return text, q.Decision
			}
		}
		return "", ""
	}
	for _, l := range q.Left {
		if covers(l.What) {
			return l.What, l.Why
		}
	}
	return "", ""
}
