package upstream

import (
	"context"
	"runtime"
	"time"
)

// turn is how many questions are sent, or replies read, before others get their turn at the processor: whoever asks for what is in the
// cache must not wait until all that came at once are on their way. Each takes some 20 µs, most of it in the kernel.
const turn = 4

// ready starts what sends and receives, at the first question.
func (g *Group) ready() (err error) {
	if g.udp != nil {
		return nil
	}
	if g.udp, err = newExchanges(g.random, g.cfg.Together); err == nil {
		g.work.Go(g.dispatch)
		g.replies.Go(g.udp.listen)
	}
	return err
}

// enqueue gives a flight to the dispatcher, to be begun, or to be ended if it is over.
func (g *Group) enqueue(f *flight) {
	g.queue = append(g.queue, f)
	select {
	case g.queued <- struct{}{}:
	default:
	}
}

// dispatch sends the questions that were started, so that who starts one is not held up, ends those that were given up, and watches
// the time, until the group closes.
func (g *Group) dispatch() {
	var spare []*flight
	timer := time.NewTimer(g.cfg.TryTimeout)
	defer timer.Stop()
	armed := true
	for {
		select {
		case <-g.queued:
		case <-timer.C:
			armed = false
		case <-g.ctx.Done():
			return
		}
		g.mu.Lock()
		queue := g.queue
		g.queue = spare[:0]
		g.mu.Unlock()
		for i, f := range queue {
			if fault := survive(func() { g.advance(f) }); fault != nil {
				g.land(f, Answer{}, fault)
			}
			if i%turn == turn-1 {
				runtime.Gosched()
			}
		}
		clear(queue)
		spare = queue
		if next := g.udp.expire(time.Now()); !armed && !next.IsZero() {
			timer.Reset(time.Until(next))
			armed = true
		}
	}
}

// advance takes one flight from the queue.
func (g *Group) advance(f *flight) {
	g.mu.Lock()
	over, giveUp := f.over, f.giveUp
	f.begun = true
	g.mu.Unlock()
	if !over {
		g.begin(f)
		return
	}
	if f.first.query != nil {
		g.udp.remove(&f.first)
	}
	if giveUp != nil {
		giveUp(ErrOverloaded)
	}
	g.tell(f, Answer{}, ErrOverloaded)
}

// begin makes the first try of a flight, which mostly is the last. What a single query over UDP is not enough for goes on in a goroutine.
func (g *Group) begin(f *flight) {
	c := g.newCourse(f.q)
	if c.plan.probe != nil || len(c.plan.batches[0]) > 1 || g.servers[c.plan.batches[0][0]].secured != nil {
		g.goOn(f, c, func(ctx context.Context) (Answer, error) { return g.fly(ctx, c) })
		return
	}
	index := c.plan.batches[0][0]
	s := g.servers[index]
	a := g.newAsking(s, f.q, s.manner(c.askedAt), c.askedAt)
	done := func(answer Answer, err error) {
		if err == nil {
			g.note(&a, nil)
			answer.Server = s.name
			g.land(f, answer, nil)
			return
		}
		g.goOn(f, c, func(ctx context.Context) (Answer, error) {
			answer, err := g.heard(ctx, &a, answer, err, c.deadline)
			if err == nil {
				return answer, nil
			}
			if ctx.Err() != nil {
				return Answer{}, context.Cause(ctx)
			}
			c.failures, c.tried = make([]error, len(g.servers)), 1
			c.failures[index] = err
			return g.fly(ctx, c)
		})
	}
	f.first = exchange{server: s, query: a.query, done: done, until: a.start.Add(min(g.cfg.TryTimeout, g.cfg.Timeout))}
	if err := g.udp.begin(&f.first); err != nil {
		done(Answer{}, err)
	}
}

// goOn lets a flight go on in a goroutine, until it lands or is given up.
func (g *Group) goOn(f *flight, c *course, on func(context.Context) (Answer, error)) {
	ctx, giveUp := context.WithCancelCause(g.ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	if f.over || g.closed {
		giveUp(nil)
		return
	}
	f.giveUp = giveUp
	g.work.Go(func() {
		defer giveUp(nil)
		var a Answer
		err := ErrClosed
		if fault := survive(func() { a, err = on(ctx) }); fault != nil {
			a, err = Answer{}, fault
		}
		g.land(f, a, err)
	})
}
