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
	Group       uint64
	Rcode       uint8
	Stale       bool   // past its life, and only given when there is no better answer
	Remaining   uint32 // seconds for which it is fresh, or, when it is stale, may still be given, rounded up
	Answers     int    // records in the answer section
	Msg         []byte // the packed answer as stored, TTLs not aged; not to be changed
}

// Show returns the fresh and stale answers to questions for exactly name, in canonical wire form, ordered by type, class, group
// and flags.
func (c *Cache) Show(name []byte, now time.Time) []Entry {
	var shown []Entry
	for i := range c.shards {
		for _, e := range c.shards[i].named(name) {
			if !e.fit(now, c.cfg.StaleMax) {
				continue
			}
			q, stale := e.question(), e.stale(now, c.cfg.StaleMax)
			shown = append(shown, Entry{
				Type: q.typ, Class: q.class, DO: q.do, CD: q.cd, AD: e.ad, Group: q.group,
				Rcode: e.rcode(), Stale: stale, Remaining: e.remaining(now, c.cfg.StaleMax), Answers: e.answerCount(), Msg: e.msg,
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
	Failing int   // questions whose last failure is remembered

	Hits, Misses, Puts uint64 // a hit is a fresh answer, a miss all else
	Evictions          uint64 // entries pushed out for want of room; not those replaced or flushed
	Stale              uint64 // misses that got a stale answer
	Failed             uint64 // misses that got a failure known already
	Prefetches         uint64 // popular answers that were to be refreshed before they ended
}

// HitRatio is the share of the questions that found a fresh answer, from 0 to 1.
func (s Stats) HitRatio() float64 {
	if s.Hits == 0 {
		return 0
	}
	return float64(s.Hits) / float64(s.Hits+s.Misses)
}

// Stats returns the figures. It visits every entry.
func (c *Cache) Stats() Stats {
	total := Stats{
		Failing: c.failures.len(), Stale: c.stale.Load(), Failed: c.failed.Load(), Prefetches: c.prefetches.Load(),
	}
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
