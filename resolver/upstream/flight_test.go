package upstream

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"usciere/resolver/dnstest"
)

// askers start questions and note how each ended, in order.
type askers struct {
	testing.TB
	group *Group
	ended chan string
}

func newAskers(t testing.TB, g *Group) *askers {
	return &askers{TB: t, group: g, ended: make(chan string, 1000)}
}

// ask starts a question for NAME.example.
func (a *askers) ask(name string) {
	a.Helper()
	err := a.group.Start(question(a, name+".example.", dns.TypeA), Keeper{}, func(_ Answer, err error) {
		switch {
		case errors.Is(err, ErrOverloaded):
			a.ended <- name + " shed"
		case errors.Is(err, ErrClosed):
			a.ended <- name + " closed"
		case err != nil:
			a.ended <- name + " failed"
		default:
			a.ended <- name + " answered"
		}
	})
	if err != nil {
		a.Errorf("%s was not begun: %v", name, err)
	}
}

func (a *askers) expect(want ...string) {
	a.Helper()
	for _, want := range want {
		if got := <-a.ended; got != want {
			a.Errorf("%s, want %s", got, want)
		}
	}
}

// heldServer answers every name when release is closed; asked hears of each query as it comes.
func heldServer(t testing.TB) (server *dnstest.Server, asked, release chan struct{}) {
	asked, release = make(chan struct{}, 1000), make(chan struct{})
	return dnstest.Start(t, func(q dnstest.Query) []dnstest.Send {
		asked <- struct{}{}
		return []dnstest.Send{dnstest.Message(dnstest.Reply(q, q.Name()+" 60 A "+rightAddr.String())).After(release)}
	}), asked, release
}

func TestTheOldestQuestionIsShedForTheNewest(t *testing.T) {
	server, asked, release := heldServer(t)
	g := group(t, Config{MaxInFlight: 2}, server)
	a := newAskers(t, g)
	for _, name := range []string{"a", "b"} {
		a.ask(name)
		<-asked
	}
	a.ask("a") // joins
	a.ask("c")
	a.expect("a shed", "a shed")
	<-asked
	a.ask("a") // again, from the start
	a.expect("b shed")
	<-asked
	a.ask("c") // joins
	close(release)
	ends := map[string]int{}
	for range 3 {
		ends[<-a.ended]++
	}
	if ends["c answered"] != 2 || ends["a answered"] != 1 {
		t.Errorf("got %v", ends)
	}
	if st := g.Servers()[0]; st.Failures != 0 || st.State != OK {
		t.Errorf("what was shed was held against the server: %+v", st)
	}
}

func TestWhatWaitsOverTCPOrForSeveralServersIsShedToo(t *testing.T) {
	for name, tc := range map[string]struct {
		strategy  Strategy
		servers   int
		transport dnstest.Transport // over which the servers keep everybody waiting
	}{
		"TCP":             {Strict, 1, dnstest.TCP},
		"several servers": {Parallel, 2, dnstest.UDP},
	} {
		t.Run(name, func(t *testing.T) {
			asked, release := make(chan struct{}, 100), make(chan struct{})
			var servers []*dnstest.Server
			for range tc.servers {
				servers = append(servers, dnstest.Start(t, func(q dnstest.Query) []dnstest.Send {
					answer := dnstest.Message(dnstest.Reply(q, q.Name()+" 60 A "+rightAddr.String()))
					if q.Transport != tc.transport {
						return []dnstest.Send{answer.Truncated()}
					}
					asked <- struct{}{}
					return []dnstest.Send{answer.After(release)}
				}))
			}
			a := newAskers(t, group(t, Config{MaxInFlight: 1, Strategy: tc.strategy}, servers...))
			a.ask("a")
			<-asked
			a.ask("b")
			a.expect("a shed")
			close(release)
			a.expect("b answered")
		})
	}
}

func TestManyMoreQuestionsThanAllowedEndAllAndKeepWithinTheBound(t *testing.T) {
	server, _, release := heldServer(t)
	g := group(t, Config{MaxInFlight: 10}, server)
	a := newAskers(t, g)
	const rounds, each = 10, 50
	var all sync.WaitGroup
	for i := range rounds {
		all.Go(func() {
			for k := range each {
				a.ask(fmt.Sprintf("n%dx%d", i, k))
			}
		})
	}
	all.Wait()
	for range rounds*each - 10 {
		<-a.ended
	}
	eventually(t, "only as many sockets are open as questions are under way", func() bool {
		g.udp.mu.Lock()
		defer g.udp.mu.Unlock()
		open := 0
		for _, x := range g.udp.byFD {
			if x != nil {
				open++
			}
		}
		return open == 10 && g.udp.timed.Len() == 10
	})
	close(release)
	for range 10 {
		<-a.ended
	}
}

func TestAQuestionWhoseAnswerIsBeingKeptIsNotShed(t *testing.T) {
	g := group(t, Config{MaxInFlight: 1}, dnstest.Start(t, dnstest.Records("a.example. 60 A 192.0.2.1", "b.example. 60 A 192.0.2.1")))
	a := newAskers(t, g)
	keeping, kept := make(chan struct{}, 2), make(chan struct{})
	if err := g.Start(question(t, "a.example.", dns.TypeA), Keeper{Landed: func(Answer, error) {
		keeping <- struct{}{}
		<-kept
	}}, func(_ Answer, err error) {
		if err != nil {
			t.Error(err)
		}
		a.ended <- "a ended"
	}); err != nil {
		t.Fatal(err)
	}
	<-keeping
	a.ask("b")
	close(kept)
	a.expect("a ended", "b answered")
	if len(keeping) != 0 {
		t.Error("kept twice")
	}
}

func TestMoreQuestionsThanHalfTheOpenFilesAreNotUnderWay(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if got := withinDescriptors("", 1<<40); got != int(limit.Cur/2) {
		t.Errorf("%d of %d files", got, limit.Cur)
	}
	if got := withinDescriptors("", 1); got != 1 {
		t.Errorf("1 became %d", got)
	}
}

func TestCloseAnswersEverybodyOnce(t *testing.T) {
	server, asked, _ := heldServer(t)
	g := group(t, Config{}, server)
	a := newAskers(t, g)
	var landed sync.WaitGroup
	const n = 200
	landed.Add(n)
	for i := range n {
		q := question(t, fmt.Sprintf("n%d.example.", i), dns.TypeA)
		err := g.Start(q, Keeper{Landed: func(_ Answer, err error) {
			landed.Done() // panics when it was called too often
			if !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		}}, func(Answer, error) { a.ended <- "ended" })
		if err != nil {
			t.Error(err)
		}
		if i == 0 {
			<-asked // of the others some are sent by then
		}
	}
	g.Close()
	g.Close()
	landed.Wait()
	if len(a.ended) != n {
		t.Errorf("%d of %d were told", len(a.ended), n)
	}
}

func TestAFaultOfAKeeperOrOfWhoWaitsEndsNothingElse(t *testing.T) {
	g := group(t, Config{}, dnstest.Start(t, honest))
	a := newAskers(t, g)
	q := question(t, "www.example.", dns.TypeA)
	got := make(chan error, 1)
	if err := g.Start(q, Keeper{Landed: func(Answer, error) { panic("a keeper") }}, func(_ Answer, err error) {
		got <- err
		panic("who waits")
	}); err != nil {
		t.Fatal(err)
	}
	if err := <-got; !errors.Is(err, errFault) {
		t.Errorf("got %v", err)
	}
	a.ask("www")
	a.expect("www answered")
}

func TestEachSilentQuestionHasItsTime(t *testing.T) {
	g := group(t, Config{TryTimeout: 30 * time.Millisecond, Timeout: 90 * time.Millisecond}, dnstest.Start(t, silent))
	a := newAskers(t, g)
	for range 3 { // the clock is wound up anew each time
		a.ask("a")
		a.ask("b")
		got := map[string]bool{<-a.ended: true, <-a.ended: true}
		if !got["a failed"] || !got["b failed"] {
			t.Errorf("got %v", got)
		}
	}
}

func TestAServerThatAsksBackIsKnown(t *testing.T) {
	s, asked, release := heldServer(t)
	g := group(t, Config{}, s)
	a := newAskers(t, g)
	q := question(t, "a.example.", dns.TypeA)
	server, other := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	if g.Asking(q, server) {
		t.Error("nothing is under way yet")
	}
	a.ask("a")
	<-asked
	otherwise := q
	otherwise.DO, otherwise.CD = true, true
	for _, tc := range []struct {
		q    Question
		from netip.Addr
		want bool
	}{{q, server, true}, {otherwise, server, true}, {q, other, false}, {question(t, "b.example.", dns.TypeA), server, false}, {question(t, "a.example.", dns.TypeAAAA), server, false}} {
		if got := g.Asking(tc.q, tc.from); got != tc.want {
			t.Errorf("%q type %d of %s: %v", tc.q.Name, tc.q.Type, tc.from, got)
		}
	}
	close(release)
	a.expect("a answered")
	if g.Asking(q, server) {
		t.Error("what has been answered is not under way")
	}
}
