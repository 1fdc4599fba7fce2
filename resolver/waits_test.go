package resolver

import (
	"testing"
	"time"
)

func TestWaitsAreCountedByLength(t *testing.T) {
	var w waits
	for _, took := range []time.Duration{-time.Hour, 0, time.Millisecond, time.Millisecond + 1, 90 * time.Millisecond, 4 * time.Second, time.Minute} {
		w.note(took)
	}
	for i, want := range []uint64{3, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1} {
		if got := w.counts[i].Load(); got != want {
			t.Errorf("part %d: %d, want %d", i, got, want)
		}
	}
}

func TestOnlyWhoWaitsForTheUpstreamIsAWait(t *testing.T) {
	h := open(t)
	sum := func() (n uint64) {
		for _, c := range h.resolver.Waits().Counts {
			n += c
		}
		return n
	}
	h.ask(anagrafe, "www.inps.it A")
	if got := sum(); got != 1 {
		t.Errorf("%d waits, want 1", got)
	}
	h.ask(anagrafe, "www.inps.it A") // from the cache
	h.ask(tributi, "www.inps.it A")  // sinkholed
	h.ask(anagrafe, "localhost A")
	if got := sum(); got != 1 {
		t.Errorf("%d waits after questions that nobody waits for, want 1", got)
	}
	h.upstream.SetHandler(servfail)
	h.ask(anagrafe, "servizi2.inps.it A")
	if got := sum(); got != 2 {
		t.Errorf("%d waits after a failure, want 2", got)
	}
}
