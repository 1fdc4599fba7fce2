package policy

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// gathering is the entries of an index that is built at once, as at start, by the run they go to. One goroutine adds to one.
type gathering struct {
	runs   [fanout * fanout][]entry
	recent []entry // marks that still count up, where markPlace puts them
}

// recentMarks is how many marks of a gathering still count up. All rules of an office have marks at a few names, such as
// "it" and "gov.it"; this keeps most of what a thousand offices have there from being sorted only to be added up.
const recentMarks = 1 << 14

func (g *gathering) add(e entry) {
	at := e.hi >> (64 - placeBits)
	g.runs[at] = append(g.runs[at], e)
}

func (g *gathering) addMark(e entry) {
	if g.recent == nil {
		g.recent = make([]entry, recentMarks)
	}
	old := &g.recent[(uint32(e.hi)^uint32(e.owner)*0x9e3779b1)%recentMarks] // a factor that spreads the owners: 2^32 by the golden ratio
	if old.order(&e) == 0 {
		old.grant += e.grant
		return
	}
	if old.grant > 0 {
		g.add(*old)
	}
	*old = e
}

// finish adds the marks that counted up.
func (g *gathering) finish() {
	for _, e := range g.recent {
		if e.grant > 0 {
			g.add(e)
		}
	}
	g.recent = nil
}

// indexOf builds an index of all that was gathered, which it uses up; marks of one owner at one name are added up. Runs
// have memory of their own, so that what a change replaces is freed.
func indexOf(parts []*gathering) index {
	for _, g := range parts {
		g.finish()
	}
	x := index{new([fanout]*[fanout]*run)}
	var next atomic.Int32
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), fanout) {
		workers.Go(func() {
			var scratch []entry
			for {
				b := int(next.Add(1)) - 1
				if b >= fanout {
					return
				}
				block := new([fanout]*run)
				for p := range block {
					scratch = scratch[:0]
					for _, g := range parts {
						scratch = append(scratch, g.runs[b*fanout+p]...)
						g.runs[b*fanout+p] = nil
					}
					block[p] = emptyRun
					if len(scratch) > 0 {
						slices.SortFunc(scratch, inOrder)
						block[p] = newRun(slices.Clone(addUpMarks(scratch)))
					}
				}
				x.root[b] = block
			}
		})
	}
	workers.Wait()
	return x
}

// addUpMarks merges equal marks of a sorted run, in place.
func addUpMarks(run []entry) []entry {
	out := run[:0]
	for _, e := range run {
		if n := len(out); n > 0 && e.cond == isMark && out[n-1].order(&e) == 0 {
			out[n-1].grant += e.grant
			continue
		}
		out = append(out, e)
	}
	return out
}
