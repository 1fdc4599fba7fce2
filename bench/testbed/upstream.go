package testbed

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"usciere/bench/measure"
)

// Upstream is an NSD that is authoritative for "example.": it answers for every name of it.
type Upstream struct {
	*measure.Process
	Addr netip.AddrPort

	config string
}

const upstreamConfig = `# written for one run
server:
  ip-address: %s
  port: %d
  do-ip6: no
  username: ""
  chroot: ""
  zonesdir: %[3]q
  database: ""
  pidfile: "nsd.pid"
  xfrdfile: "xfrd.state"
  zonelistfile: "zone.list"
  server-count: 1
  rrl-ratelimit: 0        # it would drop what comes from one address at this rate
  receive-buffer-size: 4194304
  send-buffer-size: 4194304
remote-control:
  control-enable: yes
  control-interface: "%[3]s/control"
zone:
  name: "example."
  zonefile: "example.zone"
`

// StartUpstream starts the upstream on a core, in a folder of its own.
func StartUpstream(ctx context.Context, folder string, cores []int, addr netip.AddrPort) (*Upstream, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	u := &Upstream{Addr: addr, config: filepath.Join(folder, "nsd.conf")}
	config := fmt.Sprintf(upstreamConfig, addr.Addr(), addr.Port(), folder)
	if err := os.WriteFile(u.config, []byte(config), 0o644); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(folder, "example.zone"), []byte(zone()), 0o644); err != nil {
		return nil, err
	}
	var err error
	if u.Process, err = measure.Start(ctx, cores, folder, "nsd", "-d", "-c", u.config); err != nil {
		return nil, err
	}
	if _, err := u.Process.Await(ctx, addr, Domain(0), 0); err != nil {
		u.Stop()
		return nil, err
	}
	return u, nil
}

// zone has an address for each of the job's domains and whatever is below it, and one for all other names.
func zone() string {
	var text strings.Builder
	text.WriteString("$ORIGIN example.\n$TTL 86400\n@ SOA ns hostmaster 1 7200 3600 1209600 3600\n@ NS ns\nns A 192.0.2.254\n* A 192.0.2.253\n")
	for i := range Domains {
		label, _, _ := strings.Cut(Domain(i), ".")
		fmt.Fprintf(&text, "%s A %s\n*.%[1]s A %[2]s\n", label, Address(i))
	}
	return text.String()
}

var queriesPattern = regexp.MustCompile(`(?m)^num\.queries=(\d+)$`)

// Queries is how many questions the upstream was asked so far.
func (u *Upstream) Queries(ctx context.Context) (int, error) {
	out, err := exec.CommandContext(ctx, "nsd-control", "-c", u.config, "stats_noreset").CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("nsd-control: %w\n%s", err, out)
	}
	m := queriesPattern.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("nsd-control does not say how many queries there were:\n%s", out)
	}
	return strconv.Atoi(string(m[1]))
}
