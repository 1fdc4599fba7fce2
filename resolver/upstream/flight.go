package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// rounds is how often a server that keeps silent is asked: a datagram may have been lost. RFC 9520 §3.1 allows
// three times in all.
const rounds = 2

// flight is one question under way, shared by all who ask it meanwhile.
type flight struct {
	done   chan struct{} // closed when answer and err stand
	answer Answer
	err    error
}

// Resolve asks the group's servers and returns the first usable answer, positive or negative. Identical questions share one
// flight: a second query on the wire would double a forger's chances (RFC 5452 §5). A caller whose ctx ends leaves with
// ctx's error, and the flight goes on for the others. When no server has an answer but one said SERVFAIL, that is the answer, with
// TTL 0. The error is ErrOverloaded, ErrNoServers, ErrClosed, ctx's, a malformed question's, or a *FailedError.
func (g *Group) Resolve(ctx context.Context, q Question) (Answer, error) {
	return g.Fetch(ctx, q, Keeper{})
}

// Keeper is where the answers go. Between a flight's end and what Landed keeps of it, nobody can slip through.
type Keeper struct {
	// Known says that there is something to be had by now, so that no flight is begun and the error is ErrKnown; nil: never.
	Known func() bool
	// Landed is told what the flight came to, whether or not anybody still waits for it, before anybody gets the answer and
	// before another flight for the question can begin; nil: nobody is told.
	Landed func(Answer, error)
}

// Fetch is Resolve with a Keeper, of which each flight has the one of the call that began it.
func (g *Group) Fetch(ctx context.Context, q Question, k Keeper) (Answer, error) {
	f, err := g.join(q, k)
	if err != nil {
		return Answer{}, err
	}
	select {
	case <-f.done:
		return f.answer, f.err
	case <-ctx.Done():
		return Answer{}, fmt.Errorf("waiting for upstream group %q: %w", g.cfg.Name, ctx.Err())
	}
}

// join finds the flight for a question or starts one.
func (g *Group) join(q Question, k Keeper) (*flight, error) {
	if len(g.servers) == 0 {
		return nil, ErrNoServers
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, ErrClosed
	}
	if f := g.flights[q]; f != nil {
		return f, nil
	}
	if k.Known != nil && k.Known() {
		return nil, ErrKnown
	}
	if len(g.flights) >= g.cfg.MaxInFlight {
		return nil, ErrOverloaded
	}
	f := &flight{done: make(chan struct{})}
	g.flights[q] = f
	g.work.Go(func() {
		f.answer, f.err = survive(func() (a Answer, err error) {
			a, err = g.fly(q)
			if k.Landed != nil {
				k.Landed(a, err)
			}
			return a, err
		})
		g.mu.Lock()
		delete(g.flights, q)
		g.mu.Unlock()
		close(f.done)
	})
	return f, nil
}

// survive runs do, but a fault of the program in one question does not end the daemon.
func survive(do func() (Answer, error)) (a Answer, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			slog.Error("a question upstream met a fault of the program", "fault", fault, "stack", string(debug.Stack()))
			a, err = Answer{}, errors.New("a fault of the program")
		}
	}()
	return do()
}

// fly asks the servers as planned until one answers, time is up, or the group closes; those that kept silent are asked once more.
func (g *Group) fly(q Question) (Answer, error) {
	askedAt, deadline := g.cfg.Now(), time.Now().Add(g.cfg.Timeout)
	p := g.plan(askedAt)
	if p.probe != nil {
		g.tryRecovery(p.probe, q, deadline)
	}
	failures := make([]error, len(g.servers))
	for round := range rounds {
		for _, batch := range p.batches {
			if round > 0 {
				batch = slices.DeleteFunc(batch, func(i int) bool { return !errors.Is(failures[i], errSilent) })
			}
			if len(batch) == 0 {
				continue
			}
			if !time.Now().Before(deadline) {
				return g.failed(q, failures)
			}
			answer, ok := g.askAll(batch, q, deadline, p.patient, failures)
			if g.ctx.Err() != nil {
				return Answer{}, ErrClosed
			}
			if ok {
				g.blame(failures, askedAt)
				return answer, nil
			}
		}
	}
	return g.failed(q, failures)
}

// askAll puts a question to some servers at once and returns the first answer; then the others are given up, unless somebody
// is patient. What failed before is noted in failures.
func (g *Group) askAll(batch []int, q Question, deadline time.Time, patient bool, failures []error) (Answer, bool) {
	if len(batch) == 1 {
		answer, err := g.ask(g.ctx, g.servers[batch[0]], q, deadline)
		failures[batch[0]] = err
		return answer, err == nil
	}
	ctx, giveUp := g.ctx, func() {}
	if !patient {
		ctx, giveUp = context.WithCancel(g.ctx)
	}
	defer giveUp()
	type outcome struct {
		index  int
		answer Answer
		err    error
	}
	outcomes := make(chan outcome, len(batch))
	for _, i := range batch {
		g.work.Go(func() {
			answer, err := survive(func() (Answer, error) { return g.ask(ctx, g.servers[i], q, deadline) })
			outcomes <- outcome{i, answer, err}
		})
	}
	for range batch {
		o := <-outcomes
		if o.err == nil {
			failures[o.index] = nil
			return o.answer, true
		}
		failures[o.index] = o.err
	}
	return Answer{}, false
}

// blame notes at the servers that replied without an answer that there was one.
func (g *Group) blame(failures []error, askedAt time.Time) {
	for i, err := range failures {
		if err != nil && isReply(err) {
			g.servers[i].blame(askedAt, g.cfg.Now())
		}
	}
}

// failed is what a question comes to that no server answered: the SERVFAIL that one of them gave, or an error.
func (g *Group) failed(q Question, failures []error) (Answer, error) {
	e := &FailedError{Group: g.cfg.Name}
	for i, err := range failures {
		if err == nil {
			continue // time was up before its turn
		}
		if rcode := rcodeError(0); errors.As(err, &rcode) && rcode == dns.RcodeServerFailure {
			return servfail(q, g.servers[i].addr.String())
		}
		e.Failures = append(e.Failures, Failure{Server: g.servers[i].addr, Err: err})
	}
	return Answer{}, e
}
