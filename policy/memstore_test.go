package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// memStore is a Store in memory: tables of JSON, as a real one keeps them, whose transactions roll back, and which can be
// made to fail.
type memStore struct {
	mu      sync.RWMutex
	tables  map[Table]map[string][]byte
	next    map[Table]uint64
	journal []Entry

	failPut, failJournal, failCommit error
}

var errDisk = errors.New("no space left on device")

func newMemStore() *memStore {
	m := &memStore{tables: map[Table]map[string][]byte{}, next: map[Table]uint64{}}
	for _, t := range Tables {
		m.tables[t] = map[string][]byte{}
	}
	return m
}

func (m *memStore) View(fn func(Tx) error) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return fn(&memTx{store: m})
}

func (m *memStore) Update(fn func(Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	tx := &memTx{store: m, writable: true, entries: len(m.journal), next: maps.Clone(m.next)}
	err := fn(tx)
	if err == nil {
		err = m.failCommit
	}
	if err != nil {
		for _, undo := range slices.Backward(tx.undo) {
			undo()
		}
		m.journal, m.next = m.journal[:tx.entries], tx.next
	}
	return err
}

// dump is all that is stored, to see whether anything changed.
func (m *memStore) dump() string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all, err := json.Marshal(struct {
		Tables  map[Table]map[string][]byte
		Next    map[Table]uint64
		Entries int
	}{m.tables, m.next, len(m.journal)})
	if err != nil {
		panic(err)
	}
	return string(all)
}

type memTx struct {
	store    *memStore
	writable bool
	undo     []func()
	entries  int
	next     map[Table]uint64
}

func (tx *memTx) Get(t Table, key string, into any) (bool, error) {
	data, ok := tx.store.tables[t][key]
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal(data, into)
}

func (tx *memTx) Each(t Table, prefix string, fn func(string, func(any) error) error) error {
	for _, key := range slices.Sorted(maps.Keys(tx.store.tables[t])) {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		data := tx.store.tables[t][key]
		if err := fn(key, func(into any) error { return json.Unmarshal(data, into) }); err != nil {
			return err
		}
	}
	return nil
}

func (tx *memTx) Scan(t Table, readers []RecordReader) error {
	next := 0
	return tx.Each(t, "", func(key string, decode func(any) error) error {
		next++
		return readers[next%len(readers)](tx.store.tables[t][key], decode)
	})
}

func (tx *memTx) Put(t Table, key string, record any) error {
	if !tx.writable {
		return errors.New("put in a reading transaction")
	}
	if tx.store.failPut != nil {
		return tx.store.failPut
	}
	data, err := json.Marshal(record)
	if err != nil {
		return err
	}
	tx.remember(t, key)
	tx.store.tables[t][key] = data
	return nil
}

func (tx *memTx) Delete(t Table, key string) error {
	if !tx.writable {
		return errors.New("delete in a reading transaction")
	}
	tx.remember(t, key)
	delete(tx.store.tables[t], key)
	return nil
}

func (tx *memTx) remember(t Table, key string) {
	old, had := tx.store.tables[t][key]
	tx.undo = append(tx.undo, func() {
		if had {
			tx.store.tables[t][key] = old
		} else {
			delete(tx.store.tables[t], key)
		}
	})
}

func (tx *memTx) Next(t Table) (uint64, error) {
	tx.store.next[t]++
	return tx.store.next[t], nil
}

func (tx *memTx) Version() uint64 { return uint64(len(tx.store.journal)) }

func (tx *memTx) Head() string { return fmt.Sprintf("%d:%064x", tx.Version(), tx.Version()) }

func (tx *memTx) Journal(e Entry) error {
	if tx.store.failJournal != nil {
		return tx.store.failJournal
	}
	if _, err := json.Marshal(e.Body); err != nil {
		return err
	}
	tx.store.journal = append(tx.store.journal, e)
	return nil
}
