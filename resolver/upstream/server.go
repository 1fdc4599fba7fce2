package upstream

import (
	"errors"
	"net/netip"
	"sync"
	"time"
)

// benched is how long a server that kept silent is asked last: long enough that not every question pays for it with a
// time-out, short enough that a restart is noticed soon.
const benched = 5 * time.Second

// ServerStatus is how one server is doing, for display.
type ServerStatus struct {
	Addr      netip.AddrPort
	Queries   uint64        // sent to it, over any transport, repetitions included
	Failures  uint64        // questions it had no usable answer to
	Dropped   uint64        // messages thrown away because they did not match their query or were malformed
	LastError string        // of the last failure; empty when there was none
	RTT       time.Duration // of the last answer; 0 when there was none
	Silent    bool          // its last query got no answer: it is asked after the others for a while
}

// server is one server's address and standing.
type server struct {
	addr netip.AddrPort

	mu     sync.Mutex
	stat   ServerStatus
	fitAt  time.Time // when a silent server may be asked in its turn again
	silent bool
}

func newServer(addr netip.AddrPort) *server {
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	return &server{addr: addr, stat: ServerStatus{Addr: addr}}
}

func (s *server) status() ServerStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stat
	st.Silent = s.silent
	return st
}

// claim says whether the server may be asked in its turn. For a silent server whose time is over it says yes to one caller,
// who tries its recovery, and no to the others until the bench time has passed again.
func (s *server) claim(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.silent {
		return true
	}
	if now.Before(s.fitAt) {
		return false
	}
	s.fitAt = now.Add(benched)
	return true
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

// done notes how a query went.
func (s *server) done(err error, rtt time.Duration, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.stat.Failures++
		s.stat.LastError = err.Error()
	} else {
		s.stat.RTT = rtt
	}
	s.silent = errors.Is(err, errSilent)
	if s.silent {
		s.fitAt = now.Add(benched)
	}
}

// choose picks the next server among the open ones, in the group's order: the first that is fit, else the first. It says false when
// none is open. Other strategies belong here.
func (g *Group) choose(open []bool) (int, bool) {
	first := -1
	now := g.cfg.Now()
	for i, s := range g.servers {
		if !open[i] {
			continue
		}
		if s.claim(now) {
			return i, true
		}
		if first < 0 {
			first = i
		}
	}
	return first, first >= 0
}
