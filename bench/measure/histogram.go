package measure

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Histogram counts latencies with an error of at most a thousandth, whatever their size. It is for one goroutine.
type Histogram struct{ h *hdrhistogram.Histogram }

// What a histogram tells apart: less than the first counts as the first, more than the last as the last.
const (
	leastLatency = 100 * time.Nanosecond
	mostLatency  = 100 * time.Second
)

// NewHistogram returns one without latencies.
func NewHistogram() *Histogram {
	return &Histogram{hdrhistogram.New(int64(leastLatency), int64(mostLatency), 3)}
}

// Record counts a latency.
func (h *Histogram) Record(d time.Duration) {
	_ = h.h.RecordValue(int64(min(max(d, leastLatency), mostLatency))) // it fails beyond the bounds only
}

// Merge adds the latencies of another.
func (h *Histogram) Merge(other *Histogram) { h.h.Merge(other.h) }

// Count is how many latencies there are.
func (h *Histogram) Count() int { return int(h.h.TotalCount()) }

// Quantile is the latency that the share q of all, 0 to 1, do not exceed; 0 of none.
func (h *Histogram) Quantile(q float64) time.Duration {
	return time.Duration(h.h.ValueAtPercentile(q * 100))
}

// Max is the longest latency; 0 of none.
func (h *Histogram) Max() time.Duration { return time.Duration(h.h.Max()) }
