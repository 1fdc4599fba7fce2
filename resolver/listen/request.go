package listen

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Transport is how a message came.
type Transport uint8

// The transports.
const (
	UDP   Transport = iota
	TCP             // RFC 7766
	TLS             // RFC 7858
	HTTPS           // RFC 8484
	QUIC            // RFC 9250
)

// String is "udp", "tcp", "tls", "https" or "quic".
func (t Transport) String() string { return [...]string{"udp", "tcp", "tls", "https", "quic"}[t] }

// Handler answers messages. Serve must not block: it holds up the reader that every client of a socket depends on. A request that
// it neither replies to nor detaches is dropped in silence.
type Handler interface{ Serve(r *Request) }

// maxMessage is the length of the longest DNS message in octets.
const maxMessage = 65535

// buffer has room for one reply, and for its length before it, which TCP wants.
type buffer [2 + maxMessage]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// Request is one message from a client. It is valid, all its fields included, only until Serve returns, unless it was detached.
type Request struct {
	// Packet is the message as it came, without the length TCP puts before it; over TCP it has at least the 12 octets of a header.
	Packet []byte
	// Client sent the message, or is who a load balancer says sent it (see Config.Proxied); never an IPv4 address mapped into IPv6, and without zone.
	Client netip.AddrPort
	// Local is the address the client asked, which the reply comes from.
	Local     netip.AddrPort
	Transport Transport
	// Claim is what the client shows beside its address, over TLS, HTTPS and QUIC; nil: nothing. It outlives the request.
	Claim *Claim
	// At is when the message was taken from the kernel, by the clock of the configuration.
	At time.Time
	// Lane is a small number, the same for all messages of one UDP socket: what is counted by lane is not fought over by cores. All
	// that is not UDP is lane 0.
	Lane int

	udp     *udpSocket
	batch   *batch // that the message came in, until Serve returns
	place   int    // in the batch
	peer    peer   // of a detached request over UDP
	control []byte // the control message that gives a UDP reply its source address; none when the socket has only one
	tcp     *tcpConn
	awaited *awaited // of a stream of its own, over HTTPS or QUIC

	scratch  *buffer
	detached *Request    // what Detach returned
	parent   bool        // belongs to a reader, which reuses it
	ended    atomic.Bool // of a detached request
}

// Scratch returns an empty slice to build the reply in, with room for any that a datagram should carry; a longer one may outgrow
// it. There is one for a request, whoever asks how often; it is valid until the request ends. A detached request takes its own only
// when asked, so ask when the reply is at hand.
func (r *Request) Scratch() []byte {
	if r.batch != nil {
		return r.batch.texts[r.place][:0]
	}
	if r.scratch == nil {
		r.scratch = buffers.Get().(*buffer)
	}
	return r.scratch[2:2]
}

func (r *Request) releaseScratch() {
	if r.scratch != nil {
		buffers.Put(r.scratch)
		r.scratch = nil
	}
}

// Reply sends msg to the client, from the address that was asked. The caller may use msg again when it returns. It ends a detached
// request. A reply that cannot be sent is counted, not reported: its client will ask again.
func (r *Request) Reply(msg []byte) {
	switch {
	case r.batch != nil:
		r.udp.queue(r, msg)
	case r.awaited != nil:
		r.awaited.take(r, msg)
	case r.parent:
		r.tcp.reply(r, msg)
	case !r.end():
		return
	default:
		if r.udp != nil {
			r.giveBack() // before the reply is out: who has it may ask again at once
			r.udp.answer(r, msg)
		} else {
			r.tcp.enqueue(r, msg)
			r.releaseScratch()
		}
	}
}

// Detach returns a copy of the request that outlives Serve, and that must be ended once, by Reply or Drop, from any goroutine; the
// original is not to be replied to. It fails when too many requests are pending, and then the original can still be replied to.
func (r *Request) Detach() (*Request, bool) {
	if !r.parent || r.detached != nil {
		return nil, false
	}
	s := r.server()
	if s.pending.Add(1) > int64(s.cfg.MaxPending) || !s.hold(r.Client.Addr()) {
		s.pending.Add(-1)
		s.shed.Add(1)
		return nil, false
	}
	s.detached.Add(1)
	octets := make([]byte, len(r.Packet)+len(r.control))
	n := copy(octets, r.Packet)
	copy(octets[n:], r.control)
	r.detached = &Request{
		Packet: octets[:n:n], Client: r.Client, Local: r.Local, Transport: r.Transport, Claim: r.Claim, At: r.At, Lane: r.Lane,
		udp: r.udp, control: octets[n:], tcp: r.tcp, awaited: r.awaited,
	}
	if r.batch != nil {
		r.detached.peer = peer{r.batch.peers[r.place], r.batch.in[r.place].header.Namelen}
		r.udp.detached = true
	} else if r.tcp != nil {
		r.tcp.startWriter()
	}
	return r.detached, true
}

// Drop ends a detached request without a reply. It does nothing to one that has ended, or was never detached.
func (r *Request) Drop() {
	if !r.parent && r.end() {
		r.leave()
		r.releaseScratch()
	}
}

// end reports whether the caller is the one that ends the detached request.
func (r *Request) end() bool { return r.ended.CompareAndSwap(false, true) }

// leave gives back what a detached request held: its place among the pending and on its connection.
func (r *Request) leave() {
	if r.tcp != nil {
		r.tcp.releaseSlot()
	}
	if r.awaited != nil {
		r.awaited.give(nil)
	}
	r.settle()
}

// settle takes a detached request off the server's pending.
func (r *Request) settle() {
	r.giveBack()
	r.server().detached.Done()
}

// giveBack gives back a detached request's place among the pending, of its client and in all.
func (r *Request) giveBack() {
	s := r.server()
	s.release(r.Client.Addr())
	s.pending.Add(-1)
}

// hold counts one more pending request of a client, unless it has its share already.
func (s *Server) hold(client netip.Addr) bool {
	s.held.Lock()
	defer s.held.Unlock()
	if s.held.by[client] >= s.cfg.MaxPendingPerClient {
		return false
	}
	if s.held.by == nil {
		s.held.by = map[netip.Addr]int{}
	}
	s.held.by[client]++
	return true
}

func (s *Server) release(client netip.Addr) {
	s.held.Lock()
	defer s.held.Unlock()
	if s.held.by[client]--; s.held.by[client] <= 0 {
		delete(s.held.by, client)
	}
}

func (r *Request) server() *Server {
	switch {
	case r.tcp != nil:
		return r.tcp.server
	case r.awaited != nil:
		return r.awaited.server
	}
	return r.udp.server
}
