package admin

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"usciere/policy"
	"usciere/policy/request"
)

// Judgement is where a question goes, and what decided.
type Judgement struct {
	Verdict policy.Verdict
	Local   string      // "zone comune.demo.test", "forward ad.example", "special name localhost": decided before the verdict
	Through string      // the name whose record pointed to the one asked, when that is why it is allowed
	By      policy.Type // of that record: MX or SRV of a mail domain, HTTPS or SVCB of a web site
	Forward bool        // it goes to the servers of a forward, which Local names
	Inward  bool        // a name that only the town's own network could have, which is why it is sinkholed
	Listed  string      // the file of the security list that the name is on, when that is why it is sinkholed
	Closed  string      // the local zone over the name that the client does not see
	Mode    policy.Mode // how the name is answered if it is sinkholed
}

// Question is what an explanation is asked about: a name asked by a workstation, by any employee's of an office, or by who shows a token.
type Question struct {
	Client netip.Addr // or:
	Office string     // or:
	Token  string     // its id: whoever shows it, outside the site
	Name   string
	Type   string // A if empty
	At     string // RFC 3339, or a day or minute by the town's clock; now if empty
	Trace  bool   // ask the servers too what the name comes to now
}

// Explanation says whether a client may ask a name, and why.
type Explanation struct {
	Action  string          `json:"action"` // allow, local, sinkhole or refuse
	Name    policy.Name     `json:"name"`
	Type    policy.Type     `json:"type"`
	At      time.Time       `json:"at"`
	Client  string          `json:"client,omitempty"` // address
	Office  string          `json:"office,omitempty"`
	Called  string          `json:"office_name,omitempty"`
	Network string          `json:"network,omitempty"` // by which the client is of the office; empty: by its own entry or its seat
	Role    policy.Role     `json:"role,omitempty"`
	Seat    string          `json:"seat,omitempty"` // that the client is bound to
	Holder  string          `json:"holder,omitempty"`
	Device  policy.DeviceID `json:"device,omitempty"` // of the seat, that a DHCP lease or the neighbour table says it is
	Token   string          `json:"token,omitempty"`  // that the client shows
	Why     string          `json:"why"`

	Rule    string        `json:"rule,omitempty"`    // that allows
	Service string        `json:"service,omitempty"` // whose rule it is
	Grant   *policy.Grant `json:"grant,omitempty"`
	Request *Paper        `json:"request,omitempty"` // that the grant rests on

	Local   string      `json:"local,omitempty"`
	Through string      `json:"through,omitempty"` // the name whose record points here
	By      string      `json:"by,omitempty"`      // type of that record
	Listed  string      `json:"listed,omitempty"`  // file of the security list that the name is on
	Inward  bool        `json:"inward,omitempty"`  // only the town's own network could have the name
	Closed  string      `json:"closed,omitempty"`  // the local zone over the name that is not open to the office
	Asleep  bool        `json:"asleep,omitempty"`  // a grant covers the name, but not now or not for this type
	Mode    policy.Mode `json:"mode,omitempty"`    // of the sinkhole
	Nearby  []Neighbour `json:"nearby,omitempty"`  // others that may ask the name
	Asked   []AskedOnce `json:"asked,omitempty"`   // requests of the office for the name that wait, or were denied; newest first
	Hint    string      `json:"hint,omitempty"`    // the command that would allow it
	Trace   *Trace      `json:"trace,omitempty"`   // what the name comes to now, if that was asked and the client may
}

// Paper is a request as an explanation shows it.
type Paper struct {
	ID       policy.RequestID `json:"id"`
	Protocol string           `json:"protocol,omitempty"`
	Date     policy.Moment    `json:"date"`
	Label    string           `json:"label"`
	Seat     string           `json:"seat,omitempty"` // that signed
	SeatName string           `json:"seat_name,omitempty"`
	Holder   string           `json:"holder,omitempty"` // who held it then
	Since    policy.Moment    `json:"holder_since,omitempty"`
	Reason   string           `json:"reason"`
}

// Neighbour is somebody else who may ask the name.
type Neighbour struct {
	Subject string         `json:"subject"`
	Grant   policy.GrantID `json:"grant"`
	Rule    string         `json:"rule"`
	Service string         `json:"service,omitempty"`
	Letter  string         `json:"letter"`
}

// AskedOnce is a request for a name that came to nothing so far.
type AskedOnce struct {
	Request policy.RequestID    `json:"request"`
	Letter  string              `json:"letter"`
	State   policy.RequestState `json:"state"`
}

const (
	maxNearby = 3
	maxAsked  = 3
)

func explain(c *call) (any, error) {
	q, err := params(c.r, "client", "office", "token", "name", "type", "at", "trace")
	if err != nil {
		return nil, err
	}
	name, typ, at, err := c.question(q)
	if err != nil {
		return nil, err
	}
	who, err := c.client(q, at)
	if err != nil {
		return nil, err
	}
	out := &Explanation{Name: name, Type: typ, At: at, Token: q.Get("token")}
	c.describe(out, &who)
	verdict := c.rules.Decide(&who, []byte(name), typ, at)
	if who.Inside {
		j := c.cfg.Resolver.Explain(c.rules, &who, name, typ, at)
		verdict, out.Local, out.Through, out.Listed, out.Closed, out.Mode = j.Verdict, j.Local, j.Through, j.Listed, j.Closed, j.Mode
		out.Inward = j.Inward
		if out.Through != "" {
			out.By = j.By.String()
		}
		if q.Get("trace") != "" && (j.Forward || verdict.Action == policy.Allow && out.Local == "") {
			out.Trace = c.trace(&who, name, typ, at)
		}
	}
	if out.Local != "" {
		out.Action, out.Why, out.Mode = "local", out.Local+" is answered before the rules", ""
		return out, nil
	}
	out.Action = verdict.Action.String()
	if verdict.Action != policy.Sinkhole {
		out.Mode = ""
	}
	return out, c.cfg.Rules.View(func(r policy.Records) error { return c.reason(r, out, &who, verdict) })
}

func (c *call) question(q url.Values) (name policy.Name, typ policy.Type, at time.Time, err error) {
	text := q.Get("name")
	if strings.Contains(text, "://") {
		rule, _, err := policy.ParseRule(text)
		if err != nil {
			return "", 0, at, err
		}
		text = rule.Name.String()
	}
	if name, err = parseName(text); err != nil {
		return "", 0, at, err
	}
	typ = policy.TypeA
	if text := q.Get("type"); text != "" {
		if typ, err = policy.ParseType(text); err != nil {
			return "", 0, at, err
		}
	}
	at = c.now
	if text := q.Get("at"); text != "" {
		if at, err = time.Parse(time.RFC3339, text); err != nil {
			m, err := policy.ParseMoment(text)
			if err != nil {
				return "", 0, at, err
			}
			at = m.Start(c.rules.Town().Zone)
		}
	}
	return name, typ, at.In(c.rules.Town().Zone), nil
}

// client is who asks.
func (c *call) client(q url.Values, at time.Time) (policy.Client, error) {
	addr, office, token := q.Get("client"), q.Get("office"), q.Get("token")
	if len(addr+office+token) == 0 || addr != "" && office != "" || token != "" && addr+office != "" {
		return policy.Client{}, invalid("give one of --client ADDR, --office ID and --token ID", "who asks?")
	}
	if token != "" {
		if _, ok := c.rules.Token(token); !ok {
			return policy.Client{}, notFound("see `usciere token list`", "there is no token %q", token)
		}
		who, _ := c.rules.Bearer(token, netip.Addr{}, at)
		return who, nil
	}
	if office != "" {
		who, ok := c.rules.Employee(office)
		if !ok {
			return who, notFound("see `usciere office list`", "there is no office %q", office)
		}
		return who, nil
	}
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return policy.Client{}, invalid("give the workstation's address, such as 10.20.1.9", fmt.Sprintf("%q is no address", addr))
	}
	return c.rules.Who(a, at), nil
}

// describe fills in who the client is.
func (c *call) describe(out *Explanation, who *policy.Client) {
	if who.Addr.IsValid() {
		out.Client = who.Addr.String()
	}
	if who.Inside {
		out.Role = who.Role
	}
	if who.Office != nil {
		out.Office, out.Called = who.Office.ID, who.Office.Name
		prefix, owner, ok := c.rules.NetworkOf(who.Addr)
		if ok && owner.ID == who.Office.ID && who.Seat == "" && (who.Host == nil || who.Host.Office == "") {
			out.Network = prefix.String()
		}
	}
	if seat, ok := c.rules.Seat(who.Seat); ok {
		holder, _ := seat.HolderOn(policy.DayOf(out.At, c.rules.Town().Zone))
		out.Seat, out.Holder, out.Device = seat.ID, holder.Name, who.Device
	}
}

// reason fills in why, and what to do about it.
func (c *call) reason(r policy.Records, out *Explanation, who *policy.Client, v policy.Verdict) error {
	switch v.Reason {
	case policy.OutsideSite:
		if out.Token != "" {
			out.Why = "the token is nobody's now: its last day is over, or its host lies outside the site"
			out.Hint = "see `usciere token list`"
			return nil
		}
		out.Why = "the address lies outside the site"
		out.Hint = "if it is one of the town's own, add its network to town.site in the settings, and reload"
	case policy.NoOffice:
		out.Why = "the address lies inside the site, but in no office"
		out.Hint = "usciere network add NETWORK --office ID"
		if out.Client != "" {
			out.Hint = "usciere host add " + out.Client + " --office ID, or " + out.Hint
		}
	case policy.Unrestricted:
		out.Why = "the role " + string(who.Role) + " has no limits (Art. 8)"
		if out.Inward {
			out.Why += ", but the name is one that only the town's own network could have: nobody outside is asked"
		}
		if out.Listed != "" {
			out.Why += ", but the name is on the security list " + out.Listed
			out.Hint = "take it out of the list, or make it an exception in a list named before it (see the README)"
		}
	case policy.Granted:
		out.Why = "granted to " + v.Subject.String()
		return c.granted(r, out, v)
	default:
		return c.notGranted(r, out, who)
	}
	return nil
}

func (c *call) granted(r policy.Records, out *Explanation, v policy.Verdict) (err error) {
	rested := []byte(out.Name)
	if out.Through != "" {
		out.Why += ", through the " + out.By + " record of " + out.Through
		through, err := policy.ParseName(out.Through)
		if err != nil {
			return err
		}
		rested = []byte(through)
	}
	out.Rule = v.Rule(rested).String()
	if v.Service != nil {
		out.Service = v.Service.ID
	}
	if out.Grant, err = r.Grant(v.Grant); err != nil {
		return err
	}
	if out.Service != "" && out.Service != out.Grant.Service {
		out.Why += "; the signature infrastructure comes with its mail (R4)"
	}
	q, err := r.Request(out.Grant.Request)
	if err != nil {
		return err
	}
	out.Request = c.paper(q)
	return nil
}

func (c *call) paper(q *policy.Request) *Paper {
	p := &Paper{ID: q.ID, Protocol: q.Protocol, Date: q.Date, Label: q.Label(), Seat: q.Seat, Holder: q.Holder, Reason: q.Reason}
	if seat, ok := c.rules.Seat(q.Seat); ok {
		p.SeatName = seat.Name
		if h, ok := seat.HolderOn(q.Date); ok && h.Name == q.Holder {
			p.Since = h.From
		}
	}
	return p
}

func (c *call) notGranted(r policy.Records, out *Explanation, who *policy.Client) error {
	name := []byte(out.Name)
	out.Why = fmt.Sprintf("no grant of %s, of %ss or of everyone covers this name", who.Office.ID, who.Role)
	ended := false
	if id, ok := c.rules.Dormant(who, name, out.Type, out.At); ok {
		g, err := r.Grant(id)
		if err != nil {
			return err
		}
		out.Why = fmt.Sprintf("grant %s of %s covers this name, but %s", g.ID, g.Subject, c.asleep(g, out))
		out.Asleep, ended = true, stateOf(g, out.At, c.rules.Town().Zone) == Expired
	}
	for _, v := range c.rules.Nearby(name, out.Type, out.At, maxNearby) {
		g, err := r.Grant(v.Grant)
		if err != nil {
			return err
		}
		q, err := r.Request(g.Request)
		if err != nil {
			return err
		}
		n := Neighbour{Subject: v.Subject.String(), Grant: v.Grant, Rule: v.Rule(name).String(), Letter: q.Label()}
		if v.Service != nil {
			n.Service = v.Service.ID
		}
		out.Nearby = append(out.Nearby, n)
	}
	if out.Closed != "" {
		out.Why = fmt.Sprintf("the local zone %s is not open to %s", out.Closed, who.Office.ID)
		out.Hint = "add the office to the zone's offices in the settings, and reload"
	}
	if out.Closed != "" || out.Asleep && !ended {
		return nil // a grant is not what is missing
	}
	if err := c.askedOnce(r, out, who.Office); err != nil {
		return err
	}
	wanted, flags := out.Name, ""
	if domain, ok := policy.MailDomain(name, out.Type); ok {
		wanted, flags = domain, " --channel mail"
	}
	if _, _, err := policy.ParseRule(wanted.String()); err == nil { // else it cannot be granted
		out.Hint = fmt.Sprintf("usciere allow %s --office %s%s --protocol N/YYYY --reason \"…\"", wanted, who.Office.ID, flags)
	}
	return nil
}

// asleep says why a grant that covers the name does not open it now.
func (c *call) asleep(g *policy.Grant, out *Explanation) string {
	switch stateOf(g, out.At, c.rules.Town().Zone) {
	case Expired:
		return "only until " + string(g.Until)
	case ToCome:
		return "only from " + string(g.From)
	}
	var terms []string
	if len(g.Types) > 0 {
		names := make([]string, len(g.Types))
		for i, t := range g.Types {
			names[i] = t.String()
		}
		terms = append(terms, "for "+strings.Join(names, ", "))
	}
	if g.Schedule != "" {
		terms = append(terms, string(g.Schedule))
	}
	return "only " + strings.Join(terms, "; ")
}

// askedOnce fills in the requests of the office for the name that wait, or were denied.
func (c *call) askedOnce(r policy.Records, out *Explanation, office *policy.Office) error {
	err := r.EachRequest(func(q *policy.Request) bool {
		if !office.Owns(q) || !q.State.Open() && q.State != policy.Denied {
			return true
		}
		asked, err := request.Understand(c.rules, q)
		if err == nil && slices.ContainsFunc(asked, func(a request.Asked) bool {
			return slices.ContainsFunc(a.Rules(), func(rule policy.Rule) bool { return rule.Covers(out.Name) })
		}) {
			out.Asked = append(out.Asked, AskedOnce{q.ID, q.Label(), q.State})
		}
		return true
	})
	slices.Reverse(out.Asked)
	out.Asked = out.Asked[:min(len(out.Asked), maxAsked)]
	return err
}
