package answercache

import (
	"bytes"
	"sync"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"
)

// shard is a part of the cache with a lock of its own, which is inside entries. All that adds or takes away entries
// holds changing as well; Get does not.
type shard struct {
	entries    *lru.TwoQueueCache[key, *entry]
	maxEntries int
	maxBytes   int64

	changing sync.Mutex
	bytes    int64 // at least what the entries take: what 2Q pushes out is still in it until count runs

	hits, misses, puts, evictions atomic.Uint64

	_ [64]byte // shards do not share a cache line
}

func (s *shard) init(maxEntries int, maxBytes int64) {
	maxEntries = max(maxEntries, 2) // 2Q takes no fewer
	entries, err := lru.New2Q[key, *entry](maxEntries)
	if err != nil {
		panic("answercache: " + err.Error()) // it refuses sizes under 2 only
	}
	s.entries, s.maxEntries, s.maxBytes = entries, maxEntries, maxBytes
}

// find returns the entry that answers q, whose key is k, or nil.
func (s *shard) find(k key, q question) *entry {
	if e, ok := s.entries.Get(k); ok && e.answers(q) {
		return e
	}
	return nil
}

// put stores e, unless it would take an eighth of the shard or more, and makes room for it.
func (s *shard) put(k key, e *entry) {
	if e.size() > s.maxBytes/8 {
		return
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	before := s.entries.Len()
	old, replaced := s.entries.Peek(k)
	s.entries.Add(k, e)
	s.puts.Add(1)
	s.bytes += e.size()
	switch {
	case replaced:
		old.replaced.Store(true)
		s.bytes -= old.size()
	case s.entries.Len() == before:
		s.evictions.Add(1)
	}
	if s.bytes > s.maxBytes {
		s.trim()
	}
}

// trim counts anew and, where that is not enough, pushes out entries, in the order of 2Q, until an eighth of the memory
// is free. So many puts go by before the next time that counting costs little each.
func (s *shard) trim() {
	target := s.maxBytes - s.maxBytes/8
	s.count()
	for s.bytes > target {
		n := s.entries.Len()
		keep := min(int(int64(n)*target/s.bytes), n-1)
		s.evictions.Add(uint64(s.entries.Resize(keep)))
		s.count()
	}
	s.entries.Resize(s.maxEntries)
}

// count sets bytes to what the entries take.
func (s *shard) count() {
	s.bytes = 0
	for _, e := range s.entries.Values() {
		s.bytes += e.size()
	}
}

func (s *shard) flush() int {
	s.changing.Lock()
	defer s.changing.Unlock()
	n := s.entries.Len()
	s.entries.Purge()
	s.bytes = 0
	return n
}

// named returns the entries for name, in no order.
func (s *shard) named(name []byte) []*entry {
	var found []*entry
	for _, e := range s.entries.Values() {
		if bytes.Equal(e.name(), name) {
			found = append(found, e)
		}
	}
	return found
}

// remove takes out e, whose key is k; changing is held.
func (s *shard) remove(k key, e *entry) {
	s.entries.Remove(k)
	s.bytes -= e.size()
}
