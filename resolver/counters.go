package resolver

import "sync/atomic"

// counters count what became of the messages; each is counted once.
type counters struct {
	dropped, malformed, refused, local, sinkholed, allowed atomic.Uint64

	replies, failures, shed atomic.Uint64
}

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

// Stats returns the counts.
func (r *Resolver) Stats() Stats {
	c := &r.counters
	return Stats{
		c.dropped.Load(), c.malformed.Load(), c.refused.Load(), c.local.Load(), c.sinkholed.Load(), c.allowed.Load(),
		c.replies.Load(), c.failures.Load(), c.shed.Load(),
	}
}
