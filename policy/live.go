// Package policy is the rules: offices, seats, roles, services and grants, the snapshot that decides a question, and the
// typed changes that make the next one. It knows names and addresses, not DNS messages, and no database: whoever keeps the
// records implements Store.
//
// The way of a question is Live.Snapshot, Snapshot.Who, Snapshot.Decide; the way of a change is Live.Apply.
package policy

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Live is the rules in force: any number of readers load the snapshot, one writer at a time makes the next.
type Live struct {
	current atomic.Pointer[Snapshot]
	mu      sync.Mutex // one change at a time
	store   Store
	now     func() time.Time
	changed chan struct{} // has something after a change
	seen    Sightings     // the newest, kept by mu
}

// Open reads the rules of a store. On a new store it first makes the built-in services and grants everyone the
// connectivity probes, without which workstations believe they are offline; on one from an older version of the program it
// brings the built-in services up to date.
func Open(store Store, town Town, now func() time.Time) (*Live, error) {
	l := &Live{store: store, now: now, changed: make(chan struct{}, 1)}
	if err := l.Reload(town); err != nil {
		return nil, err
	}
	if err := l.install(); err != nil {
		return nil, fmt.Errorf("install the built-in services: %w", err)
	}
	return l, nil
}

// Snapshot is the rules as they are: one atomic load.
func (l *Live) Snapshot() *Snapshot { return l.current.Load() }

// Reload reads all rules anew, for other settings of the town; on an error the rules in force stay.
func (l *Live) Reload(town Town) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var next *Snapshot
	err := l.store.View(func(tx Tx) (err error) {
		next, err = load(tx, town)
		return err
	})
	if err != nil {
		return fmt.Errorf("read the rules: %w", err)
	}
	next.place(l.seen)
	l.current.Store(next)
	return nil
}

// Apply makes changes, all or none: each is checked, the store and the journal are written in one transaction, and the new
// rules are in force when it returns. A refusal is an *Error, and the old rules stay. It returns what each change made.
func (l *Live) Apply(who Actor, changes ...Change) ([]any, error) {
	return l.ApplyBatch(who, Batch{Changes: changes})
}

// Batch is changes that are made together, all or none.
type Batch struct {
	Changes []Change
	Base    uint64 // version of the rules that they are based on; zero asks for no check
	Try     bool   // only see whether they would be accepted
}

// errTried ends the transaction of changes that were only tried.
var errTried = errors.New("tried")

// ApplyBatch is Apply for changes that were worked out from the rules at a version: when these have moved on, they are
// refused as a conflict. What a single change is refused for comes in a *ChangeError.
func (l *Live) ApplyBatch(who Actor, b Batch) ([]any, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var next *Snapshot
	results := make([]any, 0, len(b.Changes))
	err := l.store.Update(func(tx Tx) error {
		if v := tx.Version(); b.Base != 0 && b.Base != v {
			return conflict("look at the difference again, and repeat it if it is still wanted",
				"the rules were changed meanwhile: they are at version %d, this was based on version %d", v, b.Base)
		}
		e := &Edit{Snapshot: l.current.Load().fork(), tx: tx, now: l.now().UTC(), who: who}
		e.seen = l.seen
		for i, c := range b.Changes {
			e.version = tx.Version() + 1
			made, err := c.Apply(e)
			if err != nil {
				return &ChangeError{i, err}
			}
			entry := Entry{Time: e.now, Actor: who, Kind: c.Kind(), Office: made.Office, Request: made.Request, Body: made.Body}
			if err := tx.Journal(entry); err != nil {
				return fmt.Errorf("write the journal: %w", err)
			}
			results = append(results, made.Body)
		}
		if b.Try {
			return errTried
		}
		next = e.Snapshot
		return nil
	})
	switch {
	case errors.Is(err, errTried):
		return results, nil
	case err != nil:
		return nil, err
	}
	l.current.Store(next)
	select {
	case l.changed <- struct{}{}:
	default: // it was not taken since the last change
	}
	return results, nil
}

// Changed has something to receive when there were changes since it was last received from: for one who follows them.
func (l *Live) Changed() <-chan struct{} { return l.changed }

// Postpone keeps how the sending of a letter is going, if it still waits to be sent. It changes no rule and is not
// journalled.
func (l *Live) Postpone(m Mailing) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.store.Update(func(tx Tx) error {
		key := numberKey(uint64(m.Letter))
		if waits, err := tx.Get(TableOutbox, key, new(Mailing)); err != nil || !waits {
			return err
		}
		return tx.Put(TableOutbox, key, &m)
	})
}

// View runs fn on one consistent state of the stored records.
func (l *Live) View(fn func(Records) error) error {
	return l.store.View(func(tx Tx) error { return fn(Records{tx}) })
}
