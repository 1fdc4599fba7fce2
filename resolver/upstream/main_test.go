package upstream

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/miekg/dns"
	"usciere/resolver/dnstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// long is a time-out that only a failing test reaches.
const long = 20 * time.Second

// group makes a group over servers, closed when the test ends. Zero time-outs become long ones.
func group(t testing.TB, cfg Config, servers ...*dnstest.Server) *Group {
	t.Helper()
	for _, s := range servers {
		cfg.Servers = append(cfg.Servers, s.Addr)
	}
	if cfg.TryTimeout == 0 {
		cfg.TryTimeout = long
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = long
	}
	g := New(cfg)
	t.Cleanup(g.Close)
	if err := g.ready(); err != nil { // for tests that reach beneath Start
		t.Fatal(err)
	}
	return g
}

// question is a question of class IN for a name in presentation form.
func question(t testing.TB, name string, qtype uint16) Question {
	t.Helper()
	buf := make([]byte, 256)
	n, err := dns.PackDomainName(dns.CanonicalName(name), buf, 0, nil, false)
	if err != nil {
		t.Fatalf("name %q: %v", name, err)
	}
	return Question{Name: string(buf[:n]), Type: qtype, Class: dns.ClassINET}
}

// Fetch asks and waits. A caller whose ctx ends leaves with ctx's error, and the flight goes on.
func (g *Group) Fetch(ctx context.Context, q Question, k Keeper) (Answer, error) {
	landed := make(chan struct{})
	var answer Answer
	var err error
	if err := g.Start(q, k, func(a Answer, e error) { answer, err = a, e; close(landed) }); err != nil {
		return Answer{}, err
	}
	select {
	case <-landed:
		return answer, err
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
}

// Resolve is Fetch without a keeper.
func (g *Group) Resolve(ctx context.Context, q Question) (Answer, error) {
	return g.Fetch(ctx, q, Keeper{})
}

// resolve asks and fails the test when there is no answer.
func resolve(t testing.TB, g *Group, q Question) (*dns.Msg, Answer) {
	t.Helper()
	a, err := g.Resolve(context.Background(), q)
	if err != nil {
		t.Fatalf("resolving: %v", err)
	}
	return parsed(t, a), a
}

// parsed is an answer's message, with what holds for every answer checked.
func parsed(t testing.TB, a Answer) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(a.Msg); err != nil {
		t.Fatalf("answer %x does not parse: %v", a.Msg, err)
	}
	if m.Id != 0 || !m.Response || m.Truncated || len(m.Extra) != 0 || len(m.Question) != 1 {
		t.Fatalf("answer is not clean:\n%v", m)
	}
	return m
}

// address is the A record's address, of an answer that must hold one and nothing else.
func address(t testing.TB, m *dns.Msg) netip.Addr {
	t.Helper()
	if len(m.Answer) != 1 || m.Answer[0].Header().Rrtype != dns.TypeA {
		t.Fatalf("want one address:\n%v", m)
	}
	addr, _ := netip.AddrFromSlice(m.Answer[0].(*dns.A).A.To4())
	return addr
}

// clock is a time that only moves when told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// eventually waits for what happens beside a question.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(long); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came to be that %s", what)
		}
	}
}

// transports are how a server's queries came, in order.
func transports(s *dnstest.Server) string {
	var out []string
	for _, q := range s.Queries() {
		out = append(out, string(q.Transport))
	}
	return strings.Join(out, " ")
}
