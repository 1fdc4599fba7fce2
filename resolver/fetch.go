package resolver

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"time"

	"usciere/policy"
	"usciere/resolver/listen"
	"usciere/resolver/upstream"
	"usciere/resolver/wire"
)

// FetchTimeout bounds a question upstream: a client's stub has given up by then (5 s is the usual time-out).
const FetchTimeout = 5 * time.Second

// detached runs do on a copy of the query that outlives Serve; when too many are under way it sheds the query instead.
func (r *Resolver) detached(q *query, do func(*query)) {
	req, ok := q.request.Detach()
	if !ok {
		r.shed(q)
		return
	}
	later := &query{request: req, client: q.client, at: q.at}
	go func() {
		defer req.Drop() // when nothing was replied
		defer func() {
			if fault := recover(); fault != nil { // one question must not end the daemon
				slog.Error("a question met a fault of the program", "fault", fault, "stack", string(debug.Stack()))
			}
		}()
		if later.Read(req.Packet) == wire.Good {
			do(later)
		}
	}()
}

// fetch asks the upstream group and replies when it has answered. Equal questions share one flight there.
func (r *Resolver) fetch(q *query, way Route, s *setup) {
	r.detached(q, func(q *query) {
		a, err := r.ask(&q.Query, way, s)
		if err != nil {
			r.fail(q, err)
			return
		}
		ttls, err := wire.TTLOffsets(a.Msg)
		if err != nil {
			r.fail(q, err)
			return
		}
		q.at = r.now() // its TTLs count from here
		q.Relay(q.request.Scratch(), &q.Query, a.Msg, ttls, 0, s.ClientTTL, false, a.AD)
		r.finish(q, way)
	})
}

// ask asks a group and keeps the answer, unless another setup came meanwhile, in which the number is another group's.
func (r *Resolver) ask(q *wire.Query, way Route, s *setup) (upstream.Answer, error) {
	ctx, cancel := context.WithTimeout(r.ctx, FetchTimeout)
	defer cancel()
	a, err := way.Group.Resolve(ctx, upstream.Question{Name: string(q.Name()), Type: q.Type, Class: q.Class, DO: q.DO, CD: q.CD})
	if err == nil && r.setup.Load() == s {
		r.cache.Put(q.Name(), q.Type, q.Class, q.DO, q.CD, way.number, a.Msg, a.TTL, a.AD, r.now())
	}
	return a, err
}

// finish ends a relayed answer: what a mail domain points to is noted for its office before the office can ask for it.
func (r *Resolver) finish(q *query, way Route) {
	reply := q.Builder.Finish(q.Limit(q.request.Transport == listen.UDP))
	if way.Verdict.Reason == policy.Granted && policy.MailHostsOf(q.Name(), policy.Type(q.Type)) {
		r.targets.learn(&q.client, q.Name(), policy.Type(q.Type), reply, q.at)
	}
	r.counters.replies.Add(1)
	q.request.Reply(reply)
}

// fail answers SERVFAIL; what went wrong is the operator's business, the client is only told where.
func (r *Resolver) fail(q *query, err error) {
	if errors.Is(err, upstream.ErrOverloaded) {
		r.shed(q)
		return
	}
	r.counters.failures.Add(1)
	q.Begin(q.request.Scratch(), &q.Query, wire.RcodeServFail, false)
	q.EDE(edeNoReachable, "")
	r.send(q)
}

func (r *Resolver) shed(q *query) {
	r.counters.shed.Add(1)
	q.Begin(q.request.Scratch(), &q.Query, wire.RcodeServFail, false)
	q.EDE(edeOther, "too many questions are under way, try again")
	r.send(q)
}
