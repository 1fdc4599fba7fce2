package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Export writes the entries that next returns, one a line, until next returns false, and returns the head of what it
// wrote. It verifies the chain on the way, so that a damaged journal does not leave a sound-looking export: at the
// first bad entry it stops with a *BadEntryError. The errors of w and next are returned wrapped.
func Export(w io.Writer, next func() (Entry, bool, error)) (Head, error) {
	out := bufio.NewWriterSize(w, 64<<10)
	var head Head
	for {
		e, more, err := next()
		if err != nil {
			return head, errors.Join(fmt.Errorf("exporting the journal after entry %d: %w", head.Seq, err), out.Flush())
		}
		if !more {
			break
		}
		if err := Verify(head, e); err != nil {
			return head, errors.Join(fmt.Errorf("exporting the journal: %w", err), out.Flush())
		}
		if _, err := out.Write(append(e.Encode(), '\n')); err != nil {
			return head, fmt.Errorf("writing the journal export: %w", err)
		}
		head = e.Head()
	}
	if err := out.Flush(); err != nil {
		return head, fmt.Errorf("writing the journal export: %w", err)
	}
	return head, nil
}

// framer cuts an export into entries: an entry ends with the line on which all its brackets are closed.
type framer struct {
	r     *bufio.Reader
	lines int    // read so far
	buf   []byte // of the entry at hand; used again for the next
}

// next returns the next entry, valid until the next call, and the line it begins on; a nil text after the last one.
// What is no whole entry gives a *BadEntryError that does not know its Seq and Line.
func (f *framer) next() (text []byte, line int, err error) {
	f.buf = f.buf[:0]
	depth := 0
	for {
		start := len(f.buf)
		ended, err := f.readLine()
		part := f.buf[start:]
		if start == 0 {
			line = f.lines
			if err == nil && len(bytes.TrimSpace(part)) == 0 {
				if ended {
					return nil, line, nil
				}
				f.buf = f.buf[:0] // an empty line between entries
				continue
			}
		}
		switch {
		case err != nil:
			return nil, line, err
		case ended:
			return nil, line, cut("the export ends within it, before the newline")
		case depth > 0 && part[0] == '{':
			return nil, line, cut("line %d begins another entry before this one ends", f.lines)
		}
		opened, whole := brackets(part)
		if !whole {
			return nil, line, cut("line %d ends within a string", f.lines)
		}
		if depth += opened; depth <= 0 {
			return bytes.TrimSuffix(f.buf, []byte("\n")), line, nil
		}
	}
}

func cut(format string, args ...any) *BadEntryError {
	return &BadEntryError{Reason: Cut, Err: fmt.Errorf(format, args...)}
}

// readLine appends one line, with its newline, to f.buf, which it keeps to MaxEntry octets (the newline aside). At the
// end of the export it appends what there was without a newline, and ended is true.
func (f *framer) readLine() (ended bool, err error) {
	f.lines++
	for {
		part, err := f.r.ReadSlice('\n')
		if len(f.buf)+len(part) > MaxEntry+1 {
			return false, &BadEntryError{Reason: Malformed, Err: fmt.Errorf("longer than %d octets", MaxEntry)}
		}
		f.buf = append(f.buf, part...)
		switch {
		case err == nil:
			return false, nil
		case err == io.EOF:
			return true, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return false, fmt.Errorf("reading the journal export: %w", err)
		}
	}
}

// brackets counts how many more brackets a line of JSON opens than it closes; whole is false when it ends within a
// string, which cannot go on in the next line (RFC 8259 §7).
func brackets(line []byte) (opened int, whole bool) {
	inString := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			opened++
		case c == '}' || c == ']':
			opened--
		}
	}
	return opened, !inString
}
