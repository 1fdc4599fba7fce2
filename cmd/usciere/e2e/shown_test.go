//go:build e2e

package e2e

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// The five workstations that show what the door does, by the address they ask from.
var workstations = []struct {
	name    string
	from    string
	status  string
	address string // of www.inps.it; "" for none; "page" for the address asked
	ede     string // code of an Extended DNS Error; "" for none
	text    string // in it
}{
	{"an office that was granted the name gets its address", "127.10.1.5", "NOERROR", "192.0.2.10", "", ""},
	{"an office that was not is led to the page and told why", "127.10.2.5", "NOERROR", "page", "15", "Ufficio Tributi: nome non richiesto"},
	{"the manager's seat has no limits", "127.10.2.9", "NOERROR", "192.0.2.10", "", ""},
	{"a workstation in no office is led to the page", "127.10.99.1", "NOERROR", "page", "15", "postazione non assegnata"},
	{"a source outside the site is refused", "127.99.0.1", "REFUSED", "", "18", ""},
}

func TestEveryWorkstationGetsWhatItsOfficeWasGranted(t *testing.T) {
	d := demo(t)
	for _, c := range realClients {
		for _, transport := range []string{"udp", "tcp"} {
			t.Run(c.name+" over "+transport, func(t *testing.T) {
				for _, w := range workstations {
					r := c.ask(t, w.from, d.addr, transport == "tcp", "www.inps.it")
					want := w.address
					if want == "page" {
						want = d.addr.Addr().String()
					}
					if r.status != w.status || r.first() != want {
						t.Errorf("%s: got %s %q; want %s %q\n%s", w.name, r.status, r.first(), w.status, want, r.text)
					}
					if w.ede != "" && !r.explains(w.ede, w.text) || w.ede == "" && len(r.ede) > 0 {
						t.Errorf("%s: EDE %q; want %s with %q\n%s", w.name, r.ede, w.ede, w.text, r.text)
					}
				}
			})
		}
	}
}

func TestTheSinkholeSaysHowToAsk(t *testing.T) {
	r := demo(t).dig("127.10.2.5", "www.corriere.it")
	if !r.explains("15", "il responsabile lo chieda per iscritto ai servizi informatici (interno 100)") || !r.explains("4", "") {
		t.Errorf("EDE %q", r.ede)
	}
}

func TestTheSameDoorStandsOnIPv6(t *testing.T) {
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	} else {
		l.Close()
	}
	dir := t.TempDir()
	config := write(t, dir+"/usciere.yaml", `
town: {name: Comune di Prova, site: ["::1/128"]}
listen: ["[::1]:0"]
state: state
upstream: {servers: ["127.0.0.1:9"]}
zones: [{name: intranet.prova.test, records: ["@ AAAA 2001:db8::80"]}]
sinkhole: {addresses: ["2001:db8::53", 192.0.2.53]}
`)
	d := serve(t, setup{args: []string{"--config", config}, state: dir + "/state"})
	local := netip.IPv6Loopback()
	if d.addr.Addr() != local {
		t.Fatalf("listens on %s", d.addrs)
	}
	d.must("office", "add", "anagrafe", "--name", "Ufficio Anagrafe", "--mailbox", "anagrafe@prova.test", "--network", "::1/128")
	for _, c := range realClients {
		for _, tcp := range []bool{false, true} {
			for _, q := range []struct{ name, qtype, want string }{
				{"intranet.prova.test", "AAAA", "2001:db8::80"},
				{"www.inps.it", "AAAA", "2001:db8::53"},
				{"www.inps.it", "A", "192.0.2.53"},
			} {
				if r := c.ask(t, "::1", d.addr, tcp, q.name, q.qtype); r.status != "NOERROR" || r.first() != q.want {
					t.Errorf("%s, tcp %v: %s %s: got %s %q; want %s\n%s", c.name, tcp, q.name, q.qtype, r.status, r.answer, q.want, r.text)
				}
			}
		}
	}
}

func TestSpecialNamesNeverLeaveTheTown(t *testing.T) {
	d := demo(t)
	before := d.upstreamQueries()
	for _, q := range []struct{ name, status string }{
		{"localhost", "NOERROR"},
		{"stampante.local", "NXDOMAIN"},
		{"use-application-dns.net", "NXDOMAIN"},
		{"intranet.comune.demo.test", "NOERROR"},
		{"nessuno.comune.demo.test", "NXDOMAIN"},
	} {
		if r := d.dig("127.10.2.9", q.name); r.status != q.status {
			t.Errorf("%s: %s; want %s", q.name, r.status, q.status)
		}
	}
	if r := d.dig("127.10.2.5", "intranet.comune.demo.test"); !slices.Contains(r.flags, "aa") {
		t.Errorf("a local zone is answered without authority: flags %v", r.flags)
	}
	if after := d.upstreamQueries(); after != before {
		t.Errorf("%d questions went upstream", after-before)
	}
}

func TestS7ASinkholedNameIsNeverSentUpstream(t *testing.T) {
	d := demo(t)
	before, asked := d.upstreamQueries(), 0
	for _, name := range []string{"www.corriere.it", "WWW.Corriere.IT", `www.corr\105ere.it`, "www.example.org", "alias.example.org"} {
		for _, qtype := range []string{"A", "AAAA", "MX", "TXT", "HTTPS", "SRV", "CNAME", "NS", "ANY", "TYPE65400"} {
			for _, c := range realClients {
				for _, tcp := range []bool{false, true} {
					c.ask(t, "127.10.5.5", d.addr, tcp, name, qtype)
					asked++
				}
			}
		}
	}
	none(t, "names that were not granted and reached an upstream", int(d.upstreamQueries()-before), asked)
}

func TestASourceOutsideTheSiteLearnsNothing(t *testing.T) {
	d := demo(t)
	for _, name := range []string{"www.inps.it", "intranet.comune.demo.test", "localhost"} {
		r := d.dig("127.99.0.1", name)
		if r.status != "REFUSED" || len(r.answer) > 0 || !r.explains("18", "") || strings.Contains(r.text, "Ufficio") {
			t.Errorf("%s: %s", name, r.text)
		}
	}
}
