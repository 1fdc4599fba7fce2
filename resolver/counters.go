package resolver

import (
	"sync/atomic"

	"usciere/policy"
	"usciere/resolver/answercache"
)

// counters count what became of the messages; each is counted once. There is one for each lane, so that cores that answer at the
// same time do not fight over a line of the cache.
type counters struct {
	dropped, malformed, refused, local, sinkholed, allowed atomic.Uint64

	replies, failures, shed, givenUp, recalled, heldBack atomic.Uint64

	_ [128 - 12*8]byte
}

// verdict is what became of the question of a client inside the site.
type verdict uint8

const (
	answeredHere verdict = iota // from a local zone, or by a special name
	sinkholed
	allowed // from the cache or upstream
	unjudged
)

func (v verdict) String() string { return [...]string{"local", "sinkholed", "allowed", "refused"}[v] }

// verdicts count an office's questions by verdict.
type verdicts [allowed + 1]uint64

// officeCounts are those of all offices, by id; the empty one is of clients in none.
type officeCounts map[string]*verdicts

func (o *officeCounts) of(c *policy.Client) *verdicts {
	id := officeOf(c)
	if *o == nil {
		*o = officeCounts{}
	}
	v := (*o)[id]
	if v == nil {
		v = new(verdicts)
		(*o)[id] = v
	}
	return v
}

// of is where the lane counts the questions of a client's office. Who calls it has the fast path open.
func (f *fastpath) of(c *policy.Client) *verdicts {
	n := int(c.OfficeNumber())
	if n < len(f.numbered) && f.numbered[n] != nil {
		return f.numbered[n]
	}
	for len(f.numbered) <= n {
		f.numbered = append(f.numbered, nil)
	}
	f.numbered[n] = f.offices.of(c)
	return f.numbered[n]
}

// judged counts what became of a question, in all and of the client's office.
func (r *Resolver) judged(q *query, v verdict) {
	q.verdict = v
	c := r.count(q)
	switch v {
	case answeredHere:
		c.local.Add(1)
	case sinkholed:
		c.sinkholed.Add(1)
	case allowed:
		c.allowed.Add(1)
	}
	if q.fast != nil {
		q.fast.of(&q.client)[v]++
		return
	}
	r.others.mu.Lock()
	defer r.others.mu.Unlock()
	r.others.counts.of(&q.client)[v]++
}

// tally counts the name for the client's office. Questions that browsers put beside that for an address are not counted, nor what goes to
// a forward or comes from a laptop elsewhere, whose address says nothing; nor repetitions within a minute, which the fast path answers.
func (q *query) tally(s *setup, way Route, allowed bool) {
	if s.Tally == nil || q.client.Office == nil || q.client.Away || policy.Type(q.Type) == policy.TypeAAAA || policy.Type(q.Type) == policy.TypeHTTPS || way.Forward != "" {
		return
	}
	s.Tally.Note(q.client.Office.ID, q.Name(), q.request.Client.Addr(), allowed)
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
	Failures uint64 `json:"failures"`  // SERVFAIL, no upstream server having answered, now or a short while ago
	Shed     uint64 `json:"shed"`      // SERVFAIL, too much being under way
	GivenUp  uint64 `json:"given_up"`  // of these, having waited for upstream servers longest of all
	HeldBack uint64 `json:"held_back"` // without a reply, too many to a network outside the site
}

// OfficeStats are the counts of one office's questions since start.
type OfficeStats struct{ Local, Sinkholed, Allowed uint64 }

// Offices returns the counts by the ids of offices; the empty one is of clients in none.
func (r *Resolver) Offices() map[string]OfficeStats {
	sum := map[string]OfficeStats{}
	add := func(all officeCounts) {
		for id, v := range all {
			s := sum[id]
			s.Local, s.Sinkholed, s.Allowed = s.Local+v[answeredHere], s.Sinkholed+v[sinkholed], s.Allowed+v[allowed]
			sum[id] = s
		}
	}
	for i := range r.fast {
		f := &r.fast[i]
		f.mu.Lock()
		add(f.offices)
		f.mu.Unlock()
	}
	r.others.mu.Lock()
	defer r.others.mu.Unlock()
	add(r.others.counts)
	return sum
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
		s.GivenUp += c.givenUp.Load()
		s.HeldBack += c.heldBack.Load()
	}
	return s
}
