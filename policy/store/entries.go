package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"usciere/policy/journal"
)

// tailEntries is how many of the newest journal entries Open verifies, as long as they have no more than tailOctets together:
// what a crash could have touched, and little enough to start at once. An entry may have megabytes; the newest is verified
// whatever it has.
const (
	tailEntries = 1000
	tailOctets  = 1 << 20
)

// A batch of journal entries is read in one transaction, which ends before they are handed out: an open one would keep
// a change that needs more room from being made.
const (
	batchEntries = 1000
	batchOctets  = 1 << 20
)

// Journal calls fn with the journal's entries from a sequence number on, oldest first, until fn returns false. Entries
// that are added meanwhile are included. It reads without verifying: VerifyJournal and journal.Export verify.
func (s *Store) Journal(from uint64, fn func(journal.Entry) bool) error {
	for next := max(from, 1); ; {
		batch, _, err := s.readEntries(next)
		if err != nil {
			return err
		}
		for _, e := range batch {
			if !fn(e) {
				return nil
			}
		}
		if len(batch) == 0 {
			return nil
		}
		next = batch[len(batch)-1].Seq + 1
	}
}

// VerifyJournal verifies the whole journal, and returns the head and the number of the good entries. A bad entry is an
// ErrDamaged that wraps a *journal.BadEntryError. Changes may go on meanwhile.
func (s *Store) VerifyJournal() (journal.Head, int, error) {
	var good journal.Head
	count := 0
	for {
		batch, head, err := s.readEntries(good.Seq + 1)
		if err != nil {
			return good, count, err
		}
		for _, e := range batch {
			if err := journal.Verify(good, e); err != nil {
				return good, count, damaged("%w", err)
			}
			good = e.Head()
			count++
		}
		switch {
		case len(batch) > 0:
		case good == head:
			return good, count, nil
		default:
			return good, count, wrongEnd(head, good)
		}
	}
}

// readEntries reads a batch of entries from a sequence number on, and the head of the journal at that time.
func (s *Store) readEntries(from uint64) (batch []journal.Entry, head journal.Head, err error) {
	err = guard(func() error {
		return s.db.View(func(b *bbolt.Tx) (err error) {
			if head, err = readHead(b); err != nil {
				return err
			}
			octets := 0
			batch, err = decodeEntries(b, from, func(value []byte) bool {
				octets += len(value)
				return octets < batchOctets
			})
			return err
		})
	})
	if err != nil {
		return nil, head, fmt.Errorf("read the journal from entry %d: %w", from, err)
	}
	return batch, head, nil
}

// decodeEntries decodes the entries from a sequence number on, batchEntries of them at most, for as long as more says so of
// the one just read.
func decodeEntries(b *bbolt.Tx, first uint64, more func(value []byte) bool) ([]journal.Entry, error) {
	from, err := (&tx{b: b}).table(journalTable)
	if err != nil {
		return nil, err
	}
	var entries []journal.Entry
	c := from.Cursor()
	for k, v := c.Seek(seqKey(first)); k != nil; k, v = c.Next() {
		e, err := journal.Decode(v)
		if err == nil && (len(k) != 8 || binary.BigEndian.Uint64(k) != e.Seq) {
			err = errors.New("it stands in the place of another")
		}
		if err != nil {
			return nil, damaged("journal entry %s: %w", showKey(string(k)), err)
		}
		entries = append(entries, e)
		if len(entries) == batchEntries || !more(v) {
			break
		}
	}
	return entries, nil
}

// verifyTail verifies the last n entries of the journal, or fewer (see tailOctets), the last of which must be the head.
func (s *Store) verifyTail(head journal.Head, n uint64) error {
	start, err := s.tailStart(head, n)
	if err != nil {
		return err
	}
	var (
		good journal.Head
		bad  error
	)
	err = s.Journal(start, func(e journal.Entry) bool {
		if e.Seq != start {
			bad = journal.Verify(good, e)
		}
		good = e.Head()
		return bad == nil
	})
	switch {
	case err != nil:
		return err
	case bad != nil:
		return damaged("%w", bad)
	case good != head:
		return wrongEnd(head, good)
	}
	return nil
}

// tailStart is the number of the entry that the tail follows; 0 when the tail is the whole journal.
func (s *Store) tailStart(head journal.Head, n uint64) (start uint64, err error) {
	err = s.db.View(func(b *bbolt.Tx) error {
		from, err := (&tx{b: b}).table(journalTable)
		if err != nil {
			return err
		}
		c, octets := from.Cursor(), 0
		for k, v := c.Last(); len(k) == 8; k, v = c.Prev() {
			octets += len(v)
			start = binary.BigEndian.Uint64(k)
			if octets > tailOctets && start < head.Seq || head.Seq-start >= n {
				return nil
			}
		}
		start = 0
		return nil
	})
	return start, err
}

func wrongEnd(want, got journal.Head) error {
	return damaged("its journal should end with entry %s, and ends with %s", want, got)
}
