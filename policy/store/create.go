package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"usciere/policy"
	"usciere/policy/journal"
)

// The tables that only the store knows, and the keys of meta.
const (
	metaTable    policy.Table = "meta"
	journalTable policy.Table = "journal" // sequence number (eight octets, big-endian) → entry, as journal.Entry.Encode writes it

	identityKey = "store" // identity
	headKey     = "head"  // journal.Head
)

// create makes an empty store. It appears under its name only when it is whole and on disk.
func create(path string, format int, now time.Time) error {
	fresh := path + newSuffix
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	db, err := bbolt.Open(fresh, 0o600, &bbolt.Options{Timeout: lockPatience})
	if err != nil {
		return err
	}
	err = db.Update(func(b *bbolt.Tx) error {
		for _, t := range append([]policy.Table{metaTable, journalTable}, policy.Tables...) {
			if _, err := b.CreateBucket([]byte(t)); err != nil {
				return fmt.Errorf("make table %s: %w", t, err)
			}
		}
		t := &tx{b: b}
		return errors.Join(
			t.put(metaTable, identityKey, identity{ID: rand.Text(), Format: format, Created: now.UTC().Truncate(time.Second)}),
			t.put(metaTable, headKey, journal.Head{}))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	return moveInto(fresh, path)
}
