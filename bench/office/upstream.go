package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"usciere/bench/officeload"
)

// upstream is the server that the resolver asks for granted names. It answers every name as officeload.Upstream says, at once or, when
// it is paced, not more than so many a second.
type upstream struct {
	conn  *net.UDPConn
	asked atomic.Int64
	gap   atomic.Int64 // nanoseconds that a question takes; 0: none
	mute  atomic.Bool  // it answers nothing
	ttl   uint32       // life of its answers, in seconds
	queue chan upstreamReply
}

type upstreamReply struct {
	packet []byte
	to     netip.AddrPort
}

// upstreamQueue is how many questions wait at a paced upstream; beyond it drops them, as a socket's buffer does.
const upstreamQueue = 100

func startUpstream(addr netip.AddrPort) (*upstream, error) {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, fmt.Errorf("be the upstream: %w", err)
	}
	_ = conn.SetReadBuffer(buffers) // smaller where the system does not allow it
	u := &upstream{conn: conn, ttl: replyTTL, queue: make(chan upstreamReply, upstreamQueue)}
	go u.read()
	go u.work()
	return u, nil
}

func (u *upstream) addr() netip.AddrPort { return u.conn.LocalAddr().(*net.UDPAddr).AddrPort() }
func (u *upstream) stop()                { _ = u.conn.Close() }

// pace sets how many questions a second it takes; 0: as many as come.
func (u *upstream) pace(rate float64) {
	gap := 0.0
	if rate > 0 {
		gap = float64(time.Second) / rate
	}
	u.gap.Store(int64(gap))
}

func (u *upstream) read() {
	defer close(u.queue)
	var in [room]byte
	for {
		n, from, err := u.conn.ReadFromUDPAddrPort(in[:])
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		u.asked.Add(1)
		if u.mute.Load() {
			continue
		}
		r := upstreamReply{appendReply(nil, in[:n], u.ttl), from}
		if u.gap.Load() == 0 {
			u.write(r)
			continue
		}
		select {
		case u.queue <- r:
		default:
		}
	}
}

// work answers what waits, each in its time.
func (u *upstream) work() {
	free := time.Now()
	for r := range u.queue {
		if now := time.Now(); free.Before(now) {
			free = now
		}
		free = free.Add(time.Duration(u.gap.Load()))
		time.Sleep(time.Until(free))
		u.write(r)
	}
}

func (u *upstream) write(r upstreamReply) {
	if len(r.packet) > 0 {
		_, _ = u.conn.WriteToUDPAddrPort(r.packet, r.to) // the resolver asks again
	}
}

// replyTTL is the usual life of answers, in seconds: none ends while a benchmark runs.
const replyTTL = 3600

// appendReply appends the reply to a query, with a life in seconds, or nothing to what is none.
func appendReply(b, query []byte, ttl uint32) []byte {
	name, end, ok := readName(query)
	if !ok || len(query) < end+4 {
		return b
	}
	t := officeload.Type(binary.BigEndian.Uint16(query[end:]))
	edns := query[11] > 0
	answers, authorities, additional := byte(1), byte(0), byte(0)
	addr := officeload.Upstream(name, t)
	if !addr.IsValid() {
		answers, authorities = 0, 1
	}
	if edns {
		additional = 1
	}
	b = append(b, query[0], query[1], 0x85, 0x80, 0, 1, 0, answers, 0, authorities, 0, additional)
	b = append(b, query[headerLength:end+4]...)
	if addr.IsValid() {
		b = append(b, 0xc0, headerLength, byte(t>>8), byte(t), 0, 1)
		b = binary.BigEndian.AppendUint32(b, ttl)
		data := addr.AsSlice()
		b = append(append(b, 0, byte(len(data))), data...)
	} else { // the SOA of the name itself, so that the denial is kept (RFC 2308 §3)
		b = append(b, 0xc0, headerLength, 0, byte(officeload.SOA), 0, 1)
		b = binary.BigEndian.AppendUint32(b, ttl)
		b = append(b, 0, 2+5*4, 0, 0)
		for _, v := range []uint32{1, ttl, ttl, ttl, ttl} {
			b = binary.BigEndian.AppendUint32(b, v)
		}
	}
	if edns {
		b = append(b, 0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0)
	}
	return b
}

// readName is the name of a query's question in lower case without the final dot, and where it ends.
func readName(query []byte) (name string, end int, ok bool) {
	var text strings.Builder
	off := headerLength
	for off < len(query) && query[off] != 0 {
		next := off + 1 + int(query[off])
		if query[off] >= 64 || next > len(query) {
			return "", 0, false
		}
		if text.Len() > 0 {
			text.WriteByte('.')
		}
		text.Write(query[off+1 : next])
		off = next
	}
	return strings.ToLower(text.String()), off + 1, off < len(query)
}
