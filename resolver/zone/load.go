package zone

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/miekg/dns"
)

// Values for what the operator did not write.
const (
	defaultTTL = 3600 // seconds
	// Windows keeps negative answers for up to 900 s whatever happens here: so a name added to the zone is seen soon.
	madeMinimum = 30
	// The timers of a made SOA serve secondaries, which there are none of; the values are those of RIPE-203.
	madeRefresh, madeRetry, madeExpire = 86400, 7200, 3600000
)

// Parse loads a zone from a master file (RFC 1035 §5). $ORIGIN, $TTL and $GENERATE are known, $INCLUDE is refused. A missing
// SOA is made, a missing TTL is 3600 s, NS records are not needed. The file name is for messages only: every error names
// file and line (of a record on several lines, the last one) and what to do.
func Parse(origin string, r io.Reader, file string) (*Zone, error) {
	l, err := newLoader(origin)
	if err != nil {
		return nil, err
	}
	if file == "" {
		file = "zone " + l.origin
	}
	lines := newLineReader(r)
	zp := dns.NewZoneParser(lines, l.origin, "")
	zp.SetDefaultTTL(defaultTTL)
	for rr, ok := zp.Next(); ok; rr, ok = zp.Next() {
		if err := l.add(rr); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, lines.line, err)
		}
	}
	if err := zp.Err(); err != nil {
		what, at := explain(err)
		if at == "" { // no fault of the text
			return nil, fmt.Errorf("%s:%d: reading the zone: %w", file, lines.line, err)
		}
		return nil, fmt.Errorf("%s:%s: %s", file, at, what)
	}
	return l.finish()
}

// FromRecords loads a zone from records in presentation format, names relative to the origin, TTL 3600 s where none is
// written. As with Parse a missing SOA is made. Errors name the record by its place in the list, from 1, and its text.
func FromRecords(origin string, records []string) (*Zone, error) {
	l, err := newLoader(origin)
	if err != nil {
		return nil, err
	}
	for i, text := range records {
		rr, err := parseOne(l.origin, text)
		if err == nil {
			err = l.add(rr)
		}
		if err != nil {
			return nil, fmt.Errorf("zone %s: record %d %q: %w", l.origin, i+1, text, err)
		}
	}
	return l.finish()
}

func parseOne(origin, text string) (dns.RR, error) {
	zp := dns.NewZoneParser(strings.NewReader(strings.TrimSpace(text)+"\n"), origin, "")
	zp.SetDefaultTTL(defaultTTL)
	rr, ok := zp.Next()
	if ok {
		if _, more := zp.Next(); more {
			return nil, errors.New("there is more than one record: write one a list entry")
		}
	}
	if err := zp.Err(); err != nil {
		what, _ := explain(err)
		return nil, errors.New(what)
	}
	if !ok {
		return nil, errors.New(`there is no record: write it as "www A 192.0.2.1"`)
	}
	return rr, nil
}

// explain takes the parser's message apart, which ends in the place as "line:column"; at is empty if it does not.
func explain(err error) (what, at string) {
	what = strings.TrimPrefix(err.Error(), "dns: ")
	if i := strings.LastIndex(what, " at line: "); i >= 0 {
		what, at = what[:i], what[i+len(" at line: "):]
	}
	return what, at
}

// lineReader counts the lines given to the parser, which reads no further than the end of a record's line.
type lineReader struct {
	*bufio.Reader
	line int // of the last octet read, from 1
	eol  bool
}

func newLineReader(r io.Reader) *lineReader {
	br := bufio.NewReader(r)
	if mark, _ := br.Peek(3); bytes.Equal(mark, []byte("\uFEFF")) { // as some editors on Windows leave it
		br.Discard(len(mark))
	}
	return &lineReader{Reader: br, line: 1}
}

// ReadByte is io.ByteReader, the only way the parser reads.
func (l *lineReader) ReadByte() (byte, error) {
	c, err := l.Reader.ReadByte()
	if err != nil {
		return 0, err
	}
	if l.eol {
		l.line++
	}
	l.eol = c == '\n'
	return c, nil
}
