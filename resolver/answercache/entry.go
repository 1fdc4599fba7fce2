package answercache

import (
	"bytes"
	"encoding/binary"
	"sync/atomic"
	"time"

	"usciere/resolver/wire"
)

// entry is one answer. Its message starts with the question asked, which is not kept a second time. Every record's TTL
// in it is within the bounds of the Config.
type entry struct {
	msg     []byte
	ttls    []uint16 // see wire.TTLOffsets
	stored  int64    // Unix nanoseconds
	life    uint32   // seconds for which it is fresh
	nameLen uint8    // octets
	do, cd  bool
	ad      bool
	exact   bool // see PutExact
	group   uint64

	hits       atomic.Uint32 // counted up to popular
	prefetched atomic.Bool   // whoever set it refreshes it
	touched    atomic.Int64  // when 2Q was last told of a hit, see touch
	replaced   atomic.Bool   // by a newer answer
}

const headerSize = 12 // of a DNS message

// newEntry returns nil when msg is not to be kept.
func (c *Cache) newEntry(q question, msg []byte, ttl time.Duration, ad, exact bool, now time.Time) *entry {
	seconds := ttl / time.Second
	if seconds <= 0 || len(q.name) > 255 || len(msg) < headerSize+len(q.name)+4 {
		return nil
	}
	ttls, err := wire.TTLOffsets(msg)
	if err != nil {
		return nil
	}
	e := &entry{
		msg: bytes.Clone(msg), ttls: ttls, stored: now.UnixNano(),
		nameLen: uint8(len(q.name)), do: q.do, cd: q.cd, group: q.group, ad: ad, exact: exact,
	}
	if !e.answers(q) || e.rcode() != uint8(wire.RcodeNoError) && e.rcode() != uint8(wire.RcodeNXDomain) {
		return nil
	}
	least := c.cfg.MinTTL
	if exact {
		least = 0
	}
	e.life = c.clamp(least, uint32(min(seconds, time.Duration(c.cfg.MaxTTL))))
	ceiling := c.cfg.MaxTTL
	if !e.positive() {
		e.life = min(e.life, c.cfg.NegativeMax)
		ceiling = e.life
	}
	for _, at := range ttls {
		field := e.msg[at : at+4]
		binary.BigEndian.PutUint32(field, min(c.clamp(least, binary.BigEndian.Uint32(field)), ceiling))
	}
	return e
}

// clamp brings a TTL in seconds between the least and the most of the Config; one with the top bit set counts as zero (RFC 2181 §8).
func (c *Cache) clamp(least, ttl uint32) uint32 {
	if ttl > 1<<31-1 {
		ttl = 0
	}
	return min(max(ttl, least), c.cfg.MaxTTL)
}

// name returns the name asked in canonical wire form.
func (e *entry) name() []byte { return e.msg[headerSize : headerSize+int(e.nameLen)] }

// question returns what e answers.
func (e *entry) question() question {
	end := headerSize + int(e.nameLen)
	return question{
		name:  e.name(),
		typ:   binary.BigEndian.Uint16(e.msg[end:]),
		class: binary.BigEndian.Uint16(e.msg[end+2:]),
		do:    e.do, cd: e.cd, group: e.group,
	}
}

// answers tells whether e answers q.
func (e *entry) answers(q question) bool {
	own := e.question()
	return bytes.Equal(own.name, q.name) && own.typ == q.typ && own.class == q.class &&
		own.do == q.do && own.cd == q.cd && own.group == q.group
}

// age returns for how many whole seconds e has been kept, and whether it is still fresh. With the clock set back, e is
// as good as new, but not by more than its life: farther off, nobody knows its age.
func (e *entry) age(now time.Time) (seconds uint32, fresh bool) {
	life := int64(e.life) * int64(time.Second)
	age := now.UnixNano() - e.stored
	if age >= life || age < -life {
		return 0, false
	}
	return uint32(max(age, 0) / int64(time.Second)), true
}

// stale tells whether e is past its life by less than most, in seconds.
func (e *entry) stale(now time.Time, most uint32) bool {
	past := now.UnixNano() - e.stored - int64(e.life)*int64(time.Second)
	return !e.exact && past >= 0 && past < int64(most)*int64(time.Second)
}

// fit tells whether e is fresh, or stale by less than most, in seconds.
func (e *entry) fit(now time.Time, most uint32) bool {
	_, fresh := e.age(now)
	return fresh || e.stale(now, most)
}

// remaining returns for how many seconds e, which is fit, is fresh, or, if it is stale, may still be given; rounded up.
func (e *entry) remaining(now time.Time, most uint32) uint32 {
	end := e.stored + int64(e.life)*int64(time.Second)
	if e.stale(now, most) {
		end += int64(most) * int64(time.Second)
	}
	left := (end - now.UnixNano() + int64(time.Second) - 1) / int64(time.Second)
	return uint32(min(left, int64(max(e.life, most))))
}

// What is refreshed before it ends: what was found in the cache at least twice, in the last tenth of its life, unless that
// is so short that it would be asked for all the time.
const (
	popular         = 2
	leastPrefetched = 10 // seconds of life
)

// due counts a hit and tells one of them to refresh e, which is fresh.
func (e *entry) due(now time.Time) bool {
	hits := e.hits.Load()
	if hits < popular {
		hits = e.hits.Add(1)
	}
	life := int64(e.life) * int64(time.Second)
	left := e.stored + life - now.UnixNano()
	return hits >= popular && e.life >= leastPrefetched && left*10 < life && e.prefetched.CompareAndSwap(false, true)
}

// touch is when a hit was, as far as 2Q is to know: in units of four seconds, which is often enough to keep what is in use.
func touch(now time.Time) int64 { return now.Unix() >> 2 }

// rcode returns the response code of the answer.
func (e *entry) rcode() uint8 { return e.msg[3] & 0xF }

// answerCount returns the number of records in the answer section.
func (e *entry) answerCount() int { return int(binary.BigEndian.Uint16(e.msg[6:])) }

// positive tells whether the answer section has a record of the type asked, the end of a chain of aliases, if any. All
// else is negative: NXDOMAIN, NODATA (RFC 2308 §2), and failures.
func (e *entry) positive() bool {
	if e.rcode() != uint8(wire.RcodeNoError) {
		return false
	}
	asked := e.question().typ
	for _, at := range e.ttls[:e.answerCount()] {
		if typ := binary.BigEndian.Uint16(e.msg[at-4:]); typ == asked || asked == wire.TypeANY {
			return true
		}
	}
	return false
}

// entryOverhead is what an entry takes beside its message, in octets, about: the entry itself, the list element and
// the map slot of 2Q, rounding by the allocator.
const entryOverhead = 340

// size returns the memory that e takes, in octets, about.
func (e *entry) size() int64 { return int64(len(e.msg) + 2*len(e.ttls) + entryOverhead) }
