// Package lease knows which machine has which address: it reads what DHCP servers keep of their leases, and the kernel's neighbour
// table, and tells the rules, which know the devices of seats by it.
//
// What is in doubt is nobody's: a machine that is not told for sure is what its network says, never more. Readers are one file a
// format (dnsmasq.go, kea.go, keasocket.go, isc.go); [judge] finds what contradicts itself; a [Watcher] does it all again when
// something changes. How to add a server: a reader, and its row in formats.
package lease

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"usciere/policy"
)

// Lease is an address that a machine has for a time.
type Lease struct {
	Addr  netip.Addr
	MAC   policy.DeviceID // empty: not known
	Host  policy.DeviceID // the name the machine gave, without domain; empty: none that is a host name
	Since time.Time       // when the machine last spoke with the server; zero: not known
	Until time.Time       // zero: without end
	order int             // among those of a source that is written as a log, from 1; later is newer, also within a second
}

// Format is how a server keeps its leases.
type Format string

// The formats.
const (
	Dnsmasq   Format = "dnsmasq"    // dnsmasq's lease file
	Kea       Format = "kea"        // Kea's memfile, for IPv4 or IPv6
	KeaSocket Format = "kea-socket" // Kea's control socket, with the hook libdhcp_lease_cmds
	ISC       Format = "isc"        // dhcpd.leases of ISC DHCP
)

// Source is where the leases of one server are.
type Source struct {
	Format Format
	Path   string
}

func (s Source) String() string { return string(s.Format) + " " + s.Path }

const (
	// maxFile bounds what is read of a source, in octets: a lease is some 200 of them, and may stand there many times.
	maxFile = 64 << 20
	// maxLeases bounds the leases of a source.
	maxLeases = 200_000
	// maxLine bounds a line of a source, in octets.
	maxLine = 64 << 10
)

// errMany: no town has so many workstations.
var errMany = fmt.Errorf("more than %d leases", maxLeases)

// leases collects those of a source: what stands later in it replaces what was said of the address before.
type leases struct {
	by     map[netip.Addr]Lease
	logged int
}

func (ls *leases) put(l Lease) error {
	ls.by[l.Addr] = l
	if len(ls.by) > maxLeases {
		return errMany
	}
	return nil
}

// log is put for a source that is written as a log.
func (ls *leases) log(l Lease) error {
	ls.logged++
	l.order = ls.logged
	return ls.put(l)
}

// formats are the readers.
var formats = map[Format]func(path string, into *leases) error{
	Dnsmasq:   func(path string, into *leases) error { return readFile(path, into, readDnsmasq) },
	Kea:       readKeaFiles,
	KeaSocket: readKeaSocket,
	ISC:       func(path string, into *leases) error { return readFile(path, into, readISC) },
}

// read is all leases of a source, those that are over included.
func (s Source) read() (map[netip.Addr]Lease, error) {
	into := &leases{by: map[netip.Addr]Lease{}}
	return into.by, formats[s.Format](s.Path, into)
}

// readFile reads a file, within maxFile.
func readFile(path string, into *leases, read func(io.Reader, *leases) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return fmt.Errorf("%s is no regular file of at most %d MiB", path, maxFile>>20)
	}
	return read(io.LimitReader(f, maxFile), into)
}

// eachLine calls fn with the lines of a text. A last line without its end is being written still, and is left out.
func eachLine(r io.Reader, fn func(line string) error) error {
	in := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("a line is longer than %d octets", maxLine)
		case err != nil:
			return err
		}
		if err := fn(strings.TrimRight(string(line), "\r\n")); err != nil {
			return err
		}
	}
}

// addrOf is the address in a text.
func addrOf(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	return a.Unmap(), err == nil && a.Zone() == ""
}

// hostOf is the name that a machine gave, as a device; empty when it is none.
func hostOf(text string) policy.DeviceID {
	label, _, _ := strings.Cut(text, ".")
	id, err := policy.ParseDevice(label)
	if err != nil || id.IsMAC() { // a name of twelve hexadecimal digits is not to pass for a hardware address
		return ""
	}
	return id
}

// macOf is the hardware address in a text; empty when it is none of six octets.
func macOf(text string) policy.DeviceID {
	mac, err := net.ParseMAC(text)
	if err != nil {
		return ""
	}
	id, err := policy.DeviceOf(mac)
	if err != nil {
		return ""
	}
	return id
}

// macOfDUID is the hardware address in a DHCP unique identifier, if it is made of one of Ethernet (RFC 8415 §11.2, §11.4).
func macOfDUID(duid []byte) policy.DeviceID {
	const llt, ll, ethernet = 1, 3, 1
	if len(duid) < 4 || duid[2] != 0 || duid[3] != ethernet || duid[0] != 0 {
		return ""
	}
	var mac []byte
	switch duid[1] {
	case llt:
		mac = duid[min(8, len(duid)):]
	case ll:
		mac = duid[4:]
	}
	id, err := policy.DeviceOf(mac)
	if err != nil {
		return ""
	}
	return id
}

// seconds is the time of a count of seconds since 1970; false for what no calendar has.
func seconds(n int64) (time.Time, bool) {
	if n < 0 || n > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(n, 0), true
}
