package upstream

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// streamIdle is how long a connection without queries is kept (RFC 7766 §6.2.3: a few seconds).
const streamIdle = 10 * time.Second

// errBroken: the connection ended before the answer came.
var errBroken = errors.New("the connection broke")

// stream is one TCP connection to a server, with TLS on it where it is asked so. Several queries may be under way on it, and are answered in any order
// (RFC 7766 §6.2.1.1); a reply finds its query by ID, and is then checked against all of it.
type stream struct {
	server *server
	users  int           // callers of askOn; guarded by the pool's mutex
	ready  chan struct{} // closed when the connection stands
	gone   chan struct{} // closed when it is over, or could not be made
	err    error         // why; set before gone is closed
	conn   net.Conn      // set before ready is closed

	writing sync.Mutex

	mu      sync.Mutex
	waiting map[uint16]*waiter // by ID
	read    int                // messages
	left    int                // queries given up, whose replies may still come
}

// waiter is a query that waits for its answer.
type waiter struct {
	x        *query
	id       uint16
	read     int           // what had been read when it began
	unusable error         // of the last reply that was of no use
	done     chan struct{} // closed when answer and err stand
	answer   Answer
	err      error
}

func newStream(s *server) *stream {
	return &stream{server: s, ready: make(chan struct{}), gone: make(chan struct{}), waiting: map[uint16]*waiter{}}
}

// serve connects and hands out replies until the connection ends.
func (g *Group) serve(st *stream) {
	err := st.run(g)
	st.server.pool.forget(st)
	st.err = err
	close(st.gone)
}

func (st *stream) run(g *Group) error {
	dialer := net.Dialer{Timeout: g.cfg.TryTimeout}
	conn, err := dialer.DialContext(g.ctx, "tcp", st.server.addr.String())
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer func() { conn.Close() }()
	if secured := st.server.secured; secured != nil {
		secure := tls.Client(conn, secured.config)
		conn = secure
		_ = secure.SetDeadline(time.Now().Add(g.cfg.TryTimeout))
		if err := secure.HandshakeContext(g.ctx); err != nil {
			return fmt.Errorf("connecting: %w", insecure(err))
		}
		_ = secure.SetDeadline(time.Time{})
	}
	defer context.AfterFunc(g.ctx, func() { conn.Close() })()
	st.conn = conn
	conn.SetReadDeadline(time.Now().Add(g.idle))
	close(st.ready)
	var buf []byte
	for {
		if buf, err = readFrame(conn, buf); err != nil {
			return fmt.Errorf("%w: reading: %w", errBroken, err)
		}
		st.deliver(buf)
	}
}

// add registers a query. If its ID is in use on this connection, it gets another one.
func (st *stream) add(x *query, id func() uint16) *waiter {
	st.mu.Lock()
	defer st.mu.Unlock()
	w := &waiter{x: x, id: binary.BigEndian.Uint16(x.sent), read: st.read, done: make(chan struct{})}
	for st.waiting[w.id] != nil {
		w.id = id()
	}
	binary.BigEndian.PutUint16(x.sent, w.id)
	st.waiting[w.id] = w
	st.conn.SetReadDeadline(time.Time{}) // each query has a deadline of its own
	return w
}

// remove ends the wait for a query. The last one leaves the connection idle.
func (st *stream) remove(w *waiter, idle time.Duration) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.waiting[w.id] == w {
		delete(st.waiting, w.id)
		st.left++
	}
	if len(st.waiting) == 0 {
		st.conn.SetReadDeadline(time.Now().Add(idle))
	}
}

// send writes a query. After a failed write, which may have been half a message, the connection is of no use.
func (st *stream) send(x *query, deadline time.Time) error {
	framed := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(x.sent)), uint16(len(x.sent)))
	framed = append(framed, x.sent...)
	st.writing.Lock()
	defer st.writing.Unlock()
	st.server.sent()
	st.conn.SetWriteDeadline(deadline)
	if _, err := st.conn.Write(framed); err != nil {
		st.conn.Close()
		<-st.gone // nothing touches the query any more
		return fmt.Errorf("%w: sending: %w", errBroken, err)
	}
	return nil
}

// deliver hands a message to the query that it answers. The message is changed.
func (st *stream) deliver(msg []byte) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.read++
	var w *waiter
	if len(msg) >= headerLen {
		w = st.waiting[binary.BigEndian.Uint16(msg)]
	}
	if w == nil && st.left > 0 {
		st.left--
		return
	}
	if w == nil {
		st.server.dropped()
		return
	}
	answer, err := w.x.take(msg)
	if readOn(err) {
		st.server.dropped()
		if errors.Is(err, errUnusable) {
			w.unusable = err
		}
		return
	}
	w.answer, w.err = answer, err
	delete(st.waiting, w.id)
	close(w.done)
}

// broke is the outcome of a query whose connection ended: its answer may have come just before.
func (st *stream) broke(w *waiter) (Answer, error) {
	select {
	case <-w.done:
		return w.answer, w.err
	default:
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if w.unusable != nil {
		return Answer{}, w.unusable
	}
	return Answer{}, st.err
}

// expired is the error of a query whose time is over. A connection that brought nothing whole meanwhile is stuck: it is
// closed, for the others to go elsewhere.
func (st *stream) expired(w *waiter) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.read == w.read {
		st.conn.Close()
	}
	if w.unusable != nil {
		return w.unusable
	}
	return errSilent
}
