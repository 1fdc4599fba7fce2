package listen

import (
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	maxGuests = 200 // connections of strangers at once, at most a quarter of all
	guestTime = 3 * time.Second
)

// connection is one that is served, over whatever transport.
type connection interface {
	wake()       // the server is stopping: read no more
	cut()        // at once, whatever is under way; does not block
	waits() bool // for answers, beside what its place says is under way
	// evict ends it for another to have its place; does not block. Who calls it holds the server's mu.
	evict()
}

// place is what a connection takes up.
type place struct {
	client netip.Addr
	guest  *stranger
	seen   atomic.Int64 // Unix nanoseconds of its last sign of life
	busy   atomic.Int32 // what is under way
}

// touch notes a sign of life.
func (p *place) touch() { p.seen.Store(time.Now().UnixNano()) }

// begin and end enclose what must not be interrupted.
func (p *place) begin() { p.busy.Add(1) }

func (p *place) end() {
	p.touch()
	p.busy.Add(-1)
}

// enter gives a client's connection a place; nil: a limit or the end of the server forbids. Who calls it holds s.mu.
func (s *Server) enter(c connection, client netip.Addr, guest *stranger) *place {
	if s.stopping() {
		return nil
	}
	strange := s.cfg.Guest != nil && s.cfg.Guest(client)
	switch {
	case strange && s.guests >= min(maxGuests, max(1, s.cfg.MaxTCP/4)), s.perClient[client] >= s.cfg.MaxTCPPerClient,
		len(s.conns) >= s.cfg.MaxTCP && (strange || !s.makeRoom(client)):
		s.tcpRefused.Add(1)
		return nil
	}
	p := &place{client: client, guest: guest}
	p.touch()
	s.conns[c] = p
	s.perClient[client]++
	if strange {
		guest.Store(true)
		s.guests++
	}
	return p
}

// leave gives a connection's place back, if it has one still; who calls it holds s.mu.
func (s *Server) leave(c connection) {
	p, there := s.conns[c]
	if !there {
		return
	}
	delete(s.conns, c)
	s.leaveGuests(p.guest)
	if s.perClient[p.client]--; s.perClient[p.client] <= 0 {
		delete(s.perClient, p.client)
	}
}

// makeRoom ends a connection for that of a client who comes when all places are taken: of the client that has the most, and more than
// the one who comes will have, the connection that has nothing under way and has been silent the longest. A server may end what is idle
// at any time (RFC 7766 §6.2.3), and clients open another one. It says whether there was one; who calls it holds s.mu.
func (s *Server) makeRoom(client netip.Addr) bool {
	most, has := netip.Addr{}, s.perClient[client]+1
	for other, n := range s.perClient {
		if n > has {
			most, has = other, n
		}
	}
	var idle connection
	since := time.Now().UnixNano() + 1
	for c, p := range s.conns {
		if p.client == most && p.busy.Load() == 0 && !c.waits() && p.seen.Load() < since {
			idle, since = c, p.seen.Load()
		}
	}
	if idle == nil {
		return false
	}
	s.evicted.Add(1)
	s.leave(idle)
	idle.evict()
	return true
}
