package audit

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"testing"
	"time"

	"go.uber.org/goleak"

	"usciere/policy"
	"usciere/policy/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rome is the town's clock.
var rome = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		panic(err)
	}
	return zone
}()

// at reads "2026-03-02 10:00" by the town's clock.
func at(text string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", text, rome)
	if err != nil {
		panic(err)
	}
	return t
}

func name(text string) policy.Name {
	n, err := policy.ParseName(text)
	if err != nil {
		panic(err)
	}
	return n
}

var clerk = policy.Actor{UID: 1000, Name: "niccolo", PID: 4711, Via: "socket"}

// kept is a policy.Store in memory, with a journal of sealed entries. Transactions roll back.
type kept struct {
	tables  map[policy.Table]map[string][]byte
	next    map[policy.Table]uint64
	head    journal.Head
	entries []journal.Entry
}

func newKept() *kept {
	k := &kept{tables: NewRules("").tables, next: map[policy.Table]uint64{}}
	return k
}

func (k *kept) View(fn func(policy.Tx) error) error { return fn(k.tx()) }

func (k *kept) Update(fn func(policy.Tx) error) error {
	tx := k.tx()
	tx.kept.tables = map[policy.Table]map[string][]byte{}
	for t, records := range k.tables {
		tx.kept.tables[t] = maps.Clone(records)
	}
	tx.kept.next = maps.Clone(k.next)
	tx.Rules.tables = tx.kept.tables
	if err := fn(tx); err != nil {
		return err
	}
	*k = *tx.kept
	return nil
}

func (k *kept) tx() *keptTx {
	now := *k
	return &keptTx{Rules: &Rules{tables: k.tables, head: k.head}, kept: &now}
}

// export is the journal as a file.
func (k *kept) export() []byte {
	var b bytes.Buffer
	for _, e := range k.entries {
		b.Write(append(e.Encode(), '\n'))
	}
	return b.Bytes()
}

// keptTx reads as Rules do.
type keptTx struct {
	*Rules
	kept *kept
}

func (tx *keptTx) Put(t policy.Table, key string, record any) error {
	text, err := json.Marshal(record)
	tx.kept.tables[t][key] = text
	return err
}

func (tx *keptTx) Delete(t policy.Table, key string) error {
	delete(tx.kept.tables[t], key)
	return nil
}

func (tx *keptTx) Next(t policy.Table) (uint64, error) {
	tx.kept.next[t]++
	return tx.kept.next[t], nil
}

func (tx *keptTx) Journal(e policy.Entry) error {
	body, err := json.Marshal(e.Body)
	if err != nil {
		return err
	}
	sealed, err := journal.Seal(tx.kept.head, journal.Entry{
		Time: e.Time, Actor: journal.Actor(e.Actor), Kind: e.Kind, Office: e.Office, Request: e.Request, Body: body,
	})
	if err != nil {
		return err
	}
	tx.kept.head, tx.Rules.head = sealed.Head(), sealed.Head()
	tx.kept.entries = append(tx.kept.entries[:len(tx.kept.entries):len(tx.kept.entries)], sealed)
	return nil
}

// aTown is rules under change with a clock of their own, and what they were after each change.
type aTown struct {
	*policy.Live
	store *kept
	now   time.Time
	was   []wasThen
}

type wasThen struct {
	at    time.Time
	rules *policy.Snapshot
}

var theSite = policy.Town{Site: prefixes("10.20.0.0/16"), Zone: rome}

func newTown(start time.Time) (*aTown, error) {
	town := &aTown{store: newKept(), now: start}
	var err error
	if town.Live, err = policy.Open(town.store, theSite, func() time.Time { return town.now }); err != nil {
		return nil, err
	}
	town.remember()
	return town, nil
}

func (town *aTown) remember() { town.was = append(town.was, wasThen{town.now, town.Snapshot()}) }

// do makes changes, each by itself.
func (town *aTown) do(t testing.TB, changes ...policy.Change) (last any) {
	t.Helper()
	for _, c := range changes {
		made, err := town.Apply(clerk, c)
		if err != nil {
			t.Fatalf("%s: %v", c.Kind(), err)
		}
		town.remember()
		last = made[0]
	}
	return last
}

// rules are the rules that were in force at an instant; nil before the first ones.
func (town *aTown) rulesAt(t time.Time) (rules *policy.Snapshot) {
	for _, w := range town.was {
		if w.at.After(t) {
			break
		}
		rules = w.rules
	}
	return rules
}

func (town *aTown) ask(q Question) (*Answer, error) {
	if q.Zone == nil {
		q.Zone = rome
	}
	if q.Type == 0 {
		q.Type = policy.TypeA
	}
	return Ask(io.Reader(bytes.NewReader(town.store.export())), journal.Head{}, q)
}
