package measure

import (
	"testing"
	"time"
)

func TestAHistogramGivesQuantilesWithinAThousandth(t *testing.T) {
	whole, other := NewHistogram(), NewHistogram()
	for i := range 10_000 {
		h := whole
		if i%2 == 1 {
			h = other
		}
		h.Record(time.Duration(i+1) * 10 * time.Microsecond) // 10 µs to 100 ms
	}
	whole.Merge(other)
	if n := whole.Count(); n != 10_000 {
		t.Errorf("%d latencies", n)
	}
	near := func(what string, got, want time.Duration) {
		t.Helper()
		if diff := got - want; diff < -want/1000 || diff > want/1000 {
			t.Errorf("%s: %s; want %s", what, got, want)
		}
	}
	near("p50", whole.Quantile(0.5), 50*time.Millisecond)
	near("p99", whole.Quantile(0.99), 99*time.Millisecond)
	near("p99.9", whole.Quantile(0.999), 99900*time.Microsecond)
	near("max", whole.Max(), 100*time.Millisecond)
}

func TestAHistogramKeepsWhatIsBeyondItsBounds(t *testing.T) {
	h := NewHistogram()
	h.Record(-time.Second)
	h.Record(time.Hour)
	if h.Count() != 2 || h.Max() < mostLatency*999/1000 || h.Quantile(0.5) > 2*leastLatency {
		t.Errorf("%d latencies, median %s, longest %s", h.Count(), h.Quantile(0.5), h.Max())
	}
}
