package listen

import (
	"context"
	"net/netip"

	"usciere/resolver/wire"
)

// awaited is where the reply to a message goes that has a stream of its own, over HTTPS or QUIC, whose goroutine waits for it.
type awaited struct {
	server *Server
	reply  chan []byte // one; nil when there will be none
}

// take is Reply for a request of a stream.
func (a *awaited) take(r *Request, msg []byte) {
	if !r.parent && !r.end() {
		return
	}
	var own []byte
	if len(msg) <= maxMessage {
		wishes := wire.WishesOf(r.Packet)
		wishes.Keepalive = false // of TCP alone (RFC 7828 §3.1)
		own = append(make([]byte, 0, len(msg)+wishes.Room()), msg...)
		own = wire.Grant(own, wishes, 0)
	}
	if !r.parent {
		r.settle() // before the reply is out: who has it may ask again at once
		r.releaseScratch()
	}
	a.give(own)
}

func (a *awaited) give(msg []byte) {
	select {
	case a.reply <- msg:
	default: // the one reply was given
	}
}

// origin is where the messages of a connection come from.
type origin struct {
	transport     Transport
	client, local netip.AddrPort
	claim         *Claim
}

// answer gives one message to h and waits for the reply. There is none when h gives none, the client goes, which ends
// ctx, or the server stops.
func (s *Server) answer(ctx context.Context, h Handler, from origin, msg []byte) []byte {
	s.mu.Lock()
	if s.stopping() {
		s.mu.Unlock()
		return nil
	}
	s.workers.Add(1)
	s.mu.Unlock()
	defer s.workers.Done()

	a := &awaited{server: s, reply: make(chan []byte, 1)}
	r := &Request{
		Packet: msg, Client: from.client, Local: from.local, Transport: from.transport, Claim: from.claim, At: s.cfg.Now(), awaited: a, parent: true,
	}
	s.streams[r.Transport].queries.Add(1)
	s.serve(h, r)
	r.releaseScratch()
	if r.detached == nil {
		a.give(nil) // if it was not replied to, it will not be
	}
	select {
	case reply := <-a.reply:
		return reply
	case <-ctx.Done():
	case <-s.dead:
	}
	return nil
}
