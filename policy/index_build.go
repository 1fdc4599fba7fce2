package policy

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// gathering is entries for an index that is built at once, as at start. One goroutine adds to one.
type gathering struct {
	chunks [][]entry
	counts [fanout * fanout]uint32 // by run
	recent []entry                 // marks that still count up, where addMark puts them
}

const (
	chunkEntries = 8192
	// recentMarks is how many marks of a gathering still count up. All rules of an office have marks at a few names, such as
	// "it" and "gov.it"; this keeps most of what a thousand offices have there from being sorted only to be added up.
	recentMarks = 1 << 14
)

func (g *gathering) add(e entry) {
	last := len(g.chunks) - 1
	if last < 0 || len(g.chunks[last]) == chunkEntries {
		g.chunks = append(g.chunks, make([]entry, 0, chunkEntries))
		last++
	}
	g.chunks[last] = append(g.chunks[last], e)
	g.counts[e.hi>>(64-placeBits)]++
}

func (g *gathering) addMark(e entry) {
	if g.recent == nil {
		g.recent = make([]entry, recentMarks)
	}
	const spread = 0x9e3779b1 // the owners, whose numbers are small: 2^32 by the golden ratio
	old := &g.recent[(uint32(e.hi)^uint32(e.owner)*spread)%recentMarks]
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

// indexOf builds an index of all that was gathered, which it uses up; marks of one owner at one name are added up. Every
// run has memory of its own, so that what a change replaces is freed.
func indexOf(parts []*gathering) index {
	runs := new([fanout * fanout][]entry)
	var workers sync.WaitGroup
	from := make([][fanout * fanout]uint32, len(parts)) // where each part's entries of a run begin
	for i, g := range parts {
		g.finish()
		if i > 0 {
			for at := range runs {
				from[i][at] = from[i-1][at] + parts[i-1].counts[at]
			}
		}
	}
	for at := range runs {
		last := len(parts) - 1
		runs[at] = make([]entry, from[last][at]+parts[last].counts[at])
	}
	for i, g := range parts {
		workers.Go(func() {
			for c, chunk := range g.chunks {
				for _, e := range chunk {
					at := e.hi >> (64 - placeBits)
					runs[at][from[i][at]] = e
					from[i][at]++
				}
				g.chunks[c] = nil
			}
		})
	}
	workers.Wait()
	x := index{new([fanout]*[fanout]*run)}
	var next atomic.Int32
	for range min(runtime.GOMAXPROCS(0), fanout) {
		workers.Go(func() {
			for b := next.Add(1) - 1; b < fanout; b = next.Add(1) - 1 {
				x.root[b] = blockOf(runs[b*fanout : (b+1)*fanout])
			}
		})
	}
	workers.Wait()
	return x
}

// blockOf makes one block of an index of the entries of its runs.
func blockOf(runs [][]entry) *[fanout]*run {
	block := new([fanout]*run)
	var scratch []entry
	for p, entries := range runs {
		all := len(entries)
		scratch = slices.Grow(scratch[:0], all)[:all]
		sortRun(entries, scratch)
		if entries = addUpMarks(entries); len(entries) < all*15/16 {
			entries = slices.Clone(entries)
		}
		block[p] = emptyRun
		if all > 0 {
			block[p] = newRun(entries)
		}
	}
	return block
}

// sortRun sorts the entries of a run: first by part, of which each is sorted by itself. scratch is of the same length.
func sortRun(entries, scratch []entry) {
	partBits := partBits(len(entries))
	part := func(e *entry) int { return partOf(e.hi, 64-partBits) }
	next := make([]uint32, 1<<partBits+1)
	for i := range entries {
		next[part(&entries[i])+1]++
	}
	for p := range len(next) - 1 {
		next[p+1] += next[p]
	}
	for i := range entries {
		p := part(&entries[i])
		scratch[next[p]] = entries[i]
		next[p]++
	}
	from := uint32(0)
	for _, to := range next[:len(next)-1] { // where each part ends by now
		sortPart(scratch[from:to])
		from = to
	}
	copy(entries, scratch)
}

// sortPart sorts a part, of a few entries or of a name with many owners.
func sortPart(part []entry) {
	if len(part) > 12 {
		slices.SortFunc(part, inOrder)
		return
	}
	for i := 1; i < len(part); i++ {
		for j := i; j > 0 && (part[j].hi < part[j-1].hi || part[j].hi == part[j-1].hi && part[j].order(&part[j-1]) < 0); j-- {
			part[j], part[j-1] = part[j-1], part[j]
		}
	}
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
