package resolver

import (
	"sync/atomic"
	"time"
)

// waitBounds part the waits of clients for an answer from upstream; more than the last is the last part.
var waitBounds = [...]time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second,
}

// waits count how long clients waited for an answer from upstream, or for what stood in for one. What the cache answers is a matter of
// microseconds, and is not among them.
type waits struct {
	counts [len(waitBounds) + 1]atomic.Uint64
	sum    atomic.Int64 // nanoseconds
}

func (w *waits) note(took time.Duration) {
	took = max(took, 0) // the clock was put back
	i := 0
	for i < len(waitBounds) && took > waitBounds[i] {
		i++
	}
	w.counts[i].Add(1)
	w.sum.Add(int64(took))
}

// Waits are how many clients waited how long for the upstream.
type Waits struct {
	Bounds []float64 `json:"bounds"` // seconds, ascending
	Counts []uint64  `json:"counts"` // of those who waited no longer than each bound, but longer than the one before; and then of the rest
	Sum    float64   `json:"sum"`    // seconds that all waited together
}

// Waits returns the counts since start.
func (r *Resolver) Waits() Waits {
	w := Waits{Sum: time.Duration(r.waits.sum.Load()).Seconds()}
	for _, b := range waitBounds {
		w.Bounds = append(w.Bounds, b.Seconds())
	}
	for i := range r.waits.counts {
		w.Counts = append(w.Counts, r.waits.counts[i].Load())
	}
	return w
}
