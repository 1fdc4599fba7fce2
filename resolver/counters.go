package resolver

import (
	"sync/atomic"

	"usciere/resolver/answercache"
)

// counters count what became of the messages; each is counted once. There is one for each lane, so that cores that answer at the
// same time do not fight over a line of the cache.
type counters struct {
	dropped, malformed, refused, local, sinkholed, allowed atomic.Uint64

	replies, failures, shed, recalled atomic.Uint64

	_ [128 - 10*8]byte
}

// lanes is how many lanes are counted apart; beyond, they share.
const lanes = 32

// count is where what becomes of a query is counted.
func (r *Resolver) count(q *query) *counters { return &r.counters[q.request.Lane%lanes] }

// Stats are the counts since start.
type Stats struct {
	Dropped   uint64 `json:"dropped"`   // responses and scraps, left without a reply
	Malformed uint64 `json:"malformed"` // answered with an error
	Refused   uint64 `json:"refused"`   // outside the site, or without recursion desired
	Local     uint64 `json:"local"`     // from a local zone or a special name
	Sinkholed uint64 `json:"sinkholed"`
	Allowed   uint64 `json:"allowed"` // from the cache or the upstream, forwards included

	Replies  uint64 `json:"replies"`
	Failures uint64 `json:"failures"` // SERVFAIL, no upstream server having answered, now or a short while ago
	Shed     uint64 `json:"shed"`     // SERVFAIL, too much being under way
}

// CacheStats returns the figures of the cache, with the hits of the fast path, which do not go through it.
func (r *Resolver) CacheStats() answercache.Stats {
	s := r.cache.Stats()
	for i := range r.counters {
		s.Hits += r.counters[i].recalled.Load()
	}
	return s
}

// Stats returns the counts.
func (r *Resolver) Stats() Stats {
	var s Stats
	for i := range r.counters {
		c := &r.counters[i]
		s.Dropped += c.dropped.Load()
		s.Malformed += c.malformed.Load()
		s.Refused += c.refused.Load()
		s.Local += c.local.Load()
		s.Sinkholed += c.sinkholed.Load()
		s.Allowed += c.allowed.Load()
		s.Replies += c.replies.Load()
		s.Failures += c.failures.Load()
		s.Shed += c.shed.Load()
	}
	return s
}
