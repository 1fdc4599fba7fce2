package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Reason is what is wrong with an entry, as a phrase for the operator.
type Reason string

// What can be wrong with an entry of a journal.
const (
	Changed    Reason = "changed: its content does not match its hash"
	Replaced   Reason = "replaced: it does not follow from the entry before it, or that one was rewritten"
	Missing    Reason = "missing, or moved further down"
	OutOfOrder Reason = "out of order: its number was already used"
	Cut        Reason = "cut off"
	Rewritten  Reason = "rewritten: its hash is not the one that was noted"
	Malformed  Reason = "malformed"
)

// BadEntryError tells which entry of a journal is the first bad one.
type BadEntryError struct {
	Seq    uint64 // the number the entry has or, of one that is missing or cannot be read, should have
	Line   int    // where it begins (or should) in the export, from 1; 0 when there is no export
	Reason Reason
	Err    error // more about it; may be nil
}

func (e *BadEntryError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "journal entry %d", e.Seq)
	if e.Line > 0 {
		fmt.Fprintf(&b, " (line %d)", e.Line)
	}
	fmt.Fprintf(&b, " is %s", e.Reason)
	if e.Err != nil {
		fmt.Fprintf(&b, " (%v)", e.Err)
	}
	return b.String()
}

// Unwrap returns the error that says more.
func (e *BadEntryError) Unwrap() error { return e.Err }

// Verify checks that e is the entry after prev: its number, its link to prev and its own hash. Its error is a
// *BadEntryError.
func Verify(prev Head, e Entry) error {
	want := prev.Seq + 1
	switch {
	case e.Seq > want:
		return &BadEntryError{Seq: want, Reason: Missing}
	case e.Seq < want:
		return &BadEntryError{Seq: e.Seq, Reason: OutOfOrder}
	}
	line, err := e.encode()
	switch {
	case err != nil:
		return &BadEntryError{Seq: e.Seq, Reason: Malformed, Err: err}
	case sum(e.Prev, line) != e.Hash:
		return &BadEntryError{Seq: e.Seq, Reason: Changed}
	case e.Prev != prev.Hash:
		return &BadEntryError{Seq: e.Seq, Reason: Replaced}
	}
	return nil
}

// VerifyStream checks an export from its first entry to its last, and returns the head it ends at and the number of
// its entries. want is a head noted before (the zero Head when none was): the export must run through it, so that a
// cut tail and a history rewritten as a whole are seen too. What follows want is checked as a chain only; whoever
// expects an export to end at want compares the head returned.
//
// A bad export gives a *BadEntryError about the first bad entry, together with the head and number of the good ones
// before it; any other error is the reader's. An entry in memory takes a few times MaxEntry at most.
func VerifyStream(r io.Reader, want Head) (Head, int, error) {
	return ReadStream(r, want, func(Entry) error { return nil })
}

// ReadStream is VerifyStream, and calls fn with each entry once it is verified, until fn returns an error, which it returns.
// What comes before a bad entry has been through fn when that is found.
func ReadStream(r io.Reader, want Head, fn func(Entry) error) (Head, int, error) {
	var (
		head  Head
		count int
		in    = framer{r: bufio.NewReaderSize(r, 64<<10)}
	)
	for {
		text, line, err := in.next()
		if err != nil {
			return head, count, place(err, head.Seq+1, line)
		}
		if text == nil {
			break
		}
		e, err := Decode(text)
		if err != nil {
			return head, count, &BadEntryError{Seq: head.Seq + 1, Line: line, Reason: Malformed, Err: err}
		}
		if err := Verify(head, e); err != nil {
			return head, count, place(err, e.Seq, line)
		}
		if e.Seq == want.Seq && e.Hash != want.Hash {
			return head, count, &BadEntryError{Seq: e.Seq, Line: line, Reason: Rewritten}
		}
		if err := fn(e); err != nil {
			return head, count, err
		}
		head = e.Head()
		count++
	}
	if head.Seq < want.Seq {
		return head, count, &BadEntryError{Seq: head.Seq + 1, Line: in.lines, Reason: Cut,
			Err: fmt.Errorf("the export ends before it, but should reach entry %d", want.Seq)}
	}
	return head, count, nil
}

// place adds to a *BadEntryError where the entry was found; other errors pass.
func place(err error, seq uint64, line int) error {
	if bad, ok := errors.AsType[*BadEntryError](err); ok {
		bad.Line = line
		if bad.Seq == 0 {
			bad.Seq = seq
		}
	}
	return err
}
