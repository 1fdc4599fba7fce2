package policy

import (
	"cmp"
	"hash/maphash"
	"math/bits"
	"slices"
	"sort"
)

// index finds, for one name, every entry that stands at that name: whom a grant there is for, or which service the rule
// belongs to. It is a hash table of 4096 sorted runs in two levels of 64, immutable: a change copies one run and the two
// blocks above it, so that readers of the old index are never disturbed and a change costs nearly the same at 500 rules and
// at a million. The entries hold no pointers, so a million of them cost the garbage collector nothing.
//
// Names are not kept: an entry has 96 bits of two keyed hashes of its name. With a million rules the odds that any one
// question meets a false match are below 1 in 10^21.
type index struct {
	root *[fanout]*[fanout]*run
}

const fanout = 64

// run is the entries of one place, sorted, in parts of two to four on average: a question looks at one part. Hashes are
// uniform, so the parts are equal stretches of them.
type run struct {
	entries []entry
	starts  []uint32 // where each part begins; at the end the number of entries
	shift   uint8    // by which a hash without the bits of its place becomes the number of its part
}

const placeBits = 12 // of a hash, that say which run it belongs to

var emptyRun = newRun(nil)

// newRun makes a run of sorted entries.
func newRun(entries []entry) *run {
	partBits := partBits(len(entries))
	r := &run{entries: entries, starts: make([]uint32, 1<<partBits+1), shift: uint8(64 - partBits)}
	part := 0
	for i := range entries {
		for at := r.part(entries[i].hi); part < at; {
			part++
			r.starts[part] = uint32(i)
		}
	}
	for part++; part < len(r.starts); part++ {
		r.starts[part] = uint32(len(entries))
	}
	return r
}

func (r *run) part(hi uint64) int { return partOf(hi, int(r.shift)) }

// partBits is how many bits of a hash number the parts of a run of n entries.
func partBits(n int) int { return max(0, bits.Len(uint(n))-2) }

func partOf(hi uint64, shift int) int { return int(hi << placeBits >> shift) }

// entry is one rule of a grant or service at a name. Among the marks it says that rules of the owner stand below the name.
type entry struct {
	hi    uint64
	lo    uint32
	owner owner
	grant uint32 // GrantID; of a service's rule 0; of a mark how many rules
	cond  uint32 // place in Snapshot.conds
}

// isMark is the condition of marks.
const isMark uint32 = 0

// owner is whom an entry belongs to: everyone, a role, an office or a service, the kind in the two upper bits.
type owner uint32

const (
	everyone    owner = 0
	ownerRole   owner = 1 << 30
	ownerOffice owner = 2 << 30
	ownerKind   owner = 3 << 30 // mask; by itself: a service
)

var (
	seedHi = maphash.MakeSeed()
	seedLo = maphash.MakeSeed()
)

// nameHash is the two keyed hashes of a name in canonical wire form; the keys are new in every process.
func nameHash(name []byte) (hi uint64, lo uint32) {
	return maphash.Bytes(seedHi, name), lowHash(name)
}

func lowHash(name []byte) uint32 { return uint32(maphash.Bytes(seedLo, name)) }

// order sorts entries by name, then owner.
func (e *entry) order(o *entry) int {
	switch {
	case e.hi != o.hi:
		return cmp.Compare(e.hi, o.hi)
	case e.lo != o.lo:
		return cmp.Compare(e.lo, o.lo)
	case e.owner != o.owner:
		return cmp.Compare(e.owner, o.owner)
	case e.cond != o.cond:
		return cmp.Compare(e.cond, o.cond)
	case e.cond == isMark:
		return 0 // there is one mark an owner
	}
	return cmp.Compare(e.grant, o.grant)
}

func inOrder(a, b entry) int { return a.order(&b) }

func slot(hi uint64) (block, place uint64) { return hi >> 58, hi >> 52 & (fanout - 1) }

func newIndex() index {
	var root [fanout]*[fanout]*run
	block := new([fanout]*run)
	for i := range block {
		block[i] = emptyRun
	}
	for i := range root {
		root[i] = block
	}
	return index{&root}
}

// find returns the entries of one name, sorted by owner. The second hash is made only when the first is found.
func (x index) find(name []byte) []entry {
	found := x.same(maphash.Bytes(seedHi, name))
	if len(found) == 0 {
		return nil
	}
	return withLow(found, lowHash(name))
}

// same returns the entries with the first hash.
func (x index) same(hi uint64) []entry {
	block, place := slot(hi)
	r := x.root[block][place]
	part := r.part(hi)
	in := r.entries[r.starts[part]:r.starts[part+1]]
	if len(in) > 8 { // a name of many owners is among them
		in = in[below(in, hi):]
		if hi+1 != 0 {
			in = in[:below(in, hi+1)]
		}
	}
	for len(in) > 0 && in[0].hi < hi {
		in = in[1:]
	}
	for len(in) > 0 && in[len(in)-1].hi > hi {
		in = in[:len(in)-1]
	}
	return in
}

// below is how many of the sorted entries have a first hash below hi.
func below(entries []entry, hi uint64) int {
	return sort.Search(len(entries), func(i int) bool { return entries[i].hi >= hi })
}

// withLow returns those of the entries with one first hash that have the second one too.
func withLow(entries []entry, lo uint32) []entry {
	for len(entries) > 0 && entries[0].lo < lo {
		entries = entries[1:]
	}
	for len(entries) > 0 && entries[len(entries)-1].lo > lo {
		entries = entries[:len(entries)-1]
	}
	return entries
}

// of returns those of one name's entries that belong to the owner.
func of(entries []entry, who owner) []entry {
	from := sort.Search(len(entries), func(i int) bool { return entries[i].owner >= who })
	to := from
	for to < len(entries) && entries[to].owner == who {
		to++
	}
	return entries[from:to]
}

// services returns those of one name's entries that belong to services.
func services(entries []entry) []entry {
	return entries[sort.Search(len(entries), func(i int) bool { return entries[i].owner >= ownerKind }):]
}

// change returns an index in which the run of hi has the entries that edit makes of it.
func (x index) change(hi uint64, edit func(run []entry) []entry) index {
	b, p := slot(hi)
	root, block := *x.root, *x.root[b]
	block[p] = newRun(edit(block[p].entries))
	root[b] = &block
	return index{&root}
}

// with returns the index with the entry added; a mark that is there counts up.
func (x index) with(e entry) index {
	return x.change(e.hi, func(run []entry) []entry {
		i, found := slices.BinarySearchFunc(run, e, inOrder)
		if found {
			if e.cond != isMark {
				return run
			}
			run = slices.Clone(run)
			run[i].grant += e.grant
			return run
		}
		grown := make([]entry, len(run)+1)
		copy(grown, run[:i])
		grown[i] = e
		copy(grown[i+1:], run[i:])
		return grown
	})
}

// without returns the index with the entry taken out; a mark counts down.
func (x index) without(e entry) index {
	return x.change(e.hi, func(run []entry) []entry {
		i, found := slices.BinarySearchFunc(run, e, inOrder)
		if !found {
			return run
		}
		run = slices.Clone(run)
		if e.cond == isMark && run[i].grant > e.grant {
			run[i].grant -= e.grant
			return run
		}
		return slices.Delete(run, i, i+1)
	})
}
