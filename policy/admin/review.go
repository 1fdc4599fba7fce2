package admin

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"usciere/policy"
)

// Review is what an office has, for the yearly look at it.
type Review struct {
	Office *policy.Office   `json:"office"`
	Day    policy.Moment    `json:"day"`
	Grants []ReviewedGrant  `json:"grants"` // its own, in force or to come, by number
	Seats  []ReviewedSeat   `json:"seats"`
	Led    []policy.Alias   `json:"led,omitempty"`    // names that its employees may ask and that lead to somebody new
	Tokens []Token          `json:"tokens,omitempty"` // who shows one is taken for one of the office
	Open   []OpenRequest    `json:"open_requests"`    // that wait for a signature or a decision
	Ending []policy.GrantID `json:"ending"`           // of its own, within EndingDays, the first to end first
	Common []ReviewedGrant  `json:"common"`           // of its roles and of everyone
	Total  int              `json:"of,omitempty"`     // how many offices there are, in a review of all
	Number int              `json:"nth,omitempty"`    // which this is, from 1
}

// EndingDays is how far a review looks for grants that end.
const EndingDays = 60

// ReviewedGrant is a grant, how long it has and by which letter it was opened.
type ReviewedGrant struct {
	Grant    *policy.Grant `json:"grant"`
	Title    string        `json:"title,omitempty"` // of the service
	State    GrantState    `json:"state"`
	Since    policy.Moment `json:"since"`               // the day it was opened from
	DaysLeft *int          `json:"days_left,omitempty"` // whole days from today to its last; absent: no end
	Request  *Paper        `json:"request"`
	Notices  []string      `json:"notices,omitempty"` // outgoing protocol numbers and dates
}

// ReviewedSeat is a seat of the office, who holds it, and its workstations of today.
type ReviewedSeat struct {
	*policy.Seat
	Holder *policy.Holder `json:"holder,omitempty"` // nil: nobody
	Hosts  []netip.Addr   `json:"hosts,omitempty"`
}

// OpenRequest is a request that waits.
type OpenRequest struct {
	ID       policy.RequestID    `json:"id"`
	State    policy.RequestState `json:"state"`
	Protocol string              `json:"protocol,omitempty"`
	Date     policy.Moment       `json:"date"`
	Asked    []string            `json:"asked"`
	Reason   string              `json:"reason"`
}

// ReviewEnd is what a review of all ends with.
type ReviewEnd struct {
	Offices int             `json:"offices"`
	Common  []ReviewedGrant `json:"common"` // of roles and of everyone
}

// reviewLine is a line of the reply to a review of all: exactly one of the two.
type reviewLine struct {
	Review *Review    `json:"review,omitempty"`
	End    *ReviewEnd `json:"end,omitempty"`
}

// reviewOffice shows what one office has; without one, a line for each office, and a last one.
func reviewOffice(c *call) (any, error) {
	q, err := params(c.r, "office")
	if err != nil {
		return nil, err
	}
	id := q.Get("office")
	o, ok := c.rules.Office(id)
	if id != "" && !ok {
		return nil, notFound("see `usciere office list`", "there is no office %q", id)
	}
	r := reviewer{call: c, open: map[string][]OpenRequest{}, notices: map[policy.GrantID][]string{}, papers: map[policy.RequestID]*Paper{}}
	if err := c.cfg.Rules.View(func(records policy.Records) error { return r.look(records, id) }); err != nil {
		return nil, err
	}
	aliases, err := c.cfg.Rules.Aliases()
	if err != nil {
		return nil, err
	}
	r.led = slices.DeleteFunc(aliases, func(a policy.Alias) bool { return len(a.News()) == 0 })
	if id != "" {
		out, err := r.review(o)
		if err == nil {
			out.Common, err = r.common()
		}
		return out, err
	}
	return stream{"application/jsonl", r.all}, nil
}

// reviewer is one review under way.
type reviewer struct {
	*call
	open    map[string][]OpenRequest // by office
	notices map[policy.GrantID][]string
	papers  map[policy.RequestID]*Paper
	led     []policy.Alias // to somebody new
}

// look goes once through all requests and letters, of one office, or of all.
func (r *reviewer) look(records policy.Records, office string) error {
	err := records.EachRequest(func(q *policy.Request) bool {
		if q.State.Open() && (office == "" || q.Office == office) {
			asked := append(append([]string{}, q.Addresses...), q.Services...)
			r.open[q.Office] = append(r.open[q.Office], OpenRequest{q.ID, q.State, q.Protocol, q.Date, asked, q.Reason})
		}
		return true
	})
	if err != nil {
		return err
	}
	return records.EachLetter(func(l *policy.Letter) bool {
		if l.Kind != policy.DecisionNotice || office != "" && l.Office != office {
			return true
		}
		text := l.ID.String() + ", " + string(l.State)
		if l.Issue != nil {
			text = l.Issue.Protocol + " of " + string(l.Issue.Date)
		}
		for _, id := range l.Grants {
			r.notices[id] = append(r.notices[id], text)
		}
		return true
	})
}

// all writes the review of each office, read in a transaction of its own, so that a slow reader keeps none open.
func (r *reviewer) all(w io.Writer) error {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	end := &ReviewEnd{}
	for _, o := range r.rules.Offices() {
		one, err := r.review(o)
		if err != nil {
			return err
		}
		if err := lines.Encode(reviewLine{Review: one}); err != nil {
			return err
		}
		clear(r.papers)
		end.Offices++
	}
	var err error
	if end.Common, err = r.common(); err != nil {
		return err
	}
	return lines.Encode(reviewLine{End: end})
}

func (r *reviewer) review(o *policy.Office) (*Review, error) {
	grants, err := r.grants(policy.Subject{Office: o.ID})
	if err != nil {
		return nil, err
	}
	out := &Review{Office: o, Day: r.today(), Grants: grants, Seats: r.seats(o.ID), Open: append([]OpenRequest{}, r.open[o.ID]...), Ending: []policy.GrantID{}}
	for _, t := range r.rules.Tokens() {
		if of := r.token(t); of.Office == o.ID {
			out.Tokens = append(out.Tokens, of)
		}
	}
	if any, ok := r.rules.Employee(o.ID); ok {
		for _, a := range r.led {
			if r.rules.Decide(&any, []byte(a.Name), policy.TypeA, r.now).Action == policy.Allow {
				out.Led = append(out.Led, a)
			}
		}
	}
	ending := slices.DeleteFunc(slices.Clone(grants), func(g ReviewedGrant) bool { return g.DaysLeft == nil || *g.DaysLeft > EndingDays })
	zone := r.rules.Town().Zone
	slices.SortStableFunc(ending, func(a, b ReviewedGrant) int { return a.Grant.Until.End(zone).Compare(b.Grant.Until.End(zone)) })
	for _, g := range ending {
		out.Ending = append(out.Ending, g.Grant.ID)
	}
	return out, nil
}

// common are the grants of the restricted roles and of everyone.
func (r *reviewer) common() ([]ReviewedGrant, error) {
	return r.grants(policy.Subject{Role: policy.Employee}, policy.Subject{Role: policy.Server}, policy.Subject{Everyone: true})
}

func (r *reviewer) seats(office string) []ReviewedSeat {
	out := []ReviewedSeat{}
	today := r.today()
	for _, s := range r.rules.Seats() {
		if s.Office != office {
			continue
		}
		seat := ReviewedSeat{Seat: s}
		if h, ok := s.HolderOn(today); ok {
			seat.Holder = &h
		}
		for _, h := range r.rules.Hosts() {
			if slices.ContainsFunc(h.Seats, func(b policy.Binding) bool {
				return b.Seat == s.ID && b.From <= today && (b.Until == "" || today <= b.Until)
			}) {
				seat.Hosts = append(seat.Hosts, h.Addr)
			}
		}
		out = append(out, seat)
	}
	return out
}

// grants are the grants of some subjects in force or to come.
func (r *reviewer) grants(of ...policy.Subject) ([]ReviewedGrant, error) {
	out := []ReviewedGrant{}
	err := r.cfg.Rules.View(func(records policy.Records) error {
		for _, s := range of {
			if err := records.EachGrantOf(s, func(g *policy.Grant) bool {
				if state := stateOf(g, r.now, r.rules.Town().Zone); state != Expired {
					out = append(out, r.reviewed(g, state))
				}
				return true
			}); err != nil {
				return err
			}
		}
		for i := range out {
			id := out[i].Grant.Request
			if r.papers[id] == nil {
				q, err := records.Request(id)
				if err != nil {
					return err
				}
				r.papers[id] = r.paper(q)
			}
			out[i].Request = r.papers[id]
		}
		return nil
	})
	return out, err
}

func (r *reviewer) reviewed(g *policy.Grant, state GrantState) ReviewedGrant {
	out := ReviewedGrant{Grant: g, State: state, Since: cmp.Or(g.From, policy.DayOf(g.Created, r.rules.Town().Zone)), Notices: r.notices[g.ID]}
	if g.Until != "" {
		left := daysBetween(r.today(), g.Until)
		out.DaysLeft = &left
	}
	if sv, ok := r.rules.Service(g.Service); ok {
		out.Title = sv.Title
	}
	return out
}

// daysBetween is how many days lie between two days; minutes do not count.
func daysBetween(from, to policy.Moment) int {
	a, b := from[:10].Start(time.UTC), to[:10].Start(time.UTC)
	return int(math.Round(b.Sub(a).Hours() / 24))
}

// Review shows what an office has.
func (c *Client) Review(ctx context.Context, office string) (*Review, error) {
	return get[*Review](ctx, c, "/v1/review", url.Values{"office": {office}})
}

// ReviewAll calls fn with the review of each office, by id, and returns what is common to all.
func (c *Client) ReviewAll(ctx context.Context, fn func(*Review) error) (*ReviewEnd, error) {
	r, err := c.do(ctx, http.MethodGet, "/v1/review", nil, nil)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	lines := json.NewDecoder(bufio.NewReaderSize(r.Body, 64<<10))
	for n := 0; ; n++ {
		var line reviewLine
		err := lines.Decode(&line)
		switch {
		case err == nil && line.Review != nil:
			if err := fn(line.Review); err != nil {
				return nil, err
			}
		case err == nil && line.End != nil && line.End.Offices == n:
			return line.End, nil
		default:
			return nil, &policy.Error{Code: Fault, Message: fmt.Sprintf("the daemon broke off after %d offices", n), Hint: "see the daemon's log"}
		}
	}
}
