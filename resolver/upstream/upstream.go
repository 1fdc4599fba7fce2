// Package upstream forwards one question to a group of servers and brings back an answer fit to be kept: checked against
// forgery (RFC 5452), stripped of what the question did not ask for, and packed.
//
// Nothing of the client's message is passed on: the query is built anew, with a fresh ID, source port and letter case.
package upstream

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of Config. A client's stub gives up at about 5 s, so nothing may take longer in all.
const (
	DefaultTryTimeout  = 1200 * time.Millisecond
	DefaultTimeout     = 5 * time.Second
	DefaultMaxInFlight = 2000
)

// Config describes a group of servers that answer the same questions.
type Config struct {
	Name        string                    // of the group, for display and errors
	Servers     []netip.AddrPort          // in order of preference
	Secure      map[netip.AddrPort]Secure // those of the servers that are asked over an encrypted transport
	Strategy    Strategy                  // "" is Strict
	Trusted     bool                      // the servers validate DNSSEC and the way to them is safe: their AD bit is passed on
	TryTimeout  time.Duration             // how long one server may take; 0 is DefaultTryTimeout
	Timeout     time.Duration             // how long a question may take in all; 0 is DefaultTimeout
	MaxInFlight int                       // questions under way at once; 0 is DefaultMaxInFlight
	Outside     bool                      // the servers speak for the world outside: private addresses in their answers are dropped (S6),
	Private     []string                  // but for these domains, in canonical wire form, and all below
	WithoutECH  bool                      // the keys for Encrypted Client Hello are taken out of answers
	RandomCase  bool                      // random letter case in the query's name, which the reply must repeat (0x20)
	SameCase    []netip.AddrPort          // servers that RandomCase leaves out
	Together    func(func())              // calls what hands over many answers one after another; nil only calls it
	Now         func() time.Time          // the clock that what is known of a server ages by; nil is time.Now
}

// Question is what is asked.
type Question struct {
	Name        string // canonical wire form: length-prefixed labels, lower case, ending in the zero octet
	Type, Class uint16
	DO, CD      bool // want DNSSEC records (RFC 3225); do without the upstream's validation (RFC 4035 §3.2.2)
}

// Answer is a reply that may be kept and passed on. It is shared between callers: Msg must not be changed.
type Answer struct {
	Msg    []byte        // a whole message: ID 0, QR=1, the question in lower case, compressed, no OPT
	TTL    time.Duration // how long it may be kept; 0 is not at all
	AD     bool          // a trusted server says that it validated the answer
	Server string        // which server gave it, for display
}

var (
	// ErrOverloaded says that too many questions are under way, and that this one was the oldest: no failure of the name asked.
	ErrOverloaded = errors.New("too many questions are waiting for the upstream servers")
	// ErrNoServers says that the group is empty.
	ErrNoServers = errors.New("no upstream server is configured; name at least one in the settings")
	// ErrKnown says that the caller's Keeper has got something meanwhile.
	ErrKnown = errors.New("an answer has come meanwhile")
	// ErrClosed says that the group is shutting down.
	ErrClosed = errors.New("the upstream group is closed")
)

// FailedError says that no server of a group gave a usable answer.
type FailedError struct {
	Group    string
	Failures []Failure // one for each server asked, in the group's order
}

// Failure is why one server's answer could not be had.
type Failure struct {
	Server netip.AddrPort
	Err    error
}

func (e *FailedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "no server of upstream group %q gave an answer", e.Group)
	for i, f := range e.Failures {
		fmt.Fprintf(&b, "%s %s: %v", [2]string{":", ";"}[min(i, 1)], f.Server, f.Err)
	}
	return b.String()
}

// Unwrap returns every server's error.
func (e *FailedError) Unwrap() []error {
	errs := make([]error, len(e.Failures))
	for i, f := range e.Failures {
		errs[i] = f.Err
	}
	return errs
}

// Group forwards questions to its servers. Its methods may be called from any goroutine.
type Group struct {
	cfg     Config
	servers []*server
	random  *random
	idle    time.Duration // how long an unused TCP connection is kept

	ctx     context.Context // ends at Close, with ErrClosed
	cancel  context.CancelCauseFunc
	work    sync.WaitGroup // the dispatcher, what goes on after a first try, each try beside it, and each TCP connection
	replies sync.WaitGroup // what reads replies over UDP, and passes them on to many; it ends after all that is in work
	turns   atomic.Uint64  // questions planned
	queued  chan struct{}  // tells the dispatcher of the queue

	closing sync.Once

	mu      sync.Mutex
	closed  bool
	udp     *exchanges // nil before the first question
	flights map[Question]*flight
	age     *list.List // the flights, the oldest first
	queue   []*flight  // for the dispatcher
}

// New makes a group; zero fields of cfg get their defaults. Close it after use.
func New(cfg Config) *Group {
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.TryTimeout <= 0 {
		cfg.TryTimeout = DefaultTryTimeout
	}
	if cfg.MaxInFlight <= 0 {
		cfg.MaxInFlight = DefaultMaxInFlight
	}
	if cfg.Strategy == "" {
		cfg.Strategy = Strict
	}
	if cfg.Together == nil {
		cfg.Together = func(do func()) { do() }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.MaxInFlight = withinDescriptors(cfg.Name, cfg.MaxInFlight)
	g := &Group{
		cfg: cfg, random: newRandom(), idle: streamIdle,
		flights: map[Question]*flight{}, age: list.New(), queued: make(chan struct{}, 1),
	}
	g.ctx, g.cancel = context.WithCancelCause(context.Background())
	for _, addr := range cfg.Servers {
		s := newServer(addr, cfg.Name, !cfg.RandomCase || slices.Contains(cfg.SameCase, addr))
		if how, ok := cfg.Secure[addr]; ok {
			g.secure(s, how)
		}
		g.servers = append(g.servers, s)
	}
	return g
}

// Close ends every question under way with ErrClosed and returns when nothing of the group runs any more.
func (g *Group) Close() { g.closing.Do(g.close) }

func (g *Group) close() {
	g.mu.Lock()
	g.closed = true
	udp := g.udp
	g.mu.Unlock()
	g.cancel(ErrClosed)
	g.work.Wait() // nobody begins an exchange any more
	for _, s := range g.servers {
		if s.secured != nil {
			s.secured.close()
		}
	}
	if udp != nil {
		udp.close()
	}
	g.replies.Wait()
	for _, f := range slices.Collect(maps.Values(g.flights)) {
		g.tell(f, Answer{}, ErrClosed)
	}
	for _, f := range g.queue {
		if f.over {
			g.tell(f, Answer{}, ErrOverloaded)
		}
	}
	g.replies.Wait()
}

// Servers returns how each server is doing, in the group's order.
func (g *Group) Servers() []ServerStatus {
	out := make([]ServerStatus, len(g.servers))
	for i, s := range g.servers {
		out[i] = s.status(g.cfg.Now())
	}
	return out
}

// Name is the group's name.
func (g *Group) Name() string { return g.cfg.Name }

// Restraint is what of the servers' answers is believed, and what is taken out of them, as a text that is another one for anything else.
func (g *Group) Restraint() string {
	return fmt.Sprintf("%t %t %t %q", g.cfg.Trusted, g.cfg.WithoutECH, g.cfg.Outside, slices.Sorted(slices.Values(g.cfg.Private)))
}
