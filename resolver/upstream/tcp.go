package upstream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

const (
	// maxStreams bounds the TCP connections to one server (RFC 7766 §6.2.2). The second one is opened when crowded queries
	// are under way on the first: a server may answer those of one connection one after another.
	maxStreams = 2
	crowded    = 16
)

// pool is the TCP connections to one server.
type pool struct {
	mu      sync.Mutex
	streams []*stream
}

// exchangeTCP sends a query over a connection that other queries may use at the same time, and waits for its answer. A
// connection that breaks before, which is how a server ends one that was idle, is replaced once.
func (g *Group) exchangeTCP(ctx context.Context, s *server, x *query, deadline time.Time) (answer Answer, err error) {
	for range 2 {
		st, fresh := g.streamTo(s)
		answer, err = g.askOn(ctx, st, x, deadline)
		if fresh || !errors.Is(err, errBroken) {
			break
		}
	}
	return answer, err
}

// streamTo takes the least busy connection to a server, or opens one; fresh says that it did. askOn must follow.
func (g *Group) streamTo(s *server) (st *stream, fresh bool) {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	for _, other := range s.pool.streams {
		if st == nil || other.users < st.users {
			st = other
		}
	}
	if st == nil || st.users >= crowded && len(s.pool.streams) < maxStreams {
		st, fresh = newStream(s), true
		s.pool.streams = append(s.pool.streams, st)
		g.work.Go(func() { g.serve(st) })
	}
	st.users++
	return st, fresh
}

// leave ends a use of a connection, forget takes it out of the pool.
func (p *pool) leave(st *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	st.users--
}

func (p *pool) forget(st *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.streams = slices.DeleteFunc(p.streams, func(other *stream) bool { return other == st })
}

// askOn puts a query on a connection and waits until its answer comes, the connection breaks, the deadline passes, or ctx ends.
func (g *Group) askOn(ctx context.Context, st *stream, x *query, deadline time.Time) (Answer, error) {
	defer st.server.pool.leave(st)
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-st.ready:
	case <-st.gone:
		return Answer{}, st.err
	case <-timer.C:
		return Answer{}, fmt.Errorf("connecting: %w", errSilent)
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
	w := st.add(x, g.random.id)
	defer st.remove(w, g.idle)
	if err := st.send(x, deadline); err != nil {
		return Answer{}, err
	}
	select {
	case <-w.done:
		return w.answer, w.err
	case <-st.gone:
		return st.broke(w)
	case <-timer.C:
		return Answer{}, st.expired(w)
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
}

// readFrame reads one message with its length prefix (RFC 1035 §4.2.2) into buf, which grows as needed.
func readFrame(r io.Reader, buf []byte) ([]byte, error) {
	var prefix [2]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return buf, err
	}
	n := int(binary.BigEndian.Uint16(prefix[:]))
	buf = slices.Grow(buf[:0], n)[:n]
	_, err := io.ReadFull(r, buf)
	return buf, err
}
