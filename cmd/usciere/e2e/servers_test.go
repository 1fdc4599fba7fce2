//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/resolver/dnstest"
)

// server is a real name server behind the daemon.
type server struct {
	*process
	addr netip.AddrPort
}

// freePort is a port of 127.0.0.1 that is free for UDP and TCP just now.
func freePort(t testing.TB) netip.AddrPort {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().(*net.TCPAddr).AddrPort()
		u, err := net.ListenPacket("udp", addr.String())
		l.Close()
		if err == nil {
			u.Close()
			return addr
		}
	}
	t.Fatal("no port is free for both UDP and TCP")
	return netip.AddrPort{}
}

// awaitDNS waits until a server answers a question with what is not SERVFAIL.
func (s server) awaitDNS(name string) server {
	s.t.Helper()
	q, err := question(name, dns.TypeSOA).Pack()
	if err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, s.name+" answers", func() bool {
		if s.ended() {
			s.t.Fatalf("%s ended: %v\n%s", s.name, s.err, s.log.String())
		}
		for _, network := range []string{"udp", "tcp"} {
			raw, err := dnstest.ExchangeRaw(network, s.addr.String(), "", q, 200*time.Millisecond)
			var m dns.Msg
			if err != nil || m.Unpack(raw) != nil || m.Rcode == dns.RcodeServerFailure {
				return false
			}
		}
		return true
	})
	return s
}

// die kills the server and waits until nothing of it answers: its children may outlive it for a moment.
func (s server) die() {
	s.t.Helper()
	s.kill()
	q, err := question(".", dns.TypeSOA).Pack()
	if err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, s.name+" is gone", func() bool {
		_, overUDP := dnstest.ExchangeRaw("udp", s.addr.String(), "", q, 200*time.Millisecond)
		_, overTCP := dnstest.ExchangeRaw("tcp", s.addr.String(), "", q, 200*time.Millisecond)
		return errors.Is(overUDP, syscall.ECONNREFUSED) && errors.Is(overTCP, syscall.ECONNREFUSED)
	})
}

// nsd starts an authoritative server of one zone, without response rate limiting.
func nsd(t testing.TB, addr netip.AddrPort, zone, records string) server {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "zone"), records)
	config := write(t, filepath.Join(dir, "nsd.conf"), fmt.Sprintf(`
server:
  ip-address: %s@%d
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "%[3]s"
  zonelistfile: "%[3]s/zone.list"
  xfrdfile: "%[3]s/xfrd.state"
  xfrdir: "%[3]s"
  pidfile: "%[3]s/nsd.pid"
  database: ""
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: %[4]s
  zonefile: zone
`, addr.Addr(), addr.Port(), dir, zone))
	return server{start(t, exec.Command(tool(t, "nsd"), "-d", "-c", config)), addr}.awaitDNS(zone)
}

// unbound starts a recursive server with data of its own and one stub zone.
func unbound(t testing.TB, addr netip.AddrPort, data []string, stub string, at netip.AddrPort) server {
	t.Helper()
	dir := t.TempDir()
	var local strings.Builder
	for _, record := range data {
		fmt.Fprintf(&local, "  local-data: '%s'\n", record)
	}
	config := write(t, filepath.Join(dir, "unbound.conf"), fmt.Sprintf(`
server:
  interface: %s@%d
  num-threads: 1
  username: ""
  chroot: ""
  directory: "%[3]s"
  pidfile: "%[3]s/unbound.pid"
  use-syslog: no
  logfile: ""
  do-daemonize: no
  do-not-query-localhost: no
  module-config: "iterator"
  access-control: 127.0.0.0/8 allow
  local-zone: "altrove.it." static
%[4]sremote-control:
  control-enable: no
stub-zone:
  name: %[5]s
  stub-addr: %[6]s@%[7]d
`, addr.Addr(), addr.Port(), dir, local.String(), stub, at.Addr(), at.Port()))
	return server{start(t, exec.Command(tool(t, "unbound"), "-d", "-c", config)), addr}.awaitDNS(stub)
}
