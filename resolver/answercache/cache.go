// Package answercache keeps packed answers and lets them age.
//
// It knows names, types and the flags that change an answer, not who asked: offices share it, since the verdict comes
// before it is read. An entry is immutable once stored, and stays until it is replaced, flushed or pushed out, also
// past its life; only Get decides whether it is still good.
package answercache

import (
	"encoding/binary"
	"hash/maphash"
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
}

const (
	defaultEntries     = 100_000
	defaultBytes       = 64 << 20
	defaultMaxTTL      = 86400
	defaultNegativeMax = 3600
	defaultClientTTL   = 300
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
	cfg    Config
	seeds  [2]maphash.Seed
	shards []shard // a power of two of them
}

// New returns an empty cache.
func New(cfg Config) *Cache {
	cfg.Entries = orDefault(cfg.Entries, defaultEntries)
	cfg.Bytes = orDefault(cfg.Bytes, defaultBytes)
	cfg.MaxTTL = orDefault(cfg.MaxTTL, defaultMaxTTL)
	cfg.NegativeMax = orDefault(cfg.NegativeMax, defaultNegativeMax)
	cfg.ClientTTL = orDefault(cfg.ClientTTL, defaultClientTTL)

	n := maxShards
	for n > 1 && (cfg.Entries/n < minShardEntries || cfg.Bytes/int64(n) < minShardBytes) {
		n /= 2
	}
	c := &Cache{cfg: cfg, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, shards: make([]shard, n)}
	for i := range c.shards {
		c.shards[i].init(cfg.Entries/n, cfg.Bytes/int64(n))
	}
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
	group      uint8 // of upstreams, each with answers of its own
}

// key stands for a question: two hashes with seeds of their own, unguessable from outside. The entry is compared all
// the same.
type key [2]uint64

func (c *Cache) key(q question) key {
	var buf [256 + 6]byte
	b := append(buf[:0], q.name...)
	b = binary.BigEndian.AppendUint16(b, q.typ)
	b = binary.BigEndian.AppendUint16(b, q.class)
	b = append(b, flags(q.do, q.cd), q.group)
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

// Get starts the reply to q in b, written to dst, when a fresh answer is kept for upstream group, and tells whether it
// did; the caller adds what it wants and finishes it. The TTL of each record is what is left of it, at most ClientTTL.
// It allocates nothing, but for the first hit of an entry, which 2Q moves to its list of frequent ones.
func (c *Cache) Get(b *wire.Builder, dst []byte, q *wire.Query, group uint8, now time.Time) bool {
	asked := question{q.Name(), q.Type, q.Class, q.DO, q.CD, group}
	k := c.key(asked)
	s := c.shard(k)
	e, ok := s.entries.Get(k)
	if !ok || !e.answers(asked) {
		s.misses.Add(1)
		return false
	}
	age, fresh := e.age(now)
	if !fresh {
		s.misses.Add(1)
		return false
	}
	s.hits.Add(1)
	b.Relay(dst, q, e.msg, e.ttls, age, c.cfg.ClientTTL, false, e.ad)
	return true
}

// Put keeps a copy of the packed answer msg to the question for ttl, counted in whole seconds from now and brought
// into the bounds of the Config; ad tells that it is authentic. A ttl under a second, a message that is malformed or
// answers another question, and one too large for the cache, are not kept; the entry that was there stays.
func (c *Cache) Put(name []byte, typ, class uint16, do, cd bool, group uint8, msg []byte, ttl time.Duration, ad bool, now time.Time) {
	q := question{name, typ, class, do, cd, group}
	e := c.newEntry(q, msg, ttl, ad, now)
	if e == nil {
		return
	}
	k := c.key(q)
	c.shard(k).put(k, e)
}

// Flush forgets everything and returns how many answers that were.
func (c *Cache) Flush() int {
	n := 0
	for i := range c.shards {
		n += c.shards[i].flush()
	}
	return n
}

// FlushName forgets every answer to questions for exactly name, in canonical wire form, and returns how many there
// were.
func (c *Cache) FlushName(name []byte) int {
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
	return n
}
