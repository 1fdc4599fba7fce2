package admin

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"usciere/policy/journal"
)

const maxPage = 8 << 20 // octets of a page of the journal, unless a single entry has more

func listJournal(c *call) (any, error) {
	q, err := params(c.r, "from", "limit")
	if err != nil {
		return nil, err
	}
	most, err := limit(q, DefaultEntries, MaxEntries)
	if err != nil {
		return nil, err
	}
	from := uint64(1) // without from: the newest
	if head := c.cfg.Store.Head().Seq; head > uint64(most) {
		from = head - uint64(most) + 1
	}
	if text := q.Get("from"); text != "" {
		if from, err = strconv.ParseUint(text, 10, 64); err != nil || from == 0 {
			return nil, invalid("entries are numbered from 1", fmt.Sprintf("%q is no number of an entry", text))
		}
	}
	out := JournalPage{Entries: []journal.Entry{}}
	size := 0
	err = c.cfg.Store.Journal(from, func(e journal.Entry) bool {
		size += len(e.Body)
		if n := len(out.Entries); n == most || n > 0 && size > maxPage {
			out.Next = e.Seq
			return false
		}
		out.Entries = append(out.Entries, e)
		return true
	})
	return out, err
}

func journalHead(c *call) (any, error) {
	if _, err := params(c.r); err != nil {
		return nil, err
	}
	return c.cfg.Store.Head(), nil
}

// exportJournal writes all entries, verified on the way: at the first bad one the export breaks off.
func exportJournal(c *call) (any, error) {
	if _, err := params(c.r); err != nil {
		return nil, err
	}
	return stream{"application/jsonl", func(w io.Writer) error {
		var last journal.Head
		var failed error
		err := c.cfg.Store.Journal(1, func(e journal.Entry) bool {
			if failed = journal.Verify(last, e); failed == nil {
				_, failed = w.Write(append(e.Encode(), '\n'))
			}
			last = e.Head()
			return failed == nil
		})
		return errors.Join(err, failed)
	}}, nil
}

func verifyJournal(c *call) (any, error) {
	asked, err := body[VerifyRequest](c.w, c.r)
	if err != nil {
		return nil, err
	}
	var noted journal.Head
	if asked.Head != "" {
		if noted, err = journal.ParseHead(asked.Head); err != nil {
			return nil, invalid("take it from the daemon's log, or from `usciere journal verify`", err.Error())
		}
	}
	out, err := Verify(c.cfg.Store, noted)
	if err == nil && !out.Sound {
		c.cfg.Log.Error("the journal does not verify", "problem", out.Problem)
	}
	return out, err
}

// Verify checks a store's journal, and that it runs through a head noted before (the zero one when none was). What is wrong
// with the journal is a finding; its errors are faults of the store.
func Verify(s Store, noted journal.Head) (out Verification, err error) {
	out.Head, out.Entries, err = s.VerifyJournal()
	var bad *journal.BadEntryError
	switch {
	case errors.As(err, &bad):
		out.Problem, err = err.Error(), nil
	case err != nil:
		return out, err
	case out.Head.Seq < noted.Seq:
		out.Problem = fmt.Sprintf("it ends at entry %d, but once reached entry %d: its end was cut off", out.Head.Seq, noted.Seq)
	case noted.Seq > 0:
		err = s.Journal(noted.Seq, func(e journal.Entry) bool {
			if e.Head() != noted {
				out.Problem = fmt.Sprintf("entry %d is not the one that was noted: the journal was rewritten", noted.Seq)
			}
			return false
		})
	}
	out.Sound = out.Problem == ""
	return out, err
}
