// Package answercache keeps packed answers and lets them age.
//
// It knows names, types and the flags that change an answer, not who asked: offices share it, since the verdict comes
// before it is read. What an entry says is immutable once stored, and it stays until it is replaced, flushed or pushed
// out, also past its life, when it is stale: better than no answer at all (RFC 8767). Beside the answers it remembers
// which questions failed, so that they are not asked again and again (RFC 9520).
package answercache

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"sync/atomic"
	"time"

	"usciere/resolver/wire"
)

// Config bounds the cache and the life of what is in it; a zero field means its default. TTLs are in seconds.
type Config struct {
	Entries int   // at most so many answers, in all shards; default 100,000
	Bytes   int64 // about so much memory for them; default 64 MiB

	MinTTL      uint32 // shorter TTLs are raised to this; default 0
	MaxTTL      uint32 // longer TTLs are lowered to this; default 86,400, a day
	NegativeMax uint32 // the longest life of a negative answer; default 3,600 (RFC 2308 §5 advises one to three hours)
	ClientTTL   uint32 // the longest TTL told to a client, so that workstations soon feel a change of the rules; default 300
	StaleMax    uint32 // how long after its life an answer may stand in for one that cannot be had; 0: not at all
	FailureMin  uint32 // for how long a question that failed is not asked again the first time; default 5
	FailureMax  uint32 // and at the most, after failing again and again; default 300 (RFC 9520 §3.2)

	Prefetch bool // Get tells of popular answers that are about to end
}

const (
	defaultEntries     = 100_000
	defaultBytes       = 64 << 20
	defaultMaxTTL      = 86400
	defaultNegativeMax = 3600
	defaultClientTTL   = 300
	defaultFailureMin  = 5
	defaultFailureMax  = 300
)

// staleTTL is the longest TTL of a stale answer, in seconds (RFC 8767 §4).
const staleTTL = 30

// Extended DNS Errors that replies out of this cache carry (RFC 8914 §4).
const (
	edeStale         uint16 = 3
	edeCachedError   uint16 = 13
	edeStaleNXDomain uint16 = 19
	edeNoReachable   uint16 = 22
)

// Shards keep cores out of each other's way. Each is large enough for 2Q to tell what is frequent, and to hold the
// largest message in a small part of its memory.
const (
	maxShards       = 64
	minShardEntries = 128
	minShardBytes   = 1 << 20
)

// Cache is a bounded cache of packed answers, safe for use by many goroutines.
type Cache struct {
	cfg      Config
	seeds    [2]maphash.Seed
	shards   []shard // a power of two of them
	failures failures

	stale, failed, prefetches atomic.Uint64 // see Stats
	forgotten                 atomic.Uint64 // see Forgotten
}

// New returns an empty cache.
func New(cfg Config) *Cache {
	cfg.Entries = orDefault(cfg.Entries, defaultEntries)
	cfg.Bytes = orDefault(cfg.Bytes, defaultBytes)
	cfg.MaxTTL = orDefault(cfg.MaxTTL, defaultMaxTTL)
	cfg.NegativeMax = orDefault(cfg.NegativeMax, defaultNegativeMax)
	cfg.ClientTTL = orDefault(cfg.ClientTTL, defaultClientTTL)
	cfg.FailureMin = orDefault(cfg.FailureMin, defaultFailureMin)
	cfg.FailureMax = max(orDefault(cfg.FailureMax, defaultFailureMax), cfg.FailureMin)

	n := maxShards
	for n > 1 && (cfg.Entries/n < minShardEntries || cfg.Bytes/int64(n) < minShardBytes) {
		n /= 2
	}
	c := &Cache{cfg: cfg, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, shards: make([]shard, n)}
	for i := range c.shards {
		c.shards[i].init(cfg.Entries/n, cfg.Bytes/int64(n))
	}
	c.failures.init(time.Duration(cfg.FailureMin)*time.Second, time.Duration(cfg.FailureMax)*time.Second)
	return c
}

func orDefault[T int | int64 | uint32](v, fallback T) T {
	if v <= 0 {
		return fallback
	}
	return v
}

// question is all that an answer depends on. The name is in canonical wire form.
type question struct {
	name       []byte
	typ, class uint16
	do, cd     bool
	group      uint64 // of upstreams, each with answers of its own
}

// key stands for a question: two hashes with seeds of their own, unguessable from outside. The entry is compared all
// the same.
type key [2]uint64

func (c *Cache) key(q question) key {
	var buf [256 + 13]byte
	b := append(buf[:0], q.name...)
	b = binary.BigEndian.AppendUint16(b, q.typ)
	b = binary.BigEndian.AppendUint16(b, q.class)
	b = append(b, flags(q.do, q.cd))
	b = binary.BigEndian.AppendUint64(b, q.group)
	return key{maphash.Bytes(c.seeds[0], b), maphash.Bytes(c.seeds[1], b)}
}

func flags(do, cd bool) (f byte) {
	if do {
		f |= 1
	}
	if cd {
		f |= 2
	}
	return f
}

func (c *Cache) shard(k key) *shard { return &c.shards[k[0]&uint64(len(c.shards)-1)] }

// Outcome is what Get found.
type Outcome uint8

// The outcomes. After all but Miss and Expired the reply is started.
const (
	Miss    Outcome = iota // nothing: the group must be asked
	Fresh                  // an answer within its life
	Due                    // the same; popular, and soon to end: whoever is told so, and nobody else, asks the group anew
	Expired                // a stale answer, which Stale gives if the group has none in time
	Waiting                // a stale answer; the group could not give another a short while ago
	Failed                 // a failure: the group could not answer a short while ago
)

// Replied tells whether the reply was started.
func (o Outcome) Replied() bool { return o != Miss && o != Expired }

// Get looks for what is kept of upstream group for q. When that is enough, it starts the reply in b, written to dst; the
// caller adds what it wants and finishes it. The TTL of each record is what is left of it, at most ClientTTL. It allocates
// nothing, but for the first hit of an entry, which 2Q moves to its list of frequent ones.
func (c *Cache) Get(b *wire.Builder, dst []byte, q *wire.Query, group uint64, now time.Time) Outcome {
	found, _ := c.Find(b, dst, q, group, now)
	return found
}

// Find is Get, and says what it found when that was Fresh or Due, for Again.
func (c *Cache) Find(b *wire.Builder, dst []byte, q *wire.Query, group uint64, now time.Time) (Outcome, Kept) {
	asked := question{q.Name(), q.Type, q.Class, q.DO, q.CD, group}
	k := c.key(asked)
	s := c.shard(k)
	e := s.find(k, asked)
	if e != nil {
		if age, fresh := e.age(now); fresh {
			s.hits.Add(1)
			e.touched.Store(touch(now))
			return c.relay(b, dst, q, e, age, now), Kept{e}
		}
	}
	s.misses.Add(1)
	stale := e != nil && e.stale(now, c.cfg.StaleMax)
	f, failed := c.failures.find(k, now)
	switch {
	case stale && failed:
		c.relayStale(b, dst, q, e)
		return Waiting, Kept{}
	case stale:
		return Expired, Kept{}
	case failed:
		c.failed.Add(1)
		b.Begin(dst, q, wire.RcodeServFail, false)
		b.EDE(edeCachedError)
		if f.unreachable {
			b.EDE(edeNoReachable)
		}
		return Failed, Kept{}
	}
	return Miss, Kept{}
}

// Forgotten counts how often answers were made to be forgotten: by Flush, FlushName and Keep. Nothing that Find found at another count
// is to be asked Again: also an answer that was pushed out for want of room, which these do not meet any more.
func (c *Cache) Forgotten() uint64 { return c.forgotten.Load() }

// Kept is an answer that Find found. The zero Kept is none.
type Kept struct{ entry *entry }

// Size is the length of the answer's message in octets.
func (k Kept) Size() int {
	if k.entry == nil {
		return 0
	}
	return len(k.entry.msg)
}

// Answers tells whether the name asked, in canonical wire form, is this one.
func (k Kept) Answers(name []byte) bool { return k.entry != nil && bytes.Equal(k.entry.name(), name) }

// Again is Find for a question that is known to be the one that k was found for: no search, no lock. It is a Miss when k is not
// what Find would find any more, and every few seconds, so that 2Q hears of what is asked for often; then Find is to be asked. It does
// not count as a hit in Stats: who asks again counts.
func (c *Cache) Again(k Kept, b *wire.Builder, dst []byte, q *wire.Query, now time.Time) Outcome {
	e := k.entry
	if e == nil || e.replaced.Load() || e.touched.Load() != touch(now) {
		return Miss
	}
	age, fresh := e.age(now)
	if !fresh {
		return Miss
	}
	return c.relay(b, dst, q, e, age, now)
}

// relay starts the reply to q with a fresh entry, and says Fresh or Due.
func (c *Cache) relay(b *wire.Builder, dst []byte, q *wire.Query, e *entry, age uint32, now time.Time) Outcome {
	b.Relay(dst, q, e.msg, e.ttls, age, c.cfg.ClientTTL, false, e.ad)
	if c.cfg.Prefetch && e.due(now) {
		c.prefetches.Add(1)
		return Due
	}
	return Fresh
}

// Stale starts the reply to q with an answer that is past its life (RFC 8767), and tells whether there is one. The TTLs are
// at most 30 s, and it does not count as authentic any more.
func (c *Cache) Stale(b *wire.Builder, dst []byte, q *wire.Query, group uint64, now time.Time) bool {
	asked := question{q.Name(), q.Type, q.Class, q.DO, q.CD, group}
	k := c.key(asked)
	e := c.shard(k).find(k, asked)
	if e == nil || !e.stale(now, c.cfg.StaleMax) {
		return false
	}
	c.relayStale(b, dst, q, e)
	return true
}

// Known tells whether Get would find an answer or failure, so that the group need not be asked.
func (c *Cache) Known(q *wire.Query, group uint64, now time.Time) bool {
	asked := question{q.Name(), q.Type, q.Class, q.DO, q.CD, group}
	k := c.key(asked)
	if e := c.shard(k).find(k, asked); e != nil {
		if _, fresh := e.age(now); fresh {
			return true
		}
	}
	_, failed := c.failures.find(k, now)
	return failed
}

func (c *Cache) relayStale(b *wire.Builder, dst []byte, q *wire.Query, e *entry) {
	c.stale.Add(1)
	b.Relay(dst, q, e.msg, e.ttls, 0, min(staleTTL, c.cfg.ClientTTL), false, false)
	ede := edeStale
	if e.rcode() == uint8(wire.RcodeNXDomain) {
		ede = edeStaleNXDomain
	}
	b.EDE(ede)
}

// Put keeps a copy of the packed answer msg to the question for ttl, counted in whole seconds from now and brought
// into the bounds of the Config; ad tells that it is authentic. A ttl under a second, a message that is malformed, answers
// another question or is no answer (RCODEs other than NOERROR and NXDOMAIN), and one too large for the cache, are not kept;
// the entry that was there stays. Either way the question does not count as failing any more.
func (c *Cache) Put(name []byte, typ, class uint16, do, cd bool, group uint64, msg []byte, ttl time.Duration, ad bool, now time.Time) {
	c.put(question{name, typ, class, do, cd, group}, msg, ttl, ad, false, now)
}

// PutExact is Put for an answer that lives no longer than it says: neither is its TTL raised to MinTTL, nor does it stand in when it is
// over. That is for servers whose answers change under those who use them.
func (c *Cache) PutExact(name []byte, typ, class uint16, do, cd bool, group uint64, msg []byte, ttl time.Duration, ad bool, now time.Time) {
	c.put(question{name, typ, class, do, cd, group}, msg, ttl, ad, true, now)
}

func (c *Cache) put(q question, msg []byte, ttl time.Duration, ad, exact bool, now time.Time) {
	k := c.key(q)
	if e := c.newEntry(q, msg, ttl, ad, exact, now); e != nil {
		c.shard(k).put(k, e)
	}
	c.failures.forget(k)
}

// Fail notes that the group could not answer the question; unreachable tells that no server said anything of use. Until it
// may be asked again, Get says Waiting or Failed: in 30 s when an answer is kept that can stand in (RFC 8767 §5, failure
// recheck timer), else in FailureMin, and twice as long each time it fails again, up to FailureMax (RFC 9520 §3.2). A
// failure on top of one that still counts is the same one.
func (c *Cache) Fail(name []byte, typ, class uint16, do, cd bool, group uint64, unreachable bool, now time.Time) {
	q := question{name, typ, class, do, cd, group}
	k := c.key(q)
	e := c.shard(k).find(k, q)
	standIn := e != nil && c.cfg.StaleMax > 0 && e.fit(now, c.cfg.StaleMax)
	c.failures.note(k, failure{name: c.nameHash(name), at: now.UnixNano(), unreachable: unreachable}, standIn)
}

// nameHash stands for a name in what does not keep it.
func (c *Cache) nameHash(name []byte) uint64 { return maphash.Bytes(c.seeds[0], name) }

// ForgetFailures lets every question be asked again.
func (c *Cache) ForgetFailures() { c.failures.forgetAll() }

// Keep forgets the answers of every group but these.
func (c *Cache) Keep(groups func(group uint64) bool) {
	defer c.forgotten.Add(1)
	for i := range c.shards {
		s := &c.shards[i]
		s.changing.Lock()
		for _, e := range s.entries.Values() {
			if !groups(e.group) {
				s.remove(c.key(e.question()), e)
			}
		}
		s.changing.Unlock()
	}
}

// Flush forgets everything, failures too, and returns how many answers that were.
func (c *Cache) Flush() int {
	defer c.forgotten.Add(1)
	n := 0
	for i := range c.shards {
		n += c.shards[i].flush()
	}
	c.failures.forgetAll()
	return n
}

// FlushName forgets every answer to questions for exactly name, in canonical wire form, and that they failed, and returns
// how many answers there were.
func (c *Cache) FlushName(name []byte) int {
	defer c.forgotten.Add(1)
	n := 0
	for i := range c.shards {
		s := &c.shards[i]
		s.changing.Lock()
		for _, e := range s.named(name) {
			s.remove(c.key(e.question()), e)
			n++
		}
		s.changing.Unlock()
	}
	c.failures.forgetName(c.nameHash(name))
	return n
}
