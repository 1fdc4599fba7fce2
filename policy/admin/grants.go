package admin

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"usciere/policy"
)

func listServices(c *call) (any, error) {
	if _, err := params(c.r); err != nil {
		return nil, err
	}
	out := ServiceList{Services: []ServiceBrief{}}
	for _, s := range c.rules.Services() {
		out.Services = append(out.Services, ServiceBrief{s.ID, s.Title, s.Channel, len(s.Rules), s.Eligible, s.PEC, s.Builtin, s.Version})
	}
	return out, nil
}

func showService(c *call) (any, error) {
	p, err := params(c.r, "id")
	if err != nil {
		return nil, err
	}
	s, ok := c.rules.Service(p.Get("id"))
	if !ok {
		return nil, notFound("see `usciere service list`", "there is no service %q", p.Get("id"))
	}
	return s, nil
}

// stateOf is a grant's state at a time.
func stateOf(g *policy.Grant, at time.Time, zone *time.Location) GrantState {
	switch {
	case g.Revoked != nil:
		return Revoked
	case g.Until != "" && !at.Before(g.Until.End(zone)):
		return Expired
	case at.Before(g.From.Start(zone)):
		return ToCome
	default:
		return InForce
	}
}

// query writes the filter as parameters.
func (f GrantFilter) query() url.Values {
	q := url.Values{}
	set := func(key, value string, given bool) {
		if given {
			q.Set(key, value)
		}
	}
	set("office", f.Office, f.Office != "")
	set("role", string(f.Role), f.Role != "")
	set("everyone", "true", f.Everyone)
	set("name", f.Name, f.Name != "")
	set("all", "true", f.All)
	set("after", f.After.String(), f.After != 0)
	set("limit", strconv.Itoa(f.Limit), f.Limit != 0)
	return q
}

// parseFilter reads what query writes.
func parseFilter(q url.Values) (f GrantFilter, err error) {
	f = GrantFilter{Subject: policy.Subject{Office: q.Get("office")}, Name: q.Get("name"), Limit: DefaultGrants}
	if err := f.Role.UnmarshalText([]byte(q.Get("role"))); err != nil {
		return f, err
	}
	if f.Everyone, err = flag(q, "everyone"); err != nil {
		return f, err
	}
	if f.All, err = flag(q, "all"); err != nil {
		return f, err
	}
	if text := q.Get("after"); text != "" {
		if f.After, err = policy.ParseGrantID(text); err != nil {
			return f, err
		}
	}
	if f.Limit, err = limit(q, DefaultGrants, MaxGrants); err != nil {
		return f, err
	}
	given := 0
	for _, is := range []bool{f.Office != "", f.Role != "", f.Everyone} {
		if is {
			given++
		}
	}
	if given > 1 {
		return f, invalid("give at most one of --office, --role and --everyone", "whose grants?")
	}
	return f, nil
}

func flag(q url.Values, key string) (bool, error) {
	switch q.Get(key) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, invalid("give true or false", fmt.Sprintf("parameter %q is neither true nor false", key))
}

func limit(q url.Values, preset, most int) (int, error) {
	text := q.Get("limit")
	if text == "" {
		return preset, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, invalid(fmt.Sprintf("give a number from 1 to %d", most), fmt.Sprintf("limit %q is none", text))
	}
	return n, nil
}

// matches says whether the filter takes the grant; name is the filter's, if it is one.
func (c *call) matches(f *GrantFilter, name policy.Name, g *policy.Grant, state GrantState) bool {
	switch {
	case g.ID <= f.After:
		return false
	case !f.All && (state == Revoked || state == Expired):
		return false
	case f.Office != "" && f.Office != g.Office, f.Role != "" && f.Role != g.Role, f.Everyone && !g.Everyone:
		return false
	case f.Name == "" || f.Name == g.Service:
		return true
	case g.Rule != nil && g.Rule.Covers(name):
		return true
	case name == "":
		return false
	}
	for _, s := range c.rules.ServicesOf(g) {
		if slices.ContainsFunc(s.Rules, func(r policy.ServiceRule) bool { return r.Rule.Covers(name) }) {
			return true
		}
	}
	return false
}

func listGrants(c *call) (any, error) {
	q, err := params(c.r, "office", "role", "everyone", "name", "all", "after", "limit")
	if err != nil {
		return nil, err
	}
	f, err := parseFilter(q)
	if err != nil {
		return nil, err
	}
	if _, ok := c.rules.Office(f.Office); f.Office != "" && !ok && !f.All {
		return nil, notFound("see `usciere office list`", "there is no office %q", f.Office)
	}
	var name policy.Name
	if f.Name != "" {
		if name, err = policy.ParseName(f.Name); err != nil {
			return nil, invalid("give a name such as www.inps.it, or a service", err.Error())
		}
	}
	out := GrantList{Grants: []GrantBrief{}}
	err = c.cfg.Rules.View(func(r policy.Records) error {
		visit := func(g *policy.Grant) bool {
			state := stateOf(g, c.now, c.rules.Town().Zone)
			if !c.matches(&f, name, g, state) {
				return true
			}
			if len(out.Grants) == f.Limit {
				out.Next = out.Grants[f.Limit-1].Grant.ID
				return false
			}
			out.Grants = append(out.Grants, GrantBrief{Grant: g, State: state})
			return true
		}
		each := r.EachGrant
		if f.Subject != (policy.Subject{}) && !f.All { // those in force have an index by subject
			each = func(fn func(*policy.Grant) bool) error { return r.EachGrantOf(f.Subject, fn) }
		}
		if err := each(visit); err != nil {
			return err
		}
		return label(r, out.Grants)
	})
	return out, err
}

// label fills in how the requests of the grants are called.
func label(r policy.Records, grants []GrantBrief) error {
	labels := map[policy.RequestID]string{}
	for i := range grants {
		id := grants[i].Grant.Request
		if _, ok := labels[id]; !ok {
			q, err := r.Request(id)
			if err != nil {
				return err
			}
			labels[id] = q.Label()
		}
		grants[i].Letter = labels[id]
	}
	return nil
}

func showGrant(c *call) (any, error) {
	p, err := params(c.r, "id")
	if err != nil {
		return nil, err
	}
	id, err := policy.ParseGrantID(p.Get("id"))
	if err != nil {
		return nil, err
	}
	var out GrantDetails
	err = c.cfg.Rules.View(func(r policy.Records) (err error) {
		if out.Grant, err = r.Grant(id); err != nil {
			return err
		}
		out.Request, err = r.Request(out.Grant.Request)
		return err
	})
	if err != nil {
		return nil, err
	}
	out.State = stateOf(out.Grant, c.now, c.rules.Town().Zone)
	return out, nil
}
