package admin

import (
	"context"
	"net/url"
	"strconv"

	"usciere/policy"
	"usciere/policy/request"
)

// RequestFilter chooses requests; the empty one takes all.
type RequestFilter struct {
	Office string
	State  policy.RequestState
	Open   bool             // only those that wait for a signature or a decision
	After  policy.RequestID // those with a higher number
	Limit  int              // 1 to MaxRequests; 0: DefaultRequests
}

// How many requests a page has.
const (
	DefaultRequests = 100
	MaxRequests     = 1000
)

// RequestList is one page of requests, by number.
type RequestList struct {
	Requests []*policy.Request `json:"requests"`
	Next     policy.RequestID  `json:"next,omitempty"` // give it as after to see the next page
}

// RequestDetails are a request, what granting it would open, and what came of it.
type RequestDetails struct {
	Request *policy.Request   `json:"request"`
	Asked   []AskedFor        `json:"asked"`
	Problem string            `json:"problem,omitempty"` // why it cannot be granted as it is any more
	Grants  []GrantBrief      `json:"grants"`            // that came of it
	Letters []*policy.Letter  `json:"letters"`           // about it
	Renewed *policy.RequestID `json:"renewed_by,omitempty"`
	Renews  string            `json:"renews,omitempty"` // label of the request whose place it takes
}

// AskedFor is one thing that a request asks for, and all that granting it opens.
type AskedFor struct {
	Text string `json:"text"` // as asked
	policy.Opened
	Subtree bool   `json:"subtree,omitempty"` // it opens all names below too
	Has     string `json:"has,omitempty"`     // by which grant the office has it already
}

// query writes the filter as parameters.
func (f RequestFilter) query() url.Values {
	q := url.Values{}
	for key, value := range map[string]string{"office": f.Office, "state": string(f.State)} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if f.Open {
		q.Set("open", "true")
	}
	if f.After != 0 {
		q.Set("after", f.After.String())
	}
	if f.Limit != 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return q
}

func listRequests(c *call) (any, error) {
	q, err := params(c.r, "office", "state", "open", "after", "limit")
	if err != nil {
		return nil, err
	}
	f := RequestFilter{Office: q.Get("office")}
	if err := f.State.UnmarshalText([]byte(q.Get("state"))); err != nil {
		return nil, err
	}
	if f.Open, err = flag(q, "open"); err != nil {
		return nil, err
	}
	if text := q.Get("after"); text != "" {
		if f.After, err = policy.ParseRequestID(text); err != nil {
			return nil, err
		}
	}
	if f.Limit, err = limit(q, DefaultRequests, MaxRequests); err != nil {
		return nil, err
	}
	out := RequestList{Requests: []*policy.Request{}}
	err = c.cfg.Rules.View(func(r policy.Records) error {
		return r.EachRequest(func(q *policy.Request) bool {
			switch {
			case q.ID <= f.After, f.Office != "" && f.Office != q.Office, f.State != "" && f.State != q.State, f.Open && !q.State.Open():
				return true
			case len(out.Requests) == f.Limit:
				out.Next = out.Requests[f.Limit-1].ID
				return false
			}
			out.Requests = append(out.Requests, q)
			return true
		})
	})
	return out, err
}

func showRequest(c *call) (any, error) {
	p, err := params(c.r, "id")
	if err != nil {
		return nil, err
	}
	id, err := policy.ParseRequestID(p.Get("id"))
	if err != nil {
		return nil, err
	}
	out := &RequestDetails{Asked: []AskedFor{}, Grants: []GrantBrief{}, Letters: []*policy.Letter{}}
	return out, c.cfg.Rules.View(func(r policy.Records) (err error) {
		if out.Request, err = r.Request(id); err != nil {
			return err
		}
		if err := c.asked(r, out); err != nil {
			return err
		}
		return c.followed(r, out)
	})
}

// asked fills in what granting the request opens.
func (c *call) asked(r policy.Records, out *RequestDetails) error {
	q := out.Request
	asked, err := request.Understand(c.rules, q)
	if err != nil {
		if out.Problem = err.Error(); !q.State.Open() {
			out.Problem = "" // it was decided when it could be read
		}
		return nil
	}
	for i := range asked {
		a := &asked[i]
		g := policy.Grant{Channel: a.Channel}
		if a.Service != nil {
			g.Service = a.Service.ID
		} else {
			g.Rule = &a.Rule
		}
		item := AskedFor{Text: a.Text, Opened: c.rules.Opened(&g), Subtree: g.Rule != nil && a.Rule.Kind != policy.Exact}
		if q.State.Open() {
			if item.Has, err = request.Already(c.rules, r, c.now, q.Office, a, q.Renews); err != nil {
				return err
			}
		}
		out.Asked = append(out.Asked, item)
	}
	return nil
}

// followed fills in what came of the request.
func (c *call) followed(r policy.Records, out *RequestDetails) error {
	q := out.Request
	if err := r.EachGrant(func(g *policy.Grant) bool {
		if g.Request == q.ID {
			out.Grants = append(out.Grants, GrantBrief{Grant: g, State: stateOf(g, c.now, c.rules.Town().Zone), Letter: q.Label()})
		}
		return true
	}); err != nil {
		return err
	}
	if err := r.EachLetter(func(l *policy.Letter) bool {
		if l.Request == q.ID {
			out.Letters = append(out.Letters, l)
		}
		return true
	}); err != nil {
		return err
	}
	if q.Renews != 0 {
		old, err := r.Request(q.Renews)
		if err != nil {
			return err
		}
		out.Renews = old.Label()
	}
	if q.State != policy.Renewed {
		return nil
	}
	return r.EachRequest(func(o *policy.Request) bool {
		if o.Renews == q.ID && o.State != policy.Denied && !o.State.Open() {
			out.Renewed = &o.ID
		}
		return out.Renewed == nil
	})
}

// SubmitRequest writes a request.
func (c *Client) SubmitRequest(ctx context.Context, change request.Submit) (*request.Moved, error) {
	return post[*request.Moved](ctx, c, "/v1/request/submit", change)
}

// EndorseRequest enters the signed letter of a request.
func (c *Client) EndorseRequest(ctx context.Context, change request.Endorse) (*request.Moved, error) {
	return post[*request.Moved](ctx, c, "/v1/request/endorse", change)
}

// ApproveRequest grants what a request asks for.
func (c *Client) ApproveRequest(ctx context.Context, change request.Approve) (*request.Moved, error) {
	return post[*request.Moved](ctx, c, "/v1/request/approve", change)
}

// DenyRequest refuses a request.
func (c *Client) DenyRequest(ctx context.Context, change request.Deny) (*request.Moved, error) {
	return post[*request.Moved](ctx, c, "/v1/request/deny", change)
}

// WithdrawRequest takes a request back.
func (c *Client) WithdrawRequest(ctx context.Context, change request.Withdraw) (*request.Moved, error) {
	return post[*request.Moved](ctx, c, "/v1/request/withdraw", change)
}

// Requests lists one page of requests.
func (c *Client) Requests(ctx context.Context, filter RequestFilter) (*RequestList, error) {
	return get[*RequestList](ctx, c, "/v1/request/list", filter.query())
}

// Request shows a request, what granting it would open, and what came of it.
func (c *Client) Request(ctx context.Context, id policy.RequestID) (*RequestDetails, error) {
	return get[*RequestDetails](ctx, c, "/v1/request/show", url.Values{"id": {id.String()}})
}
