package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"usciere/resolver/dnstest"
)

var honest = dnstest.Records(
	"example. 3600 SOA ns.example. admin.example. 1 7200 900 86400 30",
	"www.example. 60 A 192.0.2.1",
	"alias.example. 50 CNAME www.example.",
	"big.example. 60 TXT "+strings.Repeat(`"0123456789012345678901234567890123456789012345678901234567890123456789" `, 40),
)

func silent(dnstest.Query) []dnstest.Send { return nil }

func saying(rcode int) dnstest.Handler {
	return func(q dnstest.Query) []dnstest.Send {
		return []dnstest.Send{dnstest.Message(dnstest.Reply(q)).Rcode(rcode)}
	}
}

func TestAQueryIsBuiltAnew(t *testing.T) {
	s := dnstest.Start(t, honest)
	q := question(t, "www.example.", dns.TypeA)
	for _, flags := range []struct{ do, cd, trusted bool }{{}, {do: true}, {cd: true}, {trusted: true}} {
		q.DO, q.CD = flags.do, flags.cd
		resolve(t, group(t, Config{RandomCase: true, Trusted: flags.trusted}, s), q)
		queries := s.Queries()
		m := queries[len(queries)-1].Msg
		opt := m.IsEdns0()
		if opt == nil || opt.UDPSize() != 1232 || opt.Do() != flags.do || len(opt.Option) != 0 || len(m.Extra) != 1 {
			t.Errorf("%+v: wrong EDNS in\n%v", flags, m)
		}
		if !m.RecursionDesired || m.CheckingDisabled != flags.cd || m.AuthenticatedData != flags.trusted || m.Response || m.Opcode != 0 {
			t.Errorf("%+v: wrong flags in\n%v", flags, m)
		}
	}
}

func TestAnAnswerSaysHowLongItMayBeKept(t *testing.T) {
	s := dnstest.Start(t, honest)
	for _, tc := range []struct {
		name  string
		qtype uint16
		rcode int
		ttl   time.Duration
	}{
		{"www.example.", dns.TypeA, dns.RcodeSuccess, 60 * time.Second},
		{"alias.example.", dns.TypeA, dns.RcodeSuccess, 50 * time.Second},
		{"www.example.", dns.TypeAAAA, dns.RcodeSuccess, 30 * time.Second},
		{"none.example.", dns.TypeA, dns.RcodeNameError, 30 * time.Second},
		{"none.elsewhere.", dns.TypeA, dns.RcodeNameError, 0},
	} {
		m, a := resolve(t, group(t, Config{RandomCase: true}, s), question(t, tc.name, tc.qtype))
		if m.Rcode != tc.rcode || a.TTL != tc.ttl || a.Server != s.Addr.String() || m.Question[0].Name != tc.name {
			t.Errorf("%s %s: kept for %v, from %s:\n%v", tc.name, dns.Type(tc.qtype), a.TTL, a.Server, m)
		}
	}
}

func TestATruncatedReplyIsFetchedOverTCP(t *testing.T) {
	s := dnstest.Start(t, honest)
	m, _ := resolve(t, group(t, Config{RandomCase: true}, s), question(t, "big.example.", dns.TypeTXT))
	if len(m.Answer) != 1 || m.Len() < 1232 {
		t.Fatalf("want the whole record:\n%v", m)
	}
	queries := s.Queries()
	if len(queries) != 2 || queries[0].Transport != dnstest.UDP || queries[1].Transport != dnstest.TCP {
		t.Fatalf("want one query over UDP and one over TCP, got %d", len(queries))
	}
}

// TestIdenticalQuestionsShareOneFlight is S9.
func TestIdenticalQuestionsShareOneFlight(t *testing.T) {
	release := make(chan struct{})
	s := dnstest.Start(t, func(q dnstest.Query) []dnstest.Send {
		return []dnstest.Send{honest(q)[0].After(release)}
	})
	g := group(t, Config{}, s)
	const callers = 1000
	var waiting, done sync.WaitGroup
	waiting.Add(callers)
	q := question(t, "www.example.", dns.TypeA)
	for range callers {
		done.Go(func() {
			if _, err := g.Resolve(arrival{context.Background(), &waiting}, q); err != nil {
				t.Error(err)
			}
		})
	}
	waiting.Wait()
	close(release)
	done.Wait()
	if n := s.Asked("www.example."); n != 1 {
		t.Fatalf("the server was asked %d times", n)
	}
}

// arrival is a context that tells when its caller has begun to wait for it.
type arrival struct {
	context.Context
	waiting *sync.WaitGroup
}

func (a arrival) Done() <-chan struct{} {
	a.waiting.Done()
	return a.Context.Done()
}

func TestACallerMayLeaveWithoutEndingTheFlight(t *testing.T) {
	release := make(chan struct{})
	s := dnstest.Start(t, func(q dnstest.Query) []dnstest.Send {
		return []dnstest.Send{honest(q)[0].After(release)}
	})
	g := group(t, Config{}, s)
	q := question(t, "www.example.", dns.TypeA)
	var waiting, done sync.WaitGroup
	waiting.Add(2)
	done.Go(func() {
		if _, err := g.Resolve(arrival{context.Background(), &waiting}, q); err != nil {
			t.Error(err)
		}
	})
	ctx, leave := context.WithCancel(context.Background())
	left := make(chan error)
	done.Go(func() {
		_, err := g.Resolve(arrival{ctx, &waiting}, q)
		left <- err
	})
	waiting.Wait()
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller who left got %v", err)
	}
	close(release)
	done.Wait()
	if n := s.Asked("www.example."); n != 1 {
		t.Errorf("the server was asked %d times", n)
	}
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	for name, h := range map[string]dnstest.Handler{
		"waiting for UDP": silent,
		"waiting for TCP": func(q dnstest.Query) []dnstest.Send {
			if q.Transport == dnstest.TCP {
				return nil
			}
			return []dnstest.Send{honest(q)[0].Truncated()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan dnstest.Transport, 10)
			s := dnstest.Start(t, func(q dnstest.Query) []dnstest.Send {
				defer func() { asked <- q.Transport }()
				return h(q)
			})
			g := group(t, Config{}, s)
			result := make(chan error)
			go func() {
				_, err := g.Resolve(context.Background(), question(t, "www.example.", dns.TypeA))
				result <- err
			}()
			for got := range asked {
				if name == "waiting for UDP" || got == dnstest.TCP {
					break
				}
			}
			g.Close()
			if err := <-result; !errors.Is(err, ErrClosed) {
				t.Errorf("the question under way got %v", err)
			}
			if _, err := g.Resolve(context.Background(), question(t, "www.example.", dns.TypeA)); !errors.Is(err, ErrClosed) {
				t.Errorf("a later question got %v", err)
			}
		})
	}
}

func TestAServerThatDoesNotKnowEDNSIsAskedWithout(t *testing.T) {
	headerOnly := func(q dnstest.Query) []dnstest.Send {
		return []dnstest.Send{dnstest.Raw([]byte{byte(q.Msg.Id >> 8), byte(q.Msg.Id), 0x80, 0x01, 0, 0, 0, 0, 0, 0, 0, 0})}
	}
	for name, refusal := range map[string]dnstest.Handler{
		"FORMERR": saying(dns.RcodeFormatError), "NOTIMP": saying(dns.RcodeNotImplemented), "FORMERR as a header only": headerOnly,
	} {
		t.Run(name, func(t *testing.T) {
			s := dnstest.Start(t, func(q dnstest.Query) []dnstest.Send {
				if q.Msg.IsEdns0() != nil {
					return refusal(q)
				}
				return honest(q)
			})
			if m, _ := resolve(t, group(t, Config{}, s), question(t, "www.example.", dns.TypeA)); address(t, m) != rightAddr {
				t.Fatalf("wrong answer:\n%v", m)
			}
			if n := len(s.Queries()); n != 2 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

func TestTheNextServerIsAskedWhenOneDoesNotAnswer(t *testing.T) {
	q := question(t, "www.example.", dns.TypeA)
	dead := dnstest.Start(t, silent)
	dead.Close()
	for name, first := range map[string]*dnstest.Server{
		"port closed": dead,
		"SERVFAIL":    dnstest.Start(t, saying(dns.RcodeServerFailure)),
		"REFUSED":     dnstest.Start(t, saying(dns.RcodeRefused)),
		"NOTIMP":      dnstest.Start(t, saying(dns.RcodeNotImplemented)),
		"FORMERR":     dnstest.Start(t, saying(dns.RcodeFormatError)),
	} {
		t.Run(name, func(t *testing.T) {
			second := dnstest.Start(t, honest)
			g := group(t, Config{}, first, second)
			start := time.Now()
			if _, a := resolve(t, g, q); a.Server != second.Addr.String() {
				t.Errorf("answered by %s", a.Server)
			}
			if took := time.Since(start); took > long/2 {
				t.Errorf("took %v", took)
			}
			if st := g.Servers(); st[0].Failures != 1 || st[0].LastError == "" || st[1].Queries != 1 || st[1].RTT == 0 {
				t.Errorf("status %+v", st)
			}
		})
	}
}

func TestOneServersSERVFAILIsTheAnswerWhenNoneHasABetter(t *testing.T) {
	g := group(t, Config{}, dnstest.Start(t, saying(dns.RcodeServerFailure)), dnstest.Start(t, saying(dns.RcodeRefused)))
	m, a := resolve(t, g, question(t, "www.example.", dns.TypeA))
	if m.Rcode != dns.RcodeServerFailure || a.TTL != 0 || a.Server == "" {
		t.Errorf("got %+v:\n%v", a, m)
	}
}

func TestTheErrorNamesEveryServerAndWhy(t *testing.T) {
	first, second := dnstest.Start(t, saying(dns.RcodeRefused)), dnstest.Start(t, silent)
	g := group(t, Config{Name: "towns", TryTimeout: 20 * time.Millisecond}, first, second)
	_, err := g.Resolve(context.Background(), question(t, "www.example.", dns.TypeA))
	want := fmt.Sprintf(`no server of upstream group "towns" gave an answer: %s: the server says REFUSED; %s: %v`, first.Addr, second.Addr, errSilent)
	if err == nil || err.Error() != want {
		t.Errorf("error\n%v, want\n%v", err, want)
	}
}

func TestALostDatagramIsSentAgain(t *testing.T) {
	var once sync.Once
	s := dnstest.Start(t, func(q dnstest.Query) []dnstest.Send {
		lost := false
		once.Do(func() { lost = true })
		if lost {
			return nil
		}
		return honest(q)
	})
	g := group(t, Config{TryTimeout: 500 * time.Millisecond}, s)
	if m, _ := resolve(t, g, question(t, "www.example.", dns.TypeA)); address(t, m) != rightAddr {
		t.Fatalf("wrong answer:\n%v", m)
	}
}

func TestOnlyATrustedValidatorsADIsPassed(t *testing.T) {
	s := dnstest.Start(t, func(q dnstest.Query) []dnstest.Send {
		m := dnstest.Reply(q, q.Name()+" 60 A 192.0.2.1")
		m.AuthenticatedData = true
		return []dnstest.Send{dnstest.Message(m)}
	})
	for _, trusted := range []bool{false, true} {
		m, a := resolve(t, group(t, Config{Trusted: trusted}, s), question(t, "www.example.", dns.TypeA))
		if a.AD != trusted || m.AuthenticatedData != trusted {
			t.Errorf("trusted %v: AD %v", trusted, a.AD)
		}
	}
}

func TestWhatCannotBeAskedIsRefused(t *testing.T) {
	ctx := context.Background()
	if _, err := group(t, Config{}).Resolve(ctx, question(t, ".", dns.TypeNS)); !errors.Is(err, ErrNoServers) {
		t.Errorf("no servers: %v", err)
	}
	s := dnstest.Start(t, honest)
	g := group(t, Config{}, s)
	for _, name := range []string{"", "www.example.", "\x03www", "\x00\x00", "\x40" + strings.Repeat("a", 64) + "\x00", strings.Repeat("\x01a", 128) + "\x00"} {
		if _, err := g.Resolve(ctx, Question{Name: name, Type: 1, Class: 1}); err == nil {
			t.Errorf("name %q was asked", name)
		}
	}
	if n := len(s.Queries()); n != 0 {
		t.Errorf("%d queries were sent", n)
	}
}

func TestAnyNameCanBeAsked(t *testing.T) {
	s := dnstest.Start(t, func(q dnstest.Query) []dnstest.Send {
		m := dnstest.Reply(q)
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Name(), Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: rightAddr.AsSlice()}}
		return []dnstest.Send{dnstest.Message(m)}
	})
	g := group(t, Config{RandomCase: true}, s)
	longest := strings.Repeat("\x3f"+strings.Repeat("a", 63), 3) + "\x3d" + strings.Repeat("b", 61) + "\x00"
	for _, name := range []string{"\x00", "\x01a\x00", "\x05a.b\\\"\x00", "\x03\x00\xff \x02it\x00", longest} {
		m, _ := resolve(t, g, Question{Name: name, Type: dns.TypeA, Class: dns.ClassINET})
		if address(t, m) != rightAddr {
			t.Errorf("%q: wrong answer:\n%v", name, m)
		}
	}
}

func TestAnIPv4MappedServerAddressIsReached(t *testing.T) {
	s := dnstest.Start(t, honest)
	mapped := netip.AddrPortFrom(netip.AddrFrom16(s.Addr.Addr().As16()), s.Addr.Port())
	g := New(Config{Servers: []netip.AddrPort{mapped}})
	t.Cleanup(g.Close)
	resolve(t, g, question(t, "www.example.", dns.TypeA))
}
