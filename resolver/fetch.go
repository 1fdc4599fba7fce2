package resolver

import (
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

// staleTimeout is how long a client waits when there is a stale answer for it (RFC 8767 §5, client response timer).
const staleTimeout = 1800 * time.Millisecond

// maxPrefetches is how many answers are refreshed before their end at once; more have to wait until they are asked for.
const maxPrefetches = 64

// detached runs do on a copy of the query that outlives Serve, and says no when too many are under way.
func (r *Resolver) detached(q *query, do func(*query)) bool {
	req, ok := q.request.Detach()
	if !ok {
		return false
	}
	later := &query{request: req, client: q.client, at: q.at}
	later.Builder.NSID = q.Builder.NSID
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
	return true
}

// fetch asks the upstream group and replies when it has answered, or with the stale answer of the cache, if there is one
// and the group takes long or fails.
func (r *Resolver) fetch(q *query, way Route, s *setup, stale bool) {
	begun := r.detached(q, func(q *query) {
		if err := r.await(&q.Builder, q.request.Scratch, &q.Query, way, s, stale); err != nil {
			r.fail(q, err)
			return
		}
		q.at = r.now() // its TTLs count from here
		r.finish(q, way)
	})
	switch {
	case begun:
	case stale && r.cache.Stale(&q.Builder, q.request.Scratch(), &q.Query, way.number, q.at):
		r.finish(q, way)
	default:
		r.shed(q)
	}
}

// await starts the reply to q in b when the group has answered, or, with stale, could not in time: then with what the cache
// has. A group that takes that long counts as failing, so that the next client need not wait as well.
func (r *Resolver) await(b *wire.Builder, scratch func() []byte, q *wire.Query, way Route, s *setup, stale bool) error {
	wait := FetchTimeout
	if stale {
		wait = staleTimeout
	}
	ctx, cancel := r.within(r.ctx, wait)
	defer cancel()
	a, err := way.Group.Fetch(ctx, asked(q), upstream.Keeper{
		Known:  func() bool { return r.cache.Known(q, way.number, r.now()) },
		Landed: r.keeper(asked(q), way, s),
	})
	if errors.Is(err, upstream.ErrKnown) && r.cache.Get(b, scratch(), q, way.number, r.now()).Replied() {
		return nil
	}
	if stale && err != nil && ctx.Err() != nil && r.ctx.Err() == nil {
		r.cache.Fail(q.Name(), q.Type, q.Class, q.DO, q.CD, way.number, true, r.now())
	}
	if stale && (err != nil || isFailure(a)) && r.cache.Stale(b, scratch(), q, way.number, r.now()) {
		return nil
	}
	if err != nil {
		return err
	}
	ttls, err := wire.TTLOffsets(a.Msg)
	if err != nil {
		return err
	}
	b.Relay(scratch(), q, a.Msg, ttls, 0, s.ClientTTL, false, a.AD)
	return nil
}

// asked is the question of a client as a group takes it.
func asked(q *wire.Query) upstream.Question {
	return upstream.Question{Name: string(q.Name()), Type: q.Type, Class: q.Class, DO: q.DO, CD: q.CD}
}

// isFailure says whether an answer is only a server's SERVFAIL.
func isFailure(a upstream.Answer) bool { return uint16(a.Msg[3]&0xF) == wire.RcodeServFail }

// keeper keeps what a question comes to, also when nobody waits for it any more.
func (r *Resolver) keeper(q upstream.Question, way Route, s *setup) func(upstream.Answer, error) {
	return func(a upstream.Answer, err error) {
		name, at := []byte(q.Name), r.now()
		switch {
		case err == nil && !isFailure(a):
			r.cache.Put(name, q.Type, q.Class, q.DO, q.CD, way.number, a.Msg, a.TTL, a.AD, at)
		case errors.Is(err, upstream.ErrClosed) || r.setup.Load() != s: // says nothing of the servers in use
		default:
			r.cache.Fail(name, q.Type, q.Class, q.DO, q.CD, way.number, err != nil, at)
		}
	}
}

// prefetch asks for an answer anew, so that the next client need not wait for it.
func (r *Resolver) prefetch(q *wire.Query, way Route, s *setup) {
	if r.prefetching.Add(1) > maxPrefetches {
		r.prefetching.Add(-1)
		return
	}
	question := asked(q)
	go func() {
		defer r.prefetching.Add(-1)
		ctx, cancel := r.within(r.ctx, FetchTimeout)
		defer cancel()
		_, _ = way.Group.Fetch(ctx, question, upstream.Keeper{Landed: r.keeper(question, way, s)}) // what comes of it is in the cache
	}()
}

// finish ends a relayed answer. A name above a zone or forward of ours exists, whatever the upstream says of it (RFC 8020).
// What a mail domain points to is noted for its office before the office can ask for it.
func (r *Resolver) finish(q *query, way Route) {
	reply := q.Builder.Finish(q.Limit(q.request.Transport == listen.UDP))
	if wire.Denies(reply) && r.setup.Load().standsAbove(q.Name(), &q.client, q.at, r.rules.Snapshot().Town()) {
		wire.Lift(reply)
	}
	if way.Verdict.Reason == policy.Granted && policy.MailHostsOf(q.Name(), policy.Type(q.Type)) {
		r.targets.learn(&q.client, q.Name(), policy.Type(q.Type), reply, q.at)
	}
	r.count(q).replies.Add(1)
	q.request.Reply(reply)
}

// fail answers SERVFAIL; what went wrong is the operator's business, the client is only told where.
func (r *Resolver) fail(q *query, err error) {
	if errors.Is(err, upstream.ErrOverloaded) {
		r.shed(q)
		return
	}
	r.count(q).failures.Add(1)
	r.refuse(q, wire.RcodeServFail, edeNoReachable)
}

func (r *Resolver) shed(q *query) {
	r.count(q).shed.Add(1)
	q.Begin(q.request.Scratch(), &q.Query, wire.RcodeServFail, false)
	q.EDE(edeOther, "too many questions are under way, try again")
	r.send(q)
}
