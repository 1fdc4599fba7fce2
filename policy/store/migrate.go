package store

import (
	"fmt"
	"io"
	"log/slog"

	"go.etcd.io/bbolt"

	"usciere/policy"
	"usciere/policy/journal"
)

// layout is a format of the store and the way to it: steps[n-1] brings format n to n+1.
type layout struct {
	format int
	steps  []func(*bbolt.Tx) error
}

// current is the format that this version writes. How to change the format, which adding a table to policy.Tables also is:
// raise the number, append a step that makes the tables and rewrites the records.
var current = layout{format: 4, steps: []func(*bbolt.Tx) error{
	newTables(policy.TableLetters, policy.TablePapers, policy.TableOutgoing, policy.TableOutbox), // letters
	newTables(policy.TableTokens, policy.TableAliases),
	newTables(policy.TableAsked),
}}

// newTables is a step that makes tables.
func newTables(tables ...policy.Table) func(*bbolt.Tx) error {
	return func(b *bbolt.Tx) error {
		for _, t := range tables {
			if _, err := b.CreateBucket([]byte(t)); err != nil {
				return fmt.Errorf("make table %s: %w", t, err)
			}
		}
		return nil
	}
}

// readIdentity reads which store this is, and refuses a format that is newer than l.
func readIdentity(db *bbolt.DB, l layout) (id identity, err error) {
	err = db.View(func(b *bbolt.Tx) error {
		ok, err := (&tx{b: b}).Get(metaTable, identityKey, &id)
		if err == nil && (!ok || id.ID == "" || id.Format < 1) {
			err = damaged("it does not say which store it is")
		}
		return err
	})
	if err == nil && id.Format > l.format {
		err = fmt.Errorf("%w (format %d, this one knows %d): install that version", ErrNewer, id.Format, l.format)
	}
	return id, err
}

// migrate brings the store to the format of l in one transaction. If so wanted, the database as it was is kept beside it.
func (s *Store) migrate(l layout, keepOld bool, log *slog.Logger) error {
	from := s.identity.Format
	if keepOld {
		kept := fmt.Sprintf("%s.format-%d", s.path, from)
		err := replaceFile(kept, func(w io.Writer) error {
			_, err := s.Backup(w)
			return err
		})
		if err != nil {
			return fmt.Errorf("keep a copy of it: %w", advise(err))
		}
		log.Info("kept the store in its old format", "path", kept)
	}
	next := s.identity
	next.Format = l.format
	err := s.db.Update(func(b *bbolt.Tx) error {
		for i, step := range l.steps[from-1 : l.format-1] {
			if err := step(b); err != nil {
				return fmt.Errorf("from format %d to %d: %w", from+i, from+i+1, err)
			}
		}
		return (&tx{b: b}).put(metaTable, identityKey, next)
	})
	if err != nil {
		return advise(err)
	}
	s.identity = next
	log.Info("brought the store to a new format", "path", s.path, "from", from, "to", next.Format)
	return nil
}

// checkTables checks that all tables are there, and no others, and returns the head of the journal.
func (s *Store) checkTables() (head journal.Head, err error) {
	err = s.db.View(func(b *bbolt.Tx) error {
		known := map[policy.Table]bool{metaTable: true, journalTable: true}
		for _, t := range policy.Tables {
			known[t] = true
		}
		if err := b.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			t := policy.Table(name)
			if !known[t] {
				return damaged("it has a table %q, which does not belong there", t)
			}
			delete(known, t)
			return nil
		}); err != nil {
			return err
		}
		for t := range known {
			return damaged("its table %s is missing", t)
		}
		head, err = readHead(b)
		return err
	})
	return head, err
}

// readHead reads the head of the journal from the meta table.
func readHead(b *bbolt.Tx) (head journal.Head, err error) {
	ok, err := (&tx{b: b}).Get(metaTable, headKey, &head)
	if err == nil && !ok {
		err = damaged("the head of the journal is missing")
	}
	return head, err
}
