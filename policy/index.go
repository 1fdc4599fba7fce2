package policy

import (
	"cmp"
	"hash/maphash"
	"slices"
)

// index finds, for one name, every entry whose rule stands at that name: whom a grant there is for, or which service it
// belongs to. It is a hash table of 4096 short sorted runs in two levels of 64, immutable: a change copies one run and the
// two blocks above it, so that readers of the old index are never disturbed and a change costs the same at 500 rules and at
// a million. The entries hold no pointers, so a million of them cost the garbage collector nothing.
//
// Names are not kept: an entry has 96 bits of two keyed hashes of its name. With a million rules the odds that any one
// question meets a false match are below 1 in 10^21.
type index struct {
	root *[fanout]*[fanout][]entry
}

const fanout = 64

// entry is one rule of a grant or service, or, with the condition isAncestor, the mark that count rules of the owner stand
// below the name.
type entry struct {
	hi    uint64
	lo    uint32
	owner owner
	grant uint32 // GrantID; of a service's rule 0; of an ancestor mark the count
	cond  uint32 // place in Snapshot.conds
}

// isAncestor is the condition of entries that only mark the names above rules.
const isAncestor uint32 = 0

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
	return maphash.Bytes(seedHi, name), uint32(maphash.Bytes(seedLo, name))
}

// order sorts entries by name, then owner.
func (e entry) order(o entry) int {
	if c := cmp.Compare(e.hi, o.hi); c != 0 {
		return c
	}
	if c := cmp.Compare(e.lo, o.lo); c != 0 {
		return c
	}
	if c := cmp.Compare(e.owner, o.owner); c != 0 {
		return c
	}
	if c := cmp.Compare(e.cond, o.cond); c != 0 {
		return c
	}
	if e.cond == isAncestor {
		return 0 // there is one mark an owner
	}
	return cmp.Compare(e.grant, o.grant)
}

func slot(hi uint64) (block, place uint64) { return hi >> 58, hi >> 52 & (fanout - 1) }

func newIndex() index {
	var root [fanout]*[fanout][]entry
	empty := new([fanout][]entry)
	for i := range root {
		root[i] = empty
	}
	return index{&root}
}

// find returns the entries of one name, sorted by owner. Hashes are uniform, so the place in the run is guessed from the
// hash.
func (x index) find(hi uint64, lo uint32) []entry {
	block, place := slot(hi)
	run := x.root[block][place]
	guess := int(hi << 12 >> 32 * uint64(len(run)) >> 32)
	from := seek(run, guess, hi, uint64(lo))
	if from == len(run) || run[from].hi != hi || run[from].lo != lo {
		return nil
	}
	return run[from:seek(run, from, hi, uint64(lo)+1)]
}

// seek is the place of the first entry of a run that is not below (hi, lo). It goes from the guess in strides that double,
// since a name that a thousand offices have rules below has a thousand entries.
func seek(run []entry, guess int, hi, lo uint64) int {
	below := func(i int) bool { e := &run[i]; return e.hi < hi || e.hi == hi && uint64(e.lo) < lo }
	from, to := 0, len(run)
	if guess < to && below(guess) {
		from = guess + 1
		for stride := 1; guess+stride < to; stride *= 2 {
			if !below(guess + stride) {
				to = guess + stride
				break
			}
			from = guess + stride + 1
		}
	} else {
		to = guess
		for stride := 1; guess-stride >= 0; stride *= 2 {
			if below(guess - stride) {
				from = guess - stride + 1
				break
			}
			to = guess - stride
		}
	}
	for from < to {
		if mid := int(uint(from+to) / 2); below(mid) {
			from = mid + 1
		} else {
			to = mid
		}
	}
	return from
}

// of returns those of one name's entries that belong to the owner.
func of(entries []entry, who owner) []entry {
	from, _ := slices.BinarySearchFunc(entries, who, func(e entry, o owner) int { return cmp.Compare(e.owner, o) })
	to := from
	for to < len(entries) && entries[to].owner == who {
		to++
	}
	return entries[from:to]
}

// services returns those of one name's entries that belong to services.
func services(entries []entry) []entry {
	from, _ := slices.BinarySearchFunc(entries, ownerKind, func(e entry, o owner) int { return cmp.Compare(e.owner, o) })
	return entries[from:]
}

// change returns an index in which the run of hi is what edit makes of a copy of it.
func (x index) change(hi uint64, edit func(run []entry) []entry) index {
	b, p := slot(hi)
	root, block := *x.root, *x.root[b]
	block[p] = edit(block[p])
	root[b] = &block
	return index{&root}
}

// with returns the index with the entry added; one more ancestor mark counts up.
func (x index) with(e entry) index {
	return x.change(e.hi, func(run []entry) []entry {
		i, found := slices.BinarySearchFunc(run, e, entry.order)
		if found {
			if e.cond != isAncestor {
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

// without returns the index with the entry taken out; an ancestor mark counts down.
func (x index) without(e entry) index {
	return x.change(e.hi, func(run []entry) []entry {
		i, found := slices.BinarySearchFunc(run, e, entry.order)
		if !found {
			return run
		}
		run = slices.Clone(run)
		if e.cond == isAncestor && run[i].grant > e.grant {
			run[i].grant -= e.grant
			return run
		}
		return slices.Delete(run, i, i+1)
	})
}

// indexOf builds an index of many entries at once, as at start; ancestor marks of one owner at one name are added up.
func indexOf(entries []entry) index {
	var sizes [fanout * fanout]int
	for i := range entries {
		sizes[entries[i].hi>>52]++
	}
	backing := make([]entry, len(entries)) // one block for all runs; a change copies its run out of it
	var root [fanout]*[fanout][]entry
	for b := range root {
		root[b] = new([fanout][]entry)
		for p := range root[b] {
			n := sizes[b*fanout+p]
			root[b][p], backing = backing[:0:n], backing[n:]
		}
	}
	for _, e := range entries {
		b, p := slot(e.hi)
		root[b][p] = append(root[b][p], e)
	}
	for _, block := range root {
		for p, run := range block {
			slices.SortFunc(run, entry.order)
			block[p] = addUpMarks(run)
		}
	}
	return index{&root}
}

// addUpMarks merges equal ancestor marks of a sorted run, in place.
func addUpMarks(run []entry) []entry {
	out := run[:0]
	for _, e := range run {
		if n := len(out); n > 0 && e.cond == isAncestor && out[n-1].order(e) == 0 {
			out[n-1].grant += e.grant
			continue
		}
		out = append(out, e)
	}
	return out
}
