package upstream

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// rounds is how often a server that keeps silent is asked: a datagram may have been lost. RFC 9520 §3.1 allows
// three times in all.
const rounds = 3

// course is how far a question has got with a group's servers.
type course struct {
	q        Question
	plan     plan
	askedAt  time.Time // by the clock of the configuration
	deadline time.Time
	failures []error // by server; nil: not asked yet, or no failure. There are none before the first
	tried    int     // batches of the first round that have failed
}

func (g *Group) newCourse(q Question) *course {
	askedAt := g.cfg.Now()
	return &course{q: q, plan: g.plan(askedAt), askedAt: askedAt, deadline: time.Now().Add(g.cfg.Timeout)}
}

// fly asks the servers as planned until one answers, time is up, or ctx ends, with its cause; those that kept silent are asked
// again.
func (g *Group) fly(ctx context.Context, c *course) (Answer, error) {
	if c.failures == nil {
		c.failures = make([]error, len(g.servers))
	}
	if c.plan.probe != nil {
		g.tryRecovery(c.plan.probe, c.q, c.deadline)
	}
	for round := range rounds {
		batches := c.plan.batches
		if round == 0 {
			batches = batches[c.tried:]
		}
		for _, batch := range batches {
			if round > 0 {
				batch = slices.DeleteFunc(slices.Clone(batch), func(i int) bool { return !errors.Is(c.failures[i], errSilent) })
			}
			if len(batch) == 0 {
				continue
			}
			if !time.Now().Before(c.deadline) {
				return g.failed(c)
			}
			answer, ok := g.askAll(ctx, batch, c)
			if ctx.Err() != nil {
				return Answer{}, context.Cause(ctx)
			}
			if ok {
				g.blame(c)
				return answer, nil
			}
		}
	}
	return g.failed(c)
}

// askAll puts a question to some servers at once and returns the first answer; then the others are given up, unless somebody
// is patient. What failed before is noted in the course.
func (g *Group) askAll(ctx context.Context, batch []int, c *course) (Answer, bool) {
	if len(batch) == 1 {
		answer, err := g.ask(ctx, g.servers[batch[0]], c.q, c.deadline)
		c.failures[batch[0]] = err
		return answer, err == nil
	}
	asking, giveUp := g.ctx, func() {}
	if !c.plan.patient {
		asking, giveUp = context.WithCancel(ctx)
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
			o := outcome{index: i}
			if fault := survive(func() { o.answer, o.err = g.ask(asking, g.servers[i], c.q, c.deadline) }); fault != nil {
				o.err = fault
			}
			outcomes <- o
		})
	}
	for range batch {
		select {
		case o := <-outcomes:
			c.failures[o.index] = o.err
			if o.err == nil {
				return o.answer, true
			}
		case <-ctx.Done():
			return Answer{}, false
		}
	}
	return Answer{}, false
}

// blame notes at the servers that replied without an answer that there was one.
func (g *Group) blame(c *course) {
	for i, err := range c.failures {
		if err != nil && isReply(err) {
			g.servers[i].blame(c.askedAt, g.cfg.Now())
		}
	}
}

// failed is what a question comes to that no server answered: the SERVFAIL that one of them gave, or an error.
func (g *Group) failed(c *course) (Answer, error) {
	e := &FailedError{Group: g.cfg.Name}
	for i, err := range c.failures {
		if err == nil {
			continue // time was up before its turn
		}
		if rcode := rcodeError(0); errors.As(err, &rcode) && rcode == dns.RcodeServerFailure {
			return servfail(c.q, g.servers[i].name)
		}
		e.Failures = append(e.Failures, Failure{Server: g.servers[i].addr, Err: err})
	}
	return Answer{}, e
}
