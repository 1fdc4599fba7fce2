package answercache

import (
	"cmp"
	"slices"
	"time"
)

// Entry is one answer as shown to the administrator.
type Entry struct {
	Type, Class uint16
	DO, CD, AD  bool
	Group       uint8
	Rcode       uint8
	Remaining   uint32 // seconds of its life, rounded up
	Answers     int    // records in the answer section
	Msg         []byte // the packed answer as stored, TTLs not aged; not to be changed
}

// Show returns the fresh answers to questions for exactly name, in canonical wire form, ordered by type, class, group
// and flags.
func (c *Cache) Show(name []byte, now time.Time) []Entry {
	var shown []Entry
	for i := range c.shards {
		for _, e := range c.shards[i].named(name) {
			age, fresh := e.age(now)
			if !fresh {
				continue
			}
			q := e.question()
			shown = append(shown, Entry{
				Type: q.typ, Class: q.class, DO: q.do, CD: q.cd, AD: e.ad, Group: q.group,
				Rcode: e.rcode(), Remaining: e.life - age, Answers: e.answerCount(), Msg: e.msg,
			})
		}
	}
	slices.SortFunc(shown, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Group, b.Group),
			cmp.Compare(flags(a.DO, a.CD), flags(b.DO, b.CD)))
	})
	return shown
}

// Stats are the figures of the cache: what is in it now, also past its life, and what happened since it was made.
type Stats struct {
	Entries int
	Bytes   int64 // about

	Hits, Misses, Puts uint64
	Evictions          uint64 // entries pushed out for want of room; not those replaced or flushed
}

// Stats returns the figures. It visits every entry.
func (c *Cache) Stats() Stats {
	var total Stats
	for i := range c.shards {
		s := &c.shards[i]
		s.changing.Lock()
		s.count()
		total.Entries += s.entries.Len()
		total.Bytes += s.bytes
		s.changing.Unlock()
		total.Hits += s.hits.Load()
		total.Misses += s.misses.Load()
		total.Puts += s.puts.Load()
		total.Evictions += s.evictions.Load()
	}
	return total
}
