package resolver

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"sync"
	"time"

	"usciere/policy"
	"usciere/resolver/answercache"
	"usciere/resolver/listen"
	"usciere/resolver/wire"
)

// fastpath is what one lane remembers of the questions it answered, so that the same question of a client of the same office and
// role need not be decided, searched and written anew: either the reply itself, as far as it was made here, or the way to its answer
// in the cache, which goes on aging there.
//
// It holds no order of decision of its own. All that it knows came out of route under one snapshot, one setup and one minute, and is
// forgotten with the first question under another, or after answers were flushed: a change of the rules holds for the very next packet,
// and dates and timetables turn at whole minutes. What depends on more than that is not remembered: see lasting and rememberWay.
type fastpath struct {
	mu          sync.Mutex // tried, never waited for: whoever does not get it goes the whole way
	rules       *policy.Snapshot
	setup       *setup
	from, until int64        // Unix nanoseconds: of the minute
	forgotten   uint64       // of the cache
	hosts       uint64       // version of the targets that the question is answered under
	epoch       uint32       // of the slots that are of all these
	slots       []slot       // by hash; nil before the first question
	offices     officeCounts // of the questions of this lane
	numbered    []*verdicts  // offices by the numbers that the rules give them

	_ [256 - 120]byte // lanes do not share a line of the processor's cache
}

// fastSlots is how many questions a lane remembers: more than an office town asks in a minute, in some 2 MB.
const fastSlots = 1 << 13

// longestRecalled is the length in octets of the longest message that is remembered: beyond, UDP cuts it anyway.
const longestRecalled = wire.UDPSize

// slot is one question, and what became of it: one line of the processor's cache, and what it points to.
type slot struct {
	hash  uint32 // upper half; the lower one gave the place
	epoch uint32
	class uint64 // of the client
	typ   uint16
	asked uint8
	lasts lasting
	again bool // it was asked again since another question wanted its place

	reply []byte           // that lasts, behind saidHead
	kept  answercache.Kept // otherwise
	way   *Route           // to kept
}

// lasting says of a reply that is made here whether it will be the same for the rest of the minute, and what it came from.
type lasting uint8

const (
	briefly lasting = iota
	ofZone          // of a zone of ours
	ofRules         // a sinkhole's, while no mail domain leads to the name
)

// open makes the fast path ready for a question, and tells whether it may be used: close must follow then.
func (f *fastpath) open(rules *policy.Snapshot, setup *setup, forgotten, hosts uint64, at time.Time) bool {
	if !f.mu.TryLock() {
		return false
	}
	f.hosts = hosts
	now := at.UnixNano()
	if f.rules != rules || f.setup != setup || f.forgotten != forgotten || now < f.from || now >= f.until {
		if f.slots == nil {
			f.slots = make([]slot, fastSlots)
		}
		if f.rules != rules {
			clear(f.numbered)
		}
		f.rules, f.setup, f.forgotten = rules, setup, forgotten
		f.from = now - now%int64(time.Minute)
		f.until = f.from + int64(time.Minute)
		if f.epoch++; f.epoch == 0 { // after 2³² changes, what is left of the first must not come back
			clear(f.slots)
			f.epoch = 1
		}
	}
	return true
}

func (f *fastpath) close() { f.mu.Unlock() }

// What of a question, beside its name and type, the reply depends on: these, and the length it may have.
const (
	askedRD = 1 << iota
	askedCD
	askedDO
	askedEDNS
	askedAway // by a client that the page is no use to
)

func (q *query) asked() uint8 {
	return bit(q.RD, askedRD) | bit(q.CD, askedCD) | bit(q.DO, askedDO) | bit(q.EDNS, askedEDNS) | bit(q.client.Away, askedAway)
}

func bit(set bool, flag uint8) uint8 {
	if set {
		return flag
	}
	return 0
}

var fastSeed = maphash.MakeSeed()

// key is what a slot of the question has beside the name, and the two slots side by side that may be its own, by a keyed hash of all.
func (f *fastpath) key(q *query) (k slot, places *[2]slot) {
	k = slot{epoch: f.epoch, class: q.client.Class(), typ: q.Type, asked: q.asked()}
	hash := maphash.Bytes(fastSeed, q.Name()) ^ (k.class<<24|uint64(k.typ)<<8|uint64(k.asked))*0x9e3779b97f4a7c15
	k.hash = uint32(hash >> 32)
	return k, (*[2]slot)(f.slots[hash%fastSlots&^1:])
}

// matches says whether the slot is of the question with that key, but for the name.
func (s *slot) matches(k *slot) bool {
	return s.hash == k.hash && s.epoch == k.epoch && s.class == k.class && s.typ == k.typ && s.asked == k.asked
}

// find is the slot of a question that is remembered, or nil.
func (f *fastpath) find(q *query) *slot {
	k, places := f.key(q)
	for i := range places {
		if s := &places[i]; s.matches(&k) && s.isFor(q.Name()) {
			return s
		}
	}
	return nil
}

// take makes a slot one of the question, with nothing said yet: its own, if it has one, else one that is free, else one whose question
// was not asked again. It is nil when both were; the next to want one has it, unless they are asked again meanwhile.
func (f *fastpath) take(q *query) *slot {
	k, places := f.key(q)
	rank := func(s *slot) int {
		switch {
		case s.matches(&k):
			return 3
		case s.epoch != k.epoch:
			return 2
		case !s.again:
			return 1
		}
		return 0
	}
	s := &places[0]
	if rank(&places[1]) > rank(s) {
		s = &places[1]
	}
	if rank(s) == 0 {
		places[0].again, places[1].again = false, false
		return nil
	}
	k.reply, k.way = s.reply[:0], s.way
	*s = k
	return s
}

// isFor says whether what was said is about the name.
func (s *slot) isFor(name []byte) bool {
	if s.lasts == briefly {
		return s.kept.Answers(name)
	}
	return bytes.HasPrefix(s.reply[saidHead+headerSize:], name) // no name in wire form begins another
}

// Before the octets of a reply stand those of the address that was asked, which the reply may name, and the version of the targets;
// the name in its question is in lower case.
const saidHead = 16 + 8

const headerSize = 12 // of a DNS message

// recall answers a question that was answered before, and tells whether it could.
func (r *Resolver) recall(q *query) bool {
	s := q.fast.find(q)
	if s == nil || q.personal() {
		return false
	}
	if s.lasts != briefly {
		address := q.request.Local.Addr().As16()
		said := s.reply[saidHead:]
		if len(said) > q.Limit(q.request.Transport == listen.UDP) || string(address[:]) != string(s.reply[:16]) ||
			s.lasts == ofRules && binary.NativeEndian.Uint64(s.reply[16:]) != q.fast.hosts {
			return false
		}
		s.again = true
		if s.lasts == ofZone {
			r.judged(q, answeredHere)
		} else {
			r.judged(q, sinkholed)
		}
		r.count(q).replies.Add(1)
		r.reply(q, q.Restate(q.request.Scratch(), said))
		return true
	}
	found := r.cache.Again(s.kept, &q.Builder, q.request.Scratch(), &q.Query, q.at)
	if found != answercache.Fresh && found != answercache.Due {
		return false
	}
	s.again = true
	r.judged(q, allowed)
	r.count(q).recalled.Add(1)
	r.finish(q, *s.way)
	if found == answercache.Due {
		r.prefetch(&q.Query, *s.way, q.fast.setup)
	}
	return true
}

// remember keeps a reply that lasts, unless it was cut for this client.
func (q *query) remember(reply []byte) {
	if q.personal() || q.Cut() || len(reply) > longestRecalled {
		return
	}
	if s := q.fast.take(q); s != nil {
		address := q.request.Local.Addr().As16()
		s.lasts = q.lasts
		s.reply = append(s.reply, address[:]...)
		s.reply = binary.NativeEndian.AppendUint64(s.reply, q.fast.hosts)
		s.reply = append(s.reply, reply...)
		copy(s.reply[saidHead+headerSize:], q.Name())
	}
}

// rememberWay keeps the way to an answer in the cache, when it will be the same for the rest of the minute: not through a mail
// domain, whose hosts are known for as long as its record lives, and not past a security list, which may be read again.
func (q *query) rememberWay(way *Route, kept answercache.Kept) {
	if q.fast == nil || q.personal() || way.Through != "" || way.Verdict.Reason == policy.Unrestricted && q.fast.setup.Security.Lists != nil ||
		kept.Size() > longestRecalled {
		return
	}
	if s := q.fast.take(q); s != nil {
		if s.way == nil {
			s.way = new(Route)
		}
		*s.way, s.kept = *way, kept
	}
}
