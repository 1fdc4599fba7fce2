// Package post sends the letters that wait in the outbox to the town's mail server (RFC 5321): each at least once, since a
// crash may come between the server's word and the record of it, and always under the same Message-ID.
package post

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"usciere/policy"
	"usciere/policy/letter"
)

// How long a letter waits after a failure: firstWait, twice as long after each, lastWait at most (RFC 5321 §4.5.4.1).
const (
	firstWait = time.Minute
	lastWait  = 6 * time.Hour
)

// Worker sends what is in the outbox, one letter at a time, and sleeps until there is something to do.
type Worker struct {
	rules  *policy.Live
	now    func() time.Time
	log    *slog.Logger
	server atomic.Pointer[Server]
	dial   func(context.Context, *Server) (carrier, error)
	eager  atomic.Bool   // try also what is not due yet
	wake   chan struct{} // the outbox or the server may have changed
	taken  map[policy.LetterID]time.Time
}

// carrier is a connection to a mail server.
type carrier interface {
	deliver(mailing) error
	close()
}

// New makes a worker without a server.
func New(rules *policy.Live, now func() time.Time, log *slog.Logger) *Worker {
	return &Worker{
		rules: rules, now: now, log: log, wake: make(chan struct{}, 1), taken: map[policy.LetterID]time.Time{},
		dial: func(ctx context.Context, s *Server) (carrier, error) { return s.dial(ctx) },
	}
}

// Use names the server from now on; nil: nothing is sent. What waits for another attempt is tried at once.
func (w *Worker) Use(s *Server) {
	w.server.Store(s)
	w.eager.Store(true)
	w.Wake()
}

// Wake has the worker look into the outbox.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Run sends until ctx ends.
func (w *Worker) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		case <-timer.C:
		}
		timer.Stop()
		if next := w.round(ctx); next > 0 {
			timer.Reset(next)
		}
	}
}

// mailing is a letter that is due.
type mailing struct {
	policy.Mailing
	letter *policy.Letter
	paper  policy.Paper
}

// toOffice is the letter without copies.
func (d mailing) toOffice() mailing {
	l, issue := *d.letter, *d.letter.Issue
	issue.To = issue.To[:1]
	l.Issue, d.letter = &issue, &l
	return d
}

// batch is how many letters are read, and sent through one connection: more of them make some servers slow down.
const batch = 10

// round sends what is due, and returns how long to sleep; zero: until it is woken.
func (w *Worker) round(ctx context.Context) time.Duration {
	eager := w.eager.Swap(false)
	tried := map[policy.LetterID]bool{} // in a round, each letter is tried once
	for {
		server := w.server.Load()
		if server == nil || ctx.Err() != nil {
			return 0
		}
		due, next, err := w.due(tried, eager)
		if err != nil {
			w.log.Error("read the outbox", "error", err)
			return firstWait
		}
		if len(due) == 0 {
			return next
		}
		for _, d := range due {
			tried[d.Letter] = true
		}
		w.deliver(ctx, server, due)
	}
}

// due reads letters that are due, a batch of those not yet tried, and how long the first of the others has to wait; zero when
// none waits.
func (w *Worker) due(tried map[policy.LetterID]bool, eager bool) (due []mailing, next time.Duration, err error) {
	now := w.now()
	err = w.rules.View(func(r policy.Records) (err error) {
		each := r.EachMailing(func(m *policy.Mailing) bool {
			if m.Refused {
				return true
			}
			wait := m.Next.Sub(now)
			if wait > lastWait {
				wait = 0 // the clock was put back
			}
			if tried[m.Letter] || wait > 0 && !eager {
				if tried[m.Letter] {
					wait = max(wait, firstWait) // even if that it failed could not be noted
				}
				if next == 0 || wait < next {
					next = wait
				}
				return true
			}
			if len(due) == batch {
				return false
			}
			d := mailing{Mailing: *m}
			if d.letter, err = r.Letter(m.Letter); err == nil {
				d.paper, _, err = r.Paper(m.Letter)
			}
			due = append(due, d)
			return err == nil
		})
		if err == nil {
			err = each
		}
		return err
	})
	return due, next, err
}

// deliver sends letters through one connection, or one more each time it breaks.
func (w *Worker) deliver(ctx context.Context, server *Server, due []mailing) {
	var c carrier // nil: none stands
	defer func() {
		if c != nil {
			c.close()
		}
	}()
	var unreachable error
	for _, d := range due {
		if _, ok := w.taken[d.Letter]; ok { // the server has it, the record not yet
			w.sent(d)
			continue
		}
		err := unreachable
		if err == nil && c == nil {
			var opened carrier
			if opened, err = w.dial(ctx, server); err != nil {
				unreachable = err
			} else {
				c = opened
			}
		}
		if err == nil {
			err = c.deliver(d)
			if forGood(err) && len(d.letter.Issue.To) > 1 { // who refuses a copy keeps the letter from nobody else
				alone, refusal := d.toOffice(), err
				if err = c.deliver(alone); err == nil {
					w.log.Warn("the copy of a letter was refused", "letter", d.Letter, "to", strings.Join(d.letter.Issue.To[1:], ", "), "error", refusal)
					d = alone
				}
			}
		}
		switch {
		case err == nil:
			w.taken[d.Letter] = w.now()
			w.sent(d)
		case ctx.Err() != nil:
			return // it is stopping: no fault of the letter
		default:
			w.failed(d, err)
			if c != nil && !forGood(err) { // a connection of which nothing is known any more
				c.close()
				c = nil
			}
		}
	}
}

// sent notes that the server took a letter.
func (w *Worker) sent(d mailing) {
	at := w.taken[d.Letter]
	_, err := w.rules.Apply(policy.Actor{Name: "usciere", Via: "system"}, letter.Sent{Letter: d.Letter, At: at})
	switch {
	case err == nil:
		w.log.Info("letter sent", "letter", d.Letter, "to", strings.Join(d.letter.Issue.To, ", "), "attempts", d.Attempts+1)
	case policy.IsCode(err, policy.Conflict), policy.IsCode(err, policy.NotFound):
	default: // the disk is full, or worse: it is tried again, without another mail
		w.log.Error("the mail server took a letter, but that could not be noted", "letter", d.Letter, "error", err)
		w.postpone(d.Mailing, "the mail server took it, but that could not be noted: "+err.Error())
		return
	}
	delete(w.taken, d.Letter)
}

// failed notes an attempt that came to nothing.
func (w *Worker) failed(d mailing, err error) {
	d.Refused = forGood(err)
	w.log.Warn("letter not sent", "letter", d.Letter, "attempts", d.Attempts+1, "refused", d.Refused, "error", err)
	w.postpone(d.Mailing, err.Error())
}

func (w *Worker) postpone(m policy.Mailing, problem string) {
	m.Attempts++
	m.Next = w.now().Add(waitAfter(m.Attempts)).UTC().Truncate(time.Second)
	m.Error = shorten(strings.Join(strings.Fields(strings.ToValidUTF8(problem, "?")), " "))
	if err := w.rules.Postpone(m); err != nil {
		w.log.Error("note how the sending of a letter goes", "letter", m.Letter, "error", err)
	}
}

// waitAfter is how long a letter waits after so many attempts.
func waitAfter(attempts int) time.Duration {
	wait := firstWait
	for range min(attempts-1, 20) {
		wait *= 2
	}
	return min(wait, lastWait)
}

func shorten(text string) string {
	const most = 400 // octets
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
