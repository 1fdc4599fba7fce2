package portal

import (
	"net/http"

	"usciere/policy"
	"usciere/policy/portal/door"
)

// routes are the pages under the portal's own name. What changes something comes by POST from one of these pages: of another
// origin it is refused, whatever its name resolves to, since the Host is known to be ours.
func (p *Portal) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.seen(p.home))
	mux.HandleFunc("GET /request", p.seen(p.form))
	mux.HandleFunc("POST /request", p.sent(p.submit))
	mux.HandleFunc("GET /request/{id}", p.seen(p.status))
	mux.HandleFunc("GET /request/{id}/letter", p.seen(p.letter))
	mux.HandleFunc("GET /sign/{token}", p.seen(p.sign))
	mux.HandleFunc("POST /sign/{token}", p.sent(p.endorse))
	mux.HandleFunc("/", p.seen(p.elsewhere))
	same := http.NewCrossOriginProtection()
	same.SetDenyHandler(p.seen(func(w http.ResponseWriter, v *visit) {
		p.say(w, v, http.StatusForbidden, v.text.CrossTitle, v.text.Cross)
	}))
	return same.Handler(mux)
}

// seen is a page that only shows.
func (p *Portal) seen(show func(http.ResponseWriter, *visit)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		door.Settle(r)
		v := visitOf(r)
		v.r = r // with the path as it was matched
		if wantsUpgrade(r) {
			short(w, r, http.StatusForbidden, v.text.shortNothing)
			return
		}
		show(w, v)
	}
}

// sent is a page that a form is sent to: seldom enough, small enough, and read whole.
func (p *Portal) sent(take func(http.ResponseWriter, *visit)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := visitOf(r)
		v.r = r
		if !p.posts.allow(v.client.Addr) {
			w.Header().Set("Retry-After", "60")
			door.Settle(r)
			p.say(w, v, http.StatusTooManyRequests, v.text.SlowTitle, v.text.Slow)
			return
		}
		if status, what := v.readForm(w); status != 0 {
			door.Settle(r)
			p.say(w, v, status, v.text.CrossTitle, what)
			return
		}
		door.Settle(r)
		take(w, v)
	}
}

// elsewhere is what there is not.
func (p *Portal) elsewhere(w http.ResponseWriter, v *visit) {
	switch {
	case v.r.Method != http.MethodGet && v.r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		short(w, v.r, http.StatusMethodNotAllowed, v.text.shortNothing)
	case isProbe(v.r, v.Name), isMachine(v.r):
		short(w, v.r, http.StatusNotFound, v.text.shortNothing)
	default:
		p.notFound(w, v)
	}
}

func (p *Portal) notFound(w http.ResponseWriter, v *visit) {
	p.say(w, v, http.StatusNotFound, v.text.NotFoundTitle, v.text.NotFound)
}

// failed is a page that could not be made.
func (p *Portal) failed(w http.ResponseWriter, v *visit, err error) {
	p.cfg.Log.Error("the page cannot read or keep the records", "error", err)
	p.say(w, v, http.StatusInternalServerError, v.text.FailedTitle, v.text.Failed)
}

// house is the first page: who the workstation is, and what its office has under way.
type house struct {
	Who, Seat        string
	InOffice, MayAsk bool
	Open             []openRequest
	Help             string
}

type openRequest struct{ ID, Title, Of, State string }

func (p *Portal) home(w http.ResponseWriter, v *visit) {
	t := v.text
	h := house{Who: t.HomeNobody, Help: v.callIT()}
	if o := v.client.Office; o != nil {
		h.Who, h.InOffice, h.MayAsk = fill(t.HomeWho, "office", o.Name), true, v.Forms
		known, err := p.knownOf(v.rules)
		if err != nil {
			p.failed(w, v, err)
			return
		}
		if d := known.offices[o.ID]; d != nil {
			for _, q := range d.open {
				h.Open = append(h.Open, openRequest{
					ID: q.ID.String(), Title: fill(t.StatusTitle, "id", q.ID.String()), Of: fill(t.HomeCount, "date", t.date(q.Date)), State: t.states[q.State],
				})
			}
		}
	}
	if seat, ok := v.rules.Seat(v.client.Seat); ok {
		h.Seat = fill(t.HomeSeat, "seat", seatName(seat))
		if !v.client.Role.Restricted() {
			h.Seat += " " + t.HomeUnlimited
		}
	}
	p.render(w, v, http.StatusOK, homePage, t.HomeTitle, h)
}

func seatName(s *policy.Seat) string {
	if s.Name != "" {
		return s.Name
	}
	return s.ID
}
