package main

import (
	"context"
	"sync"
	"time"

	"usciere/resolver/tally"
)

// keepAskedEvery is how often what was counted of the offices' questions is written.
const keepAskedEvery = time.Minute

// askedCounts are the counts of what offices ask for, on their way into the store.
type askedCounts struct {
	tally tally.Tally

	mu   sync.Mutex
	last time.Time // when they were written last: the day that they are of
}

// counting is where the resolver counts; nil: it does not.
func (d *daemon) counting(days int) *tally.Tally {
	if days == 0 {
		return nil
	}
	return &d.asked.tally
}

// keepAsked writes what is counted, until ctx ends.
func (d *daemon) keepAsked(ctx context.Context) {
	ticker := time.NewTicker(keepAskedEvery)
	defer ticker.Stop()
	for over := false; !over; {
		select {
		case <-ctx.Done():
			over = true
		case <-ticker.C:
		}
		if err := d.writeAsked(time.Now()); err != nil {
			d.log.Warn("what offices asked for cannot be written, and is lost", "error", err)
		}
	}
}

// writeAsked adds what was counted to the day that it is of. With a new day, who asked for what on the former is forgotten.
func (d *daemon) writeAsked(now time.Time) error {
	a := &d.asked
	a.mu.Lock()
	defer a.mu.Unlock()
	counted, of, newDay := a.tally.Take(), now, a.last.IsZero()
	if zone := d.rules.Snapshot().Town().Zone; !a.last.IsZero() && a.last.In(zone).Format(time.DateOnly) != now.In(zone).Format(time.DateOnly) {
		of, newDay = a.last, true
		a.tally.Forget()
	}
	a.last = now
	days := d.inForce.Load().settings.Asked.Days
	switch {
	case days == 0:
		a.tally.Forget()
	case len(counted) == 0 && !newDay: // nothing is too old either
		return nil
	}
	return d.rules.CountAsked(of, counted, days)
}
