package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
)

// ErrMalformed is what TTLOffsets says of a message that is no packed answer; the wrapping text says why.
var ErrMalformed = errors.New("malformed packed answer")

// TTLOffsets returns where in the packed answer msg the TTLs of its records stand, in the order of the message: the
// answer section first, then authority, then additional. The two octets four before an offset are the record's type.
//
// The error wraps ErrMalformed for a message that is not one question with an uncompressed name followed by as many
// whole records as the header counts, or that holds an OPT record. What is inside the records' data is not looked at.
func TTLOffsets(msg []byte) ([]uint16, error) {
	if len(msg) < headerSize || len(msg) > maxMessage {
		return nil, fmt.Errorf("%w: %d octets long", ErrMalformed, len(msg))
	}
	if n := binary.BigEndian.Uint16(msg[4:]); n != 1 {
		return nil, fmt.Errorf("%w: %d questions", ErrMalformed, n)
	}
	off, ok := plainName(msg, headerSize)
	if !ok || off+4 > len(msg) {
		return nil, fmt.Errorf("%w: the question is not whole", ErrMalformed)
	}
	off += 4
	records := recordCount(msg)
	offsets := make([]uint16, 0, min(records, (len(msg)-off)/11))
	for i := range records {
		r, end, ok := recordAt(msg, off)
		if !ok {
			return nil, fmt.Errorf("%w: record %d of %d is not whole", ErrMalformed, i+1, records)
		}
		if r.typ == TypeOPT {
			return nil, fmt.Errorf("%w: record %d is an OPT", ErrMalformed, i+1)
		}
		offsets = append(offsets, uint16(r.ttlAt))
		off = end
	}
	if off != len(msg) {
		return nil, fmt.Errorf("%w: %d octets after the last record", ErrMalformed, len(msg)-off)
	}
	return offsets, nil
}

// QuestionOf returns the question of a packed answer, with its name as it stands there; not ok when there is none to read.
func QuestionOf(msg []byte) (name []byte, typ, class uint16, ok bool) {
	end, ok := 0, false
	if len(msg) > headerSize && binary.BigEndian.Uint16(msg[4:]) == 1 {
		end, ok = plainName(msg, headerSize)
	}
	if !ok || end+4 > len(msg) {
		return nil, 0, 0, false
	}
	return msg[headerSize:end], binary.BigEndian.Uint16(msg[end:]), binary.BigEndian.Uint16(msg[end+2:]), true
}

// recordCount returns how many records the header of msg announces, in all sections.
func recordCount(msg []byte) int {
	n := 0
	for i := 6; i < headerSize; i += 2 {
		n += int(binary.BigEndian.Uint16(msg[i:]))
	}
	return n
}

// Relay starts a reply to q in dst from the packed answer msg, whose TTLOffsets are ttls. ID, flags and the case of the
// question become the query's, as Begin has it, with the response code of msg; AD is set when ad is true and the client
// wants to know, having set AD or DO (RFC 6840 §5.7, §5.8). Every TTL is lowered by age, not below zero, and then to at
// most ceiling; all in seconds. Records may be added only to the last section of msg or a later one.
//
// A msg that does not answer the question of q makes the reply a SERVFAIL.
func (b *Builder) Relay(dst []byte, q *Query, msg []byte, ttls []uint16, age, ceiling uint32, aa, ad bool) {
	if !answers(msg, q) {
		b.Begin(dst, q, RcodeServFail, false)
		return
	}
	b.start(dst, q, uint16(msg[3]&0xF), aa, ad && (q.AD || q.DO))
	b.msg = append(b.msg, msg[len(b.msg):]...)
	for i := range b.counts {
		b.counts[i] = binary.BigEndian.Uint16(msg[6+2*i:])
	}
	for _, at := range ttls {
		ttl := b.msg[at : at+4]
		v := binary.BigEndian.Uint32(ttl)
		if v > maxTTL {
			v = 0
		}
		binary.BigEndian.PutUint32(ttl, min(v-min(v, age), ceiling))
	}
	if b.counts[Additional] > 0 {
		b.additionalAt = additionalStart(msg, ttls, q)
	}
}

// answers tells whether msg is long enough and has the question of q, in lower case.
func answers(msg []byte, q *Query) bool {
	end := headerSize + q.questionLen
	return q.questionLen > 0 && len(msg) >= end && msg[4] == 0 && msg[5] == 1 &&
		bytes.Equal(msg[headerSize:end-4], q.Name()) &&
		bytes.Equal(msg[end-4:end], q.question[q.questionLen-4:q.questionLen])
}

// additionalStart returns where the additional section of msg starts: behind the last record of the others.
func additionalStart(msg []byte, ttls []uint16, q *Query) int {
	before := int(binary.BigEndian.Uint16(msg[6:])) + int(binary.BigEndian.Uint16(msg[8:]))
	if before == 0 || before > len(ttls) {
		return headerSize + q.questionLen
	}
	rdlengthAt := int(ttls[before-1]) + 4
	return rdlengthAt + 2 + int(binary.BigEndian.Uint16(msg[rdlengthAt:]))
}

// Denies says whether a reply says that the name asked does not exist: NXDOMAIN without an alias before it.
func Denies(reply []byte) bool {
	return reply[3]&0xF == byte(RcodeNXDomain) && reply[6] == 0 && reply[7] == 0
}

// Lift makes of a reply that denies one that says that the name has nothing of the type asked for (RFC 2308 §2.2). What was
// validated is not what it says any more: AD goes.
func Lift(reply []byte) { reply[3] &^= 0xF | flagAD }

// HasAlias says whether the answer section of a reply has a CNAME record.
func HasAlias(reply []byte) bool {
	const cname = 5
	off, ok := questionsUntil(reply)
	for n := binary.BigEndian.Uint16(reply[6:]); ok && n > 0; n-- {
		var r record
		if r, off, ok = recordAt(reply, off); ok && r.typ == cname {
			return true
		}
	}
	return false
}

// Digest is the smallest TTL of a reply's answer section, in seconds, and a hash of what its records say, which is good in this process only. It
// is not ok without a record there.
func Digest(reply []byte) (ttl uint32, says uint64, ok bool) {
	off, sound := questionsUntil(reply)
	var h maphash.Hash
	h.SetSeed(digestSeed)
	for n := binary.BigEndian.Uint16(reply[6:]); sound && n > 0; n-- {
		var r record
		if r, off, sound = recordAt(reply, off); sound {
			if its := binary.BigEndian.Uint32(reply[r.ttlAt:]); !ok || its < ttl {
				ttl, ok = its, true
			}
			_, _ = h.Write(r.rdata)
		}
	}
	return ttl, h.Sum64(), ok
}

var digestSeed = maphash.MakeSeed()

// Whole says whether a reply is no error, and not cut for want of room.
func Whole(reply []byte) bool { return reply[2]&flagTC == 0 && reply[3]&0xF == byte(RcodeNoError) }

// PointsElsewhere says whether a reply has a HTTPS or SVCB record whose target is another name than its own (RFC 9460 §2.4.2, §2.5.2).
func PointsElsewhere(reply []byte) bool {
	const svcb, https = 64, 65
	off, ok := questionsUntil(reply)
	if !ok {
		return false
	}
	for n := binary.BigEndian.Uint16(reply[6:]); n > 0; n-- {
		var r record
		if r, off, ok = recordAt(reply, off); !ok {
			return false
		}
		if (r.typ == svcb || r.typ == https) && len(r.rdata) > 2 && r.rdata[2] != 0 {
			return true
		}
	}
	return false
}
