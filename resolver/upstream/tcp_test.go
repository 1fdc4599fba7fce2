package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"usciere/resolver/dnstest"
)

// overTCP answers every name, with TC over UDP and as tcp says over TCP.
func overTCP(tcp dnstest.Handler) dnstest.Handler {
	return func(q dnstest.Query) []dnstest.Send {
		if q.Transport == dnstest.UDP {
			return []dnstest.Send{dnstest.Message(dnstest.Reply(q)).Truncated()}
		}
		return tcp(q)
	}
}

func truth(q dnstest.Query) []dnstest.Send {
	return []dnstest.Send{dnstest.Message(dnstest.Reply(q, q.Name()+" 60 A "+rightAddr.String()))}
}

func forgery(q dnstest.Query) dnstest.Send {
	return dnstest.Message(dnstest.Reply(q, q.Name()+" 60 A "+forgedAddr.String()))
}

// connections are the client's ends of the TCP connections that brought queries, with how many each brought.
func connections(s *dnstest.Server) map[netip.AddrPort]int {
	out := map[netip.AddrPort]int{}
	for _, q := range s.Queries() {
		if q.Transport == dnstest.TCP {
			out[q.From]++
		}
	}
	return out
}

// askAtOnce asks for n names at once and wants the right address for each.
func askAtOnce(t *testing.T, g *Group, n int) {
	t.Helper()
	var asking sync.WaitGroup
	for i := range n {
		q := question(t, fmt.Sprintf("name%d.example.", i), dns.TypeA)
		asking.Go(func() {
			a, err := g.Resolve(context.Background(), q)
			m := new(dns.Msg)
			if err != nil || m.Unpack(a.Msg) != nil || len(m.Answer) != 1 || m.Answer[0].(*dns.A).A.String() != rightAddr.String() {
				t.Errorf("%v: %v\n%v", q, err, m)
			}
		})
	}
	asking.Wait()
}

func TestAConnectionIsUsedAgain(t *testing.T) {
	s := dnstest.Start(t, overTCP(truth))
	g := group(t, Config{}, s)
	for range 20 {
		resolve(t, g, question(t, "www.example.", dns.TypeA))
	}
	if conns := connections(s); len(conns) != 1 {
		t.Errorf("%d connections for questions one after another", len(conns))
	}
}

// TestManyQuestionsShareTwoConnections holds all answers back until the last question has come, and lets them out in reverse.
func TestManyQuestionsShareTwoConnections(t *testing.T) {
	const n = 300
	var mu sync.Mutex
	turn := []chan struct{}{}
	s := dnstest.Start(t, overTCP(func(q dnstest.Query) []dnstest.Send {
		mu.Lock()
		defer mu.Unlock()
		mine := make(chan struct{})
		if turn = append(turn, mine); len(turn) == n {
			go func() {
				for i := range n {
					close(turn[n-1-i])
				}
			}()
		}
		return []dnstest.Send{truth(q)[0].After(mine)}
	}))
	g := group(t, Config{}, s)
	askAtOnce(t, g, n)
	conns := connections(s)
	if len(conns) != maxStreams {
		t.Errorf("connections: %v", conns)
	}
	for _, queries := range conns {
		if queries < n/4 {
			t.Errorf("unevenly used: %v", conns)
		}
	}
}

func TestConnectionsThatLie(t *testing.T) {
	wrongs := func(q dnstest.Query) []dnstest.Send {
		return append(append(forgery(q).WrongID().Times(20), forgery(q).WrongQuestion(), forgery(q).NotAResponse(), dnstest.Raw(nil), dnstest.Raw([]byte("x"))), truth(q)...)
	}
	for name, tcp := range map[string]dnstest.Handler{
		"wrong replies before the right one": wrongs,
		"the right reply twice":              func(q dnstest.Query) []dnstest.Send { return append(truth(q), truth(q)...) },
		"the right reply, then a forgery":    func(q dnstest.Query) []dnstest.Send { return append(truth(q), forgery(q)) },
		"dripping": func(q dnstest.Query) []dnstest.Send {
			tick := make(chan time.Time)
			close(tick)
			return []dnstest.Send{truth(q)[0].Drip(tick)}
		},
		"closed after each reply": func(q dnstest.Query) []dnstest.Send { return append(truth(q), dnstest.HangUp()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := group(t, Config{}, dnstest.Start(t, overTCP(tcp)))
			for range 3 {
				if m, _ := resolve(t, g, question(t, "www.example.", dns.TypeA)); address(t, m) != rightAddr {
					t.Fatalf("wrong answer:\n%v", m)
				}
			}
		})
	}
}

func TestABrokenConnectionIsReplacedOnce(t *testing.T) {
	for name, breaks := range map[string]func(dnstest.Query) []dnstest.Send{
		"hung up":   func(dnstest.Query) []dnstest.Send { return []dnstest.Send{dnstest.HangUp()} },
		"cut short": func(q dnstest.Query) []dnstest.Send { return []dnstest.Send{truth(q)[0].Cut(20)} },
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			seen := map[netip.AddrPort]int{}
			s := dnstest.Start(t, overTCP(func(q dnstest.Query) []dnstest.Send {
				mu.Lock()
				defer mu.Unlock()
				if seen[q.From]++; seen[q.From] > 1 {
					return breaks(q)
				}
				return truth(q)
			}))
			g := group(t, Config{}, s)
			for range 5 {
				resolve(t, g, question(t, "www.example.", dns.TypeA))
			}
			if n := len(connections(s)); n != 5 {
				t.Errorf("%d connections", n)
			}
			s.SetHandler(overTCP(breaks)) // a fresh one breaks as well: that is the server's last word
			before := len(s.Queries())
			if _, err := g.Resolve(context.Background(), question(t, "www.example.", dns.TypeA)); !errors.Is(err, errBroken) {
				t.Errorf("error %v", err)
			}
			if n := len(s.Queries()) - before; n != 3 { // UDP, the old connection, a new one
				t.Errorf("%d queries", n)
			}
		})
	}
}

func TestAStuckConnectionIsGivenUp(t *testing.T) {
	var once sync.Once
	s := dnstest.Start(t, overTCP(func(q dnstest.Query) []dnstest.Send {
		stuck := false
		once.Do(func() { stuck = true })
		if stuck {
			return []dnstest.Send{truth(q)[0].Drip(drops(5))}
		}
		return truth(q)
	}))
	g := group(t, Config{TryTimeout: 300 * time.Millisecond}, s)
	for range 2 { // the first one's second round is on a new connection
		resolve(t, g, question(t, "www.example.", dns.TypeA))
	}
	if conns := connections(s); len(conns) != 2 {
		t.Errorf("connections %v", conns)
	}
}

func TestOneSlowAnswerHoldsUpNoOther(t *testing.T) {
	release := make(chan struct{})
	s := dnstest.Start(t, overTCP(func(q dnstest.Query) []dnstest.Send {
		if dns.CanonicalName(q.Name()) == "slow.example." {
			return []dnstest.Send{truth(q)[0].After(release)}
		}
		return truth(q)
	}))
	g := group(t, Config{}, s)
	var slow sync.WaitGroup
	slow.Go(func() { resolve(t, g, question(t, "slow.example.", dns.TypeA)) })
	eventually(t, "the slow name is asked for", func() bool { return s.Asked("slow.example.") == 2 })
	resolve(t, g, question(t, "www.example.", dns.TypeA))
	close(release)
	slow.Wait()
	if n := len(connections(s)); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestAReplyThatNobodyWaitsForAnyMoreIsNoForgery(t *testing.T) {
	release := make(chan struct{})
	s := dnstest.Start(t, overTCP(func(q dnstest.Query) []dnstest.Send { return []dnstest.Send{truth(q)[0].After(release)} }))
	g := group(t, Config{}, s)
	ctx, giveUp := context.WithCancel(context.Background())
	var asking sync.WaitGroup
	asking.Go(func() {
		if _, err := g.ask(ctx, g.servers[0], question(t, "left.example.", dns.TypeA), time.Now().Add(long)); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	eventually(t, "the name is asked for over TCP", func() bool { return s.Asked("left.example.") == 2 })
	giveUp()
	asking.Wait()
	close(release)
	resolve(t, g, question(t, "www.example.", dns.TypeA)) // its reply comes behind the late one
	eventually(t, "the late reply is read", func() bool {
		st := g.servers[0].pool.streams[0]
		st.mu.Lock()
		defer st.mu.Unlock()
		return st.read == 2
	})
	if st := g.Servers()[0]; st.Dropped != 0 || st.Failures != 0 {
		t.Errorf("status %+v", st)
	}
}

func TestAnUnusedConnectionIsClosed(t *testing.T) {
	s := dnstest.Start(t, overTCP(truth))
	g := group(t, Config{}, s)
	g.idle = time.Millisecond
	for range 2 {
		resolve(t, g, question(t, "www.example.", dns.TypeA))
		eventually(t, "no connection is open", func() bool {
			pool := &g.servers[0].pool
			pool.mu.Lock()
			defer pool.mu.Unlock()
			return len(pool.streams) == 0
		})
	}
	if n := len(connections(s)); n != 2 {
		t.Errorf("%d connections", n)
	}
}

func TestAnIDInUseOnAConnectionIsReplaced(t *testing.T) {
	left, right := net.Pipe()
	defer left.Close()
	defer right.Close()
	st := newStream(newServer(netip.AddrPort{}, "", false))
	st.conn = left
	ids := []uint16{7, 7, 8}
	next := func() uint16 {
		id := ids[0]
		ids = ids[1:]
		return id
	}
	first := st.add(&query{sent: []byte{0, 7}}, next)
	second := &query{sent: []byte{0, 7}}
	w := st.add(second, next)
	if first.id != 7 || w.id != 8 || second.sent[1] != 8 {
		t.Errorf("IDs %d and %d", first.id, w.id)
	}
}
