//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

const (
	dcAddress  = "10.20.0.10"
	adDomain   = "ad.comune.example.it"
	adPassword = "Passw0rd!x"
)

// adSettings are all that a domain takes.
const adSettings = `
forwards:
  - zones: [ad.comune.example.it, _msdcs.ad.comune.example.it, 10.20.0.0/16]
    servers: [10.20.0.10]
`

// sambaFolders are where Samba keeps what it has; on the machines of the test they begin empty, and end with them.
var sambaFolders = []string{"/var/lib/samba", "/var/cache/samba", "/var/log/samba", "/etc/samba", "/run"}

// withSamba gives a machine folders of its own for Samba.
func (m *machine) withSamba() {
	m.t.Helper()
	for _, folder := range sambaFolders {
		m.do("mkdir", "-p", folder)
		m.do("mount", "-t", "tmpfs", "tmpfs", folder)
	}
	m.do("mkdir", "-p", "/var/lib/samba/private", "/run/samba")
}

// domainController is a real one, of Samba, at dcAddress; it takes updates from whoever sends them.
func (h *hall) domainController() *machine {
	t := h.machine.t
	t.Helper()
	tool(t, "samba")
	dc := h.workstation("dc", dcAddress)
	dc.withSamba()
	if r := run(t, dc.command(tool(t, "samba-tool"), "domain", "provision", "--realm", strings.ToUpper(adDomain), "--domain", "COMUNE", "--server-role", "dc",
		"--dns-backend", "SAMBA_INTERNAL", "--adminpass", adPassword, "--host-name", "dc1", "--host-ip", dcAddress,
		"--option", "allow dns updates = nonsecure", "--option", "dns forwarder = "+hallAddress)); r.code != 0 {
		t.Fatal(r)
	}
	start(t, dc.command(tool(t, "samba"), "--foreground", "--no-process-group", "--model=single", "--debug-stdout"))
	c := &dns.Client{Timeout: time.Second}
	eventually(t, "the domain controller answers", func() bool {
		failed := h.inside(func() error {
			m, _, err := c.Exchange(new(dns.Msg).SetQuestion("_ldap._tcp."+adDomain+".", dns.TypeSRV), dcAddress+":53")
			if err == nil && len(m.Answer) == 0 {
				err = fmt.Errorf("no answer yet")
			}
			return err
		})
		return failed == nil
	})
	return dc
}

// answers are the records that a server gives, as text, in order.
func (m *machine) answers(server, name string, qtype uint16, network string) (rcode int, records []string) {
	m.t.Helper()
	q := new(dns.Msg).SetQuestion(name, qtype)
	q.SetEdns0(1232, false)
	c := &dns.Client{Net: network, Timeout: patience}
	if err := m.inside(func() error {
		r, _, err := c.Exchange(q, server+":53")
		if err == nil {
			rcode = r.Rcode
			for _, rr := range r.Answer {
				rr.Header().Ttl = 0
				records = append(records, rr.String())
			}
		}
		return err
	}); err != nil {
		m.t.Fatalf("%s of %s: %v", name, server, err)
	}
	slices.Sort(records)
	return rcode, records
}

// A real domain lives behind usciere: its names are what the domain controller says, workstations join it, and register themselves.
func TestActiveDirectory(t *testing.T) {
	h := openHall(t, adSettings)
	h.do("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.proxy_arp=1")
	h.domainController()
	desk := h.workstation("desk", "10.20.5.5")

	site := "Default-First-Site-Name._sites."
	for _, tc := range []struct {
		name  string
		qtype uint16
	}{ // MS-ADTS §6.3.2.3
		{"_ldap._tcp." + adDomain, dns.TypeSRV}, {"_ldap._tcp." + site + adDomain, dns.TypeSRV}, {"_ldap._tcp.dc._msdcs." + adDomain, dns.TypeSRV},
		{"_ldap._tcp." + site + "dc._msdcs." + adDomain, dns.TypeSRV}, {"_ldap._tcp.pdc._msdcs." + adDomain, dns.TypeSRV}, {"_ldap._tcp.gc._msdcs." + adDomain, dns.TypeSRV},
		{"_gc._tcp." + adDomain, dns.TypeSRV}, {"_kerberos._tcp." + adDomain, dns.TypeSRV}, {"_kerberos._udp." + adDomain, dns.TypeSRV},
		{"_kerberos._tcp.dc._msdcs." + adDomain, dns.TypeSRV}, {"_kpasswd._tcp." + adDomain, dns.TypeSRV},
		{adDomain, dns.TypeSOA}, {"_msdcs." + adDomain, dns.TypeSOA}, {adDomain, dns.TypeA}, {adDomain, dns.TypeNS}, {"dc1." + adDomain, dns.TypeA},
	} {
		rcode, want := desk.answers(dcAddress, tc.name+".", tc.qtype, "")
		if len(want) == 0 {
			t.Errorf("the domain controller has no %s %s", tc.name, dns.TypeToString[tc.qtype])
		}
		for _, network := range []string{"udp", "tcp"} {
			if got, records := desk.answers(hallAddress, tc.name+".", tc.qtype, network); got != rcode || !slices.Equal(records, want) {
				t.Errorf("over %s %s %s is\n%s\nthe domain controller says\n%s", network, tc.name, dns.TypeToString[tc.qtype], strings.Join(records, "\n"), strings.Join(want, "\n"))
			}
		}
	}

	// A workstation joins, finding everything through usciere, and registers its own name with the primary.
	desk.withSamba()
	conf := write(t, filepath.Join(t.TempDir(), "smb.conf"), "[global]\nworkgroup = COMUNE\nrealm = "+strings.ToUpper(adDomain)+"\nsecurity = ads\nnetbios name = desk\nkerberos method = secrets only\n")
	desk.do("cp", conf, "/etc/samba/smb.conf")
	desk.do("sh", "-c", "echo '10.20.5.5 desk."+adDomain+" desk' >> /etc/hosts")
	r := run(t, desk.command(tool(t, "net"), "ads", "join", "-U", "Administrator%"+adPassword))
	says(t, r.out+r.err, "Joined 'DESK' to dns domain '"+adDomain+"'")
	if rcode, records := desk.answers(hallAddress, "desk."+adDomain+".", dns.TypeA, ""); rcode != dns.RcodeSuccess || len(records) != 1 || !strings.HasSuffix(records[0], "10.20.5.5") {
		t.Errorf("the workstation registered itself as %v; joining said %s", records, r)
	}

	// nsupdate knows nothing but its resolv.conf.
	update := func(lines ...string) result {
		cmd := desk.command(tool(t, "nsupdate"), "-t", "5")
		cmd.Stdin = strings.NewReader(strings.Join(append(lines, "send"), "\n") + "\n")
		return run(t, cmd)
	}
	if r := update("update add fileserver." + adDomain + " 120 A 10.20.0.40"); r.code != 0 {
		t.Errorf("nsupdate: %s", r)
	}
	if _, records := desk.answers(hallAddress, "fileserver."+adDomain+".", dns.TypeA, ""); len(records) != 1 {
		t.Errorf("the updated name has %v", records)
	}
	says(t, update("server "+hallAddress, "zone "+adDomain, "update add x."+adDomain+" 120 A 10.20.0.41").err, "NOTIMP")

	// The domain controller has no reverse zone yet, and asks its forwarder, which is usciere: neither waits for the other, and the domain
	// controller is not to blame. Then it has one.
	if rcode, records := desk.answers(hallAddress, "6.5.20.10.in-addr.arpa.", dns.TypePTR, ""); rcode == dns.RcodeServerFailure || len(records) != 0 {
		t.Errorf("without a reverse zone its names are %s %v", dns.RcodeToString[rcode], records)
	}
	if r := run(t, desk.command("samba-tool", "dns", "zonecreate", dcAddress, "20.10.in-addr.arpa", "-U", "Administrator%"+adPassword)); r.code != 0 {
		t.Errorf("samba-tool: %s", r)
	}
	if r := update("update add 5.5.20.10.in-addr.arpa 120 PTR desk." + adDomain); r.code != 0 {
		t.Errorf("nsupdate: %s", r)
	}
	if _, records := desk.answers(hallAddress, "5.5.20.10.in-addr.arpa.", dns.TypePTR, ""); len(records) != 1 || !strings.HasSuffix(records[0], "desk."+adDomain+".") {
		t.Errorf("the reverse name has %v", records)
	}
	for _, u := range h.upstreams() {
		if u.Failures > 0 {
			t.Errorf("%s of %s is blamed: %d failures, %s", u.Addr, u.Group, u.Failures, u.LastError)
		}
	}

	// A big answer does not fit into a datagram, and comes whole over TCP.
	var lines []string
	for i := range 250 {
		lines = append(lines, fmt.Sprintf("update add many.%s 120 A 10.20.9.%d", adDomain, i))
	}
	if r := update(lines...); r.code != 0 {
		t.Errorf("nsupdate: %s", r)
	}
	says(t, run(t, desk.command("dig", "+notcp", "+ignore", "@"+hallAddress, "many."+adDomain, "A")).out, "flags: qr tc")
	if n := strings.Count(run(t, desk.command("dig", "+short", "@"+hallAddress, "many."+adDomain, "A")).out, "10.20.9."); n != 250 {
		t.Errorf("%d of 250 addresses came over TCP", n)
	}
}
