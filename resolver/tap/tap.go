// Package tap keeps what some clients asked and were told, for as long as a trace lasts: in memory alone, within a bound, and gone when the
// trace is over. Who may trace whom, for what and how long is decided elsewhere, and journalled there.
package tap

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"usciere/resolver/listen"
)

// Scope is whose questions are traced: those of an office's clients, or of one address.
type Scope struct {
	Office string
	Client netip.Addr
}

// Exchange is a question and its reply.
type Exchange struct {
	Number        uint64 // from 1, without gaps
	Asked, Told   time.Time
	Client, Local netip.AddrPort // who asked, and at which address of ours
	Transport     listen.Transport
	Office        string // of the client; empty: none
	Verdict       string
	Question      []byte // as it came
	Reply         []byte
}

// overhead is about what an exchange takes beside its messages, in octets.
const overhead = 256

func (e *Exchange) size() int { return overhead + len(e.Question) + len(e.Reply) }

// Tap is where a trace listens. The zero value traces nothing; all methods may be called from any goroutine.
type Tap struct{ trace atomic.Pointer[Trace] }

// Open begins a trace, in the place of another, that keeps at most so many octets of the newest exchanges.
func (t *Tap) Open(of Scope, octets int) *Trace {
	trace := &Trace{of: of, room: octets}
	t.trace.Store(trace)
	return trace
}

// Close ends a trace, and forgets what it kept.
func (t *Tap) Close(trace *Trace) {
	t.trace.CompareAndSwap(trace, nil)
	trace.forget()
}

// Of returns the trace that a client's questions belong to, or nil.
func (t *Tap) Of(office string, client netip.Addr) *Trace {
	trace := t.trace.Load()
	if trace == nil || !trace.of.covers(office, client) {
		return nil
	}
	return trace
}

func (s Scope) covers(office string, client netip.Addr) bool {
	if s.Client.IsValid() {
		return client == s.Client
	}
	return office != "" && office == s.Office
}

// Trace is what is kept of the clients in its scope.
type Trace struct {
	of   Scope
	room int // octets

	mu     sync.Mutex
	over   bool
	kept   []Exchange // the oldest first
	octets int
	seen   uint64
}

// Note keeps an exchange, whose messages are copied; its number is given here. The oldest make room.
func (t *Trace) Note(e Exchange) {
	e.Question, e.Reply = slices.Clone(e.Question), slices.Clone(e.Reply)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	t.seen++
	e.Number = t.seen
	t.kept = append(t.kept, e)
	t.octets += e.size()
	oldest := 0
	for ; t.octets > t.room && oldest < len(t.kept); oldest++ {
		t.octets -= t.kept[oldest].size()
		t.kept[oldest] = Exchange{}
	}
	t.kept = t.kept[oldest:]
}

// maxPage is how much the exchanges take that are given at once, in octets; one of them may be larger.
const maxPage = 1 << 20

// From returns exchanges from a number on, of those that are still kept, and how many there were in all: at most so many, and no more than
// maxPage.
func (t *Trace) From(number uint64, most int) (kept []Exchange, seen uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, _ := slices.BinarySearchFunc(t.kept, number, func(e Exchange, n uint64) int {
		switch {
		case e.Number < n:
			return -1
		case e.Number > n:
			return 1
		}
		return 0
	})
	kept = t.kept[i:][:min(most, len(t.kept)-i)]
	octets := 0
	for n := range kept {
		if octets += kept[n].size(); octets > maxPage && n > 0 {
			kept = kept[:n]
			break
		}
	}
	return slices.Clone(kept), t.seen
}

// Over says whether the trace has ended, and with it all that it kept.
func (t *Trace) Over() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.over
}

func (t *Trace) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over, t.kept, t.octets = true, nil, 0
}
