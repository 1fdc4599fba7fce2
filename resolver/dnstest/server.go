// Package dnstest holds what tests and benchmarks of the resolver need on the other side of a socket: an upstream server
// that tells the truth or lies as a script says, and clients that ask from an address of their choice.
package dnstest

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Transport is how a query came in: "udp" or "tcp".
type Transport string

// The transports of RFC 1035 §4.2.
const (
	UDP Transport = "udp"
	TCP Transport = "tcp"
)

// Query is one question as the server received it.
type Query struct {
	Msg       *dns.Msg       // with exactly one question
	Transport Transport      // how it came
	From      netip.AddrPort // where it came from
	At        time.Time      // when
}

// Name is the name asked, as sent: in its case, with a trailing dot.
func (q Query) Name() string { return q.Msg.Question[0].Name }

// Handler says what a server sends, in that order, to one query. Nothing at all is silence. It is called from many
// goroutines at once, and may block as long as the test lets it.
type Handler func(q Query) []Send

// Server is a scriptable DNS server on a loopback address, UDP and TCP on one port. All methods may be called from any
// goroutine.
type Server struct {
	Addr netip.AddrPort

	udp    *net.UDPConn
	tcp    *net.TCPListener
	closed chan struct{}
	once   sync.Once
	work   sync.WaitGroup

	mu      sync.Mutex
	handler Handler
	queries []Query
	conns   map[net.Conn]bool
}

// Start starts a server on a free port of 127.0.0.1 and stops it when the test ends.
func Start(t testing.TB, h Handler) *Server {
	t.Helper()
	udp, tcp, err := listen()
	if err != nil {
		t.Fatalf("starting a fake upstream: %v", err)
	}
	s := &Server{
		Addr:    udp.LocalAddr().(*net.UDPAddr).AddrPort(),
		udp:     udp,
		tcp:     tcp,
		closed:  make(chan struct{}),
		handler: h,
		conns:   map[net.Conn]bool{},
	}
	s.work.Go(s.serveUDP)
	s.work.Go(s.serveTCP)
	t.Cleanup(s.Close)
	return s
}

// listen finds a port that is free for UDP and TCP alike.
func listen() (*net.UDPConn, *net.TCPListener, error) {
	var failed error
	for range 20 {
		udp, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
		if err != nil {
			return nil, nil, err
		}
		enlarge(udp)
		tcp, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(udp.LocalAddr().(*net.UDPAddr).AddrPort()))
		if err == nil {
			return udp, tcp, nil
		}
		udp.Close()
		failed = err
	}
	return nil, nil, failed
}

// Close stops the server as if it had died, and returns when its goroutines have ended. It may be called twice.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.closed)
		s.udp.Close()
		s.tcp.Close()
		s.mu.Lock()
		for c := range s.conns {
			c.Close()
		}
		s.mu.Unlock()
	})
	s.work.Wait()
}

// SetHandler replaces the script from the next query on.
func (s *Server) SetHandler(h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = h
}

// Queries returns every query received so far, in order of arrival.
func (s *Server) Queries() []Query {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Query(nil), s.queries...)
}

// Asked returns how often a name was asked, in any case, of any type, over any transport.
func (s *Server) Asked(name string) int {
	n := 0
	for _, q := range s.Queries() {
		if strings.EqualFold(q.Name(), dns.Fqdn(name)) {
			n++
		}
	}
	return n
}

// take records a query and returns what to send; nil for what is not a query.
func (s *Server) take(pkt []byte, transport Transport, from netip.AddrPort) []Send {
	m := new(dns.Msg)
	if m.Unpack(pkt) != nil || len(m.Question) != 1 {
		return nil
	}
	q := Query{Msg: m, Transport: transport, From: from, At: time.Now()}
	s.mu.Lock()
	s.queries = append(s.queries, q)
	h := s.handler
	s.mu.Unlock()
	return h(q)
}

func (s *Server) serveUDP() {
	buf := make([]byte, dns.MaxMsgSize)
	for {
		n, from, err := s.udp.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP refusal from a client that has left
		}
		pkt := append([]byte(nil), buf[:n]...)
		s.work.Go(func() {
			for _, send := range s.take(pkt, UDP, from) {
				s.sendUDP(send, from)
			}
		})
	}
}

func (s *Server) sendUDP(send Send, to netip.AddrPort) {
	if !s.waited(send) || send.hangUp {
		return
	}
	conn := s.udp
	if send.otherPort {
		other, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.Addr.Addr(), 0)))
		if err != nil {
			return
		}
		defer other.Close()
		conn = other
	}
	conn.WriteToUDPAddrPort(send.cutOff(send.bytes()), to)
}

func (s *Server) serveTCP() {
	for {
		conn, err := s.tcp.Accept()
		if err != nil {
			return
		}
		if !s.keep(conn) {
			conn.Close()
			return
		}
		s.work.Go(func() {
			defer s.forget(conn)
			s.serveConn(conn)
		})
	}
}

func (s *Server) keep(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		return false
	default:
		s.conns[conn] = true
		return true
	}
}

func (s *Server) forget(conn net.Conn) {
	conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
}

// serveConn answers the queries of one connection, each on its own: what a script holds back holds back nothing else.
func (s *Server) serveConn(conn net.Conn) {
	from := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	var writing sync.Mutex
	for {
		pkt, err := readMessage(conn)
		if err != nil {
			return
		}
		s.work.Go(func() {
			for _, send := range s.take(pkt, TCP, from) {
				if !s.waited(send) {
					return
				}
				writing.Lock()
				open := !send.hangUp && s.sendTCP(send, conn)
				writing.Unlock()
				if !open {
					conn.Close()
					return
				}
			}
		})
	}
}

// sendTCP writes one message; false ends the connection.
func (s *Server) sendTCP(send Send, conn net.Conn) bool {
	msg := send.bytes()
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), send.cutOff(msg)...)
	if send.drip == nil {
		_, err := conn.Write(framed)
		return err == nil && send.cut == 0
	}
	for i := range framed {
		select {
		case <-send.drip:
		case <-s.closed:
			return false
		}
		if _, err := conn.Write(framed[i : i+1]); err != nil {
			return false
		}
	}
	return send.cut == 0
}

// waited holds a message back until its channel is closed; false when the server stops first.
func (s *Server) waited(send Send) bool {
	if send.after == nil {
		return true
	}
	select {
	case <-send.after:
		return true
	case <-s.closed:
		return false
	}
}

// readMessage reads one length-prefixed message (RFC 1035 §4.2.2).
func readMessage(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	pkt := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(r, pkt)
	return pkt, err
}

// receiveBuffer is that of the server's socket in octets: room for all the questions that a test asks at once, before they are read.
const receiveBuffer = 4 << 20

// enlarge gives the socket its receive buffer, or as much as this user may.
func enlarge(udp *net.UDPConn) {
	raw, err := udp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		if syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, receiveBuffer) != nil {
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receiveBuffer)
		}
	})
}
