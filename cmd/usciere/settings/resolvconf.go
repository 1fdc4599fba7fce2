package settings

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

const (
	// ResolvConf is where the machine's own resolver finds its servers, resolv.conf(5).
	ResolvConf = "/etc/resolv.conf"
	// systemdServers has the servers behind systemd's stub (systemd-resolved.service(8)).
	systemdServers = "/run/systemd/resolve/resolv.conf"
	// maxResolvConf in octets; a real file has a few lines.
	maxResolvConf = 64 << 10
)

// systemdStubs answer on the machine itself for systemd-resolved, which may in
// turn ask us: the servers behind them are asked instead.
var systemdStubs = []netip.Addr{
	netip.AddrFrom4([4]byte{127, 0, 0, 53}),
	netip.AddrFrom4([4]byte{127, 0, 0, 54}),
}

// MachineUpstreams is the servers that the machine's resolv.conf names, in its
// order, each once. systemd's stub is replaced by the servers behind it, and
// servers for which own is true, this resolver itself, are left out. None left
// is an error.
func MachineUpstreams(resolvConf string, own func(netip.AddrPort) bool) ([]netip.AddrPort, error) {
	return machineUpstreams(resolvConf, systemdServers, own)
}

func machineUpstreams(resolvConf, behindStub string, own func(netip.AddrPort) bool) ([]netip.AddrPort, error) {
	const wayOut = "give --upstream ADDRESS or set upstream.servers"
	from := resolvConf
	named, err := readNameServers(from)
	isStub := func(s netip.AddrPort) bool { return slices.Contains(systemdStubs, s.Addr()) }
	if err == nil && len(named) > 0 && !slices.ContainsFunc(named, func(s netip.AddrPort) bool { return !isStub(s) }) {
		from = behindStub
		named, err = readNameServers(from)
	}
	if err != nil {
		return nil, fmt.Errorf("no upstream server: %w: %s", err, wayOut)
	}
	var left []netip.AddrPort
	for _, s := range named {
		if !isStub(s) && !own(s) {
			left = append(left, s)
		}
	}
	if len(left) == 0 {
		if len(named) == 0 {
			return nil, fmt.Errorf("no upstream server: %s names none: %s", from, wayOut)
		}
		return nil, fmt.Errorf("no upstream server: %s names only this machine's own resolver (%s): %s", from, named[0].Addr(), wayOut)
	}
	return left, nil
}

func readNameServers(path string) ([]netip.AddrPort, error) {
	data, err := readAtMost(path, maxResolvConf)
	if err != nil {
		return nil, err
	}
	if len(data) > maxResolvConf {
		return nil, fmt.Errorf("%s is larger than %d KiB", path, maxResolvConf>>10)
	}
	return nameServers(data), nil
}

// nameServers reads the nameserver lines of resolv.conf(5). As the C library
// does, it passes over lines it does not understand.
func nameServers(data []byte) []netip.AddrPort {
	var servers []netip.AddrPort
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "nameserver")
		fields := strings.Fields(text)
		if !ok || len(fields) == 0 || !strings.ContainsAny(text[:1], " \t") {
			continue
		}
		addr, err := netip.ParseAddr(fields[0])
		if err != nil || addr.IsUnspecified() || addr.IsMulticast() {
			continue
		}
		s := netip.AddrPortFrom(addr.Unmap(), 53)
		if !slices.Contains(servers, s) {
			servers = append(servers, s)
		}
	}
	return servers
}
