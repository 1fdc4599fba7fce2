package zone

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// wire is a name in canonical wire form.
func wire(t testing.TB, text string) []byte {
	t.Helper()
	name, err := canonical(text)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func parse(t testing.TB, origin, text string) *Zone {
	t.Helper()
	z, err := Parse(origin, strings.NewReader(text), "test.zone")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// show is a result on one line: rcode, answers, "; " and the authority's owners and TTLs, " -> " and the target.
func show(r Result) string {
	var b strings.Builder
	b.WriteString(dns.RcodeToString[r.Rcode])
	for _, rr := range r.Answer {
		b.WriteString(", " + line(rr))
	}
	for _, rr := range r.Authority {
		h := rr.Header()
		fmt.Fprintf(&b, "; %s %d %s", h.Name, h.Ttl, dns.Type(h.Rrtype))
	}
	if r.Target != nil {
		b.WriteString(" -> " + presentation(r.Target))
	}
	return b.String()
}

func line(rr dns.RR) string { return strings.ReplaceAll(rr.String(), "\t", " ") }

type ask struct{ name, question, want string }

// run asks each question as "name TYPE".
func run(t *testing.T, z *Zone, asks []ask) {
	t.Helper()
	for _, a := range asks {
		t.Run(a.name, func(t *testing.T) {
			name, typ, _ := strings.Cut(a.question, " ")
			if got := show(z.Lookup(wire(t, name), dns.StringToType[typ])); got != a.want {
				t.Errorf("%s\n got %s\nwant %s", a.question, got, a.want)
			}
		})
	}
}

// rfc4592 is the zone of RFC 4592 §2.2.1 without its delegation, which is refused here.
const rfc4592 = `
$ORIGIN example.
example.                 3600 IN  SOA   ns.example.com. admin.example. 1 3600 600 86400 900
example.                 3600     NS    ns.example.com.
example.                 3600     NS    ns.example.net.
*.example.               3600     TXT   "this is a wildcard"
*.example.               3600     MX    10 host1.example.
sub.*.example.           3600     TXT   "this is not a wildcard"
host1.example.           3600     A     192.0.2.1
_ssh._tcp.host1.example. 3600     SRV   0 0 22 host1.example.
_ssh._tcp.host2.example. 3600     SRV   0 0 22 host1.example.
`

func TestLookupAnswersTheExamplesOfRFC4592(t *testing.T) {
	const soa = "; example. 900 SOA"
	run(t, parse(t, "example", rfc4592), []ask{
		{"a wildcard gives the type it has", "host3.example MX", "NOERROR, host3.example. 3600 IN MX 10 host1.example."},
		{"a wildcard gives NODATA for a type it has not", "host3.example A", "NOERROR" + soa},
		{"a wildcard covers several labels", "foo.bar.example TXT", `NOERROR, foo.bar.example. 3600 IN TXT "this is a wildcard"`},
		{"an existing name is not covered", "host1.example MX", "NOERROR" + soa},
		{"a name below an asterisk is no wildcard", "sub.*.example MX", "NOERROR" + soa},
		{"a closer encloser without wildcard blocks it", "_telnet._tcp.host1.example SRV", "NXDOMAIN" + soa},
		{"the asterisk itself can be an encloser", "ghost.*.example MX", "NXDOMAIN" + soa},
		{"an asterisk can be asked for", "*.example MX", "NOERROR, *.example. 3600 IN MX 10 host1.example."},
		{"an empty non-terminal exists", "host2.example TXT", "NOERROR" + soa},
		{"an empty non-terminal between labels exists", "_tcp.host2.example MX", "NOERROR" + soa},
		{"below an empty non-terminal the wildcard is blocked", "x.host2.example MX", "NXDOMAIN" + soa},
		{"the name below an asterisk has its own data", "sub.*.example TXT", `NOERROR, sub.*.example. 3600 IN TXT "this is not a wildcard"`},
		{"a wildcard answers ANY with one set", "host3.example ANY", "NOERROR, host3.example. 3600 IN MX 10 host1.example."},
	})
}

const townZone = `
$TTL 600
@        SOA   ns hostmaster 7 3600 600 86400 60
@        NS    ns
@        A     192.0.2.1
www      A     192.0.2.10
www      AAAA  2001:db8::10
www      TXT   "b" "c"
both  60 A     192.0.2.12
both 300 A     192.0.2.13
both  60 A     192.0.2.12
alias    CNAME www
twice    CNAME Alias
gone     CNAME nothing
nodata   CNAME www.dept
out      CNAME www.inps.it.
outer    CNAME out
self     CNAME self
ping     CNAME pong
pong     CNAME ping
a.b.dept A     192.0.2.20
*.wild   CNAME www
*.wout   CNAME mail.inps.it.
*.deep.ent A   192.0.2.30
*.ent    TXT   "not below deep"
x.*.blank A    192.0.2.31
old      DNAME new
old      A     192.0.2.40
h.new    A     192.0.2.41
moved    DNAME agid.gov.it.
spin     DNAME spin
*.dn     CNAME h.old
l1 CNAME l2
l2 CNAME l3
l3 CNAME l4
l4 CNAME l5
l5 CNAME l6
l6 CNAME l7
l7 CNAME l8
l8 CNAME l9
l9 CNAME l10
l10 CNAME l11
l11 CNAME www
l0 CNAME l1
far0 CNAME far1
far1 CNAME l3
`

func TestLookupOfExistingNames(t *testing.T) {
	run(t, parse(t, "Comune.Test.", townZone), []ask{
		{"an exact match", "www.comune.test A", "NOERROR, www.comune.test. 600 IN A 192.0.2.10"},
		{"in any case", "WWW.comune.TEST A", "NOERROR, www.comune.test. 600 IN A 192.0.2.10"},
		{"the origin", "comune.test A", "NOERROR, comune.test. 600 IN A 192.0.2.1"},
		{"the SOA itself keeps its TTL", "comune.test SOA", "NOERROR, comune.test. 600 IN SOA ns.comune.test. hostmaster.comune.test. 7 3600 600 86400 60"},
		{"duplicates are merged and a set has its lowest TTL", "both.comune.test A", "NOERROR, both.comune.test. 60 IN A 192.0.2.12, both.comune.test. 60 IN A 192.0.2.13"},
		{"ANY gives the smallest type", "www.comune.test ANY", "NOERROR, www.comune.test. 600 IN A 192.0.2.10"},
		{"ANY of an alias gives the alias", "alias.comune.test ANY", "NOERROR, alias.comune.test. 600 IN CNAME www.comune.test."},
		{"ANY of an empty non-terminal", "dept.comune.test ANY", "NOERROR; comune.test. 60 SOA"},
		{"NODATA with the lesser of the SOA's TTL and MINIMUM", "www.comune.test MX", "NOERROR; comune.test. 60 SOA"},
		{"NXDOMAIN likewise", "nothing.comune.test MX", "NXDOMAIN; comune.test. 60 SOA"},
		{"a type that is no data", "comune.test AXFR", "NOERROR; comune.test. 60 SOA"},
		{"DS of the origin", "comune.test DS", "NOERROR; comune.test. 60 SOA"},
		{"a name outside", "www.comune.it A", "REFUSED"},
		{"a name whose end only looks like the origin", "xcomune.test A", "REFUSED"},
		{"the parent", "test A", "REFUSED"},
		{"the root", ". A", "REFUSED"},
		{"the closer wildcard", "x.deep.ent.comune.test A", "NOERROR, x.deep.ent.comune.test. 600 IN A 192.0.2.30"},
		{"a wildcard does not reach past a closer one", "x.deep.ent.comune.test TXT", "NOERROR; comune.test. 60 SOA"},
		{"a wildcard beside an empty non-terminal", "x.ent.comune.test TXT", `NOERROR, x.ent.comune.test. 600 IN TXT "not below deep"`},
		{"an empty asterisk makes NODATA", "y.blank.comune.test A", "NOERROR; comune.test. 60 SOA"},
	})
}

func TestLookupFollowsAliases(t *testing.T) {
	const www = ", www.comune.test. 600 IN A 192.0.2.10"
	run(t, parse(t, "comune.test", townZone), []ask{
		{"inside the zone", "alias.comune.test A", "NOERROR, alias.comune.test. 600 IN CNAME www.comune.test." + www},
		{"over two links, whatever the case", "twice.comune.test A", "NOERROR, twice.comune.test. 600 IN CNAME Alias.comune.test., alias.comune.test. 600 IN CNAME www.comune.test." + www},
		{"to a name that does not exist", "gone.comune.test A", "NXDOMAIN, gone.comune.test. 600 IN CNAME nothing.comune.test.; comune.test. 60 SOA"},
		{"to a type that is not there", "alias.comune.test MX", "NOERROR, alias.comune.test. 600 IN CNAME www.comune.test.; comune.test. 60 SOA"},
		{"to a name that does not exist below one that does", "nodata.comune.test A", "NXDOMAIN, nodata.comune.test. 600 IN CNAME www.dept.comune.test.; comune.test. 60 SOA"},
		{"not when asked for itself", "alias.comune.test CNAME", "NOERROR, alias.comune.test. 600 IN CNAME www.comune.test."},
		{"out of the zone", "out.comune.test A", "NOERROR, out.comune.test. 600 IN CNAME www.inps.it. -> www.inps.it."},
		{"out of the zone by two links", "outer.comune.test A", "NOERROR, outer.comune.test. 600 IN CNAME out.comune.test., out.comune.test. 600 IN CNAME www.inps.it. -> www.inps.it."},
		{"from a wildcard", "x.wild.comune.test A", "NOERROR, x.wild.comune.test. 600 IN CNAME www.comune.test." + www},
		{"from a wildcard out of the zone", "x.wout.comune.test A", "NOERROR, x.wout.comune.test. 600 IN CNAME mail.inps.it. -> mail.inps.it."},
		{"not around a loop of one", "self.comune.test A", "SERVFAIL"},
		{"not around a loop of two", "ping.comune.test A", "SERVFAIL"},
		{"a loop asked for itself", "ping.comune.test CNAME", "NOERROR, ping.comune.test. 600 IN CNAME pong.comune.test."},
		{"not over twelve links", "l0.comune.test A", "SERVFAIL"},
	})
	r := parse(t, "comune.test", townZone).Lookup(wire(t, "l1.comune.test"), dns.TypeA)
	if r.Rcode != dns.RcodeSuccess || len(r.Answer) != maxLinks+1 {
		t.Errorf("eleven links should be followed: got %s", show(r))
	}
}

func TestLookupFollowsDNAME(t *testing.T) {
	const old = ", old.comune.test. 600 IN DNAME new.comune.test."
	run(t, parse(t, "comune.test", townZone), []ask{
		{"below its owner", "h.old.comune.test A", "NOERROR" + old + ", h.old.comune.test. 600 IN CNAME h.new.comune.test., h.new.comune.test. 600 IN A 192.0.2.41"},
		{"to a name that does not exist", "i.old.comune.test A", "NXDOMAIN" + old + ", i.old.comune.test. 600 IN CNAME i.new.comune.test.; comune.test. 60 SOA"},
		{"not at its owner", "old.comune.test A", "NOERROR, old.comune.test. 600 IN A 192.0.2.40"},
		{"itself when asked for", "old.comune.test DNAME", "NOERROR" + old},
		{"out of the zone", "a.b.moved.comune.test A", "NOERROR, moved.comune.test. 600 IN DNAME agid.gov.it., a.b.moved.comune.test. 600 IN CNAME a.b.agid.gov.it. -> a.b.agid.gov.it."},
		{"as far as its CNAME when that is asked for", "h.old.comune.test CNAME", "NOERROR" + old + ", h.old.comune.test. 600 IN CNAME h.new.comune.test."},
		{"after a wildcard's CNAME", "x.dn.comune.test A", "NOERROR, x.dn.comune.test. 600 IN CNAME h.old.comune.test." + old + ", h.old.comune.test. 600 IN CNAME h.new.comune.test., h.new.comune.test. 600 IN A 192.0.2.41"},
		{"not around a loop", "x.spin.comune.test A", "SERVFAIL"},
	})
}

func TestLookupRefusesANameGrownOverlongByDNAME(t *testing.T) {
	label := strings.Repeat("x", 63)
	z := parse(t, "z", "d DNAME "+label+"."+label+"\n")
	for _, c := range []struct {
		left int // length of the first label
		want int
	}{
		{59, dns.RcodeNameError}, // 60 + 64 + 128 + 3 = 255
		{60, dns.RcodeYXDomain},
	} {
		r := z.Lookup(wire(t, strings.Repeat("y", c.left)+"."+label+".d.z"), dns.TypeA)
		if r.Rcode != c.want || r.Answer[0].Header().Rrtype != dns.TypeDNAME {
			t.Errorf("label of %d: got %s", c.left, show(r))
		}
	}
}

func TestLookupOfNamesWithEveryKindOfOctet(t *testing.T) {
	z := parse(t, "z", `
a\.b       A 192.0.2.1
a.b        A 192.0.2.2
\000       A 192.0.2.3
\255       A 192.0.2.4
Two\032Words A 192.0.2.5
\065bc     A 192.0.2.6
q\"u\;o\(  A 192.0.2.7
back\\     A 192.0.2.8
\*.w       A 192.0.2.9
`)
	run(t, z, []ask{
		{"a dot inside a label", `a\.b.z A`, `NOERROR, a\.b.z. 3600 IN A 192.0.2.1`},
		{"a dot between labels", `a.b.z A`, `NOERROR, a.b.z. 3600 IN A 192.0.2.2`},
		{"NUL", `\000.z A`, `NOERROR, \000.z. 3600 IN A 192.0.2.3`},
		{"255", `\255.z A`, `NOERROR, \255.z. 3600 IN A 192.0.2.4`},
		{"a space", `two\032words.z A`, `NOERROR, two\ words.z. 3600 IN A 192.0.2.5`},
		{"a letter written as a number", `ABC.z A`, `NOERROR, abc.z. 3600 IN A 192.0.2.6`},
		{"quotes and brackets", `q\"u\;o\(.z A`, `NOERROR, q\"u\;o\(.z. 3600 IN A 192.0.2.7`},
		{"a backslash", `back\\.z A`, `NOERROR, back\\.z. 3600 IN A 192.0.2.8`},
		{"an escaped asterisk is one", `x.w.z A`, `NOERROR, x.w.z. 3600 IN A 192.0.2.9`},
	})
}

func TestLookupInARootZone(t *testing.T) {
	z := parse(t, ".", "www.inps.it A 192.0.2.1\n*.it TXT \"x\"\nalias.it CNAME www.inps.it\n")
	if z.Origin() != "." {
		t.Errorf("origin %q", z.Origin())
	}
	run(t, z, []ask{
		{"a name", "www.inps.it A", "NOERROR, www.inps.it. 3600 IN A 192.0.2.1"},
		{"an alias", "alias.it A", "NOERROR, alias.it. 3600 IN CNAME www.inps.it., www.inps.it. 3600 IN A 192.0.2.1"},
		{"the root", ". A", "NOERROR; . 30 SOA"},
		{"an empty non-terminal", "it A", "NOERROR; . 30 SOA"},
		{"a name that does not exist", "com A", "NXDOMAIN; . 30 SOA"},
	})
}

func TestPackMakesAReplyWithoutOPT(t *testing.T) {
	z := parse(t, "comune.test", townZone)
	for _, c := range []struct {
		name  string
		rcode int
		an    int
		ns    int
	}{
		{"x.wild.comune.test.", dns.RcodeSuccess, 2, 0},
		{"nothing.comune.test.", dns.RcodeNameError, 0, 1},
		{"alias.comune.test.", dns.RcodeSuccess, 2, 0},
	} {
		name := wire(t, c.name)
		packed, err := z.Lookup(name, dns.TypeA).Pack(name, dns.TypeA)
		if err != nil {
			t.Fatal(err)
		}
		var m dns.Msg
		if err := m.Unpack(packed); err != nil {
			t.Fatal(err)
		}
		if m.Id != 0 || !m.Response || !m.Authoritative || m.Rcode != c.rcode || m.Question[0].Name != c.name ||
			len(m.Answer) != c.an || len(m.Ns) != c.ns || len(m.Extra) != 0 {
			t.Errorf("%s: got\n%v", c.name, &m)
		}
		if m.Compress = false; m.Len() <= len(packed) {
			t.Errorf("%s: not compressed: %d octets", c.name, len(packed))
		}
	}
}

func TestPackRefusesWhatFitsNoMessage(t *testing.T) {
	name := wire(t, "www.comune.test")
	r := parse(t, "comune.test", townZone).Lookup(name, dns.TypeTXT)
	for range 300 {
		r.Answer = append(r.Answer, &dns.TXT{
			Hdr: dns.RR_Header{Name: "www.inps.it.", Rrtype: dns.TypeTXT, Class: dns.ClassINET},
			Txt: []string{strings.Repeat("x", 250)},
		})
	}
	if _, err := r.Pack(name, dns.TypeTXT); err == nil || !strings.Contains(err.Error(), "do not fit a message") {
		t.Error(err)
	}
	r.Answer[len(r.Answer)-1] = &dns.TXT{Hdr: dns.RR_Header{Name: "no-final-dot"}}
	if _, err := r.Pack(name, dns.TypeTXT); err == nil {
		t.Error("a malformed record was packed")
	}
}

func TestLookupServesManyAtOnceAndChangesNothing(t *testing.T) {
	z := parse(t, "comune.test", townZone)
	names := []string{"www.comune.test", "x.wild.comune.test", "h.old.comune.test", "nothing.comune.test", "outer.comune.test"}
	want := make([]string, len(names))
	for i, n := range names {
		want[i] = show(z.Lookup(wire(t, n), dns.TypeA))
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i, n := range names {
				name := wire(t, n)
				for range 50 {
					r := z.Lookup(name, dns.TypeA)
					if _, err := r.Pack(name, dns.TypeA); err != nil {
						t.Error(err)
					}
					r.Answer = append(r.Answer, &dns.A{}) // what a caller does with the records of the target
					r.Authority = append(r.Authority, &dns.A{})
					if got := show(z.Lookup(name, dns.TypeA)); got != want[i] {
						t.Errorf("got %s, want %s", got, want[i])
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestLookupOfAnExactNameCopiesNothing(t *testing.T) {
	z := parse(t, "comune.test", townZone)
	for _, n := range []string{"both.comune.test", "nothing.comune.test", "dept.comune.test"} {
		name := wire(t, n)
		if got := testing.AllocsPerRun(100, func() { z.Lookup(name, dns.TypeA) }); got != 0 {
			t.Errorf("%s: %v allocations", n, got)
		}
	}
}
