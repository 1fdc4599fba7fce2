package lease

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// readKeaFiles reads a memfile of Kea and what its clean-up (LFC) has left beside it: .completed, when it was about to end, in place
// of .2, the file of the last one, and .1, what was written until this one began.
func readKeaFiles(path string, into *leases) error {
	before := []string{path + ".2", path + ".1"}
	if _, err := os.Stat(path + ".completed"); err == nil {
		before = []string{path + ".completed"}
	}
	for _, part := range before {
		if err := readFile(part, into, readKea); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return readFile(path, into, readKea)
}

// readKea reads Kea's memfile, comma-separated under a line of column names; each line replaces what was said of its address before.
func readKea(r io.Reader, into *leases) error {
	var column map[string]int
	return eachLine(r, func(line string) error {
		fields := strings.Split(line, ",")
		if column == nil {
			column = map[string]int{}
			for i, name := range fields {
				column[name] = i
			}
			for _, name := range []string{"address", "valid_lifetime", "expire", "hostname", "state"} {
				if _, ok := column[name]; !ok {
					return fmt.Errorf("its first line has no column %s: it is no memfile of Kea", name)
				}
			}
			return nil
		}
		l, in, ok := keaLine(func(name string) string {
			if i, has := column[name]; has && i < len(fields) {
				return fields[i]
			}
			return ""
		})
		switch {
		case !ok:
			return nil
		case !in:
			delete(into.by, l.Addr)
			return nil
		}
		return into.log(l)
	})
}

// keaLine is the lease of a line; in says whether it is one still, ok whether the line is whole.
func keaLine(field func(string) string) (l Lease, in, ok bool) {
	addr, known := addrOf(field("address"))
	life, err := strconv.ParseUint(field("valid_lifetime"), 10, 32)
	end, err2 := strconv.ParseInt(field("expire"), 10, 64)
	state, err3 := strconv.Atoi(field("state"))
	if errors.Join(err, err2, err3) != nil || !known {
		return l, false, false
	}
	l.Addr = addr
	if kind := field("lease_type"); kind != "" && kind != "0" { // a prefix is no machine's address
		return l, false, false
	}
	return keaLease(l, life, end, state, field("hwaddr"), field("duid"), strings.ReplaceAll(field("hostname"), "&#x2c", ","))
}

// keaLease fills in a lease as Kea has them, in files and on its socket. Its states other than 0 are declined and reclaimed ones.
func keaLease(l Lease, life uint64, end int64, state int, hwaddr, duid, host string) (_ Lease, in, ok bool) {
	const forever = 1<<32 - 1 // of valid_lifetime (RFC 2131 §3.3)
	if life != forever {
		until, sound := seconds(end)
		if !sound {
			return l, false, false
		}
		l.Until = until
		l.Since = until.Add(-time.Duration(life) * time.Second)
	}
	if l.MAC = macOf(hwaddr); l.MAC == "" {
		if octets, err := hex.DecodeString(strings.ReplaceAll(duid, ":", "")); err == nil {
			l.MAC = macOfDUID(octets)
		}
	}
	l.Host = hostOf(host)
	return l, state == 0 && life > 0, true
}
