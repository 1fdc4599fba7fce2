// Package policy is the rules: offices, seats, roles, services and grants, the snapshot that decides a question, and the
// typed changes that make the next one. It knows names and addresses, not DNS messages, and no database: whoever keeps the
// records implements Store.
//
// The way of a question is Live.Snapshot, Snapshot.Who, Snapshot.Decide; the way of a change is Live.Apply.
package policy

import (
	"encoding/binary"
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
}

// Open reads the rules of a store. On a new store it first makes the built-in services and grants everyone the
// connectivity probes, without which workstations believe they are offline; on one from an older version of the program it
// brings the built-in services up to date.
func Open(store Store, town Town, now func() time.Time) (*Live, error) {
	l := &Live{store: store, now: now}
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
		e := &edit{Snapshot: l.current.Load().fork(), tx: tx, now: l.now().UTC(), who: who}
		for i, c := range b.Changes {
			e.version = tx.Version() + 1
			made, err := c.apply(e)
			if err != nil {
				return &ChangeError{i, err}
			}
			entry := Entry{Time: e.now, Actor: who, Kind: c.Kind(), Office: made.office, Request: made.request, Body: made.body}
			if err := tx.Journal(entry); err != nil {
				return fmt.Errorf("write the journal: %w", err)
			}
			results = append(results, made.body)
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
	return results, nil
}

// View runs fn on one consistent state of the stored records.
func (l *Live) View(fn func(Records) error) error {
	return l.store.View(func(tx Tx) error { return fn(Records{tx}) })
}

// edit is a change in the making: the next snapshot and the transaction that keeps it.
type edit struct {
	*Snapshot
	tx  Tx
	now time.Time
	who Actor
}

// made is what a change left behind, for the journal and for who asked for it.
type made struct {
	office, request string
	body            any
}

// today is the day by the town's clock.
func (e *edit) today() Moment { return DayOf(e.now, e.town.Zone) }

func eachRecord[R any](tx Tx, t Table, do func(*R) error) error {
	return tx.Each(t, "", func(key string, decode func(any) error) error {
		r := new(R)
		if err := decode(r); err != nil {
			return fmt.Errorf("record %q of table %s: %w", key, t, err)
		}
		return do(r)
	})
}

// Records reads grants and requests as they are written.
type Records struct{ tx Tx }

// Version is the version of the rules that the records are of.
func (r Records) Version() uint64 { return r.tx.Version() }

// Grant is the grant of that number, revoked or not.
func (r Records) Grant(id GrantID) (*Grant, error) {
	g := new(Grant)
	ok, err := r.tx.Get(TableGrants, numberKey(uint64(id)), g)
	if err == nil && !ok {
		err = notFound("see `usciere grant list`", "there is no grant %s", id)
	}
	return g, err
}

// Request is the request of that number.
func (r Records) Request(id RequestID) (*Request, error) {
	q := new(Request)
	ok, err := r.tx.Get(TableRequests, numberKey(uint64(id)), q)
	if err == nil && !ok {
		err = notFound("", "there is no request %s", id)
	}
	return q, err
}

// RequestOf is the request with that protocol number.
func (r Records) RequestOf(protocol string) (*Request, bool, error) {
	var id RequestID
	ok, err := r.tx.Get(TableProtocols, protocol, &id)
	if err != nil || !ok {
		return nil, false, err
	}
	q, err := r.Request(id)
	return q, err == nil, err
}

// errStop ends a walk early.
var errStop = errors.New("stop")

// EachGrantOf calls fn with the grants in force of one subject, oldest first, until fn says false.
func (r Records) EachGrantOf(s Subject, fn func(*Grant) bool) error {
	prefix := subjectPrefix(s)
	err := r.tx.Each(TableHoldings, prefix, func(key string, _ func(any) error) error {
		g, err := r.Grant(GrantID(binary.BigEndian.Uint64([]byte(key[len(prefix):]))))
		if err == nil && !fn(g) {
			return errStop
		}
		return err
	})
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// EachGrant calls fn with all grants ever made, oldest first, until fn says false.
func (r Records) EachGrant(fn func(*Grant) bool) error {
	err := eachRecord(r.tx, TableGrants, func(g *Grant) error {
		if !fn(g) {
			return errStop
		}
		return nil
	})
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}
