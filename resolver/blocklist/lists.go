package blocklist

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// PollEvery is how often Watch should be told to look at the files.
const PollEvery = 30 * time.Second

var errBeingWritten = errors.New("it changed while it was read: somebody is writing it")

// Source is a file and how it is written, or the built-in list.
type Source struct {
	Path   string
	Format Format
	Public bool // the list of PublicNames, and no file
}

// Lists are the lists in force, in the order of their sources. The first list that knows a name decides.
type Lists struct {
	log     *slog.Logger
	inForce atomic.Pointer[edition]
	wanted  chan []Source

	mu    sync.Mutex // one reading at a time
	files []*file
}

// edition is what holds until the files are read again. It is immutable, but for the hits.
type edition struct {
	lists  []*List
	states []State
	hits   []*atomic.Uint64 // of the states
}

// file is a source and what became of it.
type file struct {
	Source
	list    *List // in force; nil: it could never be read
	hits    atomic.Uint64
	read    stamp  // of the file as it was last read, well or badly
	seen    stamp  // at the last look
	problem string // empty: the list in force is what the file says
}

// stamp tells one state of a file from another.
type stamp struct {
	modified time.Time
	size     int64
}

// New has no lists yet.
func New(log *slog.Logger) *Lists {
	l := &Lists{log: log, wanted: make(chan []Source, 1)}
	l.inForce.Store(&edition{})
	return l
}

// Match is the list that a name is on.
type Match struct {
	*List
	Whole bool // every name below it is on a list as well
}

// Find returns the list that decides on a name in canonical wire form, if it blocks it. Nil Lists have no names.
func (l *Lists) Find(name []byte) (Match, bool) {
	if l == nil {
		return Match{}, false
	}
	lists := l.inForce.Load().lists
	for _, list := range lists {
		v, whole := list.table.judge(name)
		switch v {
		case pass:
			return Match{}, false
		case block:
			for _, other := range lists {
				whole = whole && other.table.find(name)&(abovePass|passBelow) == 0
			}
			return Match{list, whole}, true
		}
	}
	return Match{}, false
}

// Load reads the sources that are new or have changed, and puts them in force in the place of what was; those that are not named
// any more go. What cannot be read is logged, and stays what it was.
func (l *Lists) Load(ctx context.Context, sources []Source) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.files
	l.files = nil
	for _, s := range sources {
		f := &file{Source: s}
		for _, o := range old {
			if o.Source == s {
				f = o
			}
		}
		l.files = append(l.files, f)
	}
	for _, f := range l.files {
		now, err := f.stamp()
		if f.seen = now; err != nil || now != f.read {
			l.refresh(ctx, f)
		}
	}
	l.publish()
}

// Poll reads again the files that have changed, and then stayed as they are since the poll before: nobody is writing them any more.
func (l *Lists) Poll(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.files {
		now, err := f.stamp()
		settled := now == f.seen
		f.seen = now
		if err != nil || settled && now != f.read {
			l.refresh(ctx, f)
		}
	}
	l.publish()
}

// Watch polls at every tick, and loads what Use asks for, until ctx ends.
func (l *Lists) Watch(ctx context.Context, ticks <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
			l.Poll(ctx)
		case sources := <-l.wanted:
			l.Load(ctx, sources)
		}
	}
}

// Use makes Watch load other sources; it does not wait. One goroutine at a time may call it.
func (l *Lists) Use(sources []Source) {
	select {
	case <-l.wanted: // nobody wants these any more
	default:
	}
	l.wanted <- sources
}

func (l *Lists) publish() {
	next := new(edition)
	for _, f := range l.files {
		s := State{Path: f.Path, Format: f.Format, Problem: f.problem}
		if list := f.list; list != nil {
			next.lists = append(next.lists, list)
			s.Format, s.Names, s.Exceptions, s.Skipped, s.Modified = list.Format, list.Names, list.Exceptions, list.Skipped, list.Modified
		}
		next.states, next.hits = append(next.states, s), append(next.hits, &f.hits)
	}
	l.inForce.Store(next)
}

// refresh reads a file again.
func (l *Lists) refresh(ctx context.Context, f *file) {
	room := MaxNames
	for _, other := range l.files {
		if other != f && other.list != nil {
			room -= len(other.list.table.keys)
		}
	}
	list, now, err := f.parse(ctx, room)
	if ctx.Err() != nil {
		return
	}
	if f.read = now; err != nil {
		if errors.Is(err, errBeingWritten) {
			f.read = stamp{}
		}
		if f.problem != err.Error() {
			f.problem = err.Error()
			l.log.Warn("a security list cannot be read", "error", err, "names still in force", f.names())
		}
		return
	}
	list.Modified, list.hits = now.modified, &f.hits
	f.list, f.problem = list, ""
	l.log.Info("security list read", "file", f.Path, "format", list.Format, "names", list.Names, "exceptions", list.Exceptions)
	if list.Skipped > 0 {
		l.log.Warn("a security list has lines or records without effect here", "file", f.Path, "number", list.Skipped)
	}
}

func (f *file) names() int {
	if f.list == nil {
		return 0
	}
	return f.list.Names
}

// parse reads the file; now is its state before.
func (f *file) parse(ctx context.Context, room int) (_ *List, now stamp, err error) {
	if f.Public {
		list, err := Parse(strings.NewReader(publicText()), f.Path, Domains, room)
		return list, stamp{size: 1}, err
	}
	if now, err = stampOf(f.Path); err != nil {
		return nil, now, err
	}
	if now.size > MaxFile {
		return nil, now, fmt.Errorf("%s: %d MiB are too much, %d the most: use a shorter list", f.Path, now.size>>20, MaxFile>>20)
	}
	in, err := os.Open(f.Path)
	if err != nil {
		return nil, now, err
	}
	defer in.Close()
	list, err := Parse(interruptible{ctx, io.LimitReader(in, now.size)}, f.Path, f.Format, room)
	if after, gone := stampOf(f.Path); gone != nil || after != now {
		return nil, now, fmt.Errorf("%s: %w", f.Path, errBeingWritten)
	}
	return list, now, err
}

// stamp is that of the source as it is now; what is built in stays as it is.
func (s Source) stamp() (stamp, error) {
	if s.Public {
		return stamp{size: 1}, nil
	}
	return stampOf(s.Path)
}

// stampOf refuses what is no ordinary file: reading it might never end.
func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, err
	}
	if !info.Mode().IsRegular() {
		return stamp{}, fmt.Errorf("%s is no ordinary file: %w", path, fs.ErrInvalid)
	}
	return stamp{info.ModTime(), info.Size()}, nil
}

// State is how one source is doing.
type State struct {
	Path       string
	Format     Format // of the list in force; Auto if there is none and none was said
	Names      int
	Exceptions int
	Skipped    int
	Hits       uint64
	Modified   time.Time // of the file, when the list in force was read
	Problem    string    // why the file is not what is in force
}

// State lists the sources in their order; it never waits for a file to be read.
func (l *Lists) State() []State {
	e := l.inForce.Load()
	out := slices.Clone(e.states)
	for i := range out {
		out[i].Hits = e.hits[i].Load()
	}
	return out
}
