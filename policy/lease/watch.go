package lease

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"usciere/policy"
)

// Rules are told who is where.
type Rules interface {
	See(policy.Sightings)
	Snapshot() *policy.Snapshot
}

const (
	// Interval is how often everything is looked at again that nothing was heard of: sockets, and files where the kernel does not tell
	// of changes.
	Interval = 5 * time.Second
	// settle is how long a change is waited out: a file is written in more than one step.
	settle = 20 * time.Millisecond
)

// Watcher keeps the rules told. It is made by [New].
type Watcher struct {
	rules      Rules
	sources    []Source
	neighbours bool
	now        func() time.Time
	log        *slog.Logger

	mu     sync.Mutex
	near   neighbours
	read   []reading
	sights []Sight
}

// reading is what was read of a source.
type reading struct {
	signature string // of its files; empty: it has none
	leases    map[netip.Addr]Lease
	problem   error
}

// New makes a watcher of sources, and of the neighbour table if so wanted, and reads them once, so that the rules know who is where
// before the first question.
func New(rules Rules, sources []Source, neighbours bool, now func() time.Time, log *slog.Logger) *Watcher {
	w := &Watcher{rules: rules, sources: sources, neighbours: neighbours, now: now, log: log, near: map[netip.Addr]neighbour{}, read: make([]reading, len(sources))}
	w.look(true)
	return w
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	poke := make(chan struct{}, 1)
	stir := func() {
		select {
		case poke <- struct{}{}:
		default:
		}
	}
	var helpers sync.WaitGroup
	defer helpers.Wait()
	if w.neighbours {
		helpers.Go(func() { w.follow(ctx, stir) })
	}
	if watcher, err := fsnotify.NewWatcher(); err != nil {
		w.log.Warn("the kernel does not tell of changed files: leases are looked at every few seconds", "error", err)
	} else {
		defer watcher.Close()
		helpers.Go(func() { w.hear(ctx, watcher, stir) })
	}
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.look(true)
		case <-poke:
			select {
			case <-ctx.Done():
				return
			case <-time.After(settle):
			}
			w.look(false)
		}
	}
}

// hear stirs when something happens in a folder of a source.
func (w *Watcher) hear(ctx context.Context, watcher *fsnotify.Watcher, stir func()) {
	for _, s := range w.sources {
		if folder := filepath.Dir(s.Path); s.Format != KeaSocket && !slices.Contains(watcher.WatchList(), folder) {
			if err := watcher.Add(folder); err != nil {
				w.log.Warn("the kernel does not tell of changes: leases are looked at every few seconds", "folder", folder, "error", err)
			}
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case e, open := <-watcher.Events:
			if !open {
				return
			}
			if slices.ContainsFunc(w.sources, func(s Source) bool { return strings.HasPrefix(e.Name, s.Path) }) {
				stir()
			}
		case _, open := <-watcher.Errors: // an overflow: the next look sees what was missed
			if !open {
				return
			}
			stir()
		}
	}
}

// follow keeps the neighbours, and begins anew when the kernel's stream of them breaks off.
func (w *Watcher) follow(ctx context.Context, stir func()) {
	for {
		err := followNeighbours(ctx, func(addr netip.Addr, n neighbour, there bool) {
			if w.heard(addr, n, there) {
				stir()
			}
		})
		if ctx.Err() != nil {
			return
		}
		w.log.Warn("neighbours are not known", "error", err)
		w.mu.Lock()
		clear(w.near)
		w.mu.Unlock()
		stir()
		select {
		case <-ctx.Done():
			return
		case <-time.After(Interval):
		}
	}
}

// heard takes in what the kernel tells of a neighbour, and says whether that is news.
func (w *Watcher) heard(addr netip.Addr, n neighbour, there bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	was, known := w.near[addr]
	if !there || !known && len(w.near) >= maxNeighbours {
		delete(w.near, addr)
		return known
	}
	w.near[addr] = n
	return !known || n != was
}

// look reads the sources that have changed, judges everything anew and tells the rules. Sockets, which do not tell whether anything has
// changed, are asked only when it is their turn.
func (w *Watcher) look(sockets bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Sight
	for i, s := range w.sources {
		if sockets || s.Format != KeaSocket {
			w.readAgain(s, &w.read[i])
		}
		for _, l := range w.read[i].leases {
			all = append(all, Sight{Lease: l, Source: s.String()})
		}
	}
	before := w.sights
	w.sights = judge(all, w.near, w.now())
	w.rules.See(sightings(w.sights))
	w.tell(before)
}

// readAgain reads a source if it may have changed. One that cannot be read has no leases: who had one is what the network says.
func (w *Watcher) readAgain(s Source, r *reading) {
	signature := s.signature()
	if signature != "" && signature == r.signature && r.problem == nil {
		return
	}
	next := reading{signature: signature}
	if next.leases, next.problem = s.read(); next.problem != nil {
		next.leases = nil
	}
	if next.problem != nil && (r.problem == nil || r.problem.Error() != next.problem.Error()) {
		w.log.Warn("leases cannot be read", "source", s.String(), "error", advise(next.problem))
	} else if next.problem == nil && r.problem != nil {
		w.log.Info("leases can be read again", "source", s.String())
	}
	*r = next
}

// signature is what tells whether files have changed; empty for a socket.
func (s Source) signature() string {
	if s.Format == KeaSocket {
		return ""
	}
	paths := []string{s.Path}
	if s.Format == Kea {
		paths = append(paths, s.Path+".1", s.Path+".2", s.Path+".completed")
	}
	var out strings.Builder
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil {
			out.WriteString(p + info.ModTime().Format(time.RFC3339Nano) + " " + inode(info) + ";")
		}
	}
	return out.String()
}

// inode tells a file from another of the same name, and from itself before it was written again.
func inode(info fs.FileInfo) string {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprint(st.Ino, " ", st.Size, " ", st.Ctim)
	}
	return fmt.Sprint(info.Size())
}

// tell logs what became of the devices of seats.
func (w *Watcher) tell(before []Sight) {
	rules := w.rules.Snapshot()
	type place struct {
		addr netip.Addr
		mac  policy.DeviceID
	}
	old := map[place]Sight{}
	for _, s := range before {
		old[place{s.Addr, s.MAC}] = s
	}
	log := func(s Sight, what string) {
		for _, id := range []policy.DeviceID{s.MAC, s.Host} {
			if seat, ok := rules.SeatOf(id); ok {
				w.log.Info("a device of a seat "+what, "device", id.String(), "seat", seat.ID, "address", s.Addr.String(), "source", s.Source)
				return
			}
		}
	}
	for _, s := range w.sights {
		k := place{s.Addr, s.MAC}
		was, known := old[k]
		delete(old, k)
		switch {
		case known && was.Against == s.Against:
		case s.Against != "":
			log(s, "is not taken for it: "+s.Against)
		default:
			log(s, "is there")
		}
	}
	for _, s := range old {
		if s.Against == "" {
			log(s, "is there no more")
		}
	}
}

// Check reads a source once: how many leases it has, or why it cannot be read.
func (s Source) Check() (leases int, problem string) {
	read, err := s.read()
	if err != nil {
		return 0, advise(err)
	}
	return len(read), ""
}

// State is what is known now.
type State struct {
	Sources []SourceState
	Sights  []Sight
}

// SourceState is how the reading of a source goes.
type SourceState struct {
	Source
	Leases  int
	Problem string
}

// State says what is known now.
func (w *Watcher) State() State {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := State{Sights: w.sights}
	for i, s := range w.sources {
		state := SourceState{Source: s, Leases: len(w.read[i].leases)}
		if err := w.read[i].problem; err != nil {
			state.Problem = advise(err)
		}
		out.Sources = append(out.Sources, state)
	}
	return out
}

// advise adds to an error what to do.
func advise(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return err.Error() + ": see where the DHCP server keeps its leases, or wait for the first one"
	case errors.Is(err, fs.ErrPermission):
		return err.Error() + ": let the daemon's user read it, and the folders above"
	default:
		return err.Error()
	}
}
