package blocklist

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/netip"
)

// reader is a list while it is read.
type reader struct {
	list   *List
	in     *bufio.Reader
	names  builder
	buf    [maxName]byte
	line   int // from 1
	unread int // lines that mean nothing
	first  int // the first of them
}

const (
	maxLine  = 32 << 10 // octets; a longer one counts as one that cannot be read
	maxName  = 255      // octets, RFC 1035 §3.1
	maxLabel = 63       // octets, RFC 1035 §3.1
)

func newBuffer(r io.Reader) *bufio.Reader {
	b := bufio.NewReaderSize(r, maxLine)
	if mark, _ := b.Peek(3); bytes.Equal(mark, []byte("\uFEFF")) { // as some editors on Windows leave it
		b.Discard(len(mark))
	}
	return b
}

// detect guesses the format from the first line that is no comment.
func detect(in *bufio.Reader) Format {
	head, _ := in.Peek(maxLine) // what there is, if less
	for line := range bytes.Lines(head) {
		fields := bytes.Fields(plain(line))
		if len(fields) == 0 {
			continue
		}
		if fields[0][0] == '$' {
			return RPZ
		}
		for _, f := range fields[1:] {
			if bytes.EqualFold(f, []byte("SOA")) || bytes.EqualFold(f, []byte("CNAME")) {
				return RPZ
			}
		}
		if _, err := netip.ParseAddr(string(fields[0])); err == nil && len(fields) > 1 {
			return Hosts
		}
		return Domains
	}
	return Domains
}

// plain is a line without its end, the space around it and its comment.
func plain(line []byte) []byte {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || bytes.IndexByte([]byte("#!;["), line[0]) >= 0 || bytes.HasPrefix(line, []byte("//")) {
		return nil
	}
	for i, c := range line {
		if c == '#' && (line[i-1] == ' ' || line[i-1] == '\t') {
			return bytes.TrimSpace(line[:i])
		}
	}
	return line
}

// lines gives every line that is no comment to take, which says whether it could read it.
func (d *reader) lines(take func(line []byte) (bool, error)) error {
	for more := true; more; {
		line, err := d.in.ReadSlice('\n')
		d.line++
		if line = plain(line); len(line) > 0 {
			ok := false
			if !errors.Is(err, bufio.ErrBufferFull) {
				var full error
				if ok, full = take(line); full != nil {
					return full
				}
			}
			if !ok {
				d.miss()
			}
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = d.in.ReadSlice('\n')
		}
		if more = err == nil; !more && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}

// miss notes that the line could not be read.
func (d *reader) miss() {
	if d.unread++; d.first == 0 {
		d.first = d.line
	}
}

// hosts reads "ADDRESS NAME…". Only an address that leads nowhere blocks; names of one label, such as localhost, are the machine's own.
func (d *reader) hosts(line []byte) (bool, error) {
	fields := bytes.Fields(line)
	addr, _ := netip.ParseAddr(string(fields[0]))
	if !addr.IsValid() || len(fields) < 2 {
		return false, nil
	}
	leadsNowhere := addr.IsUnspecified() || addr.IsLoopback()
	for _, f := range fields[1:] {
		name, ok := d.name(f)
		if _, err := netip.ParseAddr(string(f)); err == nil || ok && (!leadsNowhere || name[1+int(name[0])] == 0) {
			d.list.Skipped++
			continue
		}
		if !ok {
			return false, nil
		}
		if err := d.names.add(name, blockSelf); err != nil {
			return true, err
		}
	}
	return true, nil
}

// domain reads one name with the sign of what it covers.
func (d *reader) domain(line []byte) (bool, error) {
	r := blockSelf
	if rest, ok := bytes.CutPrefix(line, []byte("@@")); ok && bytes.HasPrefix(rest, []byte("||")) {
		line, r = rest, passSelf
	}
	if rest, ok := bytes.CutPrefix(line, []byte("||")); ok {
		if line, ok = bytes.CutSuffix(rest, []byte("^")); !ok {
			return false, nil
		}
		r |= r << 1 // and all below
	} else if rest, ok := bytes.CutPrefix(line, []byte("*.")); ok {
		line, r = rest, blockBelow
	} else if rest, ok := bytes.CutPrefix(line, []byte(".")); ok {
		line, r = rest, blockSelf|blockBelow
	}
	name, ok := d.name(line)
	if !ok {
		return false, nil
	}
	return true, d.names.add(name, r)
}

// name reads a host name into canonical wire form; a final dot is optional. It is valid until the next call.
func (d *reader) name(text []byte) (name []byte, ok bool) {
	text = bytes.TrimSuffix(text, []byte("."))
	if len(text) == 0 || len(text) > maxName-2 {
		return nil, false
	}
	name = append(d.buf[:0], 0)
	start := 0
	for i := 0; i <= len(text); i++ {
		if i == len(text) || text[i] == '.' {
			n := len(name) - start - 1
			if n == 0 || n > maxLabel {
				return nil, false
			}
			name[start] = byte(n)
			start = len(name)
			name = append(name, 0)
			continue
		}
		c := text[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return nil, false
		}
		name = append(name, c)
	}
	return name, true
}
