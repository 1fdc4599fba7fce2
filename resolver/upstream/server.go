package upstream

import (
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// State is a server's standing, in one word.
type State string

// The states of a server.
const (
	OK      State = "ok"
	Silent  State = "silent"  // no reply came: it is asked after the others
	Failing State = "failing" // it had no answer to what others answered: it is asked after them
	Trying  State = "trying"  // silent or failing, and being asked whether that is over
)

// ServerStatus is how one server is doing, for display.
type ServerStatus struct {
	Addr      netip.AddrPort
	State     State
	Since     time.Time     // when it fell silent, began to fail, or recovered; zero when it has been OK from the start
	Queries   uint64        // sent to it, over any transport, repetitions included
	Failures  uint64        // questions it had no usable answer to
	Dropped   uint64        // messages thrown away because they did not match their query or were malformed
	LastError string        // of the last failure; empty when there was none
	RTT       time.Duration // of the last answer; 0 when there was none
	Smoothed  time.Duration // round-trip time, smoothed over the last answers and time-outs; 0 when there was none
	SameCase  bool          // it is asked in lower case: set so, or it does not keep the case of names
	NoEDNS    bool          // it is asked without EDNS, which it does not know
	Over      Over          // the encrypted transport it is asked over; empty: none
	Name      string        // that it proves to have then
}

// server is one server's address, standing and manners.
type server struct {
	addr  netip.AddrPort
	name  string // the address, for display
	group string // for the log
	pool  pool

	secured *secured // nil: it is asked plainly

	mu       sync.Mutex
	stat     ServerStatus // counters, and what happened last
	standing standing
	manners  manners
}

func newServer(addr netip.AddrPort, group string, sameCase bool) *server {
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	return &server{addr: addr, name: addr.String(), group: group, stat: ServerStatus{Addr: addr}, manners: manners{sameCase: sameCase}}
}

func (s *server) status(now time.Time) ServerStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stat
	st.State, st.Since, st.Smoothed = OK, s.standing.since, s.standing.srtt
	switch {
	case s.standing.trying:
		st.State = Trying
	case s.standing.benched && s.standing.mute:
		st.State = Silent
	case s.standing.benched:
		st.State = Failing
	}
	if s.secured == nil {
		st.SameCase, st.NoEDNS = !s.manners.mixes(now), !s.manners.edns(now)
	}
	return st
}

// sent counts a query.
func (s *server) sent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stat.Queries++
}

// dropped counts a message that was thrown away.
func (s *server) dropped() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stat.Dropped++
}

// done notes how a question asked at askedAt went; rtt is how long its answer took.
func (s *server) done(err error, rtt time.Duration, askedAt, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.stat.RTT = rtt
		s.recovered(s.standing.answered(rtt, askedAt, now))
		return
	}
	s.stat.Failures++
	s.stat.LastError = err.Error()
	switch {
	case errors.Is(err, errSilent), errors.Is(err, errInsecure), isAway(err):
		s.benched(s.standing.unheard(askedAt, now))
	case isReply(err) && !errors.Is(err, errBroken):
		s.recovered(s.standing.failed(askedAt, now))
	}
}

// replied notes a reply that leads to another try.
func (s *server) replied(askedAt, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recovered(s.standing.replied(askedAt, now))
}

// blame notes that another server answered what this one had no answer to.
func (s *server) blame(askedAt, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.benched(s.standing.blamed(askedAt, now))
}

// isReply says whether a failed question brought a reply of the server, if no answer.
func isReply(err error) bool {
	rcode := rcodeError(0)
	return errors.As(err, &rcode) || errors.Is(err, errTruncated) || errors.Is(err, errCase) ||
		errors.Is(err, errUnusable) || errors.Is(err, errReferral)
}

// isAway says whether the network reports that nothing is at the server's address.
func isAway(err error) bool {
	for _, errno := range []syscall.Errno{syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// benched and recovered write a change of standing to the log.
func (s *server) benched(changed bool) {
	if changed {
		slog.Warn("an upstream server gives no answers", "group", s.group, "server", s.addr, "error", s.stat.LastError)
	}
}

func (s *server) recovered(changed bool) {
	if changed {
		slog.Info("an upstream server answers again", "group", s.group, "server", s.addr)
	}
}

// tryRecovery asks a benched server, whose recovery was claimed, for its own sake: nobody waits for the answer.
func (g *Group) tryRecovery(s *server, q Question, deadline time.Time) {
	g.work.Go(func() {
		defer s.release()
		_ = survive(func() { _, _ = g.ask(g.ctx, s, q, deadline) }) // how it went is noted there
	})
}

// release ends a claim of plan.
func (s *server) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.standing.trying = false
}
