package resolver

import (
	"errors"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"usciere/policy"
	"usciere/resolver/listen"
	"usciere/resolver/upstream"
	"usciere/resolver/wire"
)

// staleTimeout is how long a client waits when there is a stale answer for it (RFC 8767 §5, client response timer), unless no server of
// the group is in good standing: then it need not.
const staleTimeout = 1800 * time.Millisecond

// errLate: the upstream took longer than a client waits that can have a stale answer.
var errLate = errors.New("no answer in the time that a client waits")

// maxPrefetches is how many answers are refreshed before their end at once; more have to wait until they are asked for.
const maxPrefetches = 64

// detached runs do on a copy of the query that outlives Serve, in a goroutine, and says no when too many are under way.
func (r *Resolver) detached(q *query, do func(*query)) bool {
	req, ok := q.request.Detach()
	if !ok {
		return false
	}
	later := &query{request: req, client: q.client, verdict: q.verdict, at: q.at}
	go func() {
		defer end(req)
		if later.Read(req.Packet) == wire.Good {
			later.introduce(r.setup.Load(), true)
			do(later)
		}
	}()
	return true
}

// end is deferred by who has a detached request: one that was not replied to is dropped, and a fault of the program in one question does
// not end the daemon.
func end(req *listen.Request) {
	if fault := recover(); fault != nil {
		slog.Error("a question met a fault of the program", "fault", fault, "stack", string(debug.Stack()))
	}
	req.Drop()
}

// waiter is a client that waits for the upstream.
type waiter struct {
	resolver *Resolver
	request  *listen.Request
	client   policy.Client
	way      *Route
	setup    *setup
	stale    bool // the cache has a stale answer
}

// fetch asks the upstream group and replies when it has answered, or with the stale answer of the cache, if there is one
// and the group takes long or fails.
func (r *Resolver) fetch(q *query, way Route, s *setup, stale bool) {
	if r.breakCircle(q, way, s) {
		return
	}
	req, ok := q.request.Detach()
	switch {
	case ok:
		w := &waiter{resolver: r, request: req, client: q.client, way: &way, setup: s, stale: stale}
		r.ask(&q.Query, &way, s, stale, w.reply)
	case stale && r.cache.Stale(&q.Builder, q.request.Scratch(), &q.Query, way.number, q.at):
		r.finish(q, way)
	default:
		r.shed(q)
	}
}

// reply ends the wait with what the group came to.
func (w *waiter) reply(a upstream.Answer, err error) {
	defer end(w.request)
	q := queries.Get().(*query)
	defer q.release()
	q.request, q.client, q.verdict, q.at = w.request, w.client, allowed, w.request.At
	q.Read(w.request.Packet) // as before it was detached
	q.introduce(w.setup, true)
	err = w.resolver.begin(&q.Builder, w.request.Scratch, &q.Query, w.way, w.setup, w.stale, a, err)
	q.at = w.resolver.now() // its TTLs count from here
	w.resolver.waits.note(q.at.Sub(w.request.At))
	if err != nil {
		w.resolver.fail(q, err)
		return
	}
	w.resolver.finish(q, *w.way)
}

// ask asks the upstream group. What it comes to goes to then, once; with stale, so does errLate when that takes long.
func (r *Resolver) ask(q *wire.Query, way *Route, s *setup, stale bool, then func(upstream.Answer, error)) {
	late := func() {}
	if stale {
		then, late = r.inTime(way.Group, then)
	}
	question := asked(q)
	err := way.Group.Start(question, upstream.Keeper{
		Known:  func() bool { return r.cache.Known(q, way.number, r.now()) },
		Landed: r.keeper(question, way, s),
	}, then)
	if err != nil {
		then(upstream.Answer{}, err)
	}
	late()
}

// inTime returns what calls then, or calls it with errLate after staleTimeout, whichever comes first. late is to be called when the group
// has been asked: it ends the wait at once when there is nothing to wait for.
func (r *Resolver) inTime(group *upstream.Group, then func(upstream.Answer, error)) (first func(upstream.Answer, error), late func()) {
	var over atomic.Bool
	end := func() {
		if over.CompareAndSwap(false, true) {
			then(upstream.Answer{}, errLate)
		}
	}
	stop, late := func() bool { return false }, end
	if group.Fit() {
		stop, late = r.after(staleTimeout, end), func() {}
	}
	return func(a upstream.Answer, err error) {
		if over.CompareAndSwap(false, true) {
			stop()
			then(a, err)
		}
	}, late
}

// await asks the upstream group and begins the reply to q in b, when it has answered or, with stale, could not in time.
func (r *Resolver) await(b *wire.Builder, q *wire.Query, way *Route, s *setup, stale bool) (err error) {
	begun := make(chan struct{})
	r.ask(q, way, s, stale, func(a upstream.Answer, failed error) {
		defer close(begun)
		err = r.begin(b, func() []byte { return nil }, q, way, s, stale, a, failed)
	})
	<-begun
	return err
}

// begin begins the reply to q in b with what the group came to, or else with what the cache has. A group that is late counts as
// failing, so that the next client need not wait as well.
func (r *Resolver) begin(b *wire.Builder, scratch func() []byte, q *wire.Query, way *Route, s *setup, stale bool, a upstream.Answer, err error) error {
	if errors.Is(err, upstream.ErrKnown) && r.cache.Get(b, scratch(), q, way.number, r.now()).Replied() {
		return nil
	}
	if errors.Is(err, errLate) {
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
func (r *Resolver) keeper(q upstream.Question, way *Route, s *setup) func(upstream.Answer, error) {
	return func(a upstream.Answer, err error) {
		name, at := []byte(q.Name), r.now()
		switch {
		case err == nil && !isFailure(a):
			put := r.cache.Put
			if way.Forward != "" { // what a domain controller says holds as long as it says
				put = r.cache.PutExact
			}
			r.noteOwners(policy.Name(q.Name), *way, a.Msg, at)
			put(name, q.Type, q.Class, q.DO, q.CD, way.number, a.Msg, a.TTL, a.AD, at)
		case errors.Is(err, upstream.ErrClosed) || errors.Is(err, upstream.ErrOverloaded) || r.setup.Load() != s: // says nothing of the servers in use
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
	over := func(upstream.Answer, error) { r.prefetching.Add(-1) } // what comes of it is in the cache
	if err := way.Group.Start(question, upstream.Keeper{Landed: r.keeper(question, &way, s)}, over); err != nil {
		over(upstream.Answer{}, err)
	}
}

// finish ends a relayed answer. A name above a zone or forward of ours exists, whatever the upstream says of it (RFC 8020).
// What a mail domain or a web site points to is noted for its office before the office can ask for it.
func (r *Resolver) finish(q *query, way Route) {
	reply := q.Builder.Finish(q.Limit(q.request.Transport == listen.UDP))
	if wire.Denies(reply) && r.setup.Load().standsAbove(q.Name(), &q.client, q.at, r.rules.Snapshot().Town()) {
		wire.Lift(reply)
	}
	t := policy.Type(q.Type)
	if way.Verdict.Reason == policy.Granted && way.Through == "" && (policy.MailHostsOf(q.Name(), t) || policy.WebHostsOf(t) && wire.PointsElsewhere(reply)) {
		r.targets.learn(&q.client, q.Name(), t, reply, q.at)
	}
	r.count(q).replies.Add(1)
	r.reply(q, reply)
}

// fail answers SERVFAIL; what went wrong is the operator's business, the client is only told where.
func (r *Resolver) fail(q *query, err error) {
	if errors.Is(err, upstream.ErrOverloaded) {
		r.count(q).givenUp.Add(1)
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
