package upstream

import (
	"fmt"
	"testing"
	"time"

	"github.com/miekg/dns"
	"usciere/resolver/dnstest"
)

// figured is a server for a plan: its round-trip time, how long ago it was measured, and whether it is silent.
type figured struct {
	srtt   time.Duration // milliseconds
	ago    time.Duration
	silent bool
}

func TestAPlanPutsTheServersInOrder(t *testing.T) {
	for _, tc := range []struct {
		name     string
		strategy Strategy
		servers  []figured
		turn     uint64
		want     string
		patient  bool
		probe    int // -1: none
	}{
		{"strict keeps the order given", Strict, []figured{{srtt: 9}, {srtt: 1}}, 0, "[[0] [1]]", false, -1},
		{"strict never explores", Strict, []figured{{srtt: 9}, {srtt: 1, ago: time.Hour}}, exploreEvery - 1, "[[0] [1]]", false, -1},
		{"a silent server comes last, and is tried aside", Strict, []figured{{silent: true}, {srtt: 9}, {srtt: 1}}, 0, "[[1] [2] [0]]", false, 0},
		{"silent servers are asked in pairs", Strict, []figured{{silent: true}, {srtt: 9}, {silent: true}}, 0, "[[1] [0 2]]", false, 0},
		{"silent servers alone are not tried aside", Strict, []figured{{silent: true}, {silent: true}, {silent: true}}, 0, "[[0 1] [2]]", false, -1},
		{"one server alone", Fastest, []figured{{srtt: 1, ago: time.Hour}}, exploreEvery - 1, "[[0]]", false, -1},
		{"fastest asks the fastest", Fastest, []figured{{srtt: 9}, {srtt: 1}, {srtt: 5}}, 0, "[[1] [2] [0]]", false, -1},
		{"fastest takes equals in the order given", Fastest, []figured{{srtt: 2}, {srtt: 1}, {srtt: 1}}, 0, "[[1] [2] [0]]", false, -1},
		{"fastest asks those it does not know first", Fastest, []figured{{srtt: 1}, {srtt: 0, ago: -1}}, 0, "[[1] [0]]", false, -1},
		{"fastest measures an old figure again", Fastest, []figured{{srtt: 1}, {srtt: 5, ago: figureAge}, {srtt: 7, ago: 2 * figureAge}}, 0, "[[2] [0] [1]]", false, -1},
		{"fastest explores every fiftieth time", Fastest, []figured{{srtt: 1}, {srtt: 5, ago: 2}, {srtt: 7, ago: 1}}, exploreEvery - 1, "[[1] [0] [2]]", false, -1},
		{"fastest leaves silent servers last", Fastest, []figured{{srtt: 1, silent: true}, {srtt: 5}}, exploreEvery - 1, "[[1] [0]]", false, 0},
		{"parallel asks the two fastest", Parallel, []figured{{srtt: 9}, {srtt: 1}, {srtt: 5}}, 0, "[[1 2] [0]]", false, -1},
		{"parallel explores in the second place, patiently", Parallel, []figured{{srtt: 9}, {srtt: 1}, {srtt: 5}}, exploreEvery - 1, "[[1 2] [0]]", true, -1},
		{"parallel measures an old figure again", Parallel, []figured{{srtt: 9, ago: figureAge}, {srtt: 1}, {srtt: 5}}, 0, "[[1 0] [2]]", true, -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newClock()
			g := group(t, Config{Strategy: tc.strategy, Now: c.Now})
			for _, f := range tc.servers {
				s := new(server)
				if f.ago >= 0 {
					s.standing.measure(f.srtt*time.Millisecond, c.Now().Add(-f.ago))
				}
				s.standing.benched = f.silent
				g.servers = append(g.servers, s)
			}
			g.turns.Store(tc.turn)
			p := g.plan(c.Now())
			if got := fmt.Sprint(p.batches); got != tc.want || p.patient != tc.patient {
				t.Errorf("%s, patient %v; want %s, %v", got, p.patient, tc.want, tc.patient)
			}
			if tc.probe < 0 && p.probe != nil || tc.probe >= 0 && p.probe != g.servers[tc.probe] {
				t.Errorf("tried aside: %v", p.probe)
			}
		})
	}
}

func TestFastestFollowsTheFigures(t *testing.T) {
	c := newClock()
	first, second := dnstest.Start(t, honest), dnstest.Start(t, honest)
	g := group(t, Config{Strategy: Fastest, Now: c.Now}, first, second)
	q := question(t, "www.example.", dns.TypeA)
	for range 2 { // each is measured once
		resolve(t, g, q)
	}
	if a, b := len(first.Queries()), len(second.Queries()); a != 1 || b != 1 {
		t.Fatalf("asked %d and %d times", a, b)
	}
	g.servers[0].standing.srtt = time.Second // slow of late
	for range 2*exploreEvery - 2 {
		resolve(t, g, q)
	}
	if a, b := len(first.Queries()), len(second.Queries()); a != 1+2 || b != 2*exploreEvery-1-2 {
		t.Errorf("asked %d and %d times, want 2 explorations", a, b)
	}
}

func TestParallelTakesTheFirstAnswer(t *testing.T) {
	c := newClock()
	never := make(chan struct{})
	held := dnstest.Start(t, func(q dnstest.Query) []dnstest.Send { return []dnstest.Send{honest(q)[0].After(never)} })
	quick, third := dnstest.Start(t, honest), dnstest.Start(t, honest)
	g := group(t, Config{Strategy: Parallel, Now: c.Now}, held, quick, third)
	for i, rtt := range []time.Duration{time.Millisecond, 2 * time.Millisecond, long} {
		g.servers[i].standing.measure(rtt, c.Now())
	}
	for range 5 {
		if _, a := resolve(t, g, question(t, "www.example.", dns.TypeA)); a.Server != quick.Addr.String() {
			t.Errorf("answered by %s", a.Server)
		}
	}
	g.Close()
	if st := g.Servers(); st[0].Failures != 0 || st[0].State != OK || st[2].Queries != 0 {
		t.Errorf("status %+v", st)
	}
}

func TestParallelNoticesThatTheLoserIsSilent(t *testing.T) {
	dead, quick := dnstest.Start(t, silent), dnstest.Start(t, honest)
	g := group(t, Config{Strategy: Parallel, TryTimeout: 200 * time.Millisecond}, dead, quick)
	resolve(t, g, question(t, "www.example.", dns.TypeA)) // neither is known: both are measured
	eventually(t, "the dead server is silent", func() bool { return g.Servers()[0].State == Silent })
	resolve(t, g, question(t, "www.example.", dns.TypeA))
	if n := len(dead.Queries()); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestParallelGoesOnWhenBothFail(t *testing.T) {
	for range 3 {
		last := dnstest.Start(t, honest)
		g := group(t, Config{Strategy: Parallel}, dnstest.Start(t, saying(dns.RcodeRefused)), dnstest.Start(t, saying(dns.RcodeServerFailure)), last)
		if _, a := resolve(t, g, question(t, "www.example.", dns.TypeA)); a.Server != last.Addr.String() {
			t.Errorf("answered by %s", a.Server)
		}
	}
}
