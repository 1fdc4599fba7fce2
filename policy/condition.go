package policy

import (
	"slices"
	"strings"
	"time"
)

// terms are the conditions of a grant or of a service's rule, as written; grants with equal terms share one condition.
type terms struct {
	kind        RuleKind
	web, mail   bool // which questions it opens; a service of the mail channel: both
	types       string
	from, until Moment
	schedule    Schedule
}

// condition is the compiled form of terms.
type condition struct {
	terms
	types []Type // sorted; nil: all
	span  span
	week  *week // nil: always
}

func termsOf(kind RuleKind, channel Channel, types []Type) terms {
	return terms{kind: kind, web: channel == Web, mail: channel == Mail, types: joinTypes(types)}
}

func (g *Grant) terms() terms {
	t := terms{web: true, mail: true} // a service's rules say what they open
	if g.Rule != nil {
		t = termsOf(g.Rule.Kind, g.Channel, nil)
	}
	t.types, t.from, t.until, t.schedule = joinTypes(g.Types), g.From, g.Until, g.Schedule
	return t
}

// signatureTerms are the terms on which the signature infrastructure comes with a grant of mail (R4): its dates and
// timetable. They are those of a rule of the web, so that no grant of a service has the same.
func (g *Grant) signatureTerms() (terms, bool) {
	return terms{web: true, from: g.From, until: g.Until, schedule: g.Schedule}, g.Channel == Mail
}

func joinTypes(types []Type) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.String()
	}
	return strings.Join(names, ",")
}

// compile resolves dates and timetable in the town's zone; the terms were checked when the grant was made.
func (t terms) compile(zone *time.Location) condition {
	c := condition{terms: t, span: spanOf(t.from, t.until, zone)}
	if t.types != "" {
		for name := range strings.SplitSeq(t.types, ",") {
			if typ, err := ParseType(name); err == nil {
				c.types = append(c.types, typ)
			}
		}
	}
	c.week, _ = compileWeek(t.schedule)
	return c
}

// opens says whether the condition lets a question of the type through at a time: types, dates and timetable. It allocates
// nothing.
func (c *condition) opens(t Type, at time.Time, zone *time.Location) bool {
	return (c.types == nil || slices.Contains(c.types, t)) && c.span.holds(at) && (c.week == nil || c.week.open(at.In(zone)))
}

// fits says whether a rule covers the name asked on the question's channel; of a mail service also as one of its hosts.
func (c *condition) fits(q question) bool {
	if q.mail {
		return c.mail && (q.domain >= 0 && c.kind.covers(q.domain) || c.web && c.kind.covers(q.depth))
	}
	return c.web && c.kind.covers(q.depth)
}
