package resolver

import (
	"sync"
	"time"

	"usciere/policy"
	"usciere/resolver/answercache"
	"usciere/resolver/blocklist"
	"usciere/resolver/listen"
	"usciere/resolver/tap"
	"usciere/resolver/upstream"
	"usciere/resolver/wire"
	"usciere/resolver/zone"
)

// query is one question on its way to its reply; it is reused.
type query struct {
	wire.Query
	wire.Builder
	request *listen.Request
	client  policy.Client
	verdict verdict
	at      time.Time
	page    [16]byte  // the block page's address
	fast    *fastpath // of the question's lane; nil: the question is not for it, or somebody else is at it
	lasts   lasting
	cookie  [wire.ClientCookie + serverCookie]byte
	proven  bool // its address is no forged one
}

var queries = sync.Pool{New: func() any { return new(query) }}

// release ends the use of a query.
func (q *query) release() {
	if q.fast != nil {
		q.fast.close()
	}
	q.fast, q.lasts = nil, briefly
	queries.Put(q)
}

// Serve answers one message. It is the whole way of a question, top to bottom; only an answer that must be fetched is
// awaited elsewhere.
func (r *Resolver) Serve(req *listen.Request) {
	q := queries.Get().(*query)
	defer q.release()
	q.request, q.at, q.verdict = req, req.At, unjudged

	outcome := q.Read(req.Packet)
	if outcome == wire.Drop {
		r.count(q).dropped.Add(1)
		return
	}
	rules, setup := r.rules.Snapshot(), r.setup.Load()
	if outcome != wire.Good || !answerable(&q.Query, setup) {
		if outcome == wire.CookieOnly {
			r.count(q).local.Add(1)
		} else {
			r.count(q).malformed.Add(1)
		}
		q.client = policy.Client{} // whoever was the last
		q.introduce(setup, false)
		if rules.Inside(req.Client.Addr()) || !r.holdBack(q, setup) {
			r.protest(q, outcome)
		}
		return
	}
	q.client = r.who(q, rules, setup)
	q.introduce(setup, q.client.Inside)
	if !q.client.Inside {
		r.count(q).refused.Add(1)
		if !r.holdBack(q, setup) {
			r.refuse(q, wire.RcodeRefused, edeProhibited)
		}
		return
	}
	if q.Class == wire.ClassCH {
		r.judged(q, answeredHere)
		r.identify(q, setup)
		return
	}
	// What was answered before, in the same minute and under the same rules, is not decided again: see fastpath.
	if fast := &r.fast[req.Lane%lanes]; fast.open(rules, setup, r.cache.Forgotten(), r.targets.version.Load(), q.at) {
		q.fast = fast
		if r.recall(q) {
			return
		}
	}
	way := r.route(rules, setup, &q.client, q.Name(), policy.Type(q.Type), q.at)
	switch {
	case way.Portal:
		r.judged(q, answeredHere)
		r.answerPortal(q, setup)
	case way.Zone != nil:
		r.judged(q, answeredHere)
		r.answerLocal(q, rules, way, setup)
	case !q.RD:
		r.count(q).refused.Add(1)
		r.refuse(q, wire.RcodeRefused, edeNotAuthoritative)
	case way.Group == nil:
		r.judged(q, sinkholed)
		q.tally(setup, way, false)
		r.sinkhole(q, rules, way, setup)
	case q.Type == wire.TypeANY:
		r.judged(q, allowed)
		r.answerANY(q)
	default:
		r.judged(q, allowed)
		q.tally(setup, way, true)
		found, kept := r.cache.Find(&q.Builder, req.Scratch(), &q.Query, way.number, q.at)
		switch found {
		case answercache.Fresh:
			r.finish(q, way)
			q.rememberWay(&way, kept)
		case answercache.Waiting:
			r.finish(q, way)
		case answercache.Due:
			r.finish(q, way)
			r.prefetch(&q.Query, way, setup)
		case answercache.Failed:
			r.count(q).failures.Add(1)
			r.send(q)
		case answercache.Expired:
			r.fetch(q, way, setup, true)
		case answercache.Miss:
			r.fetch(q, way, setup, false)
		}
	}
}

// Route is where a question goes: to a zone of ours, to a group of upstream servers, or, with neither, nowhere.
type Route struct {
	Portal  bool            // to the page, by the portal's own name
	Zone    *zone.Zone      // answered here
	Special bool            // by a built-in zone
	Group   *upstream.Group // allowed, or a forward
	Forward policy.Name     // the forward's zone, if it was one
	Verdict policy.Verdict  // when no zone or forward decided
	Through policy.Name     // the name whose record pointed here, when that decided
	By      policy.Type     // of that record: MX or SRV of a mail domain, HTTPS or SVCB of a web site
	Inward  bool            // a name that only the town's own network could have, which decided against a role without limits
	Listed  blocklist.Match // the security list that the name is on, when that decided against a role without limits
	Closed  policy.Name     // the most specific zone of ours over the name that the client does not see, if there is one
	number  uint64          // of the group, in the answer cache
}

// route is the order of decision, after the message was found well-formed and the client known and inside the site:
//
//  0. the portal's own name,
//  1. local zones and forwards, the most specific first; a zone that is not open to the office is not there,
//  2. special names that none of them covers, so that local names never leave the town,
//  3. the verdict of the rules: Decide has the order,
//  4. of what a role without limits may ask, less the names that only the town's own network could have, and what is on a security list
//     (R9),
//  5. a host that the MX or mail SRV record of an allowed mail domain points to (R3), or the HTTPS or SVCB record of an allowed web site.
func (r *Resolver) route(rules *policy.Snapshot, setup *setup, c *policy.Client, name []byte, t policy.Type, at time.Time) Route {
	if way, ok := setup.route(c, name, at, rules.Town()); ok {
		return way
	}
	way := Route{Verdict: rules.Decide(c, name, t, at)}
	if way.Verdict.Action == policy.Allow {
		if way.Verdict.Reason == policy.Unrestricted && policy.Inward(name, t) {
			way.Inward, way.Verdict.Action = true, policy.Sinkhole
			return way
		}
		if list, ok := setup.Security.listed(&way.Verdict, c, name); ok {
			way.Listed, way.Verdict.Action = list, policy.Sinkhole
			return way
		}
		way.Group, way.number = setup.Upstream, setup.number
		return way
	}
	if way.Verdict.Reason == policy.NoGrant {
		if source, verdict, ok := r.targets.through(rules, c, name, t, at); ok {
			way.Group, way.number, way.Through, way.By, way.Verdict = setup.Upstream, setup.number, source.source, source.t, verdict
		}
	}
	return way
}

// route is the order of decision before the verdict, which an alias out of a zone of ours takes as well.
func (s *setup) route(c *policy.Client, name []byte, at time.Time, town policy.Town) (Route, bool) {
	if s.isPortal(name) {
		return Route{Portal: true}, true
	}
	if l, ok := s.localOf(c, name, at, town); ok {
		return Route{Zone: l.Zone, Group: l.group, Forward: l.forward(), number: l.number}, true
	}
	if zones := s.special.Find(name); len(zones) > 0 {
		return Route{Zone: zones[0], Special: true}, true
	}
	return Route{}, false
}

// Route says where a question of a client would go now, for explanations.
func (r *Resolver) Route(rules *policy.Snapshot, c *policy.Client, name policy.Name, t policy.Type, at time.Time) Route {
	if !c.Inside {
		return Route{Verdict: rules.Decide(c, []byte(name), t, at)}
	}
	setup := r.setup.Load()
	way := r.route(rules, setup, c, []byte(name), t, at)
	for n := name; !way.Portal && way.Zone == nil && way.Forward == "" && n != policy.Root; n = n.Parent() {
		if len(setup.locals[string(n)]) > 0 {
			way.Closed = n
			break
		}
	}
	return way
}

// answerable says whether a well-formed question is one for a resolver: of class IN, and not of the types that are
// operations rather than data (RFC 6895 §3.1), of which only ANY is answered; or of class CHAOS, for what is told there.
func answerable(q *wire.Query, s *setup) bool {
	return q.Class == wire.ClassIN && (q.Type < 128 || q.Type > 254) && q.Type != 0 || s.Identity.chaos(q) != ""
}

// protest replies to what is malformed or none of a resolver's business, and to who wants nothing but a cookie.
func (r *Resolver) protest(q *query, outcome wire.Outcome) {
	rcode := outcome.Rcode()
	switch _, server := q.Query.Cookie(); {
	case outcome == wire.Good:
		rcode = wire.RcodeRefused // CHAOS names are hidden, zone transfers not offered
	case outcome == wire.CookieOnly && len(server) > 0 && !q.proven:
		rcode = wire.RcodeBadCookie
	}
	q.Begin(q.request.Scratch(), &q.Query, rcode, false)
	r.send(q)
}

// refuse replies with an error and its Extended DNS Errors, without text: nothing here is longer than it was asked.
func (r *Resolver) refuse(q *query, rcode uint16, edes ...uint16) {
	q.Begin(q.request.Scratch(), &q.Query, rcode, false)
	for _, code := range edes {
		q.EDE(code)
	}
	r.send(q)
}

// introduce sets what the reply tells of the server to who asks for it: its name, to clients inside the site, and its cookie.
func (q *query) introduce(s *setup, inside bool) {
	q.Builder.NSID = nil
	if inside {
		q.Builder.NSID = s.nsid
	}
	q.Builder.Cookie, q.proven = s.Cookies.bake(&q.Query, q.request.Client.Addr(), q.at, &q.cookie)
}

// personal says whether the reply has something for this one client.
func (q *query) personal() bool { return q.Query.NSID || len(q.Builder.Cookie) > 0 }

// holdBack says whether there are too many replies to the network of a source outside the site, which may be forged, and counts those.
func (r *Resolver) holdBack(q *query, s *setup) bool {
	if q.request.Transport != listen.UDP || q.proven || !r.flood.over(q.request.Client.Addr(), q.at, s.Strangers) {
		return false
	}
	r.count(q).heldBack.Add(1)
	return true
}

// send ends the reply and writes it.
func (r *Resolver) send(q *query) {
	r.count(q).replies.Add(1)
	reply := q.Builder.Finish(q.Limit(q.request.Transport == listen.UDP))
	if q.lasts != briefly {
		q.remember(reply)
	}
	r.reply(q, reply)
}

// reply sends what is a reply in the end, and keeps it where the client is traced.
func (r *Resolver) reply(q *query, reply []byte) {
	if trace := r.tap.Of(officeOf(&q.client), q.request.Client.Addr()); trace != nil {
		trace.Note(tap.Exchange{
			Asked: q.request.At, Told: r.now(), Client: q.request.Client, Local: q.request.Local, Transport: q.request.Transport,
			Office: officeOf(&q.client), Verdict: q.verdict.String(), Question: q.request.Packet, Reply: reply,
		})
	}
	q.request.Reply(reply)
}

// officeOf is the id of a client's office; empty: it is in none.
func officeOf(c *policy.Client) string {
	if c.Office == nil {
		return ""
	}
	return c.Office.ID
}

// Tap is where what clients ask and are told can be listened to.
func (r *Resolver) Tap() *tap.Tap { return &r.tap }
