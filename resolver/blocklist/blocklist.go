// Package blocklist is the optional security lists: names that not even a role without limits reaches (R9).
//
// A List is one file in one of the usual formats, read by Parse and judged name by name. Lists are the files in force, read again
// when they change; a file that cannot be read, or that somebody is still writing, leaves the list that was there.
package blocklist

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// Bounds of what is read. A name takes some nine octets of memory, and twice that while its list is being read.
const (
	MaxNames = 5_000_000 // in all lists together
	MaxFile  = 512 << 20 // octets of one file
)

// Format is how a file is written. How to add one: a constant here, a row in formats, its reader in read.
type Format uint8

// The formats.
const (
	Auto    Format = iota // by the first line that is no comment
	Hosts                 // "0.0.0.0 name …": exactly these names
	Domains               // a name a line: "name" exactly, "*.name" all below, ".name" and "||name^" both; "@@||name^" an exception
	RPZ                   // a response policy zone, of which the QNAME triggers are used
)

var formats = [...]string{"auto", "hosts", "domains", "rpz"}

func (f Format) String() string { return formats[f] }

// ParseFormat reads the name of a format.
func ParseFormat(text string) (Format, error) {
	for i, name := range formats {
		if text == name {
			return Format(i), nil
		}
	}
	return Auto, fmt.Errorf("%q is no format of a list: they are auto, hosts, domains and rpz", text)
}

// Errors of Parse; the wrapping text says what to do.
var (
	ErrTooMany = errors.New("too many names")
	ErrNoList  = errors.New("not a list")
)

// List is what one file says. It is immutable but for its hits.
type List struct {
	Name       string    // path of the file
	Format     Format    // never Auto
	Names      int       // listed, each once, whether for itself or for all below
	Exceptions int       // names that are exempt
	Skipped    int       // lines or records without effect here
	Modified   time.Time // of the file
	table      table
	hits       *atomic.Uint64 // since start, those of the list's former editions included
}

// Hit counts a question that was refused for this list.
func (l *List) Hit() { l.hits.Add(1) }

// Parse reads a list of at most room names. The error wraps ErrTooMany, ErrNoList for a text in which lines that cannot be read
// outnumber the names, or is that of reading or of the zone parser, with its place.
func Parse(r io.Reader, name string, f Format, room int) (*List, error) {
	d := &reader{list: &List{Name: name, Format: f, hits: new(atomic.Uint64)}, in: newBuffer(r), names: builder{limit: room}}
	if f == Auto {
		d.list.Format = detect(d.in)
	}
	if err := d.read(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var err error
	if d.list.table, err = d.names.table(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	d.list.Names, d.list.Exceptions = d.list.table.count()
	switch {
	case d.unread > d.list.Names+d.list.Exceptions:
		return nil, fmt.Errorf("%s: %w: more lines cannot be read than can, line %d the first: is its format %s? see security.format",
			name, ErrNoList, d.first, d.list.Format)
	case d.list.Names+d.list.Exceptions == 0:
		return nil, fmt.Errorf("%s: %w: there is no name in it; take the file out of security.files if that is right", name, ErrNoList)
	}
	d.list.Skipped += d.unread
	return d.list, nil
}

// read fills the table in the list's format.
func (d *reader) read() error {
	switch d.list.Format {
	case Hosts:
		return d.lines(d.hosts)
	case RPZ:
		return d.zone()
	default:
		return d.lines(d.domain)
	}
}

// interruptible is a reader that ends with a context.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (i interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}
