package listen

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"usciere/resolver/wire"
)

// The error codes of DNS over QUIC that are given (RFC 9250 §4.3).
const (
	doqNoError          = 0
	doqInternalError    = 1
	doqProtocolError    = 2
	doqRequestCancelled = 3
)

// speech is what is spoken over a QUIC connection, by its ALPN name.
type speech string

const (
	doq   speech = "doq" // RFC 9250
	http3 speech = "h3"  // RFC 9114
)

// quicLinger is how long a connection that the server ends stays for the client to have its last replies.
const quicLinger = 100 * time.Millisecond

// quicSocket is one UDP socket with its connections.
type quicSocket struct {
	server    *Server
	conn      *net.UDPConn
	transport *quic.Transport
	speech    speech
	served    bool // the transport has the socket
}

// quicKey is that of a connection's *quicConn in its context.
type quicKey struct{}

// quicConn is one connection.
type quicConn struct {
	caller
	conn    atomic.Pointer[quic.Conn] // nil until its handshake is over
	bye     quic.ApplicationErrorCode // by which it is ended
	young   bool                      // in its handshake, and counted so
	left    bool                      // not counted any more
	reading context.Context           // ends with the reading of the server
}

// The reading of the server ends that of every connection, and its transport cuts them.
func (*quicConn) wake() {}
func (*quicConn) cut()  {}

func (*quicConn) waits() bool { return false }

func (c *quicConn) evict() {
	if conn := c.conn.Load(); conn != nil {
		go hangUp(conn, c.bye, "")
	}
}

var errTooManyConnections = errors.New("too many connections")

// bindQUIC binds one address for what is spoken over QUIC.
func (s *Server) bindQUIC(e endpoint, what speech) (netip.AddrPort, error) {
	conn, err := bindUDP(s.cfg, e, false)
	if err != nil {
		return netip.AddrPort{}, err
	}
	q := &quicSocket{server: s, conn: conn, speech: what}
	q.transport = &quic.Transport{
		Conn:                conn,
		ConnContext:         q.enter,
		VerifySourceAddress: s.mustProve,
	}
	s.quic = append(s.quic, q)
	return conn.LocalAddr().(*net.UDPAddr).AddrPort(), nil
}

const (
	maxYoungOfOne = 4  // handshakes of one address
	maxYoung      = 64 // addresses with handshakes
)

// mustProve says whether a source that could be forged must prove itself before it gets a connection (RFC 9000 §8.1.2): a stranger, so
// that nothing longer than was sent goes to whom it names, and whoever has some handshakes open, so that forged ones take no places.
func (s *Server) mustProve(a net.Addr) bool {
	s.mu.Lock()
	many := 2*len(s.conns) > s.cfg.MaxTCP || s.young[addrOf(a).Addr()] >= maxYoungOfOne || len(s.young) >= maxYoung
	s.mu.Unlock()
	return many || s.isGuest(a)
}

func (s *Server) isGuest(a net.Addr) bool {
	return s.cfg.Guest != nil && s.cfg.Guest(addrOf(a).Addr())
}

func addrOf(a net.Addr) netip.AddrPort {
	if u, ok := a.(*net.UDPAddr); ok {
		return withoutZone(u.AddrPort())
	}
	return netip.AddrPort{}
}

// config are the limits of a connection. 0-RTT stays off: what comes with it can be replayed by others (RFC 9250 §4.5).
func (q *quicSocket) config() *quic.Config {
	cfg := &q.server.cfg
	streams := int64(-1) // of one direction
	if q.speech == http3 {
		streams = 8 // its own three (RFC 9114 §6.2), and some to be ignored
	}
	return &quic.Config{
		HandshakeIdleTimeout:           handshakeTime,
		MaxIdleTimeout:                 cfg.Idle + handshakeTime, // serve ends idle connections, and says so
		MaxIncomingStreams:             int64(cfg.MaxPendingPerConn),
		MaxIncomingUniStreams:          streams,
		InitialStreamReceiveWindow:     4 << 10,
		MaxStreamReceiveWindow:         2 + maxMessage,
		InitialConnectionReceiveWindow: 64 << 10,
		MaxConnectionReceiveWindow:     256 << 10,
	}
}

// enter counts a connection that begins, until its context ends.
func (q *quicSocket) enter(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	s, c := q.server, &quicConn{reading: q.server.reading, young: true}
	c.server, c.origin = s, origin{transport: QUIC, client: addrOf(info.RemoteAddr)}
	if q.speech == http3 {
		c.transport = HTTPS
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.place = s.enter(c, c.client.Addr(), &c.guest); c.place == nil {
		return nil, errTooManyConnections
	}
	c.place.begin() // until its handshake is over
	if s.young == nil {
		s.young = map[netip.Addr]int{}
	}
	s.young[c.client.Addr()]++
	// The context of one whose connection ID is taken, as by a repeated packet, never ends.
	unborn := time.AfterFunc(3*handshakeTime, func() { q.leave(c, true) })
	context.AfterFunc(ctx, func() {
		unborn.Stop()
		q.leave(c, false)
	})
	return context.WithValue(ctx, quicKey{}, c), nil
}

// grow takes a connection off those in their handshake; who calls it holds the server's mu.
func (q *quicSocket) grow(c *quicConn) {
	if !c.young {
		return
	}
	c.young = false
	young, client := q.server.young, c.client.Addr()
	if young[client]--; young[client] <= 0 {
		delete(young, client)
	}
}

// leave gives a connection's place back, or only that of one still in its handshake.
func (q *quicSocket) leave(c *quicConn, onlyYoung bool) {
	s := q.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.left || onlyYoung && !c.young {
		return
	}
	c.left = true
	q.grow(c)
	s.leave(c)
}

// accept serves the connections until the server stops.
func (q *quicSocket) accept(h Handler) {
	listener, err := q.transport.Listen(q.server.tlsConfig(string(q.speech)), q.config())
	if err != nil && q.server.stopping() {
		return
	} else if err != nil {
		q.server.cfg.Log.Error("nothing is served over QUIC", "address", q.conn.LocalAddr(), "alpn", q.speech, "error", err)
		return
	}
	defer listener.Close()
	for {
		conn, err := listener.Accept(q.server.reading)
		if err != nil {
			if q.server.stopping() || errors.Is(err, quic.ErrServerClosed) || errors.Is(err, quic.ErrTransportClosed) {
				return
			}
			q.server.pause("accepting QUIC connections", err)
			continue
		}
		q.server.workers.Go(func() { q.serve(conn, h) })
	}
}

func (q *quicSocket) close() {
	if q.served {
		_ = q.transport.Close() // it leaves the socket open
	}
	q.conn.Close()
}

// serve takes the streams of a connection, until the client ends, idles or errs, or the server stops.
func (q *quicSocket) serve(conn *quic.Conn, h Handler) {
	c, ok := conn.Context().Value(quicKey{}).(*quicConn)
	if !ok {
		hangUp(conn, doqInternalError, "")
		return
	}
	q.server.mu.Lock()
	q.grow(c)
	q.server.mu.Unlock()
	c.local = addrOf(conn.LocalAddr())
	state := conn.ConnectionState().TLS
	c.shows(&state)
	answer, bye, err := q.speak(conn, c, h)
	if err != nil { // it has ended already
		hangUp(conn, bye, "")
		return
	}
	c.bye = bye
	c.conn.Store(conn)
	c.place.end()
	idle := q.server.cfg.Idle
	if c.guest.Load() {
		idle = min(idle, guestTime)
	}
	var streams sync.WaitGroup
	var open, last atomic.Int64 // streams, and Unix nanoseconds of the last one's end
	for since := time.Now(); ; {
		until, cancel := context.WithDeadline(c.reading, since.Add(idle))
		stream, err := conn.AcceptStream(until)
		cancel()
		if err != nil {
			ended := time.Unix(0, last.Load())
			if open.Load() > 0 {
				ended = time.Now()
			}
			if errors.Is(err, context.DeadlineExceeded) && ended.After(since) {
				since = ended
				continue
			}
			break
		}
		since = time.Now()
		open.Add(1)
		c.place.begin()
		streams.Go(func() {
			_ = stream.SetReadDeadline(time.Now().Add(min(idle, handshakeTime)))
			stop := context.AfterFunc(c.reading, func() { _ = stream.SetReadDeadline(past) })
			answer(stream)
			stop()
			last.Store(time.Now().UnixNano())
			open.Add(-1)
			c.place.end()
		})
		if c.guest.Load() {
			if streams.Wait(); c.guest.Load() {
				break
			}
			idle = q.server.cfg.Idle // it has shown whose it is
		}
	}
	streams.Wait()
	if c.guest.Load() || q.server.stopping() {
		select {
		case <-conn.Context().Done():
		case <-q.server.dead:
		case <-time.After(quicLinger):
		}
	}
	hangUp(conn, bye, "")
}

// speak begins what is spoken over a connection: answer is for each of its streams, and bye the code that ends it.
func (q *quicSocket) speak(conn *quic.Conn, c *quicConn, h Handler) (answer func(*quic.Stream), bye quic.ApplicationErrorCode, err error) {
	if q.speech == http3 {
		return q.server.speakHTTP3(conn)
	}
	return func(stream *quic.Stream) { q.serveStream(conn, stream, c, h) }, doqNoError, nil
}

// hangUp ends a connection; one that has ended already is none the worse.
func hangUp(conn *quic.Conn, code quic.ApplicationErrorCode, why string) {
	_ = conn.CloseWithError(code, why)
}

var errNotOneQuery = errors.New("a stream has one query, its length before it, and then ends")

// serveStream answers the one query of a stream (RFC 9250 §4.2).
func (q *quicSocket) serveStream(conn *quic.Conn, stream *quic.Stream, c *quicConn, h Handler) {
	msg, err := readQuery(stream)
	var reset *quic.StreamError
	switch {
	case err != nil && q.server.stopping():
		stream.CancelRead(doqNoError)
		stream.CancelWrite(doqNoError)
		return
	case errors.As(err, &reset):
		stream.CancelWrite(doqRequestCancelled)
		return
	case err != nil:
		hangUp(conn, doqProtocolError, errNotOneQuery.Error())
		return
	case msg[0] != 0 || msg[1] != 0:
		hangUp(conn, doqProtocolError, "the message ID must be 0") // RFC 9250 §4.2.1
		return
	case wire.WishesOf(msg).Keepalive:
		hangUp(conn, doqProtocolError, "edns-tcp-keepalive is of TCP alone") // RFC 9250 §5.5.2
		return
	}
	reply := q.server.answer(stream.Context(), h, c.origin, msg)
	if reply == nil {
		stream.CancelWrite(doqInternalError)
		return
	}
	_ = stream.SetWriteDeadline(time.Now().Add(q.server.cfg.WriteTimeout))
	framed := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(reply)), uint16(len(reply)))
	if _, err := stream.Write(append(framed, reply...)); err != nil || stream.Close() != nil {
		stream.CancelWrite(doqRequestCancelled)
		q.server.streams[QUIC].dropped.Add(1)
		return
	}
	q.server.streams[QUIC].replies.Add(1)
}

// readQuery reads the one message of a stream, and its end. What is set aside grows only with what has come.
func readQuery(in io.Reader) ([]byte, error) {
	var prefix [2]byte
	if _, err := io.ReadFull(in, prefix[:]); err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint16(prefix[:]))
	if length < headerLength {
		return nil, errShortMessage
	}
	var msg []byte
	for len(msg) < length {
		have, step := len(msg), min(length-len(msg), readStep)
		msg = slices.Grow(msg, step)[:have+step]
		if _, err := io.ReadFull(in, msg[have:]); err != nil {
			return nil, err
		}
	}
	if n, err := in.Read(prefix[:1]); n != 0 || !errors.Is(err, io.EOF) {
		if err == nil {
			err = errNotOneQuery
		}
		return nil, err
	}
	return msg, nil
}
