package upstream

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"slices"
)

// flight is one question under way, shared by all who ask it meanwhile. All but the first three are guarded by the group's mutex.
type flight struct {
	q      Question
	keeper Keeper
	first  exchange // the first try over UDP

	waiting []func(Answer, error)
	place   *list.Element           // in the group's order of age
	begun   bool                    // out of the queue
	over    bool                    // it has come to something, which those who wait are yet to be told
	giveUp  context.CancelCauseFunc // ends what goes on after the first try; nil before
}

// Keeper is where the answers go. Between a flight's end and what Landed keeps of it, nobody can slip through.
type Keeper struct {
	// Known says that there is something to be had by now, so that no flight is begun and the error is ErrKnown; nil: never.
	Known func() bool
	// Landed is told what the flight came to, whether or not anybody still waits for it, before anybody gets the answer and
	// before another flight for the question can begin; nil: nobody is told.
	Landed func(Answer, error)
}

// Start asks the group's servers. Unless it returns an error, done gets the first usable answer, positive or negative, or an error; it is
// called once, from another goroutine, which it must not hold up. Identical questions share one flight: a second query on the wire
// would double a forger's chances (RFC 5452 §5); of their keepers the one counts that began the flight. When no server has an answer
// but one said SERVFAIL, that is the answer, with TTL 0.
//
// Start itself returns ErrNoServers, ErrClosed, ErrKnown, or a malformed question's error; done gets ErrOverloaded, ErrClosed, or a
// *FailedError.
//
// When as many questions are under way as may be, the oldest is given up for the new one: who asked it has waited longest, and is the
// most likely to have left.
func (g *Group) Start(q Question, k Keeper, done func(Answer, error)) error {
	if len(g.servers) == 0 {
		return ErrNoServers
	}
	if err := q.check(); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	if f := g.flights[q]; f != nil {
		f.waiting = append(f.waiting, done)
		return nil
	}
	if k.Known != nil && k.Known() {
		return ErrKnown
	}
	if err := g.ready(); err != nil {
		return err
	}
	if len(g.flights) >= g.cfg.MaxInFlight {
		g.shed()
	}
	f := &flight{q: q, keeper: k, waiting: []func(Answer, error){done}}
	f.place = g.age.PushBack(f)
	g.flights[q] = f
	g.enqueue(f)
	return nil
}

// Asking says whether the question is under way to a group that has a server at the address: who asks it from there is asked it himself.
func (g *Group) Asking(q Question, from netip.Addr) bool {
	if !slices.ContainsFunc(g.servers, func(s *server) bool { return s.addr.Addr().WithZone("") == from }) {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, q.DO = range [...]bool{false, true} {
		for _, q.CD = range [...]bool{false, true} {
			if g.flights[q] != nil {
				return true
			}
		}
	}
	return false
}

// shed gives up the oldest flight of those that have not come to something already.
func (g *Group) shed() {
	for at := g.age.Front(); at != nil; at = at.Next() {
		f := at.Value.(*flight)
		if f.over {
			continue
		}
		f.over = true
		g.forget(f)
		if f.begun {
			g.enqueue(f) // to be ended by the dispatcher; it is there already otherwise
		}
		return
	}
}

// forget makes room for another flight of the same question, unless it was made before.
func (g *Group) forget(f *flight) {
	if g.flights[f.q] == f {
		delete(g.flights, f.q)
		g.age.Remove(f.place)
	}
}

// land ends a flight, unless that has happened.
func (g *Group) land(f *flight, a Answer, err error) {
	g.mu.Lock()
	over := f.over
	f.over = true
	g.mu.Unlock()
	if !over {
		g.tell(f, a, err)
	}
}

// crowd is how many who wait for one flight are told on a goroutine of their own: one flight must not hold up the others.
const crowd = 16

// tell lets the keeper and those who wait know what a flight came to.
func (g *Group) tell(f *flight, a Answer, err error) {
	if f.keeper.Landed != nil {
		if fault := survive(func() { f.keeper.Landed(a, err) }); fault != nil {
			a, err = Answer{}, fault
		}
	}
	g.mu.Lock()
	g.forget(f)
	waiting := f.waiting
	f.waiting = nil
	g.mu.Unlock()
	if len(waiting) < crowd {
		tellAll(waiting, a, err)
	} else {
		g.tellAside(waiting, a, err)
	}
}

func (g *Group) tellAside(waiting []func(Answer, error), a Answer, err error) {
	g.replies.Go(func() { g.cfg.Together(func() { tellAll(waiting, a, err) }) })
}

func tellAll(waiting []func(Answer, error), a Answer, err error) {
	for _, done := range waiting {
		_ = survive(func() { done(a, err) })
	}
}

// errFault: a mistake in the program; the log has it.
var errFault = errors.New("a fault of the program")

// survive runs do; a fault of the program in one question, which is the error, does not end the daemon.
func survive(do func()) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			slog.Error("a question upstream met a fault of the program", "fault", fault, "stack", string(debug.Stack()))
			err = errFault
		}
	}()
	do()
	return nil
}
