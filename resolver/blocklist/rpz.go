package blocklist

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/miekg/dns"
)

// zone reads a response policy zone (draft-vixie-dnsop-dns-rpz §4, §5): of its triggers the QNAME ones, of its actions those that
// deny (NXDOMAIN, NODATA, DROP), which all get the answer of security.mode, and PASSTHRU as an exception. The rest is counted.
func (d *reader) zone() error {
	in := &faultNoting{in: d.in}
	zp := dns.NewZoneParser(in, ".", "")
	zp.SetDefaultTTL(3600)
	apex := []byte{0}
	records, most := 0, 4*max(d.names.limit, 1000) // of the same names, by $GENERATE
	for rr, ok := zp.Next(); ok; rr, ok = zp.Next() {
		if records++; records > most {
			return fmt.Errorf("%w: it has more than %d records", ErrTooMany, most)
		}
		owner, ok := d.packed(rr.Header().Name)
		if !ok {
			d.list.Skipped++
			continue
		}
		switch rr := rr.(type) {
		case *dns.SOA:
			apex = bytes.Clone(owner)
		case *dns.NS: // serves who transfers the zone
		case *dns.CNAME:
			if err := d.trigger(owner, apex, rr.Target); err != nil {
				return err
			}
		default:
			d.list.Skipped++
		}
	}
	if in.err != nil {
		return in.err
	}
	if err := zp.Err(); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "dns: "))
	}
	return nil
}

// trigger takes a CNAME record of the zone.
func (d *reader) trigger(owner, apex []byte, target string) error {
	blocks, ok := blockSelf, true
	switch strings.ToLower(target) {
	case ".", "*.", "rpz-drop.":
	case "rpz-passthru.":
		blocks = passSelf
	default:
		ok = false
	}
	name, under := bytes.CutSuffix(owner, apex)
	if !ok || !under || len(name) == 0 || !isQNAME(name) {
		d.list.Skipped++
		return nil
	}
	if name[0] == 1 && name[1] == '*' { // a wildcard (RFC 4592 §2.1.1)
		if name = name[2:]; len(name) == 0 {
			d.list.Skipped++ // every name there is
			return nil
		}
		blocks <<= 1
	}
	var full [maxName]byte
	n := copy(full[:], name)
	return d.names.add(full[:n+1], blocks)
}

// isQNAME says whether the labels of an owner, the zone's own left out, are those of a name rather than of an address or a name
// server. Labels that end at another place than the zone begins are no owner of it.
func isQNAME(labels []byte) bool {
	last := []byte(nil)
	for len(labels) > 0 {
		n := 1 + int(labels[0])
		if n == 1 || n > len(labels) {
			return false
		}
		last, labels = labels[1:n], labels[n:]
	}
	switch string(last) {
	case "rpz-ip", "rpz-nsip", "rpz-nsdname", "rpz-client-ip":
		return false
	}
	return true
}

// packed is a name of the zone in canonical wire form, valid until the next call.
func (d *reader) packed(text string) ([]byte, bool) {
	n, err := dns.PackDomainName(text, d.buf[:], 0, nil, false)
	if err != nil {
		return nil, false
	}
	name := d.buf[:n]
	for i, c := range name { // a label's length is at most 63, below 'A'
		if 'A' <= c && c <= 'Z' {
			name[i] = c + 'a' - 'A'
		}
	}
	return name, true
}

// faultNoting keeps the error of reading, which the parser takes for the end of the text.
type faultNoting struct {
	in interface {
		io.Reader
		io.ByteReader
	}
	err error
}

func (f *faultNoting) note(err error) {
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
}

func (f *faultNoting) Read(p []byte) (int, error) {
	n, err := f.in.Read(p)
	f.note(err)
	return n, err
}

// ReadByte is the only way the parser reads.
func (f *faultNoting) ReadByte() (byte, error) {
	c, err := f.in.ReadByte()
	f.note(err)
	return c, err
}
