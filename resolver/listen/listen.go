// Package listen receives DNS messages over UDP and TCP, and encrypted over TLS, HTTPS and QUIC, and sends the replies: bytes in, bytes
// out, within limits. It knows no policy, and of DNS no more than the two octets of length before each message on a stream (RFC 1035
// §4.2.2) and the EDNS options that are between a client and its transport.
//
// A [Server] gives each message to its [Handler] as a [Request], on the goroutine that read it. The handler answers there and
// then, or detaches the request and answers later from anywhere.
package listen

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Config says where to listen and within which limits. A zero field takes its default.
type Config struct {
	// Addrs are IP addresses with a port: "127.0.0.1:5300", "[::1]:53", "[fe80::1%eth0]:53". ":53" is every address of the
	// machine, IPv4 and (where there is IPv6) IPv6. Port 0 picks a free one, the same for UDP and TCP.
	Addrs []string
	// TLS, HTTPS and QUIC are addresses of the same form, each for its transport alone (RFC 7858, RFC 8484, RFC 9250); none unless given.
	TLS, HTTPS, QUIC []string
	// HTTP3 serves HTTPS over HTTP/3 as well (RFC 9114): over UDP, at the ports of HTTPS.
	HTTP3 bool
	// Certificate gives the certificate of a handshake; wanted with TLS, HTTPS or QUIC.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Readers is the number of UDP sockets per address, each with a goroutine of its own; default GOMAXPROCS.
	Readers int
	// MaxTCP and MaxTCPPerClient bound the open connections, over TCP, TLS, HTTPS and QUIC together, in all and of one source address;
	// defaults 2000 and 50.
	MaxTCP, MaxTCPPerClient int
	// MaxPendingPerConn bounds the detached requests of one TCP connection, which is not read while it is reached, and the streams of
	// one over HTTPS or QUIC; default 100.
	MaxPendingPerConn int
	// Guest says whether an address is a stranger's: its connections have one question, [guestTime], and [maxGuests]
	// places in all, so that strangers take none from the others. nil: nobody is.
	Guest func(netip.Addr) bool
	// Known says whether what a client at an address shows makes it one of ours, and no stranger any more. nil: nothing does.
	Known func(*Claim, netip.Addr) bool
	// WantCertificate says whether clients are asked for a certificate, which none need give. nil: they are not.
	WantCertificate func() bool
	// Proxied says whether a peer is a load balancer, which says in the PROXY protocol, version 2, who asks, over UDP, TCP and TLS: its
	// word is taken for [Request.Client], and what comes from it without is dropped. nil: nobody is.
	Proxied func(netip.Addr) bool
	// MaxPendingPerClient bounds the detached requests of one source address; beyond it [Request.Detach] fails; default 200.
	MaxPendingPerClient int
	// MaxPending bounds the detached requests in all; beyond it [Request.Detach] fails; default 10,000.
	MaxPending int
	// Idle closes a connection so long after its last query or reply, a half-sent query or not; default 10 s (RFC 7766 §6.2.3).
	Idle time.Duration
	// WriteTimeout closes a connection whose client takes longer to accept one reply; default 5 s.
	WriteTimeout time.Duration
	// ReceiveBuffer is the wish for each UDP socket's receive buffer, in bytes; default 4 MiB. The kernel may give less.
	ReceiveBuffer int
	// Now is the clock that requests are dated by; default time.Now.
	Now func() time.Time
	// Log takes what an operator should know of; default slog.Default().
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	positive := func(n *int, otherwise int) { *n = cmp.Or(max(*n, 0), otherwise) }
	positive(&c.Readers, runtime.GOMAXPROCS(0))
	positive(&c.MaxTCP, 2000)
	positive(&c.MaxTCPPerClient, 50)
	positive(&c.MaxPendingPerConn, 100)
	positive(&c.MaxPending, 10_000)
	positive(&c.MaxPendingPerClient, 200)
	positive(&c.ReceiveBuffer, 4<<20)
	c.Idle = cmp.Or(max(c.Idle, 0), 10*time.Second)
	c.WriteTimeout = cmp.Or(max(c.WriteTimeout, 0), 5*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

// Stats are the counts of a server since it was opened, but for TCPConns and Pending, which are of this moment. What is named after TCP
// and is not a message counts for the transports over TLS, HTTPS and QUIC as well.
type Stats struct {
	UDPQueries, TCPQueries uint64 // messages given to the handler
	UDPReplies, TCPReplies uint64 // replies handed to the kernel

	TLSQueries, HTTPSQueries, QUICQueries uint64 // the same, of the encrypted transports
	TLSReplies, HTTPSReplies, QUICReplies uint64

	DroppedWrites uint64 // replies that could not be sent
	Shed          uint64 // requests that could not be detached, too many being pending
	Panics        uint64 // handler panics survived
	TCPRefused    uint64 // connections closed at once, being over a limit
	Evicted       uint64 // idle connections closed for others to have their places
	TCPConns      int    // open connections of all transports that have such
	Pending       int    // detached requests that have not ended
}

// counts are kept per UDP socket and once for each other transport, so that readers on different cores do not share a cache line.
type counts struct {
	queries, replies, dropped atomic.Uint64
	_                         [128 - 24]byte
}

// Server holds bound sockets. It is made by [Open] and is at its end after [Server.Shutdown].
type Server struct {
	cfg   Config
	udp   []*udpSocket
	tcp   []*net.TCPListener
	addrs []netip.AddrPort
	encrypted

	stop   chan struct{} // closed when reading ends
	dead   chan struct{} // closed when every socket is
	closed sync.Once

	workers  sync.WaitGroup // readers, acceptors, connections
	detached sync.WaitGroup // detached requests; grows only from workers
	pending  atomic.Int64   // the same, as a number to be limited
	together atomic.Int64   // calls of Together under way

	introduced atomic.Int64 // connections of load balancers that have not said yet whose they are

	streams                  [QUIC + 1]counts // by transport, but for UDP
	shed, panics, tcpRefused atomic.Uint64
	evicted                  atomic.Uint64
	panicLog, ioLog          throttle

	mu        sync.Mutex
	serving   bool
	conns     map[connection]*place
	perClient map[netip.Addr]int
	guests    int

	held struct { // pending requests by client
		sync.Mutex
		by map[netip.Addr]int
	}
}

// Open binds every address of the configuration, for UDP and TCP, or none. Each UDP address is first bound exclusively, and only
// then opened to the server's other readers, so that two daemons never share a port. A taken port is an [*InUseError].
func Open(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	s := &Server{
		cfg:       cfg,
		stop:      make(chan struct{}),
		dead:      make(chan struct{}),
		conns:     make(map[connection]*place),
		perClient: make(map[netip.Addr]int),
	}
	bound, err := bindAll(cfg)
	if err != nil {
		return nil, err
	}
	if err := s.bindEncrypted(); err != nil {
		closeAll(bound)
		return nil, err
	}
	for _, b := range bound {
		s.addrs = append(s.addrs, b.addr)
		s.tcp = append(s.tcp, b.tcp)
		for _, conn := range b.udp {
			raw, err := conn.SyscallConn()
			if err != nil {
				closeAll(bound)
				return nil, err
			}
			s.udp = append(s.udp, &udpSocket{server: s, conn: conn, raw: raw, local: b.addr, lane: len(s.udp) + 1})
		}
	}
	return s, nil
}

// Addrs are the addresses really bound, each for UDP and TCP, in the order of the configuration.
func (s *Server) Addrs() []netip.AddrPort {
	return append([]netip.AddrPort(nil), s.addrs...)
}

// Serve gives every message to h and blocks until a Shutdown has ended. It can be called once.
func (s *Server) Serve(h Handler) error {
	s.mu.Lock()
	if s.serving {
		s.mu.Unlock()
		return errors.New("listen: Serve was called before")
	}
	s.serving = true
	if !s.stopping() {
		for _, u := range s.udp {
			s.workers.Go(func() { u.read(h) })
		}
		for _, l := range s.tcp {
			s.workers.Go(func() { s.accept(l, h) })
		}
		s.serveEncrypted(h)
	}
	s.mu.Unlock()
	<-s.dead
	return nil
}

// Shutdown stops reading at once, lets detached requests end until ctx does, and closes every socket. It returns ctx's error when
// requests were left without a reply. A server that never served is closed by it as well.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.stopping() {
		close(s.stop)
		for _, l := range s.tcp {
			l.Close()
		}
		for _, u := range s.udp {
			u.conn.SetReadDeadline(past)
		}
		for c := range s.conns {
			c.wake()
		}
		s.stopEncrypted(ctx)
	}
	s.mu.Unlock()

	finished := make(chan struct{})
	go func() {
		s.workers.Wait()
		s.detached.Wait()
		close(finished)
	}()
	var err error
	select {
	case <-finished:
	case <-ctx.Done():
		err = fmt.Errorf("shutting down with %d requests unanswered: %w", s.pending.Load(), ctx.Err())
	}
	s.closed.Do(s.close)
	return err
}

func (s *Server) close() {
	close(s.dead)
	for _, u := range s.udp {
		u.conn.Close()
	}
	s.mu.Lock()
	for c := range s.conns {
		c.cut()
	}
	s.mu.Unlock()
	s.closeEncrypted()
}

// past is a deadline that wakes whoever reads.
var past = time.Unix(1, 0)

func (s *Server) stopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// Stats returns the counts as they stand.
func (s *Server) Stats() Stats {
	st := Stats{
		TCPQueries: s.streams[TCP].queries.Load(), TCPReplies: s.streams[TCP].replies.Load(),
		TLSQueries: s.streams[TLS].queries.Load(), TLSReplies: s.streams[TLS].replies.Load(),
		HTTPSQueries: s.streams[HTTPS].queries.Load(), HTTPSReplies: s.streams[HTTPS].replies.Load(),
		QUICQueries: s.streams[QUIC].queries.Load(), QUICReplies: s.streams[QUIC].replies.Load(),
		Shed:       s.shed.Load(),
		Panics:     s.panics.Load(),
		TCPRefused: s.tcpRefused.Load(),
		Evicted:    s.evicted.Load(),
		Pending:    int(s.pending.Load()),
	}
	for i := range s.streams {
		st.DroppedWrites += s.streams[i].dropped.Load()
	}
	for _, u := range s.udp {
		st.UDPQueries += u.counts.queries.Load()
		st.UDPReplies += u.counts.replies.Load()
		st.DroppedWrites += u.counts.dropped.Load()
	}
	s.mu.Lock()
	st.TCPConns = len(s.conns)
	s.mu.Unlock()
	return st
}

// serve calls the handler and outlives its panic: one packet is dropped, the daemon stays.
func (s *Server) serve(h Handler, r *Request) {
	defer func() {
		if p := recover(); p != nil {
			s.panics.Add(1)
			if d := r.detached; d != nil && d.end() {
				d.leave() // and keep its scratch from the pool, since another goroutine may be at it
			}
			if s.panicLog.allow() {
				s.cfg.Log.Error("a query made the handler panic and was dropped",
					"client", r.Client, "panic", p, "query", fmt.Sprintf("%x", r.Packet[:min(len(r.Packet), 512)]), "stack", string(debug.Stack()))
			}
		}
	}()
	h.Serve(r)
}

// pause lets a failing system call rest a little, so that its error does not become a busy loop.
func (s *Server) pause(doing string, err error) {
	if s.ioLog.allow() {
		s.cfg.Log.Warn(doing+" failed, trying again", "error", err)
	}
	select {
	case <-s.stop:
	case <-time.After(20 * time.Millisecond):
	}
}

// throttle lets one log line a second through.
type throttle struct{ next atomic.Int64 }

func (t *throttle) allow() bool {
	now := time.Now().UnixNano()
	next := t.next.Load()
	return now >= next && t.next.CompareAndSwap(next, now+int64(time.Second))
}
