package town

import (
	"fmt"
	"slices"
	"strings"

	"usciere/policy"
)

// Difference is one object that is not as the document says, in a line that a person reads.
type Difference struct {
	Op   string `json:"op"`   // + made, - removed, ~ changed
	Kind string `json:"kind"` // office, seat, host, service or grant
	ID   string `json:"id"`   // of the object; a grant that is made has none yet
	Text string `json:"text"` // what
}

// facts are what is said of an object, in order.
type facts []fact

type fact struct {
	name string
	list bool // its values are compared one by one
	is   []string
}

func one(name, value string) fact {
	if value == "" {
		return fact{name: name}
	}
	return fact{name: name, is: []string{value}}
}

func many[T any](name string, values []T, text func(T) string) fact {
	f := fact{name: name, list: true}
	for _, v := range values {
		f.is = append(f.is, text(v))
	}
	return f
}

// maxListed is how many values of a list a line shows.
const maxListed = 8

func listed(sign string, values []string) string {
	more := ""
	if n := len(values) - maxListed; n > 0 {
		values, more = values[:maxListed], fmt.Sprintf(" and %d more", n)
	}
	return sign + strings.Join(values, ", "+sign) + more
}

// brief is all facts in a line.
func (f facts) brief() string {
	var out []string
	for _, x := range f {
		if len(x.is) > 0 {
			out = append(out, listed("", x.is))
		}
	}
	return strings.Join(out, "  ")
}

// changes are the facts that are other in next, in a line; empty when none is.
func (f facts) changes(next facts) string {
	var out []string
	for i, was := range f {
		is := next[i]
		if !was.list {
			if !slices.Equal(was.is, is.is) {
				out = append(out, fmt.Sprintf("%s: %s → %s", was.name, orNone(was.is), orNone(is.is)))
			}
			continue
		}
		var parts []string
		if gone := without(was.is, is.is); len(gone) > 0 {
			parts = append(parts, listed("-", gone))
		}
		if come := without(is.is, was.is); len(come) > 0 {
			parts = append(parts, listed("+", come))
		}
		if len(parts) > 0 {
			out = append(out, was.name+": "+strings.Join(parts, ", "))
		}
	}
	return strings.Join(out, "; ")
}

func orNone(values []string) string {
	if len(values) == 0 {
		return "none"
	}
	return values[0]
}

// without are the values that are not among others.
func without(values, others []string) []string {
	in := map[string]bool{}
	for _, o := range others {
		in[o] = true
	}
	var out []string
	for _, v := range values {
		if !in[v] {
			out = append(out, v)
		}
	}
	return out
}

func (o Office) facts() facts {
	return facts{
		one("name", o.Name), one("mailbox", o.Mailbox), one("ipa", o.IPA), one("sinkhole", string(o.Sinkhole)),
		many("networks", o.Networks, text), many("pec", o.PEC, text),
	}
}

// facts of a seat say of its workstations when they are bound to it, as bindings have it.
func (s Seat) facts(hosts []Workstation) facts {
	return facts{
		one("office", s.Office), one("name", s.Name), one("role", string(s.Role)), one("mailbox", s.Mailbox),
		many("holders", s.Holders, func(h Holder) string { return h.Name + span(h.From, h.Until) }),
		many("devices", s.Devices, func(d Device) string { return strings.TrimSpace(d.ID.String() + " " + d.Name) }),
		many("hosts", hosts, func(w Workstation) string { return w.Addr.String() + span(w.From, w.Until) }),
	}
}

func (h Host) facts() facts {
	return facts{one("name", h.Name), one("office", h.Office), one("role", string(h.Role))}
}

func (t Token) facts() facts {
	host := ""
	if t.Host.IsValid() {
		host = t.Host.String()
	}
	return facts{one("seat", t.Seat), one("host", host), one("kind", string(t.Kind)), one("until", string(t.Until)), one("hash", t.Hash.String())}
}

// serviceFacts are those of a service as it is kept.
func serviceFacts(sv policy.AddService) facts {
	certified := ""
	if sv.PEC {
		certified = "certified mail"
	}
	return facts{
		one("title", sv.Title), one("channel", string(sv.Channel)), one("pec", certified),
		many("rules", sv.Rules, func(r policy.ServiceRule) string {
			if r.Date == "" {
				return fmt.Sprintf("%s (%s)", r.Rule, r.Source)
			}
			return fmt.Sprintf("%s (%s, %s)", r.Rule, r.Source, r.Date)
		}),
		many("only for", sv.Eligible, func(id string) string { return id }),
	}
}

// facts of a grant are those by which it may differ from another on the same name for the same subject.
func (g *wanted) facts() facts {
	return facts{
		one("types", typesText(g.Types)), one("from", string(g.From)), one("until", string(g.Until)), one("schedule", string(g.Schedule)),
		one("request", g.protocol),
	}
}

// line is what the grant is, without its terms.
func (g *wanted) line() string {
	return strings.Join([]string{g.subject.String(), string(g.channel), g.opens}, "  ")
}

// become says what of a grant is other in the next.
func (g *wanted) become(next *wanted) string {
	if g.opens == next.opens {
		return g.line() + "  " + g.facts().changes(next.facts())
	}
	return strings.Join([]string{g.subject.String(), string(g.channel), facts{one("opens", g.opens)}.changes(facts{one("opens", next.opens)})}, "  ")
}

func text[T fmt.Stringer](v T) string { return v.String() }

func typesText(types []policy.Type) string {
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = t.String()
	}
	return strings.Join(out, ",")
}

func span(from, until policy.Moment) string {
	out := ""
	if from != "" {
		out = " from " + string(from)
	}
	if until != "" {
		out += " until " + string(until)
	}
	return out
}
