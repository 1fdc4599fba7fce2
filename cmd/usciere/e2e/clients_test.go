//go:build e2e

package e2e

import (
	"net/netip"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"usciere/resolver/dnstest"
)

// reply is what a client program shows of a DNS message.
type reply struct {
	status string   // NOERROR, NXDOMAIN, …
	flags  []string // qr, aa, …
	ede    []string // each as the program prints it: number and text
	answer []string // "NAME TYPE RDATA", sorted
	text   string   // all of it
}

// first is the data of the first record, "" when there is none.
func (r reply) first() string {
	if len(r.answer) == 0 {
		return ""
	}
	return strings.SplitN(r.answer[0], " ", 3)[2]
}

// explains says whether the reply has the Extended DNS Error with this text in it.
func (r reply) explains(code, text string) bool {
	return slices.ContainsFunc(r.ede, func(e string) bool {
		return regexp.MustCompile(`^`+code+`\b`).MatchString(e) && strings.Contains(e, text)
	})
}

var (
	statusPattern = regexp.MustCompile(`(?m)->>HEADER<<-.*(?:status|rcode): (\w+)`)
	flagsPattern  = regexp.MustCompile(`(?mi)^;; flags: ([a-z ]*);`)
	edePattern    = regexp.MustCompile(`(?m)^;+ ?EDE: (.*)$`)
)

// parseReply reads the output that dig, kdig and drill have in common.
func parseReply(t testing.TB, text string) reply {
	t.Helper()
	r := reply{text: text}
	m := statusPattern.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no reply:\n%s", text)
	}
	r.status = m[1]
	if m := flagsPattern.FindStringSubmatch(text); m != nil {
		r.flags = strings.Fields(m[1])
	}
	for _, m := range edePattern.FindAllStringSubmatch(text, -1) {
		r.ede = append(r.ede, m[1])
	}
	_, section, _ := strings.Cut(text, ";; ANSWER SECTION:\n")
	for line := range strings.Lines(section) {
		if line = strings.TrimSpace(line); line == "" || line[0] == ';' {
			break
		}
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatalf("record %q: %v", line, err)
		}
		r.answer = append(r.answer, recordText(rr))
	}
	slices.Sort(r.answer)
	return r
}

// recordText is a record without class and TTL.
func recordText(rr dns.RR) string {
	h := rr.Header()
	data := strings.TrimPrefix(rr.String(), h.String())
	return strings.ToLower(h.Name) + " " + dns.TypeToString[h.Rrtype] + " " + data
}

// client is a program that asks questions.
type client struct {
	name string
	args func(from string, server netip.AddrPort, tcp bool) []string
}

var digClient = client{"dig", func(from string, server netip.AddrPort, tcp bool) []string {
	args := []string{"+noall", "+comments", "+answer", "+tries=1", "+timeout=5", "-b", from, "@" + server.Addr().String(), "-p", portOf(server)}
	if tcp {
		args = append(args, "+tcp")
	}
	return args
}}

// realClients are three implementations of DNS that are not ours.
var realClients = []client{
	digClient,
	{"kdig", func(from string, server netip.AddrPort, tcp bool) []string {
		args := []string{"+edns", "+retry=0", "+timeout=5", "-b", from, "@" + server.Addr().String(), "-p", portOf(server)}
		if tcp {
			args = append(args, "+tcp")
		}
		return args
	}},
	{"drill", func(from string, server netip.AddrPort, tcp bool) []string {
		args := []string{"-b", "1232", "-I", from, "-p", portOf(server), "@" + server.Addr().String()}
		if tcp {
			args = append(args, "-t")
		}
		return args
	}},
}

// ask asks one question.
func (c client) ask(t testing.TB, from string, server netip.AddrPort, tcp bool, question ...string) reply {
	t.Helper()
	r := run(t, exec.Command(tool(t, c.name), append(c.args(from, server, tcp), question...)...))
	return parseReply(t, r.out+r.err)
}

// dig asks the daemon one question with dig over UDP.
func (d *daemon) dig(from string, question ...string) reply {
	d.t.Helper()
	return digClient.ask(d.t, from, d.addr, false, question...)
}

// ask asks the daemon one question over UDP, with EDNS, without a program in between.
func (d *daemon) ask(from, name string, qtype uint16) *dns.Msg {
	d.t.Helper()
	return dnstest.Exchange(d.t, "udp", d.addr.String(), from, question(name, qtype))
}

func question(name string, qtype uint16) *dns.Msg {
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype)
	m.SetEdns0(1232, false)
	return m
}

// ede is the first Extended DNS Error of a message, -1 when it has none.
func ede(m *dns.Msg) int {
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if e, ok := o.(*dns.EDNS0_EDE); ok {
				return int(e.InfoCode)
			}
		}
	}
	return -1
}
