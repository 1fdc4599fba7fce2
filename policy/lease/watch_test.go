package lease

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"usciere/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// told is rules that only listen.
type told struct {
	seen chan policy.Sightings
}

func (r *told) See(s policy.Sightings)     { r.seen <- s }
func (r *told) Snapshot() *policy.Snapshot { return new(policy.Snapshot) }

// until waits for what the rules are told to be as wanted.
func (r *told) until(t *testing.T, about string, ok func(policy.Sightings) bool) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case s := <-r.seen:
			if ok(s) {
				return
			}
		case <-limit:
			t.Fatal("not seen: " + about)
		}
	}
}

func TestAFileIsFollowed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leases")
	rules := &told{seen: make(chan policy.Sightings, 1000)}
	var log strings.Builder
	var mu sync.Mutex
	w := New(rules, []Source{{Dnsmasq, path}}, false, func() time.Time { return noon }, slog.New(slog.NewTextHandler(&locked{&mu, &log}, nil)))
	if s := <-rules.seen; len(s) != 0 {
		t.Errorf("without a file, %v", s)
	}
	if p := w.State().Sources[0].Problem; !strings.Contains(p, "see where the DHCP server keeps its leases") {
		t.Errorf("without a file, it says %q", p)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	defer running.Wait()
	defer cancel()
	at := netip.MustParseAddr("10.0.0.1")
	is := func(mac policy.DeviceID) func(policy.Sightings) bool {
		return func(s policy.Sightings) bool { return s[at].MAC == mac }
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(path, "0 52:54:00:00:00:01 10.0.0.1 * *\n")
	rules.until(t, "a file that comes", is("52:54:00:00:00:01"))
	write(path+".new", "0 52:54:00:00:00:02 10.0.0.1 * *\n")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	rules.until(t, "a file in its place", is("52:54:00:00:00:02"))
	write(path, "0 52:54:00:00:00:03 10.0.0.1 * *\n")
	rules.until(t, "the file written over", is("52:54:00:00:00:03"))
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString("0 52:54:00:00:00:04 10.0.0.2 * *\n")
	_ = f.Close()
	rules.until(t, "a line more", func(s policy.Sightings) bool { return len(s) == 2 })
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	rules.until(t, "a file that goes", func(s policy.Sightings) bool { return len(s) == 0 })
	mu.Lock()
	defer mu.Unlock()
	for _, part := range []string{"leases cannot be read", "leases can be read again"} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the log does not say %q:\n%s", part, log.String())
		}
	}
}

type locked struct {
	mu  *sync.Mutex
	out *strings.Builder
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

// However much happens among the neighbours, a server is asked for all its leases at every tick only.
func TestASocketIsNotAskedForEveryNeighbour(t *testing.T) {
	var asked atomic.Int32
	path := keaServer(t, func(string) string {
		asked.Add(1)
		return `{"result": 0, "arguments": {"leases": [{"ip-address": "10.0.0.1", "hw-address": "52:54:00:00:00:01", "valid-lft": 3600, "cltt": 1793000000}]}}`
	})
	file := filepath.Join(t.TempDir(), "leases")
	rules := &told{seen: make(chan policy.Sightings, 1000)}
	w := New(rules, []Source{{KeaSocket, path}, {Dnsmasq, file}}, false, func() time.Time { return noon }, slog.New(slog.DiscardHandler))
	if err := os.WriteFile(file, []byte("0 52:54:00:00:00:02 10.0.0.2 * *\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		w.look(false)
	}
	if n, s := asked.Load(), w.State().Sources; n != 1 || s[0].Leases != 1 || s[1].Leases != 1 {
		t.Errorf("asked %d times, %+v", n, s)
	}
	if w.look(true); asked.Load() != 2 {
		t.Errorf("asked %d times after a tick", asked.Load())
	}
}

func TestANeighbourThatIsAsItWasChangesNothing(t *testing.T) {
	w := &Watcher{near: neighbours{}}
	at, other := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	one, two := policy.DeviceID("52:54:00:00:00:01"), policy.DeviceID("52:54:00:00:00:02")
	for i, tc := range []struct {
		addr    netip.Addr
		n       neighbour
		there   bool
		changes bool
	}{
		{at, neighbour{one, true}, true, true}, {at, neighbour{one, true}, true, false}, {at, neighbour{one, false}, true, true}, {at, neighbour{two, false}, true, true},
		{other, neighbour{one, true}, false, false}, {at, neighbour{two, false}, false, true}, {at, neighbour{two, false}, false, false},
	} {
		if changes := w.heard(tc.addr, tc.n, tc.there); changes != tc.changes {
			t.Errorf("%d: %+v changes something: %v", i, tc.n, changes)
		}
	}
}

// The neighbour table of the machine can be followed, and let go; what is in it is the machine's.
func TestNeighboursAreFollowedUntilTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- followNeighbours(ctx, func(netip.Addr, neighbour, bool) {}) }()
	time.AfterFunc(100*time.Millisecond, cancel)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
