package resolver

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/policy"
	"usciere/resolver/dnstest"
)

const (
	mx   = "NOERROR, MX 10 mx1.provider.net."
	host = "NOERROR, 192.0.2.10"
)

// expect asks one question after another and compares the replies.
func (h *house) expect(steps ...[3]string) {
	h.Helper()
	for i, s := range steps {
		if got := h.ask(s[0], s[1]); got != s[2] {
			h.Errorf("step %d, %s asking %s: got %s, want %s", i+1, s[0], s[1], got, s[2])
		}
	}
}

func TestMailIsAGrantOfItsOwnWithItsHosts(t *testing.T) { // R3
	h := open(t)
	h.expect(
		[3]string{protocollo, "mx1.provider.net A", denied}, // nobody pointed there yet
		[3]string{protocollo, "posta.example.it MX", mx},
		[3]string{protocollo, "mx1.provider.net A", host},
		[3]string{protocollo, "mx1.provider.net AAAA", "NOERROR, 2001:db8::10"},
		[3]string{protocollo, "MX1.provider.NET A", host},
		[3]string{protocollo, "_imaps._tcp.posta.example.it SRV", "NOERROR, SRV 0 1 993 imap.provider.net."},
		[3]string{protocollo, "imap.provider.net A", "NOERROR, 192.0.2.11"},
		[3]string{protocollo, "autodiscover.posta.example.it A", "NOERROR, 192.0.2.8"},
		[3]string{protocollo, "web.provider.net A", denied}, // nothing points there
		[3]string{protocollo, "sub.posta.example.it MX", denied},
		[3]string{anagrafe, "posta.example.it MX", nodata},
		[3]string{anagrafe, "autodiscover.posta.example.it A", page},
	)
	if got := h.ask(protocollo, "_imaps._tcp.inps.it SRV"); got != denied {
		t.Errorf("SRV of another domain: got %s", got)
	}
}

func TestTheHostsOfMailAreForTheOfficeThatAskedForTheMail(t *testing.T) { // S8
	h := open(t)
	h.expect(
		[3]string{protocollo, "posta.example.it MX", mx},
		[3]string{protocollo, "mx1.provider.net A", host}, // in the cache now
		[3]string{avvocatura, "mx1.provider.net A", nodata},
		[3]string{tributi, "mx1.provider.net A", page},
		[3]string{avvocatura, "posta.example.it MX", mx}, // out of the cache
		[3]string{avvocatura, "mx1.provider.net A", host},
		[3]string{tributi, "mx1.provider.net A", page},
		[3]string{"127.10.3.77", "mx1.provider.net A", host}, // another workstation of the office
	)
	if n := h.upstream.Asked("posta.example.it"); n != 1 {
		t.Errorf("the MX was asked %d times upstream, want once", n)
	}
}

func TestAHostOfMailExistsAndSoDoTheNamesAboveIt(t *testing.T) { // RFC 8020
	h := open(t)
	h.expect(
		[3]string{protocollo, "provider.net A", denied},
		[3]string{protocollo, "posta.example.it MX", mx},
		[3]string{protocollo, "provider.net A", nodata},
		[3]string{protocollo, "mx1.provider.net TXT", nodata},
		[3]string{protocollo, "a.mx1.provider.net A", denied},
		[3]string{protocollo, "mx2.provider.net A", denied},
	)
}

func TestAManagersMailQuestionsOpenNothingForTheOffice(t *testing.T) {
	h := open(t)
	h.expect(
		[3]string{manager, "posta.example.it MX", mx},
		[3]string{tributi, "mx1.provider.net A", page},
	)
	if n := len(h.resolver.targets.known["tributi"]); n != 0 {
		t.Errorf("%d names are kept for nothing", n)
	}
}

func TestMailGrantedToAllServersOpensNothingForTheEmployeesBesideThem(t *testing.T) {
	h := open(t)
	h.allow(policy.AddGrants{Subject: policy.Subject{Role: policy.Server}, Channel: policy.Mail, Names: []string{"posta.example.it"}})
	h.expect(
		[3]string{relay, "posta.example.it MX", mx},
		[3]string{relay, "mx1.provider.net A", host},
		[3]string{anagrafe, "mx1.provider.net A", page},
	)
}

func TestARevokedMailGrantTakesItsHostsWithIt(t *testing.T) {
	h := open(t)
	ids := h.grant("tributi", policy.Mail, "posta.example.it")
	h.expect(
		[3]string{tributi, "posta.example.it MX", mx},
		[3]string{tributi, "mx1.provider.net A", host},
	)
	h.revoke(ids)
	h.expect(
		[3]string{tributi, "mx1.provider.net A", page},
		[3]string{tributi, "posta.example.it MX", nodata},
	)
}

func TestAHostStaysOpenAsLongAsOneOfItsDomainsIsGranted(t *testing.T) {
	h := open(t)
	h.grant("tributi", policy.Mail, "posta.example.it")
	second := h.grant("tributi", policy.Mail, "pec.example.it")
	h.expect(
		[3]string{tributi, "posta.example.it MX", mx},
		[3]string{tributi, "pec.example.it MX", mx},
	)
	h.revoke(second)
	h.expect([3]string{tributi, "mx1.provider.net A", host})
	h.clock.advance(90 * time.Second) // the second's record would be over, the first's is not
	h.expect([3]string{tributi, "mx1.provider.net A", host})
}

func TestTheHostsOfMailAreOpenHalfAMinuteLongerThanTheirRecordAndAMinuteAtLeast(t *testing.T) {
	h := open(t)
	h.grant("protocollo", policy.Mail, "pec.example.it")
	h.expect([3]string{protocollo, "posta.example.it MX", mx}) // TTL 120
	h.clock.advance(149 * time.Second)
	h.expect([3]string{protocollo, "mx1.provider.net A", host})
	h.clock.advance(2 * time.Second)
	h.expect(
		[3]string{protocollo, "mx1.provider.net A", denied},
		[3]string{protocollo, "pec.example.it MX", mx}, // TTL 20
	)
	h.clock.advance(59 * time.Second)
	h.expect([3]string{protocollo, "mx1.provider.net A", host})
	h.clock.advance(2 * time.Second)
	h.expect([3]string{protocollo, "mx1.provider.net A", denied})
}

func TestTheTimeOfAHostCountsFromTheReply(t *testing.T) {
	h := open(t)
	honest := dnstest.Records(records...)
	h.upstream.SetHandler(func(q dnstest.Query) []dnstest.Send {
		h.clock.advance(4 * time.Second) // a slow server
		return honest(q)
	})
	h.expect([3]string{protocollo, "posta.example.it MX", mx}) // TTL 120
	h.clock.advance(119 * time.Second)
	h.expect([3]string{protocollo, "mx1.provider.net A", host})
}

func TestADomainWithoutMailOpensNothing(t *testing.T) { // RFC 7505
	h := open(t)
	h.grant("protocollo", policy.Mail, "null.example.it")
	h.expect(
		[3]string{protocollo, "null.example.it MX", "NOERROR, MX 0 ."},
		[3]string{protocollo, ". A", nodata},
	)
}

func TestAnAnswerWithThousandsOfHostsTeachesAFew(t *testing.T) {
	h := open(t)
	who := h.live.Snapshot().Who(netip.MustParseAddr(tributi), h.clock.Now())
	source := name(t, "big.example.it")
	reply := question(t, source.String()+" MX")
	var records []string
	for i := range 2000 {
		records = append(records, fmt.Sprintf("big.example.it 300 IN MX 10 %smx%d.provider.net.", strings.Repeat("a.", 40), i))
	}
	reply.Answer = dnstest.Reply(dnstest.Query{Msg: reply}, records...).Answer
	reply.Compress = true
	packed, err := reply.Pack()
	if err != nil {
		t.Fatal(err)
	}
	h.resolver.targets.learn(&who, []byte(source), policy.TypeMX, packed, h.clock.Now())
	if n := len(h.resolver.targets.known["tributi"]); n > maxHosts*(maxAbove+1) {
		t.Errorf("%d names were learnt", n)
	}
}

func TestOneOfficesMailDoesNotPushAnothersOut(t *testing.T) { // S8
	h := open(t)
	h.upstream.SetHandler(func(q dnstest.Query) []dnstest.Send {
		return []dnstest.Send{dnstest.Message(dnstest.Reply(q, fmt.Sprintf("%s 300 IN MX 10 %[1]s", strings.ToLower(q.Name()))))}
	})
	h.grant("tributi", policy.Mail, ".flood.example.it")
	h.expect([3]string{protocollo, "posta.example.it MX", "NOERROR, MX 10 posta.example.it."})
	who := h.live.Snapshot().Who(netip.MustParseAddr(tributi), h.clock.Now())
	for i := range 3 * maxTargets {
		source := name(t, fmt.Sprintf("d%d.flood.example.it", i))
		reply := question(t, source.String()+" MX")
		reply.Answer = dnstest.Reply(dnstest.Query{Msg: reply}, fmt.Sprintf("%s 300 IN MX 10 mx%d.provider.net.", source, i)).Answer
		packed, err := reply.Pack()
		if err != nil {
			t.Fatal(err)
		}
		h.resolver.targets.learn(&who, []byte(source), policy.TypeMX, packed, h.clock.Now())
	}
	if n := len(h.resolver.targets.known["tributi"]); n > maxTargets {
		t.Errorf("%d names of one office are kept, want at most %d", n, maxTargets)
	}
	protocol := h.live.Snapshot().Who(netip.MustParseAddr(protocollo), h.clock.Now())
	if _, _, ok := h.resolver.targets.through(h.live.Snapshot(), &protocol, []byte(name(t, "posta.example.it")), policy.TypeA, h.clock.Now()); !ok {
		t.Error("another office's host was pushed out")
	}
}

func TestAnotherReplyIsLearntFromAtOnce(t *testing.T) {
	h := open(t)
	who := h.live.Snapshot().Who(netip.MustParseAddr(tributi), h.clock.Now())
	source := name(t, "example.it")
	learn := func(change func(*dns.Msg), hosts ...string) {
		reply := question(t, source.String()+" MX")
		for i, host := range hosts {
			hosts[i] = fmt.Sprintf("%s 300 IN MX 10 %s", source, host)
		}
		reply.Answer = dnstest.Reply(dnstest.Query{Msg: reply}, hosts...).Answer
		change(reply)
		packed, err := reply.Pack()
		if err != nil {
			t.Fatal(err)
		}
		h.resolver.targets.learn(&who, []byte(source), policy.TypeMX, packed, h.clock.Now())
	}
	learn(func(m *dns.Msg) { m.Truncated = true }, "mx1.provider.net.")
	learn(func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure })
	learn(func(*dns.Msg) {}, "mx1.provider.net.", "mx2.provider.net.")
	learn(func(*dns.Msg) {}, "mx3.provider.net.") // another answer, as soon
	for _, host := range []string{"mx1.provider.net", "mx2.provider.net", "mx3.provider.net"} {
		if !h.resolver.targets.knows(&who, []byte(name(t, host))) {
			t.Errorf("%s was not learnt", host)
		}
	}
}
