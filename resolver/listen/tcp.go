package listen

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"usciere/resolver/wire"
)

const (
	// headerLength is the least length of a DNS message in octets (RFC 1035 §4.1.1).
	headerLength = 12
	// readStep bounds what is set aside for a message before its octets have come, so that a mere length costs the server nothing.
	readStep = 4096
	// maxQueued bounds the replies, in octets, that wait to be written to one connection; it is cut off when more gather. The
	// hundred that may be pending come to less, unless a client asks for large answers and does not read them.
	maxQueued = 512 << 10
)

var errShortMessage = errors.New("message shorter than a DNS header")

// tcpConn is one client connection, over TCP or TLS. One goroutine reads it and serves; a second, started when first needed, writes the replies to
// detached requests in the order they come (RFC 7766 §6.2.1.1).
type tcpConn struct {
	server *Server
	conn   net.Conn
	below  net.Conn // the same, or what TLS is spoken over
	counts *counts
	client netip.AddrPort
	guest  stranger // has one question
	place  *place
	in     *bufio.Reader
	packet []byte // reused between messages
	req    Request

	// slots has a token for each pending request and one for the message being read: when it is full, the client waits.
	slots   chan struct{}
	writing sync.Mutex
	out     chan []byte  // replies with their length before them; has room for all slots, so that sending never blocks
	queued  atomic.Int64 // octets in out
}

// accept serves the connections of one listener until the server stops.
func (s *Server) accept(l *net.TCPListener, h Handler) {
	s.acceptEach(l, func(conn *net.TCPConn, client, local netip.AddrPort) bool {
		return s.admit(newConn(s, conn, client, local), h)
	})
}

// acceptEach gives the connections of one listener to admit until the server stops, and closes those that it does not take.
func (s *Server) acceptEach(l *net.TCPListener, admit func(conn *net.TCPConn, client, local netip.AddrPort) bool) {
	for !s.stopping() {
		conn, err := l.AcceptTCP()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.pause("accepting TCP connections", err)
			}
			continue
		}
		peer, _ := conn.RemoteAddr().(*net.TCPAddr)
		local, _ := conn.LocalAddr().(*net.TCPAddr)
		if peer == nil || local == nil || !s.introduceTo(admit, conn, withoutZone(peer.AddrPort()), withoutZone(local.AddrPort())) {
			conn.Close()
		}
	}
}

// admit starts serving c, unless a limit or the end of the server forbids.
func (s *Server) admit(c *tcpConn, h Handler) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.place = s.enter(c, c.client.Addr(), &c.guest); c.place == nil {
		return false
	}
	s.workers.Go(func() {
		defer s.discharge(c)
		c.serve(h)
	})
	return true
}

func (s *Server) discharge(c *tcpConn) {
	c.conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(c)
}

func (c *tcpConn) wake() { c.conn.SetReadDeadline(past) }

// cut leaves out TLS's own farewell, which could wait for the client.
func (c *tcpConn) cut() { c.below.Close() }

func (c *tcpConn) evict() { c.cut() }

// waits is about detached requests; the reader has a slot as well.
func (c *tcpConn) waits() bool { return len(c.slots) > 1 }

func newConn(s *Server, conn net.Conn, client, local netip.AddrPort) *tcpConn {
	c := &tcpConn{
		server: s,
		conn:   conn,
		below:  conn,
		counts: &s.streams[TCP],
		client: client,
		in:     bufio.NewReaderSize(conn, 2048),
		slots:  make(chan struct{}, s.cfg.MaxPendingPerConn),
	}
	c.req.Transport, c.req.Client, c.req.Local = TCP, client, local
	c.req.tcp, c.req.parent = c, true
	return c
}

// serve reads messages until the client ends, idles, errs, or the server stops; then it waits until the pending replies are
// written, since a client may well close its half of the connection after the last query.
func (c *tcpConn) serve(h Handler) {
	r := &c.req
	if !c.handshake() {
		return
	}
	c.touch()
	for c.takeSlot() {
		if c.server.stopping() {
			c.releaseSlot()
			break
		}
		msg, err := c.readMessage()
		if err != nil {
			c.releaseSlot()
			break
		}
		c.touch()
		c.place.begin()
		c.counts.queries.Add(1)
		r.Packet, r.Client, r.At, r.detached = msg, c.client, c.server.cfg.Now(), nil
		c.server.serve(h, r)
		r.releaseScratch()
		if r.detached == nil {
			c.releaseSlot()
		}
		c.place.end()
		if c.guest.Load() {
			break
		}
	}
	for range cap(c.slots) {
		if !c.takeSlot() {
			return
		}
	}
	if c.out != nil {
		close(c.out)
	}
}

// readMessage reads one message with its length before it (RFC 1035 §4.2.2). What it returns is valid until the next call.
func (c *tcpConn) readMessage() ([]byte, error) {
	prefix, err := c.in.Peek(2)
	if err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint16(prefix))
	if length < headerLength {
		return nil, errShortMessage
	}
	c.in.Discard(2)
	msg := c.packet[:0]
	for len(msg) < length {
		have, step := len(msg), min(length-len(msg), readStep)
		msg = slices.Grow(msg, step)[:have+step]
		if _, err := io.ReadFull(c.in, msg[have:]); err != nil {
			return nil, err
		}
	}
	if cap(msg) <= readStep {
		c.packet = msg
	}
	return msg, nil
}

// touch starts the idle time anew. A server that stops meanwhile has the last word.
func (c *tcpConn) touch() {
	idle := c.server.cfg.Idle
	if c.guest.Load() {
		idle = min(idle, guestTime)
	}
	c.conn.SetReadDeadline(time.Now().Add(idle))
	if c.server.stopping() {
		c.conn.SetReadDeadline(past)
	}
}

// takeSlot waits for a free slot. It is false when the server has closed.
func (c *tcpConn) takeSlot() bool {
	select {
	case c.slots <- struct{}{}:
		return true
	case <-c.server.dead:
		return false
	}
}

func (c *tcpConn) releaseSlot() { <-c.slots }

// reply writes a reply from the goroutine that reads the connection. A message built in the request's scratch is not copied.
func (c *tcpConn) reply(r *Request, msg []byte) {
	if len(msg) > maxMessage {
		c.counts.dropped.Add(1)
		return
	}
	r.Scratch()
	msg = wire.Grant(r.scratch[2:2+copy(r.scratch[2:], msg)], c.wishes(r), c.idle()) // there is room for the longest
	binary.BigEndian.PutUint16(r.scratch[:2], uint16(len(msg)))
	c.write(r.scratch[:2+len(msg)])
}

// enqueue leaves the reply to a detached request to the connection's writer, so that a slow client never holds up the goroutine
// that replies. The request keeps its slot until the reply is written.
func (c *tcpConn) enqueue(r *Request, msg []byte) {
	wishes := c.wishes(r)
	framed := append(make([]byte, 2, 2+len(msg)+wishes.Room()), msg...)
	framed = framed[:2+len(wire.Grant(framed[2:], wishes, c.idle()))]
	if len(msg) > maxMessage || c.queued.Add(int64(len(framed))) > maxQueued {
		c.counts.dropped.Add(1)
		c.cut()
		r.leave()
		return
	}
	binary.BigEndian.PutUint16(framed, uint16(len(framed)-2))
	c.out <- framed
	r.settle()
}

// startWriter starts the goroutine that writes queued replies. Only the connection's reader calls it.
func (c *tcpConn) startWriter() {
	if c.out != nil {
		return
	}
	c.out = make(chan []byte, cap(c.slots))
	c.server.workers.Go(func() {
		for {
			select {
			case framed, more := <-c.out:
				if !more {
					return
				}
				c.write(framed)
				c.queued.Add(-int64(len(framed)))
				c.releaseSlot()
			case <-c.server.dead:
				return
			}
		}
	})
}

// write sends one reply, its length before it, in one call. A connection that does not take it in time, or not at all, is closed.
func (c *tcpConn) write(framed []byte) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.conn.SetWriteDeadline(time.Now().Add(c.server.cfg.WriteTimeout))
	if _, err := c.conn.Write(framed); err != nil {
		c.counts.dropped.Add(1)
		c.cut()
		return
	}
	c.counts.replies.Add(1)
	c.touch()
}
