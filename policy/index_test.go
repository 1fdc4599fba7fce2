package policy

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// all is every entry of an index, sorted.
func (x index) all() (out []entry) {
	for _, block := range x.root {
		for _, run := range block {
			out = append(out, run.entries...)
		}
	}
	slices.SortFunc(out, inOrder)
	return out
}

// gathered deals entries out to two gatherings.
func gathered(entries []entry) []*gathering {
	parts := []*gathering{new(gathering), new(gathering)}
	for i, e := range entries {
		if g := parts[i%2]; e.cond == isMark {
			g.addMark(e)
		} else {
			g.add(e)
		}
	}
	return parts
}

func TestAnIndexBuiltStepByStepIsTheOneBuiltAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hash := rapid.SampledFrom([]uint64{0, 1, 1 << 52, 1<<52 + 1, 5 << 58, ^uint64(0), ^uint64(0) - 1, 77 << 40})
		one := rapid.Custom(func(t *rapid.T) entry {
			e := entry{hi: hash.Draw(t, "hi"), lo: rapid.Uint32Range(0, 2).Draw(t, "lo"), cond: rapid.Uint32Range(0, 2).Draw(t, "cond")}
			e.owner = owner(rapid.SampledFrom([]uint32{0, 1 << 30, 2<<30 | 1, 2<<30 | 2, 3<<30 | 1}).Draw(t, "owner"))
			e.grant = 1
			if e.cond != isMark {
				e.grant = rapid.Uint32Range(1, 3).Draw(t, "grant")
			}
			return e
		})
		var kept []entry
		x := newIndex()
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			if e := one.Draw(t, "entry"); e.cond == isMark || !slices.Contains(kept, e) {
				kept, x = append(kept, e), x.with(e)
			}
			if len(kept) > 0 && rapid.Bool().Draw(t, "take one out") {
				i := rapid.IntRange(0, len(kept)-1).Draw(t, "which")
				x = x.without(kept[i])
				kept = slices.Delete(kept, i, i+1)
			}
		}
		built := indexOf(gathered(kept))
		if !slices.Equal(x.all(), built.all()) {
			t.Fatalf("step by step %v, at once %v", x.all(), built.all())
		}
		for _, e := range kept {
			found := withLow(built.same(e.hi), e.lo)
			want := slices.DeleteFunc(built.all(), func(o entry) bool { return o.hi != e.hi || o.lo != e.lo })
			if !slices.Equal(found, want) {
				t.Fatalf("find(%x, %d) = %v; want %v", e.hi, e.lo, found, want)
			}
			if len(of(found, e.owner)) == 0 {
				t.Fatalf("no entries of owner %x among %v", e.owner, found)
			}
		}
	})
}

func TestFindInRunsOfManySizes(t *testing.T) {
	for _, n := range []int{0, 1, 2, 100, 20_000} {
		var entries []entry
		for i := range n {
			hi, lo := nameHash(fmt.Appendf(nil, "\x07%07d\x02it\x00", i))
			entries = append(entries, entry{hi: hi, lo: lo, owner: everyone, grant: uint32(i + 1), cond: 1})
		}
		x := indexOf(gathered(entries))
		for i, e := range entries {
			if found := withLow(x.same(e.hi), e.lo); len(found) != 1 || found[0].grant != uint32(i+1) {
				t.Fatalf("of %d: entry %d found as %v", n, i, found)
			}
		}
		if len(x.find([]byte("\x06absent\x00"))) != 0 {
			t.Errorf("of %d: an absent name was found", n)
		}
	}
}
