package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"go.etcd.io/bbolt"

	"usciere/policy"
	"usciere/policy/journal"
)

// tx is one transaction; it implements policy.Tx.
type tx struct {
	b       *bbolt.Tx
	head    journal.Head            // of the journal as this transaction sees it
	written bool                    // something is to be committed
	changed bool                    // and it needs a journal entry
	tables  map[policy.Table]*table // as far as used
}

func (t *tx) table(name policy.Table) (*table, error) {
	if known := t.tables[name]; known != nil {
		return known, nil
	}
	b := t.b.Bucket([]byte(name))
	if b == nil {
		return nil, damaged("its table %s is missing", name)
	}
	if t.tables == nil {
		t.tables = map[policy.Table]*table{}
	}
	t.tables[name] = newTable(name, b)
	return t.tables[name], nil
}

// Get implements policy.Tx.
func (t *tx) Get(name policy.Table, key string, into any) (bool, error) {
	from, err := t.table(name)
	if err != nil {
		return false, err
	}
	k := []byte(key)
	value := from.Get(k)
	if value == nil {
		return false, nil
	}
	return true, from.decode(k, value, into)
}

// Each implements policy.Tx. fn must not change the table that it walks.
func (t *tx) Each(name policy.Table, prefix string, fn func(key string, decode func(into any) error) error) error {
	from, err := t.table(name)
	if err != nil {
		return err
	}
	c := from.Cursor()
	var k, v []byte
	decode := func(into any) error { return from.decode(k, v, into) }
	for k, v = c.Seek([]byte(prefix)); k != nil && bytes.HasPrefix(k, []byte(prefix)); k, v = c.Next() {
		if err := fn(string(k), decode); err != nil {
			return err
		}
	}
	return nil
}

// writes notes that a table is written. How sending a letter goes, and what is learnt of aliases and of what is asked, is nobody's change: these alone need no
// journal entry.
func (t *tx) writes(name policy.Table) {
	t.written = true
	t.changed = t.changed || name != policy.TableOutbox && name != policy.TableAliases && name != policy.TableAsked
}

// Put implements policy.Tx.
func (t *tx) Put(name policy.Table, key string, record any) error {
	t.writes(name)
	return t.put(name, key, record)
}

func (t *tx) put(name policy.Table, key string, record any) error {
	to, err := t.table(name)
	if err != nil {
		return err
	}
	value, err := to.encode(key, record)
	if err == nil {
		err = to.Put([]byte(key), value)
	}
	if err != nil {
		return fmt.Errorf("write record %s of table %s: %w", showKey(key), name, err)
	}
	return nil
}

// Delete implements policy.Tx.
func (t *tx) Delete(name policy.Table, key string) error {
	t.writes(name)
	from, err := t.table(name)
	if err != nil {
		return err
	}
	if err := from.Delete([]byte(key)); err != nil {
		return fmt.Errorf("delete record %s of table %s: %w", showKey(key), name, err)
	}
	return nil
}

// Next implements policy.Tx.
func (t *tx) Next(name policy.Table) (uint64, error) {
	t.writes(name)
	of, err := t.table(name)
	if err != nil {
		return 0, err
	}
	n, err := of.NextSequence()
	if err != nil {
		return 0, fmt.Errorf("number a record of table %s: %w", name, err)
	}
	var last uint64
	if key, _ := of.Cursor().Last(); key != nil {
		last = binary.BigEndian.Uint64(key)
	}
	if n <= last || n > math.MaxUint32 { // numbers of grants and requests have 32 bits
		return 0, damaged("table %s counts to %d, but its last record is number %d", name, n, last)
	}
	return n, nil
}

// Version implements policy.Tx.
func (t *tx) Version() uint64 { return t.head.Seq }

// Head implements policy.Tx.
func (t *tx) Head() string { return t.head.String() }

// Journal implements policy.Tx.
func (t *tx) Journal(e policy.Entry) error {
	t.writes(journalTable)
	body, err := marshal(e.Body)
	if err != nil {
		return fmt.Errorf("write the body of journal entry %d: %w", t.head.Seq+1, err)
	}
	sealed, err := journal.Seal(t.head, journal.Entry{
		Time: e.Time, Actor: journal.Actor(e.Actor), Kind: e.Kind, Office: e.Office, Request: e.Request, Body: body,
	})
	if err != nil {
		return err
	}
	to, err := t.table(journalTable)
	if err != nil {
		return err
	}
	if err := to.Put(seqKey(sealed.Seq), sealed.Encode()); err != nil {
		return fmt.Errorf("write journal entry %d: %w", sealed.Seq, err)
	}
	t.head = sealed.Head()
	return nil
}

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }
