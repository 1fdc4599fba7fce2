package resolver

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"

	"usciere/policy"
)

// memory is a policy.Store that forgets. Records are kept as JSON, so that nothing is shared with the rules in force.
type memory struct {
	mu    sync.Mutex
	state state
}

type state struct {
	tables  map[policy.Table]map[string][]byte
	version uint64
}

func newMemory() *memory {
	s := state{tables: map[policy.Table]map[string][]byte{}}
	for _, t := range policy.Tables {
		s.tables[t] = map[string][]byte{}
	}
	return &memory{state: s}
}

func (m *memory) View(fn func(policy.Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fn(&m.state)
}

// Update works on a copy, which replaces the state when fn succeeds.
func (m *memory) Update(fn func(policy.Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := state{tables: map[policy.Table]map[string][]byte{}, version: m.state.version}
	for t, records := range m.state.tables {
		next.tables[t] = maps.Clone(records)
	}
	err := fn(&next)
	if err == nil {
		m.state = next
	}
	return err
}

func (s *state) Get(t policy.Table, key string, into any) (bool, error) {
	raw, ok := s.tables[t][key]
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal(raw, into)
}

func (s *state) Each(t policy.Table, prefix string, fn func(string, func(any) error) error) error {
	for _, key := range slices.Sorted(maps.Keys(s.tables[t])) {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		raw := s.tables[t][key]
		if err := fn(key, func(into any) error { return json.Unmarshal(raw, into) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *state) Scan(t policy.Table, readers []policy.RecordReader) error {
	return s.Each(t, "", func(key string, decode func(any) error) error { return readers[0](s.tables[t][key], decode) })
}

func (s *state) Put(t policy.Table, key string, record any) error {
	raw, err := json.Marshal(record)
	s.tables[t][key] = raw
	return err
}

func (s *state) Delete(t policy.Table, key string) error {
	delete(s.tables[t], key)
	return nil
}

// Next is one more than the last key; the tests delete no numbered record.
func (s *state) Next(t policy.Table) (uint64, error) {
	last := uint64(0)
	for key := range s.tables[t] {
		last = max(last, binary.BigEndian.Uint64([]byte(key)))
	}
	return last + 1, nil
}

func (s *state) Version() uint64 { return s.version }

func (s *state) Head() string { return "" }

func (s *state) Journal(policy.Entry) error {
	s.version++
	return nil
}
