package listen

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// InUseError says that an address is taken, and by whom where that can be seen.
type InUseError struct {
	Addr    string // address and port that could not be bound
	Network string // "udp" or "tcp"
	PID     int    // of the process that holds it; 0 when not known
	Setting string // where another address is chosen; empty: --listen
	Program string // its name (at most 15 octets, as the kernel keeps it); empty when not known

	err error
}

func newInUseError(network string, addr netip.AddrPort, err error) *InUseError {
	e := &InUseError{Addr: addr.String(), Network: network, err: bare(err)}
	e.PID, e.Program = socketOwner("/proc", network, addr)
	return e
}

// Unwrap gives the kernel's error, EADDRINUSE.
func (e *InUseError) Unwrap() error { return e.err }

// Error names the culprit and the way out.
func (e *InUseError) Error() string {
	head := fmt.Sprintf("listen on %s %s: the port is taken by ", e.Network, e.Addr)
	way := ": stop it or choose another " + cmp.Or(e.Setting, "--listen")
	switch {
	case e.PID == 0:
		_, port, _ := strings.Cut(e.Addr[strings.LastIndexByte(e.Addr, ']')+1:], ":")
		flag := map[string]string{"udp": "-ulpn", "tcp": "-tlpn"}[e.Network]
		return fmt.Sprintf("%sa program that this user may not see (as root, `ss %s 'sport = :%s'` names it)%s", head, flag, port, way)
	case e.PID == os.Getpid():
		return head + "this very process (pid " + strconv.Itoa(e.PID) + "): another listen address covers this one, leave one of them out"
	case strings.HasPrefix(e.Program, "systemd-resolve"):
		return fmt.Sprintf("%ssystemd-resolved (pid %d): set DNSStubListener=no in /etc/systemd/resolved.conf, "+
			"then systemctl restart systemd-resolved", head, e.PID)
	case e.Program == "":
		return fmt.Sprintf("%sthe process %d%s", head, e.PID, way)
	}
	name := strconv.QuoteToGraphic(e.Program)
	if plain := name[1 : len(name)-1]; plain == e.Program {
		name = plain
	}
	return fmt.Sprintf("%s%s (pid %d)%s", head, name, e.PID, way)
}

// socketOwner finds the process whose socket keeps addr from being bound, among those this user may look into.
func socketOwner(proc, network string, addr netip.AddrPort) (pid int, program string) {
	inodes := make(map[uint64]bool)
	files := []string{network + "6"}
	if addr.Addr().Is4() {
		files = []string{network, network + "6"}
	}
	for _, name := range files {
		f, err := os.Open(filepath.Join(proc, "net", name))
		if err != nil {
			continue
		}
		conflicts(f, network, addr, inodes)
		_ = f.Close()
		if len(inodes) > 0 {
			break // a socket of the same family is the likelier culprit than an IPv6 wildcard
		}
	}
	if len(inodes) == 0 {
		return 0, ""
	}
	links, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*"))
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil {
			continue
		}
		if inode, ok := parseSocketLink(target); ok && inodes[inode] {
			dir := filepath.Dir(filepath.Dir(link))
			pid, _ = strconv.Atoi(filepath.Base(dir))
			comm, _ := os.ReadFile(filepath.Join(dir, "comm"))
			return pid, strings.TrimSuffix(string(comm), "\n")
		}
	}
	return 0, ""
}

// conflicts adds to inodes the sockets listed in table, one of /proc/net/{udp,udp6,tcp,tcp6}, that keep addr from being bound.
func conflicts(table io.Reader, network string, addr netip.AddrPort, inodes map[uint64]bool) {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		local, state, inode, ok := parseSocketLine(lines.Text())
		if !ok || inode == 0 || local.Port() != addr.Port() || network == "tcp" && state != stateListen {
			continue
		}
		held, wanted := local.Addr(), addr.Addr().WithZone("")
		if held == wanted || held.IsUnspecified() || wanted.IsUnspecified() && held.Is4() == wanted.Is4() {
			inodes[inode] = true
		}
	}
}

// stateListen is TCP_LISTEN of the kernel's include/net/tcp_states.h.
const stateListen = 10

// parseSocketLine reads one line of /proc/net/udp and its like: the local address (in hexadecimal, each 32 bits of it in the
// machine's byte order), the state and the socket's inode. An IPv4 address mapped into IPv6 is unmapped.
func parseSocketLine(line string) (local netip.AddrPort, state uint8, inode uint64, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 10 {
		return local, 0, 0, false
	}
	host, port, _ := strings.Cut(fields[1], ":")
	octets, err := hex.DecodeString(host)
	if err != nil || len(octets) != 4 && len(octets) != 16 {
		return local, 0, 0, false
	}
	for word := octets; len(word) > 0; word = word[4:] {
		binary.NativeEndian.PutUint32(word, binary.BigEndian.Uint32(word))
	}
	addr, _ := netip.AddrFromSlice(octets)
	p, portErr := strconv.ParseUint(port, 16, 16)
	st, stateErr := strconv.ParseUint(fields[3], 16, 8)
	inode, inodeErr := strconv.ParseUint(fields[9], 10, 64)
	if portErr != nil || stateErr != nil || inodeErr != nil {
		return local, 0, 0, false
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(p)), uint8(st), inode, true
}

// parseSocketLink reads the inode from the target of a link in /proc/PID/fd: "socket:[4711]".
func parseSocketLink(target string) (inode uint64, ok bool) {
	number, ok := strings.CutPrefix(target, "socket:[")
	if !ok {
		return 0, false
	}
	number, ok = strings.CutSuffix(number, "]")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(number, 10, 64)
	return inode, err == nil
}
