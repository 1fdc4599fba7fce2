package wire

import "encoding/binary"

// EDNS options that are between a client and the transport it asks over, and so no part of the answer (RFC 7828, RFC 7830).
const (
	optionKeepalive uint16 = 11
	optionPadding   uint16 = 12
)

// Wishes are what a query asks of its transport.
type Wishes struct {
	Keepalive bool // to be told how long the connection may be idle (RFC 7828 §3.2.1)
	Padding   bool // that the reply's length tell nothing (RFC 7830 §4)
}

// WishesOf reads them from a query; of one that is malformed before its OPT record there are none.
func WishesOf(pkt []byte) (w Wishes) {
	eachOption(pkt, func(code uint16, value []byte) {
		switch code {
		case optionKeepalive:
			w.Keepalive = w.Keepalive || len(value) == 0 // a client gives no time (RFC 7828 §3.2.1)
		case optionPadding:
			w.Padding = true
		}
	})
	return w
}

// paddedTo is the block of octets that a padded reply's length is a multiple of (RFC 8467 §4.1).
const paddedTo = 468

// Room is the most octets that Grant adds.
func (w Wishes) Room() (n int) {
	if w.Keepalive {
		n += 6
	}
	if w.Padding {
		n += 4 + paddedTo
	}
	return n
}

// Grant appends to a reply that ends in its OPT record, as those of a [Builder] do, what the query wished of its transport: how long the
// connection may be idle, in units of 100 ms, and then padding. A reply to a query without EDNS, or one with no room left, stays as it is.
// What is appended lies in the room behind reply, if there is enough.
func Grant(reply []byte, w Wishes, idle uint16) []byte {
	if !w.Keepalive && !w.Padding {
		return reply
	}
	rdlengthAt, ok := lastOPT(reply)
	if !ok {
		return reply
	}
	before := len(reply)
	rdlength := int(binary.BigEndian.Uint16(reply[rdlengthAt:]))
	if w.Keepalive && before+6 <= maxMessage {
		reply = append(reply, 0, byte(optionKeepalive), 0, 2, byte(idle>>8), byte(idle))
	}
	if w.Padding && len(reply)+4 <= maxMessage {
		padding := (paddedTo - (len(reply)+4)%paddedTo) % paddedTo
		padding = min(padding, maxMessage-len(reply)-4)
		reply = append(reply, 0, byte(optionPadding), byte(padding>>8), byte(padding))
		reply = append(reply, zeros[:padding]...)
	}
	binary.BigEndian.PutUint16(reply[rdlengthAt:], uint16(rdlength+len(reply)-before))
	return reply
}

var zeros [paddedTo]byte

// lastOPT finds the length of the data of an OPT record that a message ends in.
func lastOPT(msg []byte) (rdlengthAt int, found bool) {
	off, ok := questionsUntil(msg)
	if !ok {
		return 0, false
	}
	for n := recordCount(msg); ok && n > 0; n-- {
		var r record
		if r, off, ok = recordAt(msg, off); !ok {
			return 0, false
		}
		rdlengthAt, found = r.ttlAt+4, r.typ == TypeOPT
	}
	return rdlengthAt, ok && found && off == len(msg)
}

// MaxAge is how long in seconds the answer in a message holds: the smallest TTL of its answer section and, of a denial, the
// smaller of the SOA record's TTL and minimum (RFC 8484 §5.1, RFC 2308 §5). What is neither, an error or a message cut short, holds for
// no time.
func MaxAge(msg []byte) uint32 {
	off, ok := questionsUntil(msg)
	rcode := uint16(0)
	if ok {
		rcode = uint16(msg[3] & 0xF)
	}
	if !ok || msg[2]&flagTC != 0 || rcode != RcodeNoError && rcode != RcodeNXDomain {
		return 0
	}
	answers, authority := int(binary.BigEndian.Uint16(msg[6:])), int(binary.BigEndian.Uint16(msg[8:]))
	least, known := uint32(maxTTL), false
	hold := func(ttl uint32) {
		if ttl > maxTTL {
			ttl = 0
		}
		least, known = min(least, ttl), true
	}
	for i := range answers + authority {
		var r record
		if r, off, ok = recordAt(msg, off); !ok {
			return 0
		}
		ttl := binary.BigEndian.Uint32(msg[r.ttlAt:])
		switch {
		case i < answers:
			hold(ttl)
		case r.typ == TypeSOA && len(r.rdata) >= 20:
			hold(min(ttl, binary.BigEndian.Uint32(r.rdata[len(r.rdata)-4:])))
		}
	}
	if !known {
		return 0
	}
	return least
}

// IsQuery says whether a message has the length of a header at least and is none that answers.
func IsQuery(msg []byte) bool { return len(msg) >= headerSize && msg[2]&flagQR == 0 }

// questionsUntil is where the question section of a message ends, which has at most one question.
func questionsUntil(msg []byte) (off int, ok bool) {
	if len(msg) < headerSize {
		return 0, false
	}
	switch binary.BigEndian.Uint16(msg[4:]) {
	case 0:
		return headerSize, true
	case 1:
		end, ok := plainName(msg, headerSize)
		return end + 4, ok && end+4 <= len(msg)
	}
	return 0, false
}
