package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
	"usciere/resolver/dnstest"
)

var (
	rightAddr  = netip.MustParseAddr("192.0.2.1")
	forgedAddr = netip.MustParseAddr("203.0.113.66")
)

// lie is one way an upstream, or somebody in its name, does not tell the truth. forged is a reply with a wrong address, for the
// lie to bend.
type lie struct {
	name string
	udp  func(q dnstest.Query, forged dnstest.Send) []dnstest.Send
	tcp  func(q dnstest.Query, forged dnstest.Send) []dnstest.Send // nil: the truth
	// alone says that the right answer comes although UDP never brings it.
	alone bool
	// last says that the resolver takes the lie as the server's last word and reads no further.
	last bool
}

func one(bend func(dnstest.Send) dnstest.Send) func(dnstest.Query, dnstest.Send) []dnstest.Send {
	return func(_ dnstest.Query, forged dnstest.Send) []dnstest.Send { return []dnstest.Send{bend(forged)} }
}

func raw(octets func(q dnstest.Query) []byte) func(dnstest.Query, dnstest.Send) []dnstest.Send {
	return func(q dnstest.Query, _ dnstest.Send) []dnstest.Send { return []dnstest.Send{dnstest.Raw(octets(q))} }
}

func chainOf(links int, loop bool) func(dnstest.Query, dnstest.Send) []dnstest.Send {
	return func(q dnstest.Query, _ dnstest.Send) []dnstest.Send {
		var lines []string
		owner := q.Name()
		for i := range links {
			target := fmt.Sprintf("link%d.example.", i)
			if loop && i == links-1 {
				target = q.Name()
			}
			lines = append(lines, owner+" 60 CNAME "+target)
			owner = target
		}
		if !loop {
			lines = append(lines, owner+" 60 A "+forgedAddr.String())
		}
		return []dnstest.Send{dnstest.Message(dnstest.Reply(q, lines...))}
	}
}

var truncated = one(dnstest.Send.Truncated)

var lies = []lie{
	{name: "wrong ID two hundred times", udp: func(_ dnstest.Query, f dnstest.Send) []dnstest.Send { return f.WrongID().Times(200) }},
	{name: "wrong question", udp: one(dnstest.Send.WrongQuestion)},
	{name: "another port", udp: one(dnstest.Send.FromOtherPort)},
	{name: "wrong case", udp: one(dnstest.Send.WrongCase), alone: true},
	{name: "wrong case, and TCP refused", udp: one(dnstest.Send.WrongCase), tcp: one(func(dnstest.Send) dnstest.Send { return dnstest.HangUp() }), last: true},
	{name: "QR=0", udp: one(dnstest.Send.NotAResponse)},
	{name: "an empty datagram", udp: raw(func(dnstest.Query) []byte { return nil })},
	{name: "only a header", udp: raw(func(q dnstest.Query) []byte {
		return []byte{byte(q.Msg.Id >> 8), byte(q.Msg.Id), 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0}
	})},
	{name: "a header without a question", udp: raw(func(q dnstest.Query) []byte {
		return []byte{byte(q.Msg.Id >> 8), byte(q.Msg.Id), 0x81, 0x80, 0, 0, 0, 0, 0, 0, 0, 0}
	})},
	{name: "garbage", udp: raw(func(dnstest.Query) []byte { return []byte("GET / HTTP/1.1\r\n\r\n") })},
	{name: "garbage behind the right ID", udp: raw(func(q dnstest.Query) []byte {
		return append([]byte{byte(q.Msg.Id >> 8), byte(q.Msg.Id), 0x81, 0x80, 0, 1, 0, 9}, make([]byte, 40)...)
	})},
	{name: "cut within a record", udp: one(func(f dnstest.Send) dnstest.Send { return f.Cut(40) })},
	{name: "an address without data", udp: func(q dnstest.Query, _ dnstest.Send) []dnstest.Send {
		m := dnstest.Reply(q)
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Name(), Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}}}
		return []dnstest.Send{dnstest.Message(m)}
	}},
	{name: "a CNAME to itself", udp: chainOf(1, true)},
	{name: "a CNAME loop", udp: chainOf(3, true)},
	{name: "a chain of 60 links", udp: chainOf(60, false)},
	{name: "NXDOMAIN with an answer", udp: func(q dnstest.Query, _ dnstest.Send) []dnstest.Send {
		m := dnstest.Reply(q, q.Name()+" 60 A "+forgedAddr.String())
		m.Rcode = dns.RcodeNameError
		return []dnstest.Send{dnstest.Message(m)}
	}},
	{name: "TC", udp: truncated, alone: true},
	{name: "TC on both", udp: truncated, tcp: truncated, last: true},
	{name: "TC, and TCP cut", udp: truncated, tcp: one(func(f dnstest.Send) dnstest.Send { return f.Cut(20) }), last: true},
	{name: "TC, and TCP cut at once", udp: truncated, tcp: one(func(dnstest.Send) dnstest.Send { return dnstest.HangUp() }), last: true},
	{name: "TC, and TCP that drips and dries up", udp: truncated, tcp: one(func(f dnstest.Send) dnstest.Send { return f.Drip(drops(5)) }), last: true},
	{name: "TC, and another's reply over TCP", udp: truncated, tcp: one(dnstest.Send.WrongID), last: true},
	{name: "REFUSED", udp: one(func(f dnstest.Send) dnstest.Send { return f.Rcode(dns.RcodeRefused) }), last: true},
	{name: "a referral", udp: func(q dnstest.Query, _ dnstest.Send) []dnstest.Send {
		return []dnstest.Send{dnstest.Message(dnstest.ReplyNegative(q, 0, "example. 60 NS ns.elsewhere."))}
	}, last: true},
}

// drops lets n octets through and then no more.
func drops(n int) <-chan time.Time {
	tick := make(chan time.Time, n)
	for range n {
		tick <- time.Time{}
	}
	return tick
}

func (l lie) handler(andThenTruth bool) dnstest.Handler {
	truth := dnstest.Records("www.example. 60 A " + rightAddr.String())
	return func(q dnstest.Query) []dnstest.Send {
		told := l.udp
		if q.Transport == dnstest.TCP {
			told = l.tcp
		}
		if told == nil {
			return truth(q)
		}
		sends := told(q, dnstest.Message(dnstest.Reply(q, q.Name()+" 3600 A "+forgedAddr.String())))
		if andThenTruth {
			sends = append(sends, truth(q)...)
		}
		return sends
	}
}

// TestALyingUpstream is S5: the right answer when one comes, a clean failure in time otherwise.
func TestALyingUpstream(t *testing.T) {
	quick := Config{RandomCase: true, TryTimeout: 100 * time.Millisecond, Timeout: 400 * time.Millisecond}
	for _, l := range lies {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			q := question(t, "www.example.", dns.TypeA)
			t.Run("then the truth", func(t *testing.T) {
				if l.last {
					t.Skip("the resolver does not wait for more")
				}
				g := group(t, Config{RandomCase: true}, dnstest.Start(t, l.handler(true)))
				if m, _ := resolve(t, g, q); address(t, m) != rightAddr {
					t.Fatalf("forged answer taken:\n%v", m)
				}
			})
			t.Run("instead of the truth", func(t *testing.T) {
				cfg := quick
				if l.alone {
					cfg = Config{RandomCase: true}
				}
				g := group(t, cfg, dnstest.Start(t, l.handler(false)))
				a, err := g.Resolve(context.Background(), q)
				if l.alone {
					if err != nil || address(t, parsed(t, a)) != rightAddr {
						t.Fatalf("want the right answer over TCP, got %v", err)
					}
					return
				}
				failed := new(FailedError)
				if !errors.As(err, &failed) || len(failed.Failures) != 1 {
					t.Fatalf("want a failure that names the server, got %v", err)
				}
			})
			t.Run("and an honest second server", func(t *testing.T) {
				g := group(t, Config{RandomCase: true, TryTimeout: 300 * time.Millisecond}, dnstest.Start(t, l.handler(false)), dnstest.Start(t, lie{}.handler(false)))
				if m, _ := resolve(t, g, q); address(t, m) != rightAddr {
					t.Fatalf("forged answer taken:\n%v", m)
				}
			})
		})
	}
}

func TestADrippingTCPReplyIsReadToItsEnd(t *testing.T) {
	l := lie{udp: truncated, tcp: func(q dnstest.Query, _ dnstest.Send) []dnstest.Send {
		tick := make(chan time.Time)
		close(tick) // as fast as octets go, but one at a time
		return []dnstest.Send{dnstest.Message(dnstest.Reply(q, q.Name()+" 60 A "+rightAddr.String())).Drip(tick)}
	}}
	g := group(t, Config{}, dnstest.Start(t, l.handler(false)))
	if m, _ := resolve(t, g, question(t, "www.example.", dns.TypeA)); address(t, m) != rightAddr {
		t.Fatalf("wrong answer:\n%v", m)
	}
}

func TestLifetimesNobodyMayBelieve(t *testing.T) {
	for _, ttl := range []uint32{0, 1 << 31, 1<<32 - 1} {
		g := group(t, Config{}, dnstest.Start(t, func(q dnstest.Query) []dnstest.Send {
			m := dnstest.Reply(q, q.Name()+" 60 A "+rightAddr.String())
			m.Answer[0].Header().Ttl = ttl
			return []dnstest.Send{dnstest.Message(m)}
		}))
		m, a := resolve(t, g, question(t, "www.example.", dns.TypeA))
		if a.TTL != 0 || m.Answer[0].Header().Ttl != 0 {
			t.Errorf("TTL %d: kept for %v, the record says %d", ttl, a.TTL, m.Answer[0].Header().Ttl)
		}
	}
}
