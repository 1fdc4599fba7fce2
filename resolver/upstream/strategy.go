package upstream

import (
	"cmp"
	"slices"
	"time"
)

// Strategy is how a group spreads questions over its servers. Whatever it is, silent and failing servers come last.
type Strategy string

// The strategies.
const (
	Strict   Strategy = "strict"   // in the order given; the next one when one has no answer
	Fastest  Strategy = "fastest"  // the one with the shortest smoothed round-trip time first
	Parallel Strategy = "parallel" // the two fastest at once; the first answer wins
)

// exploreEvery is how many questions go by between two that measure another server than the best: 2 %.
const exploreEvery = 50

// plan is the order in which the servers are asked one question.
type plan struct {
	batches [][]int // indices of servers, those of a batch asked at once
	patient bool    // who does not win is heard to the end, to be measured
	probe   *server // its recovery is claimed, to be tried aside; nil for none
}

// alone is the order of a single server.
var alone = [][]int{{0}}

// plan puts the servers in order: those in good standing by the group's strategy, then the others. When no server is in good standing
// there is nothing to spare, and they are asked in pairs.
func (g *Group) plan(now time.Time) plan {
	if len(g.servers) == 1 {
		return plan{batches: alone}
	}
	figures := make([]figure, 0, len(g.servers))
	var benched []int
	var p plan
	for i, s := range g.servers {
		if f, fit := s.figure(now); fit {
			f.index = i
			figures = append(figures, f)
		} else {
			benched = append(benched, i)
		}
	}
	for _, i := range benched {
		if len(figures) > 0 && p.probe == nil && g.servers[i].claim(now) {
			p.probe = g.servers[i]
		}
	}
	width := 1
	if g.cfg.Strategy != Strict {
		slices.SortStableFunc(figures, func(a, b figure) int { return cmp.Compare(a.srtt, b.srtt) })
		explored := g.explore(figures, now)
		to := 0
		if g.cfg.Strategy == Parallel {
			width, to, p.patient = 2, 1, explored > 0
		}
		if explored > 0 {
			f := figures[explored]
			figures = slices.Insert(slices.Delete(figures, explored, explored+1), to, f)
		}
	}
	fit := make([]int, len(figures))
	for i, f := range figures {
		fit[i] = f.index
	}
	p.batches = slices.AppendSeq(make([][]int, 0, len(g.servers)), slices.Chunk(fit, width))
	p.batches = slices.AppendSeq(p.batches, slices.Chunk(benched, 2))
	return p
}

// Fit says whether any of the servers is in good standing: without one an answer will hardly come soon.
func (g *Group) Fit() bool {
	now := g.cfg.Now()
	return slices.ContainsFunc(g.servers, func(s *server) bool { _, fit := s.figure(now); return fit })
}

// figure is what a server in good standing is ranked by.
type figure struct {
	index    int           // of the server
	srtt     time.Duration // 0 before the first measurement, which puts it first
	measured time.Time
	stale    bool
}

// figure returns the server's figure, and whether it is in good standing.
func (s *server) figure(now time.Time) (figure, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return figure{srtt: s.standing.srtt, measured: s.standing.measured, stale: s.standing.stale(now)}, !s.standing.benched
}

// explore picks a server, other than the first, that this question is to measure: the one measured longest ago, when that is long ago
// or it is time. 0 is none.
func (g *Group) explore(figures []figure, now time.Time) int {
	due := g.turns.Add(1)%exploreEvery == 0
	if len(figures) < 2 {
		return 0
	}
	oldest := 1
	for i := range figures {
		if i > 0 && figures[i].measured.Before(figures[oldest].measured) {
			oldest = i
		}
	}
	if !due && !figures[oldest].stale {
		return 0
	}
	g.servers[figures[oldest].index].measuring(now)
	return oldest
}

// measuring notes that a measurement begins, so that other questions leave it at that.
func (s *server) measuring(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.standing.measured = now
}

// claim says whether the caller may try the server's recovery. Then release must follow.
func (s *server) claim(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.standing.claim(now)
}
