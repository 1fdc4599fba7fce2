package main

import (
	"context"
	"fmt"
	"path/filepath"
)

// peers are the servers of others. Each does the job in the way that is its own, and validates nothing: none of them does in this
// job. Their caches are big enough for all names of a run, their socket buffers as big as they let us say.
var peers = []*server{
	{name: "unbound", program: "unbound", debian: "unbound", version: []string{"-V"}, prepare: prepareUnbound},
	{name: "dnsdist", program: "dnsdist", debian: "dnsdist", version: []string{"--version"}, prepare: prepareDnsdist},
	{name: "dnsmasq", program: "dnsmasq", debian: "dnsmasq-base", version: []string{"--version"}, prepare: prepareDnsmasq},
	{name: "knot-resolver", program: "kresd", debian: "knot-resolver", version: []string{"--version"}, prepare: prepareKnotResolver},
	{name: "pdns-recursor", program: "pdns_recursor", debian: "pdns-recursor", version: []string{"--version"}, prepare: prepareRecursor},
	{name: "coredns", program: "coredns", golang: true, version: []string{"-version"}, prepare: prepareCoreDNS},
}

// Local zones: the root is refused, the domains are transparent.
func prepareUnbound(_ context.Context, s setup) ([]string, error) {
	config := fmt.Sprintf(`server:
  interface: %s
  port: %d
  num-threads: 1
  do-daemonize: no
  use-syslog: no
  chroot: ""
  username: ""
  directory: %q
  pidfile: ""
  module-config: "iterator"
  do-not-query-localhost: no
  so-rcvbuf: 4m
  so-sndbuf: 4m
  outgoing-range: 4096
  num-queries-per-thread: 2048
  msg-cache-size: 256m
  rrset-cache-size: 512m
  local-zone: "." refuse
%sforward-zone:
  name: "."
  forward-addr: %s@%d
remote-control:
  control-enable: no
`, s.addr.Addr(), s.addr.Port(), s.folder,
		s.lines(func(domain string) string { return fmt.Sprintf("  local-zone: \"%s.\" transparent\n", domain) }),
		s.upstream.Addr(), s.upstream.Port())
	return []string{"-d", "-c", filepath.Join(s.folder, "unbound.conf")}, s.write("unbound.conf", config)
}

// A rule refuses what is in no suffix of the list; the rest goes through the packet cache to the pool. The pool's server counts as up
// without being asked: a paused dnsdist would believe it down.
func prepareDnsdist(_ context.Context, s setup) ([]string, error) {
	config := fmt.Sprintf(`setSecurityPollSuffix("")
setACL("127.0.0.0/8")
setUDPSocketBufferSizes(4194304, 4194304)
setLocal(%q)
newServer({address=%q, sockets=10}):setUp()
getPool(""):setCache(newPacketCache(1000000, {maxTTL=86400}))
allowed = newSuffixMatchNode()
for line in io.lines(%q) do allowed:add(newDNSName(line)) end
addAction(NotRule(SuffixMatchNodeRule(allowed)), RCodeAction(DNSRCode.REFUSED))
`, s.addr, s.upstream, filepath.Join(s.folder, "domains"))
	if err := s.write("domains", s.lines(func(domain string) string { return domain + ".\n" })); err != nil {
		return nil, err
	}
	return []string{"--supervised", "--disable-syslog", "-C", filepath.Join(s.folder, "dnsdist.conf")}, s.write("dnsdist.conf", config)
}

// Each domain has its server and there is none for the rest, which makes that REFUSED. 10,000 is the most that its cache is meant for.
func prepareDnsmasq(_ context.Context, s setup) ([]string, error) {
	config := fmt.Sprintf(`keep-in-foreground
port=%d
listen-address=%s
bind-interfaces
user=
group=
pid-file=
log-facility=-
no-resolv
no-hosts
no-poll
cache-size=10000
dns-forward-max=2000
%s`, s.addr.Port(), s.addr.Addr(), s.lines(func(domain string) string {
		return fmt.Sprintf("server=/%s/%s#%d\n", domain, s.upstream.Addr(), s.upstream.Port())
	}))
	return []string{"--conf-file=" + filepath.Join(s.folder, "dnsmasq.conf")}, s.write("dnsmasq.conf", config)
}

// A policy for the suffixes, and after it one for all.
func prepareKnotResolver(_ context.Context, s setup) ([]string, error) {
	config := fmt.Sprintf(`modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('ta_sentinel')
modules.unload('priming')
modules.unload('detect_time_skew')
modules.unload('detect_time_jump')
trust_anchors.remove('.')
net.listen('%s', %d, { kind = 'dns' })
cache.open(512 * MB, 'lmdb://%s')
allowed = {}
for line in io.lines('%s') do table.insert(allowed, line) end
policy.add(policy.suffix(policy.STUB('%s@%d'), policy.todnames(allowed)))
policy.add(policy.all(policy.REFUSE))
`, s.addr.Addr(), s.addr.Port(), s.folder, filepath.Join(s.folder, "domains"), s.upstream.Addr(), s.upstream.Port())
	if err := s.write("domains", s.lines(func(domain string) string { return domain + ".\n" })); err != nil {
		return nil, err
	}
	return []string{"-n", "-q", "-c", filepath.Join(s.folder, "kresd.conf"), s.folder}, s.write("kresd.conf", config)
}

// A hook in Lua refuses what is in no suffix of the list (response policy zones have no REFUSED); its replies come from the packet
// cache too.
func prepareRecursor(_ context.Context, s setup) ([]string, error) {
	config := fmt.Sprintf(`local-address=%s
local-port=%d
config-dir=%s
socket-dir=%[3]s
daemon=no
write-pid=no
disable-syslog=yes
quiet=yes
loglevel=3
security-poll-suffix=
hint-file=no
dnssec=off
threads=1
pdns-distributes-queries=no
dont-query=
max-mthreads=2048
max-cache-entries=1000000
max-packetcache-entries=1000000
forward-zones-recurse=.=%[4]s
lua-dns-script=%[3]s/allow.lua
`, s.addr.Addr(), s.addr.Port(), s.folder, s.upstream)
	script := fmt.Sprintf(`allowed = newDS()
for line in io.lines(%q) do allowed:add(line) end
function preresolve(dq)
  if not allowed:check(dq.qname) then
    dq.rcode = pdns.REFUSED
    return true
  end
  return false
end
`, filepath.Join(s.folder, "domains"))
	if err := s.write("domains", s.lines(func(domain string) string { return domain + ".\n" })); err != nil {
		return nil, err
	}
	if err := s.write("allow.lua", script); err != nil {
		return nil, err
	}
	return []string{"--config-dir=" + s.folder}, s.write("recursor.conf", config)
}

// One block for all domains; what is in no block is REFUSED.
func prepareCoreDNS(_ context.Context, s setup) ([]string, error) {
	config := fmt.Sprintf(`%s{
  bind %s
  cache 86400 {
    success 1000000
    denial 100000
  }
  forward . %s
}
`, s.lines(func(domain string) string { return fmt.Sprintf("%s:%d ", domain, s.addr.Port()) }), s.addr.Addr(), s.upstream)
	return []string{"-quiet", "-conf", filepath.Join(s.folder, "Corefile")}, s.write("Corefile", config)
}
