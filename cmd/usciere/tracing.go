package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"usciere/policy"
	"usciere/policy/admin"
	"usciere/resolver/tap"
)

// tracing is the one trace that there can be at a time. It is an admin.Tracer.
type tracing struct {
	daemon *daemon

	mu      sync.Mutex
	current policy.EndTrace // as it would end now; without a trace, nothing
	trace   *tap.Trace      // nil: there is none
	began   time.Time       // as time passes, whatever the clock says
	lasts   time.Duration
	timer   *time.Timer
}

// Start journals that a trace begins, and begins it.
func (t *tracing) Start(who policy.Actor, wanted policy.StartTrace) (*policy.Tracing, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire()
	s := t.daemon.inForce.Load().settings.Trace
	longest := int(s.Longest / time.Minute)
	switch {
	case t.trace != nil:
		return nil, &policy.Error{Code: policy.Conflict, Message: "there is a trace already, by " + t.current.By + ": " + t.current.Purpose,
			Hint: "wait until " + t.current.Until.Local().Format(time.TimeOnly) + ", or end it with `usciere trace stop`"}
	case longest == 0:
		return nil, &policy.Error{Code: policy.Invalid, Message: "the settings allow no traces", Hint: "see trace.longest"}
	case wanted.Minutes > longest:
		return nil, &policy.Error{Code: policy.Invalid, Message: fmt.Sprintf("the settings allow a trace of %d minutes at most", longest), Hint: "give --minutes less, or see trace.longest"}
	}
	made, err := t.daemon.rules.Apply(who, wanted)
	if err != nil {
		return nil, err
	}
	begun := made[0].(*policy.Tracing)
	scope := tap.Scope{Office: begun.Office, Client: begun.Client}
	trace := t.daemon.resolver.Tap().Open(scope, int(s.Memory))
	t.current, t.trace = policy.EndTrace{Tracing: *begun}, trace
	t.began, t.lasts = time.Now(), begun.Until.Sub(begun.Begun)
	t.timer = time.AfterFunc(t.pause(), func() { t.tick(trace) })
	t.daemon.log.Info("trace", "office", begun.Office, "by", begun.By, "purpose", begun.Purpose, "until", begun.Until)
	return begun, nil
}

// Stop ends the trace before its time.
func (t *tracing) Stop(who policy.Actor) (*policy.EndTrace, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.none(); err != nil {
		return nil, err
	}
	return t.end(who)
}

// Read shows what is kept.
func (t *tracing) Read(who policy.Actor, from uint64, most int) (*admin.TracePage, error) {
	trace, current, err := t.look(who)
	if err != nil {
		return nil, err
	}
	kept, seen := trace.From(from, most)
	out := &admin.TracePage{Tracing: current, Seen: seen, Questions: []admin.TracedQuestion{}}
	for i := range kept {
		e := &kept[i]
		shown := e.Show()
		out.Questions = append(out.Questions, admin.TracedQuestion{
			Number: e.Number, Asked: e.Asked, Took: float64(e.Told.Sub(e.Asked).Microseconds()) / 1000, Client: e.Client.Addr().String(),
			Over: e.Transport.String(), Name: shown.Name, Type: shown.Type, Verdict: e.Verdict, Rcode: shown.Rcode, Answer: shown.Answer,
		})
	}
	return out, nil
}

// Export returns what writes all that is kept as a dnstap file.
func (t *tracing) Export(who policy.Actor) (func(io.Writer) error, error) {
	trace, _, err := t.look(who)
	if err != nil {
		return nil, err
	}
	server, _ := os.Hostname() // empty when the machine has no name
	return func(w io.Writer) error { return trace.WriteDnstap(w, server, "usciere "+Version) }, nil
}

// look returns the trace under way, after journalling who looks at it for the first time.
func (t *tracing) look(who policy.Actor) (*tap.Trace, policy.Tracing, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.none(); err != nil {
		return nil, policy.Tracing{}, err
	}
	if !slices.Contains(t.current.ReadBy, who.Name) {
		if _, err := t.daemon.rules.Apply(who, policy.LookAtTrace{Tracing: t.current.Tracing}); err != nil {
			return nil, policy.Tracing{}, err
		}
		t.current.ReadBy = append(t.current.ReadBy, who.Name)
	}
	return t.trace, t.current.Tracing, nil
}

// none is the error of there being no trace.
func (t *tracing) none() error {
	t.expire()
	if t.trace == nil {
		return &policy.Error{Code: policy.NotFound, Message: "there is no trace", Hint: "begin one with `usciere trace start`; what was in one is deleted with its end"}
	}
	return nil
}

// state is the trace under way.
func (t *tracing) state() (now policy.Tracing, under bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire()
	return t.current.Tracing, t.trace != nil
}

// pause is until the next look at the clock. A timer stands still while the machine sleeps, so that it is looked at every minute.
func (t *tracing) pause() time.Duration { return min(time.Minute, t.lasts-time.Since(t.began)) }

// tick ends a trace whose time is over.
func (t *tracing) tick(trace *tap.Trace) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.trace != trace {
		return
	}
	if t.expire(); t.trace != nil {
		t.timer.Reset(t.pause())
	}
}

// reloaded has the trace under way end sooner where the settings allow less than they did.
func (t *tracing) reloaded() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.trace == nil {
		return
	}
	if longest := t.daemon.inForce.Load().settings.Trace.Longest; longest < t.lasts {
		t.lasts, t.current.Until = longest, t.current.Begun.Add(longest)
		t.timer.Reset(t.pause())
	}
}

// expire ends a trace whose time is over, by what has passed or by the clock: neither a machine's sleep nor a clock put back prolongs it.
func (t *tracing) expire() {
	if t.trace != nil && (time.Since(t.began) >= t.lasts || !time.Now().Before(t.current.Until)) {
		_, _ = t.end(system)
	}
}

// close ends the trace with the daemon.
func (t *tracing) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.trace != nil {
		_, _ = t.end(system)
	}
}

// end forgets what was kept, whatever comes of journalling that.
func (t *tracing) end(who policy.Actor) (*policy.EndTrace, error) {
	t.timer.Stop()
	_, t.current.Questions = t.trace.From(0, 0)
	t.daemon.resolver.Tap().Close(t.trace)
	ended := t.current
	t.current, t.trace = policy.EndTrace{}, nil
	if _, err := t.daemon.rules.Apply(who, ended); err != nil {
		t.daemon.log.Error("a trace ended and was deleted, which cannot be journalled", "office", ended.Office, "by", ended.By, "error", err)
		return nil, err
	}
	t.daemon.log.Info("trace ended, and was deleted", "office", ended.Office, "questions", ended.Questions)
	return &ended, nil
}
