package portal

import (
	"net/http"
	"net/url"

	"usciere/policy"
)

// blocked is what the block page says, in this order: what, why, what now.
type blocked struct {
	Name    string // as it was asked for
	Unicode string // as its owner writes it, where that is another and safe to show
	Long    bool
	Why     string
	Next    string
	Action  *action
	Help    string
}

// action is the one button of a page.
type action struct {
	Href, Text string
	Second     bool // it is not what one should do first
}

// longName is how many characters of a name fit on a line of a wide screen in large letters.
const longName = 60

// block writes the block page for a name.
func (p *Portal) block(w http.ResponseWriter, v *visit, name policy.Name) {
	b, err := p.why(v, name)
	if err != nil {
		p.cfg.Log.Error("the page cannot read the records", "error", err)
		b = &blocked{Why: v.plainWhy(), Next: v.text.nextIT}
	}
	b.Name, b.Unicode, b.Help = name.String(), unicodeOf(name), v.callIT()
	b.Long = len(b.Name) > longName
	p.render(w, v, http.StatusForbidden, blockPage, b.Name, b)
}

// plainWhy is why a name that nothing else is known of leads here.
func (v *visit) plainWhy() string {
	if v.client.Office == nil {
		return v.text.noOffice
	}
	return fill(v.text.notAsked, "office", v.client.Office.Name)
}

// why finds what to say of a name, in this order: what is wrong with the workstation, what decided before the rules, what the
// rules allow now, what the office has asked for, what it may ask at other times, what it was denied, what it had, and how it can ask.
func (p *Portal) why(v *visit, name policy.Name) (*blocked, error) {
	t := v.text
	j := p.cfg.Explain(v.rules, &v.client, name, policy.TypeA, v.at)
	if v.client.Office == nil {
		if j.Local != "" {
			return &blocked{Why: t.ofTown, Next: t.nextIT}, nil
		}
		return &blocked{Why: t.noOffice, Next: t.nextIT}, nil
	}
	office := v.client.Office.Name
	switch {
	case j.Local != "":
		return &blocked{Why: t.ofTown, Next: t.nextIT}, nil
	case j.Listed != "":
		return &blocked{Why: t.listed, Next: t.nextIT}, nil
	case j.Verdict.Action == policy.Allow && j.Verdict.Reason == policy.Unrestricted:
		return &blocked{Why: t.unlimited, Next: t.nextRetry}, nil
	case j.Verdict.Action == policy.Allow:
		return &blocked{Why: fill(t.justGranted, "office", office), Next: t.nextRetry}, nil
	case j.Closed != "":
		return &blocked{Why: fill(t.closed, "zone", j.Closed, "office", office), Next: t.nextIT}, nil
	}
	known, err := p.knownOf(v.rules)
	if err != nil {
		return nil, err
	}
	dealings := known.offices[v.client.Office.ID]
	if dealings == nil {
		dealings = &dealings0
	}
	if q, ok := covering(dealings.asked, name); ok {
		return v.waits(q), nil
	}
	if id, ok := v.rules.Dormant(&v.client, []byte(name), policy.TypeA, v.at); ok {
		return p.dormant(v, name, id, dealings)
	}
	return v.mayAsk(name, dealings), nil
}

// dealings0 are those of an office that has asked for nothing.
var dealings0 dealings

// waits is what to say of a name that the office has asked for.
func (v *visit) waits(q *policy.Request) *blocked {
	why := v.text.waitsSeat
	if q.State == policy.Endorsed {
		why = v.text.waitsIT
	}
	return &blocked{
		Why:    fill(why, "office", v.client.Office.Name, "date", v.text.date(q.Date), "id", q.ID.String()),
		Next:   v.text.nextOpen,
		Action: &action{Href: v.origin + "/request/" + q.ID.String(), Text: v.text.seeButton},
	}
}

// dormant is what to say of a name that a grant covers, but does not open now. Where it has ended, a later denial is told.
func (p *Portal) dormant(v *visit, name policy.Name, id policy.GrantID, d *dealings) (*blocked, error) {
	var g *policy.Grant
	err := p.cfg.Rules.View(func(r policy.Records) (err error) {
		g, err = r.Grant(id)
		return err
	})
	if err != nil {
		return nil, err
	}
	t, zone, office := v.text, v.rules.Town().Zone, v.client.Office.Name
	switch {
	case g.Until != "" && !v.at.Before(g.Until.End(zone)):
		if denied, ok := covering(d.denied, name); ok && denied.date >= policy.DayOf(g.Created, zone) {
			return v.mayAsk(name, d), nil
		}
		b := v.askFor(name, t.againButton, false)
		b.Why = fill(t.ended, "office", office, "until", t.date(g.Until))
		return b, nil
	case g.From != "" && v.at.Before(g.From.Start(zone)):
		return &blocked{Why: fill(t.toCome, "office", office, "from", t.date(g.From)), Next: t.nextIT}, nil
	case g.Schedule != "":
		b := v.askFor(name, t.againButton, true)
		b.Why, b.Next = fill(t.asleep, "office", office, "schedule", t.timetable(g.Schedule)), t.nextThen
		return b, nil
	}
	return &blocked{Why: fill(t.otherUse, "office", office), Next: t.nextIT}, nil
}

// mayAsk is what to say of a name that the office does not have.
func (v *visit) mayAsk(name policy.Name, d *dealings) *blocked {
	t, office := v.text, v.client.Office.Name
	if before, ok := covering(d.denied, name); ok {
		b := v.askFor(name, t.againButton, true)
		why := t.denied
		if before.protocol != "" {
			why = t.deniedUnder
		}
		b.Why = fill(why, "office", office, "date", t.date(before.date), "protocol", before.protocol)
		b.Next = t.nextDenied
		return b
	}
	if _, _, err := policy.ParseRule(name.String()); err != nil || !policy.Browsable([]byte(name)) {
		return &blocked{Why: fill(t.cannotAsk, "office", office), Next: t.nextIT}
	}
	b := v.askFor(name, t.askButton, false)
	b.Why = fill(t.notAsked, "office", office)
	return b
}

// askFor offers the form, if there is one.
func (v *visit) askFor(name policy.Name, button string, second bool) *blocked {
	if !v.Forms {
		return &blocked{Next: v.text.nextPaper}
	}
	return &blocked{
		Next:   v.text.nextAsk,
		Action: &action{Href: v.origin + "/request?name=" + url.QueryEscape(name.String()), Text: button, Second: second},
	}
}
