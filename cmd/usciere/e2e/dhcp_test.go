//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A town with a DHCP server, offices in networks of their own, and workstations that know nothing but what DHCP tells them.

const (
	secondAddress = "10.20.0.54"
	managersMAC   = "52:54:00:00:05:09"
)

// office is a network of the town: a bridge at the server, with an address there.
type office struct{ id, bridge, network, gateway, pool string }

var offices = []office{
	{"anagrafe", "br-anagrafe", "10.20.1.0/24", "10.20.1.1", "10.20.1.100,10.20.1.150"},
	{"tributi", "br-tributi", "10.20.2.0/24", "10.20.2.1", "10.20.2.100,10.20.2.150"},
	{"cultura", "br-cultura", "10.20.5.0/24", "10.20.5.1", "10.20.5.100,10.20.5.150"},
}

// dhcpServer is one of those that the town may have: its program, started in folder, and what the settings say of its leases.
type dhcpServer struct {
	format, file string // of its leases, in folder
	other        string // how the second resolver reads them: format and path
	serve        func(h *hall, folder, snippet string) *exec.Cmd
}

var dhcpServers = map[string]dhcpServer{
	"dnsmasq": {"dnsmasq", "dnsmasq.leases", "format: dnsmasq, path: dnsmasq.leases", func(h *hall, folder, snippet string) *exec.Cmd {
		conf := "port=0\nbind-dynamic\nno-ping\nuser=root\ndhcp-authoritative\nlog-dhcp\ndhcp-leasefile=" + filepath.Join(folder, "dnsmasq.leases") + "\npid-file=\n" + snippet
		for _, o := range offices {
			conf += fmt.Sprintf("interface=%s\ndhcp-range=%s,255.255.255.0,1h\n", o.bridge, o.pool)
		}
		return h.machine.command(tool(h.machine.t, "dnsmasq"), "--keep-in-foreground", "--log-facility=-", "--conf-file="+write(h.machine.t, filepath.Join(folder, "dnsmasq.conf"), conf))
	}},
	"kea": {"kea", "kea-leases4.csv", "format: kea-socket, path: kea.sock", func(h *hall, folder, snippet string) *exec.Cmd {
		var subnets, bridges []string
		for i, o := range offices {
			bridges = append(bridges, fmt.Sprintf("%q", o.bridge))
			subnets = append(subnets, fmt.Sprintf(`{"id": %d, "subnet": %q, "interface": %q, "pools": [{"pool": %q}], "option-data": [{"name": "routers", "data": %q}]}`,
				i+1, o.network, o.bridge, strings.Replace(o.pool, ",", " - ", 1), o.gateway))
		}
		_, options, _ := strings.Cut(snippet, "\"option-data\"")
		conf := fmt.Sprintf(`{"Dhcp4": {"interfaces-config": {"interfaces": [%s]}, "valid-lifetime": 3600,
			"lease-database": {"type": "memfile", "name": %q, "lfc-interval": 0},
			"control-socket": {"socket-type": "unix", "socket-name": %q}, "hooks-libraries": [{"library": %q}],
			"option-data"%s, "subnet4": [%s], "loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stderr"}]}]}}`,
			strings.Join(bridges, ", "), filepath.Join(folder, "kea-leases4.csv"), filepath.Join(folder, "kea.sock"), keaHook(h.machine.t), options, strings.Join(subnets, ",\n"))
		cmd := h.machine.command(tool(h.machine.t, "env"), "KEA_PIDFILE_DIR="+folder, "KEA_LOCKFILE_DIR="+folder, tool(h.machine.t, "kea-dhcp4"), "-c", write(h.machine.t, filepath.Join(folder, "kea.json"), conf))
		return cmd
	}},
}

// keaHook is the library by which Kea tells its leases on its control socket.
func keaHook(t testing.TB) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/*/kea/hooks/libdhcp_lease_cmds.so")
	if len(found) == 0 {
		t.Fatal("the hooks of Kea are missing: `make e2e` installs what these tests need")
	}
	return found[0]
}

// bridges gives the hall its offices' networks.
func (h *hall) bridges() {
	h.machine.t.Helper()
	for _, o := range offices {
		h.do("ip", "link", "add", o.bridge, "type", "bridge")
		h.do("ip", "addr", "add", o.gateway+"/24", "dev", o.bridge)
		h.do("ip", "link", "set", o.bridge, "up")
	}
}

// plug connects a workstation to an office's network; with a cable that was in another's, that one is pulled.
func (h *hall) plug(w *machine, cable, mac string, o office) {
	h.machine.t.Helper()
	_ = h.machine.command("ip", "link", "del", cable).Run() // it may be new
	h.do("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", w.pid)
	h.do("ip", "link", "set", cable, "master", o.bridge, "up")
	w.do("ip", "link", "set", "eth0", "address", mac, "up")
}

// leaseScript does what udhcpc is told, as a workstation's system would.
const leaseScript = `#!/bin/sh
case $1 in
deconfig) ip addr flush dev $interface ;;
bound|renew)
	ip addr replace $ip/$mask dev $interface
	ip route replace default via ${router:-$serverid}
	echo "${domain:+search $domain}" > /etc/resolv.conf
	for d in $dns; do echo "nameserver $d" >> /etc/resolv.conf; done ;;
esac
`

// lease gets the workstation an address, as its system does when the cable is plugged in, and returns it.
func (m *machine) lease(name string) string {
	m.t.Helper()
	script := filepath.Join(m.t.TempDir(), "lease.sh")
	if err := os.WriteFile(script, []byte(leaseScript), 0o755); err != nil {
		m.t.Fatal(err)
	}
	r := run(m.t, m.command(tool(m.t, "udhcpc"), "-i", "eth0", "-f", "-q", "-n", "-t", "10", "-T", "1", "-x", "hostname:"+name, "-s", script))
	if r.code != 0 {
		m.t.Fatalf("udhcpc: %s", r)
	}
	fields := strings.Fields(run(m.t, m.command("ip", "-4", "-o", "addr", "show", "dev", "eth0")).out)
	i := slices.Index(fields, "inet")
	if i < 0 {
		m.t.Fatalf("udhcpc left no address: %s", r)
	}
	addr, _, _ := strings.Cut(fields[i+1], "/")
	return addr
}

// sees checks what the machine sees of a name through its own resolv.conf: the site itself, or the block page.
func (m *machine) sees(name, text string) {
	m.t.Helper()
	r := run(m.t, m.command("getent", "ahostsv4", name))
	want := siteAddress
	if text != siteText {
		want = hallAddress
	}
	if !strings.HasPrefix(r.out, want+" ") {
		m.t.Errorf("getent %s: %s", name, r)
	}
	says(m.t, m.curl("http://"+name+"/").out, text)
}

func TestATownWithDHCP(t *testing.T) {
	for name, server := range dhcpServers {
		t.Run(name, func(t *testing.T) { townWithDHCP(t, server) })
	}
}

func townWithDHCP(t *testing.T, server dhcpServer) {
	folder := t.TempDir()
	var config string
	h := openHall(t, fmt.Sprintf("dhcp: {leases: [{format: %s, path: %s}]}\n", server.format, filepath.Join(folder, server.file)), func(c, _ string) { config = c })
	h.bridges()
	for _, o := range offices[:2] {
		h.must("office", "add", o.id, "--name", "Ufficio "+o.id, "--network", o.network)
		h.must("seat", "add", "dirigente-"+o.id, "--office", o.id, "--role", "manager", "--holder", "C. Neri", "--from", "2025-09-01")
	}
	h.must("seat", "add", "segretario", "--office", "cultura", "--role", "secretary-general", "--holder", "A. Bruni", "--from", "2025-09-01")
	h.must("device", "add", managersMAC, "--seat", "segretario")
	says(t, h.must("seat", "list")+h.must("seat", "history", "segretario")+h.must("review", "cultura"), "A. Bruni "+managersMAC, "device "+managersMAC, "on "+managersMAC)
	h.allow("anagrafe", "1/2026", "www.inps.it")

	// A second resolver with the same policy.
	h.do("ip", "addr", "add", secondAddress+"/32", "dev", "lo")
	_, path, _ := strings.Cut(server.other, "path: ")
	second := h.second(config, fmt.Sprintf("{format: %s, path: %s}", server.format, filepath.Join(folder, server.file)), "{"+strings.Replace(server.other, path, filepath.Join(folder, path), 1)+"}")

	snippet := run(t, h.machine.command(program, "dhcp", "snippet", server.format, "--config", config)).out
	snippet = strings.Replace(snippet, hallAddress, hallAddress+","+secondAddress, 1)
	start(t, server.serve(h, folder, snippet))

	desks := map[string]*machine{}
	for i, o := range offices {
		w := newMachine(t)
		w.resolves("192.0.2.99") // until DHCP says otherwise
		h.plug(w, "desk"+o.id, fmt.Sprintf("52:54:00:00:%02d:05", i+1), o)
		desks[o.id] = w
		if addr := w.lease("pc-" + o.id); !strings.HasPrefix(addr, strings.TrimSuffix(o.gateway, "1")) {
			t.Errorf("the workstation of %s has %s", o.id, addr)
		}
	}
	desks["anagrafe"].sees("www.inps.it", siteText)
	desks["tributi"].sees("www.inps.it", blockedText)
	desks["cultura"].sees("www.inps.it", blockedText)

	// The manager's PC goes from office to office, and its seat with it.
	manager := newMachine(t)
	manager.resolves("192.0.2.99")
	var last string
	for _, o := range []office{offices[2], offices[1]} {
		h.plug(manager, "manager", managersMAC, o)
		time.Sleep(time.Second) // servers date leases in seconds, and a PC is not carried faster
		addr := manager.lease("pc-segretario")
		eventually(t, "the seat is at "+addr, func() bool {
			return h.usciere("explain", "--client", addr, "www.inps.it").code == 0
		})
		says(t, h.must("explain", "--client", addr, "www.inps.it"), "seat segretario", "by its device "+managersMAC)
		manager.sees("www.inps.it", siteText)
		if last != "" {
			if r := h.usciere("explain", "--client", last, "www.inps.it"); r.code != 3 {
				t.Errorf("where it was, %s", r)
			}
		}
		says(t, h.must("device", "list"), managersMAC, addr)
		last = addr
	}
	says(t, h.must("dhcp", "leases"), managersMAC, "segretario", last, "in force")
	desks["tributi"].sees("www.inps.it", blockedText) // beside it, nothing changed
	eventually(t, "the second resolver knows where it is", func() bool { return second.usciere("explain", "--client", last, "www.inps.it").code == 0 })
	h.must("device", "remove", managersMAC)
	manager.sees("www.inps.it", blockedText)

	// The first resolver dies: the workstations go on with the second.
	h.daemon.process.kill()
	for _, id := range []string{"anagrafe", "tributi"} {
		want := siteAddress
		if id != "anagrafe" {
			want = secondAddress
		}
		if r := run(t, desks[id].command("getent", "ahostsv4", "www.inps.it")); !strings.HasPrefix(r.out, want+" ") {
			t.Errorf("with the second resolver alone, %s sees %s", id, r)
		}
	}
}

// second is another resolver of the town at secondAddress: the same settings but its own address and state, and another way to
// the leases; the same policy.
func (h *hall) second(config, leases, instead string) *daemon {
	t := h.machine.t
	t.Helper()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	own := write(t, filepath.Join(dir, "usciere.yaml"), strings.NewReplacer(hallAddress, secondAddress, leases, instead).Replace(string(text)))
	d := &daemon{state: filepath.Join(dir, "state"), socket: filepath.Join(dir, "state", "admin.sock")}
	d.process = start(t, h.machine.command(program, "serve", "--config", own, "--state", d.state))
	d.awaitReady()
	d.must("apply", "-f", write(t, filepath.Join(dir, "town.yaml"), h.must("export")))
	return d
}

// A machine on the same link takes another IPv6 address whenever it likes (RFC 8981): the neighbour table knows whose it is.
func TestTemporaryAddressesFollowTheDevice(t *testing.T) {
	folder := t.TempDir()
	leases := write(t, filepath.Join(folder, "leases"), "0 "+managersMAC+" 10.20.5.9 pc *\n")
	h := openHall(t, fmt.Sprintf("dhcp: {neighbours: true, leases: [{format: dnsmasq, path: %s}]}\n", leases), func(config, _ string) {
		text, err := os.ReadFile(config)
		if err != nil {
			t.Fatal(err)
		}
		write(t, config, strings.Replace(string(text), "site: [10.20.0.0/16]", "site: [10.20.0.0/16, \"fd00:20::/32\"]", 1))
	})
	h.bridges()
	h.must("network", "add", "fd00:20:5::/64", "--office", "cultura")
	h.must("seat", "add", "segretario", "--office", "cultura", "--role", "secretary-general", "--holder", "A. Bruni", "--from", "2025-09-01")
	h.must("device", "add", managersMAC, "--seat", "segretario")
	h.do("ip", "addr", "add", "fd00:20:5::53/64", "dev", "br-cultura", "nodad")
	pc, other := newMachine(t), newMachine(t)
	h.plug(pc, "manager", managersMAC, offices[2])
	h.plug(other, "other", "52:54:00:00:05:77", offices[2])
	speaks := func(m *machine, from string) { // to the server, which knows it as a neighbour then
		_ = m.command(tool(t, "ping"), "-6", "-c", "1", "-W", "1", "-I", from, "fd00:20:5::53").Run()
	}
	is := func(m *machine, from string, code int) {
		t.Helper()
		m.do("ip", "addr", "add", from+"/64", "dev", "eth0", "nodad")
		eventually(t, fmt.Sprintf("%s is explained with exit %d", from, code), func() bool {
			speaks(m, from)
			return h.usciere("explain", "--client", from, "www.inps.it").code == code
		})
	}
	is(other, "fd00:20:5::77", 3)
	for _, temporary := range []string{"fd00:20:5::a1", "fd00:20:5::a2"} {
		is(pc, temporary, 0)
		says(t, h.must("explain", "--client", temporary, "www.inps.it"), "by its device "+managersMAC)
	}
	says(t, h.must("dhcp", "leases"), "fd00:20:5::a2", "10.20.5.9")
	// Another machine that takes the address is not taken for it.
	pc.do("ip", "link", "set", "eth0", "down")
	other.do("ip", "addr", "add", "fd00:20:5::a2/64", "dev", "eth0", "nodad")
	h.do("ip", "-6", "neigh", "flush", "dev", "br-cultura")
	eventually(t, "the other machine is nobody's", func() bool {
		speaks(other, "fd00:20:5::a2")
		return h.usciere("explain", "--client", "fd00:20:5::a2", "www.inps.it").code == 3
	})
}
