package owners

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"usciere/policy"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func name(t testing.TB, text string) policy.Name {
	t.Helper()
	n, err := policy.ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// kept is what was given to keep, as text.
func kept(m *Memory) (out []string) {
	_ = m.Keep(func(all []policy.Led) error {
		for _, l := range all {
			text := l.Name.String()
			if l.First {
				text += " first"
			}
			if l.Forgotten {
				text += " forgotten"
			}
			out = append(out, strings.Join(append([]string{text}, l.Owners...), " "))
		}
		return nil
	})
	return out
}

func TestOnlyAnOwnerThatWasNotSeenBeforeIsNews(t *testing.T) {
	m := New(10, nil)
	www := name(t, "www.x.it")
	for i, step := range []struct {
		owners        []string
		fresh, before string
	}{
		{[]string{"a.net"}, "", ""}, // the first time there is nothing to compare with
		{[]string{"a.net"}, "", "a.net"},
		{nil, "", "a.net"},
		{[]string{"b.net", "a.net", "b.net"}, "b.net", "a.net"},
		{[]string{"b.net"}, "", "a.net b.net"},
	} {
		fresh, before := m.Note(www, step.owners, false, noon)
		if strings.Join(fresh, " ") != step.fresh || strings.Join(before, " ") != step.before {
			t.Errorf("step %d: %q after %q", i, fresh, before)
		}
		changed := false
		select {
		case <-m.Changed():
			changed = true
		default:
		}
		if changed != (step.fresh != "") {
			t.Errorf("step %d: changed %t", i, changed)
		}
	}
	m.Note(name(t, "own.it"), nil, true, noon)
	if fresh, _ := m.Note(name(t, "own.it"), []string{"c.net"}, false, noon); !slices.Equal(fresh, []string{"c.net"}) {
		t.Errorf("a name that led to nobody else: %q", fresh)
	}
	if got := strings.Join(kept(m), "; "); got != "www.x.it first a.net; www.x.it b.net; own.it first; own.it c.net" {
		t.Errorf("to be kept: %s", got)
	}
	if got := kept(m); got != nil {
		t.Errorf("twice to be kept: %s", got)
	}
}

// Whoever answers for a name with somebody new each time is told of so often and no more.
func TestANameThatLeadsToEverybodyIsNotToldOfForEver(t *testing.T) {
	m := New(10, nil)
	told := 0
	for i := range 1000 {
		if fresh, _ := m.Note(name(t, "www.x.it"), []string{fmt.Sprintf("o%d.net", i), fmt.Sprintf("p%d.net", i)}, false, noon); len(fresh) > 0 {
			told++
		}
	}
	if led, _ := m.known.Peek(name(t, "www.x.it")); told != policy.MaxAliasOwners/2-1 || len(led) != policy.MaxAliasOwners {
		t.Errorf("told of %d times, %d owners", told, len(led))
	}
	if n := len(kept(m)); n != policy.MaxAliasOwners/2 {
		t.Errorf("%d are to be kept", n)
	}
}

func TestWhatCannotBeKeptIsGivenAgain(t *testing.T) {
	m := New(MaxNames, nil)
	m.Note(name(t, "a.it"), nil, true, noon)
	full := errors.New("no space left")
	if err := m.Keep(func([]policy.Led) error { m.Note(name(t, "b.it"), nil, true, noon); return full }); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	if got := strings.Join(kept(m), "; "); got != "a.it first; b.it first" {
		t.Errorf("to be kept: %s", got)
	}
	for i := range 5 * MaxNames {
		m.Note(name(t, fmt.Sprintf("n%d.it", i)), []string{"x.net"}, false, noon)
		if i%MaxNames == 0 {
			_ = m.Keep(func([]policy.Led) error { return full })
		}
	}
	if n := m.known.Len(); n > maxNews+10 {
		t.Errorf("%d are remembered, and none of it can be kept", n)
	}
	if n := len(kept(m)); n > maxNews+10 {
		t.Errorf("%d are to be kept", n)
	}
	m.Note(name(t, "later.it"), nil, true, noon)
	if got := strings.Join(kept(m), "; "); got != "later.it first" {
		t.Errorf("when it can be kept again: %s", got)
	}
	m.Note(name(t, "below.it"), nil, false, noon)
	if got := kept(m); got != nil {
		t.Errorf("a name below a domain that leads to nobody else: %s", got)
	}
}

// What is kept, given to a new memory, makes it say what the old one says, whatever came before, and never has more names than there is
// room for.
func TestWhatIsKeptIsAllThatIsRemembered(t *testing.T) {
	names := []string{"a.it", "b.it", "c.it", "d.it", "e.it"}
	someOwners := rapid.SliceOfN(rapid.SampledFrom([]string{"x.net", "y.net", "z.net"}), 0, 3)
	rapid.Check(t, func(r *rapid.T) {
		m, disk := New(3, nil), map[policy.Name][]policy.AliasOwner{}
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			m.Note(name(t, rapid.SampledFrom(names).Draw(r, "name")), someOwners.Draw(r, "owners"), true, noon)
		}
		_ = m.Keep(func(all []policy.Led) error {
			for _, l := range all {
				if l.Forgotten {
					delete(disk, l.Name)
					continue
				}
				if disk[l.Name] == nil {
					disk[l.Name] = []policy.AliasOwner{}
				}
				for _, o := range l.Owners {
					disk[l.Name] = append(disk[l.Name], policy.AliasOwner{Owner: o})
				}
			}
			return nil
		})
		if len(disk) > 3 {
			r.Fatalf("%d names are kept", len(disk))
		}
		var all []policy.Alias
		for n, owners := range disk {
			all = append(all, policy.Alias{Name: n, Owners: owners})
		}
		again := New(3, all)
		for _, n := range names {
			asked := someOwners.Draw(r, "asked")
			before, known := m.known.Peek(name(t, n))
			restored, stillKnown := again.known.Peek(name(t, n))
			if known != stillKnown || !slices.Equal(before, restored) {
				r.Fatalf("%s: %q, %t; restored %q, %t (%q)", n, before, known, restored, stillKnown, asked)
			}
		}
	})
}
