//go:build e2e

package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// oracle says what the demo town answers, by the slowest way there is: it goes through all rules and all records, every
// time. It knows no mail grants, and no special names but those it is told.
type oracle struct {
	records []dns.RR // of the demo's upstream
	page    string   // address of the block page
}

// workstation is one that the oracle knows: what its office was granted, as rules.
type workstation struct {
	from      string
	office    bool // it is in one
	outside   bool // the site
	unlimited bool
	rules     []string // www.inps.it, .inps.it
}

// everyone is what the connectivity service opens of the names that the tests use.
var everyone = []string{"www.msftconnecttest.com", "www.msftncsi.com", "detectportal.firefox.com"}

var demoTown = []workstation{
	{from: "127.10.1.5", office: true, rules: []string{".inps.it", ".inps.gov.it", ".anpr.interno.it", ".servizicie.interno.gov.it"}},
	{from: "127.10.2.5", office: true, rules: []string{".agenziaentrate.gov.it", "www.fatturapa.gov.it", ".agenziaentrate.it"}},
	{from: "127.10.2.9", office: true, unlimited: true},
	{from: "127.10.4.7", office: true, rules: []string{".giustizia.it", "timestamp.infocert.it", "eidas.agid.gov.it"}}, // and what of certified mail is not asked here
	{from: "127.10.5.7", office: true},
	{from: "127.10.99.1"},
	{from: "127.99.0.1", outside: true},
}

// expected is the part of a reply that the oracle foretells.
type expected struct {
	rcode  string
	ede    int      // -1: none
	answer []string // sorted, in lower case
}

func newOracle(t testing.TB, page string) *oracle {
	t.Helper()
	f, err := os.Open("../demo.zone")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	o := &oracle{page: page}
	parser := dns.NewZoneParser(f, ".", "demo.zone")
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		o.records = append(o.records, rr)
	}
	if err := parser.Err(); err != nil {
		t.Fatal(err)
	}
	return o
}

// answer foretells the reply to one question; name has a dot at its end.
func (o *oracle) answer(w workstation, name string, qtype uint16) expected {
	name = strings.ToLower(name)
	switch {
	case w.outside:
		return expected{"REFUSED", 18, nil}
	case name == "localhost.":
		e := expected{"NOERROR", -1, nil}
		switch qtype {
		case dns.TypeA:
			e.answer = []string{"localhost. A 127.0.0.1"}
		case dns.TypeAAAA:
			e.answer = []string{"localhost. AAAA ::1"}
		}
		return e.lower()
	case strings.HasSuffix(name, ".local."):
		return expected{"NXDOMAIN", -1, nil}
	case !w.office:
		return o.sinkhole(name, qtype)
	case w.unlimited && isInward(name, qtype):
		if name == "it." {
			return expected{"NOERROR", 15, nil}
		}
		return expected{"NXDOMAIN", 15, nil}
	case w.unlimited, !isMail(name, qtype) && slices.ContainsFunc(append(w.rules, everyone...), func(r string) bool { return covers(r, name) }):
		return o.upstream(name, qtype).lower()
	}
	return o.sinkhole(name, qtype)
}

func (e expected) lower() expected {
	for i := range e.answer {
		e.answer[i] = strings.ToLower(e.answer[i])
	}
	slices.Sort(e.answer)
	return e
}

func covers(rule, name string) bool {
	name = strings.TrimSuffix(name, ".")
	return name == strings.TrimPrefix(rule, ".") || rule[0] == '.' && strings.HasSuffix(name, rule)
}

// isMail says whether a question belongs to the mail of a domain, which no web grant opens (R3).
func isMail(name string, qtype uint16) bool {
	first := strings.Split(name, ".")[0]
	return qtype == dns.TypeMX || first == "_imaps" || first == "_submission" || first == "autodiscover" || first == "autoconfig"
}

// isInward says whether only the town's own network could have the name.
func isInward(name string, qtype uint16) bool {
	first, rest, _ := strings.Cut(name, ".")
	return first == "wpad" || first == "isatap" || rest == "" && (qtype == dns.TypeA || qtype == dns.TypeAAAA)
}

// sinkhole is the answer of the mode page.
func (o *oracle) sinkhole(name string, qtype uint16) expected {
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	site := len(labels) >= 2 && labels[len(labels)-1] != "arpa" && labels[0] != "wpad"
	for _, l := range labels {
		site = site && l[0] != '_'
	}
	switch {
	case site && qtype == dns.TypeA:
		return expected{"NOERROR", 15, []string{strings.ToLower(name + " A " + o.page)}}.lower()
	case site, name == "it.":
		return expected{"NOERROR", 15, nil} // a top-level domain exists for everyone (RFC 8020), a single label does not
	}
	return expected{"NXDOMAIN", 15, nil}
}

// upstream looks a name up in the demo's records (RFC 1034 §4.3.2, without zones and wildcards).
func (o *oracle) upstream(name string, qtype uint16) expected {
	e := expected{rcode: "NOERROR", ede: -1}
	for {
		exists, next := false, ""
		for _, rr := range o.records {
			owner := strings.ToLower(rr.Header().Name)
			exists = exists || owner == name || strings.HasSuffix(owner, "."+name)
			if owner != name {
				continue
			}
			if alias, ok := rr.(*dns.CNAME); ok && qtype != dns.TypeCNAME {
				next = strings.ToLower(alias.Target)
			}
			if rr.Header().Rrtype == qtype || next != "" {
				e.answer = append(e.answer, recordText(rr))
			}
		}
		if !exists {
			e.rcode = "NXDOMAIN"
		}
		if next == "" {
			return e
		}
		name = next
	}
}

// found is what a message says, in the oracle's words.
func found(m *dns.Msg) expected {
	e := expected{rcode: dns.RcodeToString[m.Rcode], ede: ede(m)}
	for _, rr := range m.Answer {
		e.answer = append(e.answer, recordText(rr))
	}
	return e.lower()
}

func (e expected) equal(other expected) bool {
	return e.rcode == other.rcode && e.ede == other.ede && slices.Equal(e.answer, other.answer)
}
