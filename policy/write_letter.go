package policy

import (
	"slices"
	"strings"
	"time"
	"unicode"
)

// WriteLetter keeps a letter about a request, or about grants where q is nil; what it says is l.Content, completed by what
// the request, the office and the seat that signed say today. A letter of a kind without a protocol number is to be issued
// in the same change.
func (e *Edit) WriteLetter(l Letter, q *Request) (*Letter, error) {
	office, err := e.officeOf(l.Office)
	if err != nil {
		return nil, err
	}
	l.Content.OfficeName = office.Name
	if q != nil {
		l.Request = q.ID
	}
	if seat, ok := e.Seat(l.Content.Seat); ok {
		l.Content.SeatName = seat.Name
	}
	for _, o := range l.Content.Opened {
		l.Grants = append(l.Grants, o.Grant)
	}
	l.State, l.Written = AwaitingProtocol, e.now.Truncate(time.Second)
	return e.PutLetter(l)
}

// ContentOf is what a letter about a request says of it and of grants.
func (e *Edit) ContentOf(q *Request, grants []*Grant) LetterContent {
	return LetterContent{
		Seat: q.Seat, Holder: q.Holder, Protocol: q.Protocol, Date: q.Date, Reason: q.Reason, Channel: q.Channel,
		Asked: append(plainly(q.Addresses), q.Services...), Ground: q.Ground, Left: q.Left, Decision: q.Decision,
		Opened: e.openings(grants),
	}
}

// plainly are addresses as they were asked for; those with letters beyond ASCII, which may look like others, with the name as
// the network knows it.
func plainly(addresses []string) []string {
	out := slices.Clone(addresses)
	for i, text := range out {
		for _, word := range strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == ',' || c == '\t' }) {
			if strings.IndexFunc(word, func(c rune) bool { return c > unicode.MaxASCII }) < 0 {
				continue
			}
			if rule, _, err := ParseRule(word); err == nil && !strings.Contains(text, rule.Name.String()) {
				out[i] += " (" + rule.Name.String() + ")"
			}
		}
	}
	return out
}

func (e *Edit) openings(grants []*Grant) []Opening {
	var out []Opening
	for _, g := range grants {
		o := Opening{Grant: g.ID, What: g.Opens(), Channel: g.Channel, From: g.From, Until: g.Until, Terms: g.Limits()}
		if sv, ok := e.Service(g.Service); ok {
			o.Title = sv.Title
		}
		out = append(out, o)
	}
	return out
}

// Limits are the grant's record types and timetable, as far as it has any.
func (g *Grant) Limits() string {
	var out []string
	for _, t := range g.Types {
		out = append(out, t.String())
	}
	limits := strings.Join(out, ", ")
	if g.Schedule != "" {
		if limits != "" {
			limits += "; "
		}
		limits += string(g.Schedule)
	}
	return limits
}

// revocationNotices writes each office whose grants ended a letter: one for each request that they rested on.
func (e *Edit) revocationNotices(ended []*Grant, reason string, urgent bool) (letters []*Letter, err error) {
	for len(ended) > 0 {
		first := ended[0]
		var together, others []*Grant
		for _, g := range ended {
			if g.Office == first.Office && g.Request == first.Request {
				together = append(together, g)
			} else {
				others = append(others, g)
			}
		}
		if ended = others; first.Office == "" {
			continue // of a role or of everyone: no office asked for it
		}
		q, err := e.Records().Request(first.Request)
		if err != nil {
			return nil, err
		}
		content := e.ContentOf(q, together)
		content.Decision, content.Left, content.Ends = reason, nil, e.Today()
		l, err := e.WriteLetter(Letter{Kind: RevocationNotice, Office: first.Office, Content: content, Urgent: urgent}, q)
		if err != nil {
			return nil, err
		}
		letters = append(letters, l)
	}
	return letters, nil
}
