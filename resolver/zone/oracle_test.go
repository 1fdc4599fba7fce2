package zone

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"pgregory.net/rapid"
)

// scan is the obvious way to answer from a list of records, by reading all of it again for each step: the oracle for Lookup.
// Names are lists of labels in lower case, the first label first.
type scan struct {
	origin []string
	rrs    []dns.RR
}

func labels(name string) []string { return dns.SplitDomainName(strings.ToLower(name)) }

func below(name, above []string) bool { // or equal
	return len(name) >= len(above) && slices.Equal(name[len(name)-len(above):], above)
}

func (s scan) exists(name []string) bool {
	return slices.ContainsFunc(s.rrs, func(rr dns.RR) bool { return below(labels(rr.Header().Name), name) })
}

func (s scan) at(name []string) (rrs []dns.RR) {
	for _, rr := range s.rrs {
		if slices.Equal(labels(rr.Header().Name), name) {
			rrs = append(rrs, rr)
		}
	}
	return rrs
}

// least is the least TTL of a type's records.
func least(rrs []dns.RR, typ uint16) uint32 {
	ttl := uint32(maxTTL)
	for _, rr := range rrs {
		if rr.Header().Rrtype == typ {
			ttl = min(ttl, rr.Header().Ttl)
		}
	}
	return ttl
}

// of picks a type's records, each once, with the least TTL, their owner written as given.
func of(rrs []dns.RR, typ uint16, owner []string) (out []string) {
	for _, rr := range rrs {
		if rr.Header().Rrtype != typ {
			continue
		}
		rr = dns.Copy(rr)
		rr.Header().Ttl, rr.Header().Name = least(rrs, typ), strings.Join(owner, ".")+"."
		if text := line(rr); !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

func (s scan) lookup(name []string, qtype uint16) string {
	var answer []string
	soa := s.at(s.origin)[0].(*dns.SOA)
	end := func(rcode string, negative bool) string {
		out := strings.Join(append([]string{rcode}, answer...), ", ")
		if negative {
			out += fmt.Sprintf("; %s %d SOA", strings.Join(s.origin, ".")+".", min(soa.Hdr.Ttl, soa.Minttl))
		}
		return out
	}
	for links := 0; ; links++ {
		var next []string
		encloser := name
		for !s.exists(encloser) {
			encloser = encloser[1:]
		}
		found := s.at(name)
		isDNAME := func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeDNAME }
		if i := slices.IndexFunc(s.at(encloser), isDNAME); i >= 0 && len(encloser) < len(name) {
			d := s.at(encloser)[i].(*dns.DNAME)
			answer = append(answer, of(s.at(encloser), dns.TypeDNAME, encloser)...)
			next = append(slices.Clone(name[:len(name)-len(encloser)]), labels(d.Target)...)
			answer = append(answer, fmt.Sprintf("%s. %d IN CNAME %s.", strings.Join(name, "."), least(s.at(encloser), dns.TypeDNAME), strings.Join(next, ".")))
			if qtype == dns.TypeCNAME || qtype == dns.TypeANY {
				return end("NOERROR", false)
			}
		} else {
			if len(encloser) < len(name) {
				star := append([]string{"*"}, encloser...)
				if !s.exists(star) {
					return end("NXDOMAIN", true)
				}
				found = s.at(star)
			}
			want := qtype
			if want == dns.TypeANY && len(found) > 0 {
				want = slices.MinFunc(found, func(a, b dns.RR) int { return int(a.Header().Rrtype) - int(b.Header().Rrtype) }).Header().Rrtype
			}
			if set := of(found, want, name); len(set) > 0 {
				answer = append(answer, set...)
				return end("NOERROR", false)
			}
			alias := of(found, dns.TypeCNAME, name)
			if len(alias) == 0 {
				return end("NOERROR", true)
			}
			answer = append(answer, alias...)
			next = labels(found[0].(*dns.CNAME).Target)
		}
		if links == 11 {
			return "SERVFAIL"
		}
		if !below(next, s.origin) {
			return end("NOERROR", false) + " -> " + strings.Join(next, ".") + "."
		}
		name = next
	}
}

// admits tells whether a record may join the others, for the rules that concern several records.
func (s scan) admits(rr dns.RR) bool {
	name, typ := labels(rr.Header().Name), rr.Header().Rrtype
	if typ == dns.TypeCNAME && len(name) == len(s.origin) || typ == dns.TypeDNAME && name[0] == "*" {
		return false
	}
	for _, other := range s.rrs {
		owner, kind := labels(other.Header().Name), other.Header().Rrtype
		same, single := slices.Equal(owner, name), typ == dns.TypeCNAME || typ == dns.TypeDNAME
		switch {
		case same && typ == kind && single && !dns.IsDuplicate(rr, other),
			same && typ != kind && (typ == dns.TypeCNAME || kind == dns.TypeCNAME),
			!same && kind == dns.TypeDNAME && below(name, owner),
			!same && typ == dns.TypeDNAME && below(owner, name):
			return false
		}
	}
	return true
}

func drawName(t *rapid.T, what string) string {
	ls := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "*"}), 0, 4).Draw(t, what)
	return strings.Join(append(ls, "z."), ".")
}

func TestLookupAnswersAsAScanOfAllRecordsDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := []string{"z. 300 SOA z. z. 1 1 1 1 30"}
		soa, _ := dns.NewRR(texts[0])
		slow := scan{origin: []string{"z"}, rrs: []dns.RR{soa}}
		for range rapid.IntRange(0, 12).Draw(t, "records") {
			data := rapid.SampledFrom([]string{"A 192.0.2.1", "A 192.0.2.2", "TXT x", "CNAME", "CNAME", "DNAME"}).Draw(t, "data")
			if strings.HasSuffix(data, "NAME") {
				target := drawName(t, "target")
				if rapid.IntRange(0, 5).Draw(t, "outside") == 0 {
					target = "out.example."
				}
				data += " " + target
			}
			text := fmt.Sprintf("%s %d %s", drawName(t, "owner"), rapid.SampledFrom([]int{60, 300}).Draw(t, "ttl"), data)
			rr, err := dns.NewRR(text)
			if err != nil {
				t.Fatal(err)
			}
			_, err = FromRecords("z", append(texts, text))
			if admits := slow.admits(rr); admits != (err == nil) {
				t.Fatalf("%s beside %q: oracle admits %v, zone %v", text, texts, admits, err)
			}
			if err == nil {
				texts, slow.rrs = append(texts, text), append(slow.rrs, rr)
			}
		}
		z, err := FromRecords("z", texts)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			name := drawName(t, "name")
			qtype := rapid.SampledFrom([]uint16{dns.TypeA, dns.TypeTXT, dns.TypeCNAME, dns.TypeDNAME, dns.TypeANY, dns.TypeMX}).Draw(t, "type")
			wire, err := canonical(name)
			if err != nil {
				t.Fatal(err)
			}
			// Chains through a DNAME that grows the name are bounded by links, not by length, for names this short.
			if got, want := show(z.Lookup(wire, qtype)), slow.lookup(labels(name), qtype); got != want {
				t.Fatalf("%s %s in %q\n got %s\nwant %s", name, dns.Type(qtype), texts, got, want)
			}
		}
	})
}

func TestTheOracleKnowsTheExampleOfRFC4592(t *testing.T) {
	zp := dns.NewZoneParser(strings.NewReader(rfc4592), "example.", "")
	s := scan{origin: []string{"example"}}
	for rr, ok := zp.Next(); ok; rr, ok = zp.Next() {
		s.rrs = append(s.rrs, rr)
	}
	if got := s.lookup(labels("host3.example."), dns.TypeMX); got != "NOERROR, host3.example. 3600 IN MX 10 host1.example." {
		t.Error(got)
	}
	if got := s.lookup(labels("ghost.*.example."), dns.TypeMX); got != "NXDOMAIN; example. 900 SOA" {
		t.Error(got)
	}
}
