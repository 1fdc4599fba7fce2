package blocklist

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shelf is a folder of lists, and what is in force.
type shelf struct {
	testing.TB
	*Lists
	folder string
	log    bytes.Buffer
	clock  time.Time // of the files
}

func newShelf(t *testing.T) *shelf {
	s := &shelf{TB: t, folder: t.TempDir(), clock: time.Date(2026, 11, 16, 10, 0, 0, 0, time.UTC)}
	s.Lists = New(slog.New(slog.NewTextHandler(&s.log, nil)))
	return s
}

// write puts a file there, a minute later than the one before.
func (s *shelf) write(name, text string) Source {
	s.Helper()
	path := filepath.Join(s.folder, name)
	s.clock = s.clock.Add(time.Minute)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
	if err := os.Chtimes(path, s.clock, s.clock); err != nil {
		s.Fatal(err)
	}
	return Source{Path: path}
}

// blocks says which list has a name.
func (s *shelf) blocks(name string) string {
	m, ok := s.Find(wire(s, name))
	switch {
	case !ok:
		return ""
	case m.Whole:
		return filepath.Base(m.Name) + " whole"
	}
	return filepath.Base(m.Name)
}

func (s *shelf) want(name, list string) {
	s.Helper()
	if got := s.blocks(name); got != list {
		s.Errorf("%s is on %q, want %q", name, got, list)
	}
}

func TestTheFirstListThatKnowsANameDecides(t *testing.T) {
	s := newShelf(t)
	allow := s.write("allow", "$TTL 60\ngood.evil.example CNAME rpz-passthru.\n*.fine.example CNAME rpz-passthru.\n")
	one, two := s.write("one", ".evil.example\nboth.example\n"), s.write("two", ".both.example\n.fine.example\n")
	s.Load(t.Context(), []Source{allow, one, two})
	s.want("evil.example", "one")
	s.want("www.evil.example", "one whole")
	s.want("good.evil.example", "")
	s.want("both.example", "one")
	s.want("www.both.example", "two whole")
	s.want("fine.example", "two")
	s.want("a.fine.example", "")
	s.want("other.example", "")

	s.Load(t.Context(), []Source{two, one})
	s.want("both.example", "two whole")
	s.want("good.evil.example", "one whole")
	s.Load(t.Context(), nil)
	s.want("both.example", "")
	if _, ok := (*Lists)(nil).Find(wire(t, "a")); ok {
		t.Error("no lists have a name")
	}
}

func TestAChangedFileIsReadWhenNobodyWritesItAnyMore(t *testing.T) {
	s := newShelf(t)
	list := s.write("l", "a.example\n")
	s.Load(t.Context(), []Source{list})
	s.want("a.example", "l")
	match, _ := s.Find(wire(t, "a.example"))
	match.Hit()

	s.write("l", "b.example\n")
	s.Poll(t.Context())
	s.want("b.example", "") // it has only just changed
	s.write("l", "b.example\nc.example\n")
	s.Poll(t.Context())
	s.want("b.example", "")
	s.Poll(t.Context())
	s.want("a.example", "")
	s.want("b.example", "l")
	s.want("c.example", "l")
	match, _ = s.Find(wire(t, "b.example"))
	match.Hit()
	if st := s.State()[0]; st.Hits != 2 || st.Names != 2 || st.Problem != "" || !st.Modified.Equal(s.clock) || st.Format != Domains {
		t.Errorf("state %+v", st)
	}

	s.write("l", "d.example\n")
	s.Load(t.Context(), []Source{list}) // asked for, it is read at once
	s.want("d.example", "l")
}

func TestABadFileKeepsTheOldListAndWarnsOnce(t *testing.T) {
	s := newShelf(t)
	list := s.write("l", "$TTL 60\na.example CNAME .\n")
	s.Load(t.Context(), []Source{list})
	bad := func(doing, says string) {
		t.Helper()
		s.log.Reset()
		for range 4 {
			s.Poll(t.Context())
		}
		s.want("a.example", "l")
		if st := s.State()[0]; !strings.Contains(st.Problem, says) || st.Names != 1 {
			t.Errorf("%s: state %+v, want the problem %q", doing, st, says)
		}
		if n := strings.Count(s.log.String(), "level=WARN"); n != 1 {
			t.Errorf("%s: %d warnings\n%s", doing, n, s.log.String())
		}
	}
	s.write("l", "$TTL 60\na.example CNAME .\nb.example CNA")
	bad("half written", "line: 3")
	s.write("l", "")
	bad("emptied", "no name")
	if err := os.Remove(list.Path); err != nil {
		t.Fatal(err)
	}
	bad("removed", "no such file")
	if err := os.Mkdir(list.Path, 0o700); err != nil {
		t.Fatal(err)
	}
	bad("a folder in its place", "no ordinary file")
	if err := os.Remove(list.Path); err != nil {
		t.Fatal(err)
	}
	s.write("l", "b.example\n")
	s.Poll(t.Context())
	s.Poll(t.Context())
	s.want("b.example", "l")
	if st := s.State()[0]; st.Problem != "" {
		t.Errorf("state %+v", st)
	}
}

func TestAFileThatIsTooLargeIsNotOpened(t *testing.T) {
	s := newShelf(t)
	list := s.write("l", "a.example\n")
	if err := os.Truncate(list.Path, MaxFile+1); err != nil {
		t.Fatal(err)
	}
	s.Load(t.Context(), []Source{list})
	if st := s.State()[0]; !strings.Contains(st.Problem, "512 the most: use a shorter list") {
		t.Errorf("state %+v", st)
	}
}

func TestWatchPollsAtEachTickAndLoadsWhatUseAsksFor(t *testing.T) {
	s := newShelf(t)
	one, two := s.write("one", "a.example\n"), s.write("two", "b.example\n")
	ctx, cancel := context.WithCancel(t.Context())
	ticks, done := make(chan time.Time), make(chan struct{})
	go func() {
		defer close(done)
		s.Watch(ctx, ticks)
	}()
	s.Use([]Source{one})
	s.Use([]Source{one, two}) // two quick reloads: the last counts
	for len(s.State()) < 2 || s.blocks("b.example") == "" {
		ticks <- s.clock
	}
	s.write("one", "c.example\n")
	for range 3 { // the third is taken when the second has been served
		ticks <- s.clock
	}
	s.want("c.example", "one")
	cancel()
	<-done
	s.want("b.example", "two")
}
