package answercache

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	maxFailures = 10_000           // questions, some 2 MB: those that failed last
	staleRetry  = 30 * time.Second // RFC 8767 §5
)

// failure is the last one of a question.
type failure struct {
	name        uint64 // see nameHash
	at          int64  // Unix nanoseconds
	wait        time.Duration
	unreachable bool // no server said anything of use
}

// counts tells whether the question is not to be asked again yet. With the clock set back, nobody knows how long ago it
// failed, unless by less than the wait.
func (f failure) counts(now int64) bool {
	since := time.Duration(now - f.at)
	return -f.wait < since && since < f.wait
}

// failures remembers which questions failed, and for how long they are not to be asked again.
type failures struct {
	min, max time.Duration

	mu    sync.Mutex
	known *simplelru.LRU[key, failure]
}

func (fs *failures) init(least, most time.Duration) {
	known, err := simplelru.NewLRU[key, failure](maxFailures, nil)
	if err != nil {
		panic("answercache: " + err.Error()) // it refuses sizes under 1 only
	}
	fs.min, fs.max, fs.known = least, most, known
}

// find returns the failure of the question with the key, if it still counts.
func (fs *failures) find(k key, now time.Time) (failure, bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f, ok := fs.known.Get(k)
	return f, ok && f.counts(now.UnixNano())
}

// note adds a failure; standIn tells that there is a stale answer, so that nobody waits for the next try. One that last
// failed longer ago than a wait and fs.max starts anew.
func (fs *failures) note(k key, f failure, standIn bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	last, again := fs.known.Peek(k)
	if again && last.counts(f.at) {
		return
	}
	f.wait = fs.min
	switch {
	case standIn:
		f.wait = staleRetry
	case again && time.Duration(f.at-last.at) < last.wait+fs.max:
		f.wait = min(2*last.wait, fs.max)
	}
	fs.known.Add(k, f)
}

func (fs *failures) forget(k key) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.known.Remove(k)
}

// forgetName forgets the failures of every question for a name.
func (fs *failures) forgetName(hash uint64) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, k := range fs.known.Keys() {
		if f, _ := fs.known.Peek(k); f.name == hash {
			fs.known.Remove(k)
		}
	}
}

func (fs *failures) forgetAll() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.known.Purge()
}

func (fs *failures) len() int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.known.Len()
}
