// Package audit answers from the journal alone: it replays verified entries into records, and has the policy itself compile
// and judge them, so that it says of a day in the past what the daemon did on it.
package audit

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"usciere/policy"
	"usciere/policy/journal"
)

// Rules are the records that a journal's entries left, up to the last one applied. They are a policy.Reader without the
// tables that are indexes of others, and without papers and the outbox.
type Rules struct {
	only    string // the office whose grants, requests and letters are kept; empty: all
	tables  map[policy.Table]map[string][]byte
	head    journal.Head
	touched []place  // what the last entry wrote or deleted
	puzzles []Puzzle // in order
	puzzled int      // how many there were
}

// place is a record's.
type place struct {
	table policy.Table
	key   string
}

// Puzzle is an entry that this program does not fully understand: what is said of the time after it may be incomplete.
type Puzzle struct {
	Seq  uint64 `json:"seq"`
	Kind string `json:"kind"`
	Why  string `json:"why"`
}

// maxPuzzles is how many are kept; the rest is only counted.
const maxPuzzles = 100

// NewRules are the rules before the first entry. With an office, the grants, requests and letters of all others are left
// out, which makes no difference to what that office may reach.
func NewRules(office string) *Rules {
	r := &Rules{only: office, tables: map[policy.Table]map[string][]byte{}}
	for _, t := range policy.Tables {
		r.tables[t] = map[string][]byte{}
	}
	return r
}

// Apply takes in the next entry, which is verified already.
func (r *Rules) Apply(e journal.Entry) {
	r.touched = r.touched[:0]
	r.head = e.Head()
	read, known := kinds[e.Kind]
	if !known {
		r.puzzle(e, "a kind of change that this version does not know")
		return
	}
	if why := read(r, e); why != "" {
		r.puzzle(e, why)
	}
}

func (r *Rules) puzzle(e journal.Entry, why string) {
	if r.puzzled++; r.puzzled <= maxPuzzles {
		r.puzzles = append(r.puzzles, Puzzle{e.Seq, e.Kind, why})
	}
}

// Puzzles are the first entries that were not fully understood, and how many there are.
func (r *Rules) Puzzles() ([]Puzzle, int) { return r.puzzles, r.puzzled }

// Compile makes the rules that were in force after the last entry, by the policy's own hand. No address lies outside the
// site: which ones did is said in the settings, not in the journal.
func (r *Rules) Compile(town policy.Town) (*policy.Snapshot, error) {
	s, err := policy.Compile(r, town)
	if err != nil {
		return nil, fmt.Errorf("the records up to journal entry %d do not fit together: %w", r.head.Seq, err)
	}
	return s, nil
}

// Records are the records as the policy reads them.
func (r *Rules) Records() policy.Records { return policy.RecordsOf(r) }

// Get implements policy.Reader.
func (r *Rules) Get(t policy.Table, key string, into any) (bool, error) {
	text, ok := r.tables[t][key]
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal(text, into)
}

// Each implements policy.Reader.
func (r *Rules) Each(t policy.Table, prefix string, fn func(key string, decode func(into any) error) error) error {
	for _, key := range slices.Sorted(maps.Keys(r.tables[t])) {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		text := r.tables[t][key]
		if err := fn(key, func(into any) error { return json.Unmarshal(text, into) }); err != nil {
			return err
		}
	}
	return nil
}

// Scan implements policy.Reader.
func (r *Rules) Scan(t policy.Table, readers []policy.RecordReader) error {
	for _, text := range r.tables[t] {
		if err := readers[0](text, func(into any) error { return json.Unmarshal(text, into) }); err != nil {
			return err
		}
	}
	return nil
}

// Version implements policy.Reader.
func (r *Rules) Version() uint64 { return r.head.Seq }

// Head implements policy.Reader.
func (r *Rules) Head() string { return r.head.String() }

func (r *Rules) put(t policy.Table, key string, record any) {
	text, err := json.Marshal(record)
	if err != nil {
		panic(err) // it was read from JSON, and has methods of its own only for texts
	}
	r.tables[t][key] = text
	r.touched = append(r.touched, place{t, key})
}

func (r *Rules) drop(t policy.Table, key string) {
	delete(r.tables[t], key)
	r.touched = append(r.touched, place{t, key})
}

// numberKey is the key of a numbered record, as the tables of the policy have it.
func numberKey[N ~uint32](n N) string { return string(binary.BigEndian.AppendUint64(nil, uint64(n))) }
