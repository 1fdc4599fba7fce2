package blocklist

import (
	"fmt"
	"hash/maphash"
	"math/bits"
	"slices"
)

// rule is what a list says of one name, as bits.
type rule uint64

const (
	blockSelf  rule = 1 << iota
	blockBelow      // all names below
	passSelf        // an exception
	passBelow
	abovePass // an exception stands somewhere below

	ruleMask = 1<<5 - 1
)

// verdict is what the rules that reach a name come to.
type verdict uint8

const (
	unknown verdict = iota
	pass
	block
)

func (r rule) self() verdict { return r.verdict(passSelf, blockSelf) }

func (r rule) below() verdict { return r.verdict(passBelow, blockBelow) }

func (r rule) verdict(passes, blocks rule) verdict {
	switch {
	case r&passes != 0:
		return pass
	case r&blocks != 0:
		return block
	}
	return unknown
}

// table is a set of names with their rules. Names are not kept: a key is 59 bits of a keyed hash of the name, and its rule. With five
// million names the odds that a question of five labels meets a false match are one in 2·10¹⁰. There are no pointers in it.
type table struct {
	keys   []uint64 // sorted
	starts []uint32 // where the keys with the same upper bits begin, and the end
	shift  int      // leaves the upper bits
}

var seed = maphash.MakeSeed()

func hashOf(name []byte) uint64 { return maphash.Bytes(seed, name) &^ ruleMask }

// find is the rule that stands at exactly this name.
func (t *table) find(name []byte) rule {
	if len(t.starts) == 0 {
		return 0
	}
	h := hashOf(name)
	run := h >> t.shift
	for _, k := range t.keys[t.starts[run]:t.starts[run+1]] {
		if k&^ruleMask == h {
			return rule(k & ruleMask)
		}
	}
	return 0
}

// judge finds what the list says of a name in canonical wire form: the rule that stands closest above it counts, an exception before
// a block. whole says that it blocks every name below as well.
func (t *table) judge(name []byte) (v verdict, whole bool) {
	var below verdict
	exempt := false
	for off := 0; name[off] != 0; off += 1 + int(name[off]) {
		r := t.find(name[off:])
		if off == 0 {
			v, below, exempt = r.self(), r.below(), r&abovePass != 0
			continue
		}
		if v == unknown {
			v = r.below()
		}
		if below == unknown {
			below = r.below()
		}
		if v != unknown && below != unknown {
			break
		}
	}
	return v, v == block && below == block && !exempt
}

// count is how many names are blocked and how many exempt, for themselves or for all below.
func (t *table) count() (blocked, exempt int) {
	for _, k := range t.keys {
		switch r := rule(k); {
		case r&(passSelf|passBelow) != 0:
			exempt++
		case r&(blockSelf|blockBelow) != 0:
			blocked++
		}
	}
	return blocked, exempt
}

// builder gathers the keys of a table.
type builder struct {
	keys  []uint64
	limit int
}

// add takes a name in canonical wire form, which must not be the root.
func (b *builder) add(name []byte, r rule) error {
	b.keys = append(b.keys, hashOf(name)|uint64(r))
	if r&(passSelf|passBelow) != 0 {
		for off := 1 + int(name[0]); name[off] != 0; off += 1 + int(name[off]) {
			b.keys = append(b.keys, hashOf(name[off:])|uint64(abovePass))
		}
	}
	if len(b.keys) > 2*b.limit {
		return b.compact()
	}
	return nil
}

// compact makes one key of those of the same name.
func (b *builder) compact() error {
	slices.Sort(b.keys)
	out := b.keys[:0]
	for _, k := range b.keys {
		if n := len(out); n > 0 && out[n-1]&^ruleMask == k&^ruleMask {
			out[n-1] |= k
			continue
		}
		out = append(out, k)
	}
	b.keys = out
	if len(out) > b.limit {
		return fmt.Errorf("%w: all lists together may have %d, of which %d are left here: use a shorter list", ErrTooMany, MaxNames, b.limit)
	}
	return nil
}

// table ends the building.
func (b *builder) table() (table, error) {
	if err := b.compact(); err != nil || len(b.keys) == 0 {
		return table{}, err
	}
	const run = 8 // keys, about
	width := bits.Len(uint(len(b.keys) / run))
	t := table{keys: slices.Clone(b.keys), starts: make([]uint32, 1<<width+1), shift: 64 - width}
	for _, k := range t.keys {
		t.starts[k>>t.shift+1]++
	}
	for i := 1; i < len(t.starts); i++ {
		t.starts[i] += t.starts[i-1]
	}
	return t, nil
}
