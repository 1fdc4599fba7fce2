package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
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

// ask puts a question to one server and notes how that went, unless ctx ended it. A server that does not seem to know EDNS is asked
// again without.
func (g *Group) ask(ctx context.Context, s *server, q Question, deadline time.Time) (Answer, error) {
	askedAt, start := g.cfg.Now(), time.Now()
	how := s.manner(askedAt)
	answer, err := g.try(ctx, s, g.newQuery(q, how), deadline)
	if rcode := rcodeError(0); how.edns && errors.As(err, &rcode) && rcode.unknownEDNS() {
		how.edns = false
		start = time.Now()
		if answer, err = g.try(ctx, s, g.newQuery(q, how), deadline); err == nil {
			s.noEDNS(g.cfg.Now())
		}
	}
	if ctx.Err() == nil {
		s.done(err, time.Since(start), askedAt, g.cfg.Now())
	}
	answer.Server = s.addr.String()
	return answer, err
}

// try sends one query over UDP, and again over TCP when the answer does not fit or the reply's case was changed.
func (g *Group) try(ctx context.Context, s *server, x *query, deadline time.Time) (Answer, error) {
	askedAt := g.cfg.Now()
	answer, err := g.exchangeUDP(ctx, s, x, g.tryDeadline(deadline))
	if !errors.Is(err, errTruncated) && !errors.Is(err, errCase) {
		return answer, err
	}
	s.replied(askedAt, g.cfg.Now())
	x.exactCase = false // nobody off the path forges TCP, and a server that changes the case does so there too
	answer, tcpErr := g.exchangeTCP(ctx, s, x, g.tryDeadline(deadline))
	if tcpErr != nil {
		return Answer{}, fmt.Errorf("%w; over TCP: %w", err, tcpErr)
	}
	if x.caseChanged {
		s.caseChanged(g.cfg.Now())
	}
	return answer, nil
}

func (g *Group) tryDeadline(deadline time.Time) time.Time {
	if try := time.Now().Add(g.cfg.TryTimeout); try.Before(deadline) {
		return try
	}
	return deadline
}

// interruptible sets a connection's deadline and ends its reads and writes when ctx ends. Call stop when done with it.
func interruptible(ctx context.Context, conn net.Conn, deadline time.Time) (stop func() bool) {
	conn.SetDeadline(deadline)
	return context.AfterFunc(ctx, func() { conn.Close() })
}

// readOn says whether the socket is to be read further after this error of query.take: whatever was not the server's
// answer must not keep the answer from being read.
func readOn(err error) bool {
	return errors.Is(err, errStranger) || errors.Is(err, errUnusable)
}
