package portal

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"strings"

	"usciere/policy"
	"usciere/policy/request"
)

// standing is a request as its office sees it.
type standing struct {
	ID, Office   string
	State, Class string
	Note         string
	Letter       bool // there is one to print
	Asked        []askedFor
	Left         []string
	Reason       string
	Period       string
	Steps        []string
	Protocol     string
	Help         string
}

type askedFor struct{ Name, Extent string }

// mine is the request that a path names, if it is of the visitor's office; otherwise the visitor was told.
func (p *Portal) mine(w http.ResponseWriter, v *visit) (q *policy.Request, form *policy.Letter) {
	id, err := policy.ParseRequestID(v.r.PathValue("id"))
	if err != nil || v.client.Office == nil {
		p.notFound(w, v)
		return nil, nil
	}
	return p.request(w, v, id)
}

// request reads a request and its form, if it is of the visitor's office; otherwise the visitor was told.
func (p *Portal) request(w http.ResponseWriter, v *visit, id policy.RequestID) (q *policy.Request, form *policy.Letter) {
	known, err := p.knownOf(v.rules)
	if err == nil {
		err = p.cfg.Rules.View(func(r policy.Records) (err error) {
			if q, err = r.Request(id); err != nil {
				return err
			}
			if letter, ok := known.forms[id]; ok {
				form, err = r.Letter(letter)
			}
			return err
		})
	}
	switch {
	case policy.IsCode(err, policy.NotFound):
		p.notFound(w, v)
	case err != nil:
		p.failed(w, v, err)
	case v.client.Office == nil || !v.client.Office.Owns(q):
		p.notFound(w, v)
	default:
		return q, form
	}
	return nil, nil
}

// status shows how a request is doing.
func (p *Portal) status(w http.ResponseWriter, v *visit) {
	q, form := p.mine(w, v)
	if q == nil {
		return
	}
	t := v.text
	s := standing{
		ID: q.ID.String(), Office: v.client.Office.Name, State: t.states[q.State], Class: string(q.State),
		Letter: form != nil && q.State == policy.Submitted, Asked: t.asked(q), Reason: q.Reason, Period: t.period(q), Help: v.callIT(),
	}
	if s.Letter {
		s.Note = t.StatusPaper
		if form.Issue != nil && len(form.Issue.To) > 0 {
			s.Note = t.StatusFresh
		}
	}
	for _, l := range q.Left {
		s.Left = append(s.Left, l.What)
	}
	for _, step := range q.Steps {
		line := t.date(policy.DayOf(step.At, v.rules.Town().Zone)) + ": " + t.steps[step.State]
		if step.State == policy.Endorsed && step.Holder != "" {
			line = t.date(policy.DayOf(step.At, v.rules.Town().Zone)) + ": " + fill(t.StatusBy, "holder", step.Holder)
		}
		s.Steps = append(s.Steps, line)
	}
	if q.Protocol != "" {
		s.Protocol = fill(t.StatusProtocol, "protocol", q.Protocol)
	}
	p.render(w, v, http.StatusOK, statusPage, fill(t.StatusTitle, "id", s.ID), s)
}

// asked is what a request asks for, and how far each address reaches.
func (t *texts) asked(q *policy.Request) (out []askedFor) {
	for _, text := range q.Addresses {
		rule, _, err := request.ParseAsked(text)
		if err != nil {
			out = append(out, askedFor{Name: text})
			continue
		}
		extent := [...]string{policy.Exact: t.StatusExactly, policy.Below: t.StatusBelow, policy.Tree: t.StatusTree}[rule.Kind]
		out = append(out, askedFor{rule.Name.String(), extent})
	}
	for _, service := range q.Services {
		out = append(out, askedFor{Name: service})
	}
	return out
}

// period is for how long a request asks; empty: without an end.
func (t *texts) period(q *policy.Request) string {
	var parts []string
	if q.From != "" {
		parts = append(parts, fill(t.StatusFrom, "from", t.date(q.From)))
	}
	if q.Until != "" {
		parts = append(parts, fill(t.StatusUntil, "until", t.date(q.Until)))
	}
	return strings.Join(parts, " ")
}

// letter shows the letter to print and sign by hand. The one-time link is not in it: that one is for the office's mailbox.
func (p *Portal) letter(w http.ResponseWriter, v *visit) {
	q, form := p.mine(w, v)
	switch {
	case q == nil:
		return
	case form == nil:
		p.notFound(w, v)
		return
	}
	paper, err := p.cfg.PrintForm(form)
	if err != nil {
		p.failed(w, v, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src "+styleOf(paper.Page)+"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(http.StatusOK)
	if v.r.Method != http.MethodHead {
		_, _ = io.WriteString(w, paper.Page)
	}
}

// styleOf allows the style that stands in a page, and no other.
func styleOf(page string) string {
	_, rest, found := strings.Cut(page, "<style>")
	style, _, closed := strings.Cut(rest, "</style>")
	if !found || !closed {
		return "'none'"
	}
	sum := sha256.Sum256([]byte(style))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
