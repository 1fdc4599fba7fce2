package upstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/miekg/dns"
)

// errSilent: nothing came from the server in time that belonged to the query.
var errSilent = errors.New("no answer in time; is the server running and reachable")

// rcodeError is the RCODE of a server that does not answer the question (RFC 6895 §2.3).
type rcodeError int

func (r rcodeError) Error() string {
	if name := dns.RcodeToString[int(r)]; name != "" {
		return "the server says " + name
	}
	return fmt.Sprintf("the server says RCODE %d", int(r))
}

// unknownEDNS says whether a server that does not know EDNS answers so (RFC 6891 §7).
func (r rcodeError) unknownEDNS() bool {
	return r == dns.RcodeFormatError || r == dns.RcodeNotImplemented
}

// asking is one question put to one server.
type asking struct {
	server  *server
	how     manner
	query   *query
	askedAt time.Time // by the clock of the configuration
	start   time.Time
}

func (g *Group) newAsking(s *server, q Question, how manner, now time.Time) asking {
	return asking{server: s, how: how, query: g.newQuery(q, how), askedAt: now, start: time.Now()}
}

// ask puts a question to one server and notes how that went, unless ctx ended it.
func (g *Group) ask(ctx context.Context, s *server, q Question, deadline time.Time) (Answer, error) {
	if s.secured != nil {
		return g.askSecurely(ctx, s, q, deadline)
	}
	now := g.cfg.Now()
	a := g.newAsking(s, q, s.manner(now), now)
	answer, err := g.exchangeUDP(ctx, s, a.query, g.tryDeadline(deadline))
	return g.heard(ctx, &a, answer, err, deadline)
}

// heard goes on from what the first query over UDP brought, and notes how that went, unless ctx ended it. A server that does not seem to
// know EDNS is asked again without.
func (g *Group) heard(ctx context.Context, a *asking, answer Answer, err error, deadline time.Time) (Answer, error) {
	answer, err = g.overTCP(ctx, a, answer, err, deadline)
	if rcode := rcodeError(0); a.how.edns && errors.As(err, &rcode) && rcode.unknownEDNS() {
		again := g.newAsking(a.server, a.query.Question, manner{mixed: a.how.mixed}, g.cfg.Now())
		a.start = again.start
		answer, err = g.exchangeUDP(ctx, a.server, again.query, g.tryDeadline(deadline))
		if answer, err = g.overTCP(ctx, &again, answer, err, deadline); err == nil {
			a.server.noEDNS(g.cfg.Now())
		}
	}
	if ctx.Err() == nil {
		g.note(a, err)
	}
	answer.Server = a.server.name
	return answer, err
}

// note notes at the server how a question went.
func (g *Group) note(a *asking, err error) {
	a.server.done(err, time.Since(a.start), a.askedAt, g.cfg.Now())
}

// overTCP sends a query again over TCP when the answer did not fit into a datagram or the reply's case was changed; otherwise what came
// over UDP stands.
func (g *Group) overTCP(ctx context.Context, a *asking, answer Answer, err error, deadline time.Time) (Answer, error) {
	if !errors.Is(err, errTruncated) && !errors.Is(err, errCase) {
		return answer, err
	}
	a.server.replied(a.askedAt, g.cfg.Now())
	a.query.exactCase = false // nobody off the path forges TCP, and a server that changes the case does so there too
	answer, tcpErr := g.exchangeTCP(ctx, a.server, a.query, g.tryDeadline(deadline))
	if tcpErr != nil {
		return Answer{}, fmt.Errorf("%w; over TCP: %w", err, tcpErr)
	}
	if a.query.caseChanged {
		a.server.caseChanged(g.cfg.Now())
	}
	return answer, nil
}

func (g *Group) tryDeadline(deadline time.Time) time.Time {
	if try := time.Now().Add(g.cfg.TryTimeout); try.Before(deadline) {
		return try
	}
	return deadline
}

// readOn says whether the socket is to be read further after this error of query.take: whatever was not the server's
// answer must not keep the answer from being read.
func readOn(err error) bool {
	return errors.Is(err, errStranger) || errors.Is(err, errUnusable)
}
