package upstream

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"usciere/resolver/dnstest"
)

// lowering answers in lower case, whatever the case of the question.
func lowering(q dnstest.Query) []dnstest.Send {
	q.Msg = q.Msg.Copy()
	q.Msg.Question[0].Name = strings.ToLower(q.Name())
	return honest(q)
}

// mixed is a name of so many letters that it comes in mixed case but once in 2⁵².
const mixed = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz.example."

func TestAServerThatChangesTheCaseIsAskedInLowerCaseForADay(t *testing.T) {
	c := newClock()
	s := dnstest.Start(t, lowering)
	g := group(t, Config{RandomCase: true, Now: c.Now}, s)
	ask := func(want string, sameCase bool) {
		t.Helper()
		before := len(s.Queries())
		resolve(t, g, question(t, mixed, dns.TypeA))
		var over []string
		for _, q := range s.Queries()[before:] {
			over = append(over, string(q.Transport))
		}
		if got := strings.Join(over, " "); got != want || g.Servers()[0].SameCase != sameCase {
			t.Errorf("asked over %s, want %s; status %+v", got, want, g.Servers()[0])
		}
	}
	ask("udp tcp", false)
	ask("udp tcp", true)
	ask("udp", true)
	c.advance(caseMemory - 1)
	ask("udp", true)
	c.advance(1)
	ask("udp tcp", false) // it might have learned
}

func TestAForgerDoesNotTurnOffMixedCase(t *testing.T) {
	s := dnstest.Start(t, func(q dnstest.Query) []dnstest.Send {
		if q.Transport == dnstest.UDP {
			return []dnstest.Send{honest(q)[0].WrongCase()}
		}
		return honest(q)
	})
	g := group(t, Config{RandomCase: true}, s)
	for range 2 * maxCaseChanges {
		resolve(t, g, question(t, mixed, dns.TypeA))
	}
	if st := g.Servers()[0]; st.SameCase {
		t.Errorf("status %+v", st)
	}
}

func TestAServerMayBeLeftOutOfMixedCase(t *testing.T) {
	exempt, other := dnstest.Start(t, lowering), dnstest.Start(t, honest)
	g := group(t, Config{RandomCase: true, SameCase: []netip.AddrPort{exempt.Addr}}, exempt, other)
	resolve(t, g, question(t, mixed, dns.TypeA))
	if got := exempt.Queries()[0].Name(); got != mixed || transports(exempt) != "udp" {
		t.Errorf("asked for %s over %s", got, transports(exempt))
	}
	if st := g.Servers(); !st[0].SameCase || st[1].SameCase {
		t.Errorf("status %+v", st)
	}
}

func TestAServerWithoutEDNSIsRememberedForAnHour(t *testing.T) {
	c := newClock()
	s := dnstest.Start(t, func(q dnstest.Query) []dnstest.Send {
		if q.Msg.IsEdns0() != nil {
			return saying(dns.RcodeFormatError)(q)
		}
		return honest(q)
	})
	g := group(t, Config{Now: c.Now}, s)
	ask := func(want int) {
		t.Helper()
		resolve(t, g, question(t, "www.example.", dns.TypeA))
		if n, st := len(s.Queries()), g.Servers()[0]; n != want || !st.NoEDNS || st.Failures != 0 {
			t.Errorf("asked %d times, want %d; status %+v", n, want, st)
		}
	}
	ask(2)
	ask(3)
	c.advance(ednsMemory - 1)
	ask(4)
	c.advance(1)
	ask(6)
}

func TestAServerThatRefusesEitherWayIsNotTakenForOneWithoutEDNS(t *testing.T) {
	g := group(t, Config{}, dnstest.Start(t, saying(dns.RcodeNotImplemented)), dnstest.Start(t, honest))
	resolve(t, g, question(t, "www.example.", dns.TypeA))
	if st := g.Servers()[0]; st.NoEDNS {
		t.Errorf("status %+v", st)
	}
}
