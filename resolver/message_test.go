package resolver

import (
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// option changes a query before it is sent.
type option func(*dns.Msg)

func noEDNS(*dns.Msg) {}

func edns(m *dns.Msg) { m.SetEdns0(1232, false) }

func do(m *dns.Msg) { m.SetEdns0(1232, true) }

func cd(m *dns.Msg) { m.CheckingDisabled = true }

func ad(m *dns.Msg) { m.AuthenticatedData = true }

func noRD(m *dns.Msg) { m.RecursionDesired = false }

func class(c uint16) option { return func(m *dns.Msg) { m.Question[0].Qclass = c } }

func size(octets uint16) option { return func(m *dns.Msg) { m.SetEdns0(octets, false) } }

// question makes a query of "name TYPE"; the name may have escapes and is sent in its case.
func question(t testing.TB, text string, options ...option) *dns.Msg {
	t.Helper()
	owner, typ, _ := strings.Cut(text, " ")
	qtype, ok := dns.StringToType[typ]
	if _, err := fmt.Sscanf(typ, "TYPE%d", &qtype); !ok && err != nil {
		t.Fatalf("question %q: no such type", text)
	}
	m := new(dns.Msg).SetQuestion(dns.Fqdn(owner), qtype)
	for _, o := range options {
		o(m)
	}
	return m
}

// short is a reply in one line: the RCODE, the flags AA, TC and AD, the answers with their data, "soa" for a negative answer
// whose SOA is owned by the name asked, "SOA owner" for another, and the Extended DNS Errors, a + for a text.
func short(m *dns.Msg) string {
	out := []string{dns.RcodeToString[m.Rcode]}
	for _, flag := range []struct {
		set  bool
		text string
	}{{m.Authoritative, "aa"}, {m.Truncated, "tc"}, {m.AuthenticatedData, "ad"}} {
		if flag.set {
			out = append(out, flag.text)
		}
	}
	for _, rr := range m.Answer {
		fields := strings.Fields(rr.String())
		data := strings.Join(fields[3:], " ")
		if rr.Header().Rrtype == dns.TypeA || rr.Header().Rrtype == dns.TypeAAAA {
			data = fields[4]
		}
		out = append(out, data)
	}
	for _, rr := range m.Ns {
		if rr.Header().Name == m.Question[0].Name {
			out = append(out, "soa")
		} else {
			out = append(out, dns.TypeToString[rr.Header().Rrtype]+" "+rr.Header().Name)
		}
	}
	for _, e := range errorsOf(m) {
		text := fmt.Sprintf("ede %d", e.InfoCode)
		if e.ExtraText != "" {
			text += "+"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// errorsOf are the Extended DNS Errors of a reply.
func errorsOf(m *dns.Msg) (out []*dns.EDNS0_EDE) {
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if e, ok := o.(*dns.EDNS0_EDE); ok {
				out = append(out, e)
			}
		}
	}
	return out
}
