package portal

import (
	"errors"
	"net/http"

	"usciere/policy"
	"usciere/policy/request"
)

// signing is a request that somebody is about to sign by its one-time link.
type signing struct {
	ID, Office, Token string
	What, Who         string
	Asked             []askedFor
	Reason, Period    string
	MaySign, Letter   bool
	Help              string
}

// sign shows what the link signs. It only shows: mail scanners follow links.
func (p *Portal) sign(w http.ResponseWriter, v *visit) {
	token := v.r.PathValue("token")
	q, form := p.linked(w, v, token)
	if q == nil {
		return
	}
	p.showSigning(w, v, http.StatusOK, q, form, token)
}

func (p *Portal) showSigning(w http.ResponseWriter, v *visit, status int, q *policy.Request, form *policy.Letter, token string) {
	t := v.text
	s := signing{
		ID: q.ID.String(), Office: v.client.Office.Name, Token: token, What: fill(t.SignWhat, "office", v.client.Office.Name),
		Asked: t.asked(q), Reason: q.Reason, Period: t.period(q), Letter: form != nil, Help: v.callIT(),
	}
	if seat, holder, ok := v.signer(q.Office); ok {
		s.MaySign, s.Who = true, fill(t.SignWho, "holder", holder, "seat", seatName(seat))
	}
	p.render(w, v, status, signPage, fill(t.SignTitle, "id", s.ID), s)
}

// signer is the seat that signs for an office at this workstation, and who holds it today. A machine that is the seat's by its host
// name only does not sign: anybody can give that name.
func (v *visit) signer(office string) (seat *policy.Seat, holder string, ok bool) {
	if d := v.client.Device; d != "" && !d.IsMAC() {
		return nil, "", false
	}
	seat, ok = v.rules.Seat(v.client.Seat)
	if !ok || seat.Office != office || seat.Role.Restricted() {
		return nil, "", false
	}
	h, ok := seat.HolderOn(v.today())
	return seat, h.Name, ok
}

// linked is the request that a one-time link signs, if the link holds and the request is of the visitor's office; otherwise the
// visitor was told.
func (p *Portal) linked(w http.ResponseWriter, v *visit, token string) (*policy.Request, *policy.Letter) {
	known, err := p.knownOf(v.rules)
	if err != nil {
		p.failed(w, v, err)
		return nil, nil
	}
	id, ok := known.links[request.TokenDigest(token)]
	if !ok {
		p.linkOver(w, v)
		return nil, nil
	}
	q, form := p.request(w, v, id)
	if q != nil && request.CheckLink(q, token, v.at) != nil {
		p.linkOver(w, v)
		return nil, nil
	}
	return q, form
}

func (p *Portal) linkOver(w http.ResponseWriter, v *visit) {
	p.say(w, v, http.StatusGone, v.text.SignOverTitle, v.text.SignOver)
}

// endorse signs a request for the seat that the workstation is bound to.
func (p *Portal) endorse(w http.ResponseWriter, v *visit) {
	token := v.r.PathValue("token")
	q, form := p.linked(w, v, token)
	if q == nil {
		return
	}
	seat, _, ok := v.signer(q.Office)
	if !ok {
		p.showSigning(w, v, http.StatusForbidden, q, form, token)
		return
	}
	_, err := p.cfg.Rules.Apply(writer, request.Endorse{Request: q.ID, Token: token, BySeat: seat.ID})
	switch {
	case errors.Is(err, request.ErrLink): // used up meanwhile
		p.linkOver(w, v)
	case policy.IsCode(err, policy.Invalid) || policy.IsCode(err, policy.Conflict):
		p.showSigning(w, v, http.StatusForbidden, q, form, token)
	case err != nil:
		p.failed(w, v, err)
	default:
		v.seeOther(w, "/request/"+q.ID.String())
	}
}
