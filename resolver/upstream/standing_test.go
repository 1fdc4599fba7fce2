package upstream

import (
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"usciere/resolver/dnstest"
)

func TestThePauseBeforeATryOfRecoveryGrows(t *testing.T) {
	now := newClock().Now()
	var s standing
	if !s.unheard(now, now) {
		t.Fatal("a silent server was not benched")
	}
	for _, pause := range []time.Duration{5, 10, 20, 40, 60, 60} {
		pause *= time.Second
		if now = now.Add(pause - 1); s.claim(now) {
			t.Fatalf("tried before %v were over", pause)
		}
		if s.unheard(now, now) || s.unheard(now.Add(-time.Second), now) || s.pause != pause {
			t.Fatalf("a failure during the pause of %v changed it to %v", pause, s.pause)
		}
		if now = now.Add(1); !s.claim(now) || s.claim(now) {
			t.Fatalf("not tried exactly once after %v", pause)
		}
		s.unheard(now, now)
		s.trying = false
	}
	if !s.answered(time.Millisecond, now, now) || s.benched || s.since != now || s.srtt != time.Millisecond {
		t.Errorf("not recovered by an answer: %+v", s)
	}
	if s.unheard(now.Add(1), now); s.pause != firstPause {
		t.Errorf("after a recovery the pause starts at %v", s.pause)
	}
}

func TestAStandingChanges(t *testing.T) {
	start := newClock().Now()
	answer := func(s *standing, now time.Time) { s.answered(time.Millisecond, now, now) }
	reply := func(s *standing, now time.Time) { s.failed(now, now) }
	silence := func(s *standing, now time.Time) { s.unheard(now, now) }
	blame := func(s *standing, now time.Time) { s.blamed(now, now) }
	type events []func(*standing, time.Time)
	for name, tc := range map[string]struct {
		events  events
		benched bool
	}{
		"by silence":                                      {events{silence}, true},
		"not by two unanswered questions":                 {events{blame, blame}, false},
		"by three unanswered questions":                   {events{blame, blame, blame}, true},
		"not by three with an answer between them":        {events{blame, blame, answer, blame}, false},
		"when a silent server replies, if with a failure": {events{silence, reply}, false},
		"not when a failing server fails again":           {events{blame, blame, blame, reply}, true},
		"when a failing server answers":                   {events{blame, blame, blame, answer}, false},
		"when a failing server that fell silent replies":  {events{blame, blame, blame, silence, reply}, false},
	} {
		var s standing
		for i, happens := range tc.events {
			happens(&s, start.Add(time.Duration(i)*time.Second))
		}
		if s.benched != tc.benched {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestASlowNameIsNoSilence(t *testing.T) {
	now := newClock().Now()
	var s standing
	s.answered(time.Millisecond, now, now.Add(time.Second)) // to another question, meanwhile
	if s.unheard(now, now.Add(2*time.Second)) || s.benched {
		t.Error("a server that answers other questions was benched")
	}
	if !s.unheard(now.Add(time.Second+1), now.Add(3*time.Second)) {
		t.Error("a server that answers nothing any more was not benched")
	}
}

func TestTheLastWordsOfADyingServerAreNoRecovery(t *testing.T) {
	now := newClock().Now()
	var s standing
	s.unheard(now, now)
	if s.answered(time.Millisecond, now.Add(-1), now.Add(1)); !s.benched {
		t.Error("an answer to an earlier question was a recovery")
	}
	if s.answered(time.Millisecond, now, now.Add(1)); s.benched {
		t.Error("an answer to a later question was no recovery")
	}
}

func TestRoundTripTimesAreSmoothed(t *testing.T) {
	now := newClock().Now()
	var s standing
	for _, step := range []struct{ rtt, want time.Duration }{{80, 80}, {160, 90}, {2, 79}} {
		if s.measure(step.rtt*time.Millisecond, now); s.srtt != step.want*time.Millisecond {
			t.Errorf("after %d ms: %v, want %d ms", step.rtt, s.srtt, step.want)
		}
	}
	if s.stale(now.Add(figureAge-1)) || !s.stale(now.Add(figureAge)) {
		t.Error("a figure does not age as it should")
	}
}

func TestASilentServerIsAskedLastAndTriedAside(t *testing.T) {
	c := newClock()
	first, second := dnstest.Start(t, silent), dnstest.Start(t, honest)
	g := group(t, Config{TryTimeout: 400 * time.Millisecond, Now: c.Now}, first, second)
	state := func() State { return g.Servers()[0].State }
	by := func(want *dnstest.Server, firstAsked int) {
		t.Helper()
		if _, a := resolve(t, g, question(t, "www.example.", dns.TypeA)); a.Server != want.Addr.String() {
			t.Errorf("answered by %s", a.Server)
		}
		eventually(t, "no recovery is being tried", func() bool { return state() != Trying })
		if n := first.Asked("www.example."); n != firstAsked {
			t.Errorf("the first server was asked %d times, want %d", n, firstAsked)
		}
	}
	by(second, 1) // it keeps silent, and goes to the back
	by(second, 1)
	if st := g.Servers()[0]; st.State != Silent || st.Since != c.Now() || st.LastError != errSilent.Error() {
		t.Errorf("status %+v", st)
	}
	c.advance(firstPause - 1)
	by(second, 1)
	c.advance(1)
	by(second, 2) // tried, still silent
	c.advance(firstPause)
	by(second, 2) // twice as long
	first.SetHandler(honest)
	c.advance(firstPause)
	by(second, 3) // recovered, and in its place again
	by(first, 4)
	if st := g.Servers()[0]; st.State != OK || st.Since != c.Now() {
		t.Errorf("status %+v", st)
	}
}

// TestAConnectionThatEndsIsNoReply: the reset that a server's death sends over TCP is not a sign of life.
func TestAConnectionThatEndsIsNoReply(t *testing.T) {
	now := newClock().Now()
	for name, err := range map[string]error{
		"broken": fmt.Errorf("%w; over TCP: %w", errTruncated, errBroken),
		"silent": fmt.Errorf("%w; over TCP: %w", errTruncated, errSilent),
	} {
		s := newServer(netip.AddrPort{}, "", false)
		s.replied(now, now) // over UDP
		s.done(err, 0, now, now.Add(2*time.Second))
		if st := s.status(now); st.State != OK {
			t.Errorf("%s: the server is %s although it replied over UDP", name, st.State)
		}
		s.done(errSilent, 0, now.Add(time.Second), now.Add(2*time.Second))
		if st := s.status(now); st.State != Silent {
			t.Errorf("%s: the server is %s although it said nothing more", name, st.State)
		}
	}
}

func TestNobodyWaitsForATryOfRecovery(t *testing.T) {
	c := newClock()
	first, second := dnstest.Start(t, silent), dnstest.Start(t, honest)
	g := group(t, Config{TryTimeout: long, Timeout: long, Now: c.Now}, first, second)
	g.servers[0].done(errSilent, 0, c.Now(), c.Now())
	c.advance(firstPause)
	start := time.Now()
	for range 3 {
		resolve(t, g, question(t, "www.example.", dns.TypeA))
	}
	if took := time.Since(start); took > long/2 {
		t.Errorf("took %v", took)
	}
	eventually(t, "the first server was asked", func() bool { return first.Asked("www.example.") == 1 })
	if st := g.Servers()[0].State; st != Trying {
		t.Errorf("it is %s", st)
	}
}

func TestAServerThatFailsWhatAnotherAnswersGoesBehindIt(t *testing.T) {
	for _, rcode := range []int{dns.RcodeServerFailure, dns.RcodeRefused} {
		c := newClock()
		first, second := dnstest.Start(t, saying(rcode)), dnstest.Start(t, honest)
		g := group(t, Config{Now: c.Now}, first, second)
		for range 10 {
			resolve(t, g, question(t, "www.example.", dns.TypeA))
		}
		if n, st := len(first.Queries()), g.Servers()[0]; n != maxBlames || st.State != Failing {
			t.Errorf("%s: asked %d times: %+v", dns.RcodeToString[rcode], n, st)
		}
	}
}

func TestServersThatAllFailAreAllAsked(t *testing.T) {
	first, second := dnstest.Start(t, saying(dns.RcodeServerFailure)), dnstest.Start(t, saying(dns.RcodeRefused))
	g := group(t, Config{}, first, second)
	for range 10 {
		if m, _ := resolve(t, g, question(t, "www.example.", dns.TypeA)); m.Rcode != dns.RcodeServerFailure {
			t.Fatalf("want the SERVFAIL:\n%v", m)
		}
	}
	for i, s := range []*dnstest.Server{first, second} {
		if n, st := len(s.Queries()), g.Servers()[i]; n != 10 || st.State != OK {
			t.Errorf("asked %d times: %+v", n, st)
		}
	}
}

func TestAServerThatIsNotThereIsAskedLast(t *testing.T) {
	dead, second := dnstest.Start(t, honest), dnstest.Start(t, honest)
	dead.Close()
	g := group(t, Config{}, dead, second)
	for range 10 {
		resolve(t, g, question(t, "www.example.", dns.TypeA))
	}
	if st := g.Servers()[0]; st.State != Silent || st.Queries != 1 {
		t.Errorf("status %+v", st)
	}
}

func TestWhenNoServerIsFitTheOneThatReturnsIsFoundAtOnce(t *testing.T) {
	c := newClock()
	first, second := dnstest.Start(t, silent), dnstest.Start(t, honest)
	g := group(t, Config{TryTimeout: long, Now: c.Now}, first, second)
	for _, s := range g.servers {
		s.done(errSilent, 0, c.Now(), c.Now())
	}
	start := time.Now()
	resolve(t, g, question(t, "www.example.", dns.TypeA))
	if took := time.Since(start); took > long/2 {
		t.Errorf("took %v", took)
	}
}

func TestWhatAFailureSaysOfItsServer(t *testing.T) {
	refused := fmt.Errorf("read: %w", syscall.ECONNREFUSED)
	for _, tc := range []struct {
		err         error
		reply, away bool
	}{
		{err: errSilent},
		{err: refused, away: true},
		{err: syscall.EMFILE},
		{err: fmt.Errorf("%w; over TCP: %w", errTruncated, refused), reply: true, away: true}, // it counts as a reply
		{err: fmt.Errorf("%w; over TCP: %w", errCase, errSilent), reply: true},
		{err: rcodeError(dns.RcodeRefused), reply: true},
		{err: errUnusable, reply: true},
		{err: errReferral, reply: true},
	} {
		if isReply(tc.err) != tc.reply || isAway(tc.err) != tc.away {
			t.Errorf("%v: reply %v, away %v", tc.err, isReply(tc.err), isAway(tc.err))
		}
	}
}
