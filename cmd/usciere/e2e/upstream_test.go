//go:build e2e

package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"usciere/resolver/dnstest"
)

// The zone of a real authoritative server; its TXT record at grande does not fit into a UDP message.
const realZone = "comune-prova.it"

func realRecords() string {
	var b strings.Builder
	b.WriteString(`$ORIGIN comune-prova.it.
$TTL 300
@        SOA   ns hostmaster 1 3600 600 86400 60
@        NS    ns
@        A     192.0.2.1
@        MX    10 posta
@        TXT   "v=spf1 mx -all"
ns       A     192.0.2.2
www      A     192.0.2.3
www      A     192.0.2.4
www      AAAA  2001:db8::3
posta    A     192.0.2.5
alias    CNAME www
catena   CNAME alias
_imaps._tcp SRV 0 1 993 posta
*.jolly  A     192.0.2.6
vuoto.ramo A   192.0.2.7
caa      CAA   0 issue "example.net"
strano   TYPE65400 \# 3 010203
`)
	for i := range 16 {
		fmt.Fprintf(&b, "grande TXT \"%02d %s\"\n", i, strings.Repeat("x", 200))
	}
	return b.String()
}

// realQuestions are asked of the server directly and through the daemon.
var realQuestions = []string{
	"comune-prova.it A", "comune-prova.it MX", "comune-prova.it TXT", "comune-prova.it SOA", "comune-prova.it NS",
	"www.comune-prova.it A", "www.comune-prova.it AAAA", "WWW.Comune-Prova.IT A", "alias.comune-prova.it A", "catena.comune-prova.it AAAA",
	"_imaps._tcp.comune-prova.it SRV", "qualunque.jolly.comune-prova.it A", "caa.comune-prova.it CAA", "strano.comune-prova.it TYPE65400",
	"grande.comune-prova.it TXT",
	"www.comune-prova.it TXT", "ramo.comune-prova.it A", "jolly.comune-prova.it A", // NODATA
	"nessuno.comune-prova.it A", "nessuno.vuoto.ramo.comune-prova.it MX", // NXDOMAIN
}

// manager starts a daemon in whose town 127.20.0.1 has no limits and 127.20.0.9 is an employee without any grant.
func manager(t testing.TB, args ...string) *daemon {
	t.Helper()
	d := serve(t, setup{args: args})
	d.must("office", "add", "segreteria", "--name", "Segreteria", "--mailbox", "segreteria@comune.it", "--network", "127.20.0.0/24")
	d.must("seat", "add", "dirigente", "--office", "segreteria", "--role", "manager", "--holder", "M. Rossi", "--from", "2026-01-01")
	d.must("host", "add", "127.20.0.1", "--seat", "dirigente")
	return d
}

// content is what must be equal whoever is asked: the RCODE and the answer section.
func content(m *dns.Msg) string {
	var records []string
	for _, rr := range m.Answer {
		records = append(records, recordText(rr))
	}
	slices.Sort(records)
	return dns.RcodeToString[m.Rcode] + "\n" + strings.ToLower(strings.Join(records, "\n"))
}

// compare asks all questions of both, over both transports, as a client that falls back to TCP does.
func compare(t *testing.T, d *daemon, direct netip.AddrPort) {
	t.Helper()
	for _, text := range realQuestions {
		name, qtype, _ := strings.Cut(text, " ")
		code, ok := dns.StringToType[qtype]
		if !ok {
			code = 65400
		}
		want := content(dnstest.Exchange(t, "tcp", direct.String(), "", question(name, code)))
		for _, network := range []string{"udp", "tcp"} {
			m := dnstest.Exchange(t, network, d.addr.String(), "127.20.0.1", question(name, code))
			if m.Truncated {
				if !strings.HasPrefix(name, "grande") || network == "tcp" {
					t.Errorf("%s over %s is truncated", text, network)
				}
				continue
			}
			if got := content(m); got != want {
				t.Errorf("%s over %s: got %s\nwant %s", text, network, got, want)
			}
			if m.Authoritative || !m.RecursionAvailable {
				t.Errorf("%s over %s: aa %v, ra %v", text, network, m.Authoritative, m.RecursionAvailable)
			}
		}
	}
}

func TestAnswersOfNSDArriveAsTheyAre(t *testing.T) {
	s := nsd(t, freePort(t), realZone, realRecords())
	compare(t, manager(t, "--upstream", s.addr.String()), s.addr)
}

func TestATraceShowsTheAliases(t *testing.T) {
	s := nsd(t, freePort(t), realZone, realRecords())
	d := manager(t, "--upstream", s.addr.String())
	says(t, d.must("explain", "--client", "127.20.0.1", "catena.comune-prova.it", "--type", "AAAA", "--trace"),
		"catena.comune-prova.it is alias.comune-prova.it for 300s", "alias.comune-prova.it is www.comune-prova.it for 300s", "2001:db8::3")
	says(t, d.must("explain", "--client", "127.20.0.1", "nessuno.comune-prova.it", "--trace"), "none, NXDOMAIN")
	if r := d.usciere("explain", "--client", "127.20.0.9", "catena.comune-prova.it", "--trace"); r.code != 3 || strings.Contains(r.out, "alias") {
		t.Errorf("who may not ask sees %s", r)
	}
	s.die()
	says(t, d.must("explain", "--client", "127.20.0.1", "altro.comune-prova.it", "--trace"), "no answer")
}

func TestAnswersOfUnboundArriveAsTheyAre(t *testing.T) {
	authority := nsd(t, freePort(t), realZone, realRecords())
	s := unbound(t, freePort(t), []string{"www.altrove.it. 300 IN A 192.0.2.99"}, realZone, authority.addr)
	d := manager(t, "--upstream", s.addr.String())
	compare(t, d, s.addr)
	if r := d.dig("127.20.0.1", "www.altrove.it"); r.first() != "192.0.2.99" {
		t.Errorf("got %s %q", r.status, r.answer)
	}
}

func TestALargeAnswerComesOverTCP(t *testing.T) {
	s := nsd(t, freePort(t), realZone, realRecords())
	d := manager(t, "--upstream", s.addr.String())
	for _, c := range []client{realClients[0], realClients[1]} { // drill does not fall back by itself
		r := c.ask(t, "127.20.0.1", d.addr, false, "grande.comune-prova.it", "TXT")
		if r.status != "NOERROR" || len(r.answer) != 16 {
			t.Errorf("%s got %s with %d records\n%s", c.name, r.status, len(r.answer), r.text)
		}
	}
	if m := d.ask("127.20.0.1", "grande.comune-prova.it", dns.TypeTXT); !m.Truncated || len(m.Answer) > 0 || m.Len() > 1232 {
		t.Errorf("over UDP: truncated %v, %d records, %d octets", m.Truncated, len(m.Answer), m.Len())
	}
}

func TestAForwardGoesToItsOwnServersBeforePolicy(t *testing.T) {
	s := nsd(t, freePort(t), realZone, realRecords())
	dir := t.TempDir()
	config := write(t, dir+"/usciere.yaml", fmt.Sprintf(`
listen: ["127.0.0.1:0"]
state: state
upstream: {servers: ["127.0.0.1:9"]}
forwards: [{zones: [%s], servers: ["%s"]}]
`, realZone, s.addr))
	d := serve(t, setup{args: []string{"--config", config}, state: dir + "/state"})
	d.must("office", "add", "cultura", "--name", "Cultura", "--mailbox", "cultura@comune.it", "--network", "127.20.0.0/24")
	for from, want := range map[string]string{"127.20.0.9": "192.0.2.1", "127.30.0.1": "192.0.2.1"} {
		if r := d.dig(from, realZone); r.first() != want {
			t.Errorf("%s: got %s %q %q; want %s", from, r.status, r.answer, r.ede, want)
		}
	}
}

func TestADeadUpstreamIsSaidAndOneThatComesBackIsUsed(t *testing.T) {
	addr := freePort(t)
	s := nsd(t, addr, realZone, realRecords())
	d := manager(t, "--upstream", addr.String())
	const who = "127.20.0.1"
	if r := d.dig(who, "www.comune-prova.it"); r.status != "NOERROR" {
		t.Fatalf("before: %s", r.text)
	}
	s.die()
	if r := d.dig(who, "posta.comune-prova.it"); r.status != "SERVFAIL" || !r.explains("22", "") {
		t.Errorf("with a dead upstream: %s %q", r.status, r.ede)
	}
	if r := d.dig(who, "www.comune-prova.it"); r.status != "NOERROR" || len(r.answer) != 2 {
		t.Errorf("what is cached went with the upstream: %s", r.text)
	}
	eventually(t, "status says so", func() bool { return strings.Contains(d.must("status"), "no server of upstream answers") })
	nsd(t, addr, realZone, realRecords())
	eventually(t, "the upstream is used again", func() bool {
		return d.ask(who, "posta.comune-prova.it", dns.TypeA).Rcode == dns.RcodeSuccess
	})
	if out := d.must("status"); strings.Contains(out, "no server of upstream") {
		t.Errorf("it is still said:\n%s", out)
	}
}

func TestASecondUpstreamStandsIn(t *testing.T) {
	dead, alive := freePort(t), freePort(t)
	nsd(t, alive, realZone, realRecords())
	d := manager(t, "--upstream", dead.String(), "--upstream", alive.String())
	for _, q := range []string{"www.comune-prova.it", "posta.comune-prova.it", "ns.comune-prova.it"} {
		if r := d.dig("127.20.0.1", q); r.status != "NOERROR" {
			t.Errorf("%s: %s %q", q, r.status, r.ede)
		}
	}
	if out := d.must("upstream", "list"); !strings.Contains(out, dead.String()) || !strings.Contains(out, alive.String()) {
		t.Errorf("upstream list:\n%s", out)
	}
}
