package post

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"usciere/policy"
	"usciere/policy/letter"
	"usciere/policy/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var style = letter.Style{Town: "Comune di Esempio", Mail: true, Domain: "comune.example.it"}

// outbox is a town on a real store with letters that wait.
type outbox struct {
	*policy.Live
	t    *testing.T
	next int
}

func open(t *testing.T) *outbox {
	t.Helper()
	st, err := store.Open(t.TempDir(), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	rules, err := policy.Open(st, policy.Town{Zone: time.UTC}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	b := &outbox{rules, t, 100}
	b.apply(policy.AddOffice{ID: "tributi", Name: "Ufficio Tributi", Mailbox: "tributi@comune.example.it"},
		policy.AddSeat{ID: "dirigente", Office: "tributi", Role: policy.Manager, Mailbox: "dirigente@comune.example.it", Holder: "G. B.", From: "1999-01-01"})
	return b
}

func (b *outbox) apply(changes ...policy.Change) any {
	b.t.Helper()
	made, err := b.Apply(policy.Actor{Name: "test"}, changes...)
	if err != nil {
		b.t.Fatal(err)
	}
	return made[len(made)-1]
}

// issue writes a notice, and queues it.
func (b *outbox) issue() policy.LetterID {
	b.t.Helper()
	b.next++
	made := b.apply(policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{fmt.Sprintf("n%d.example.org", b.next)},
		Protocol: fmt.Sprintf("%d/2026", b.next), Reason: "x", Notice: true}).(policy.GrantsAdded)
	b.apply(letter.Register{Letter: made.Letter.ID, Protocol: fmt.Sprintf("%d/2026", b.next+500_000), Style: style})
	return made.Letter.ID
}

// issueUrgent writes a notice with a copy to the seat, and queues it.
func (b *outbox) issueUrgent() policy.LetterID {
	b.t.Helper()
	b.next++
	made := b.apply(policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{"urgent.example.org"}, Protocol: fmt.Sprintf("%d/2026", b.next),
		Reason: "x"}).(policy.GrantsAdded)
	over := b.apply(policy.RevokeGrants{Grants: []policy.GrantID{made.Grants[0].ID}, Reason: "concluso", Notice: true, Urgent: true}).(policy.GrantsRevoked)
	b.apply(letter.Register{Letter: over.Letters[0].ID, Protocol: fmt.Sprintf("%d/2026", b.next+500_000), Style: style})
	return over.Letters[0].ID
}

func (b *outbox) letter(id policy.LetterID) (l *policy.Letter, m policy.Mailing, waits bool) {
	b.t.Helper()
	if err := b.View(func(r policy.Records) (err error) {
		if l, err = r.Letter(id); err == nil {
			m, waits, err = r.Mailing(id)
		}
		return err
	}); err != nil {
		b.t.Fatal(err)
	}
	return l, m, waits
}

// fake is a mail server in the head: it answers each attempt as it is told, and notes them.
type fake struct {
	mu     sync.Mutex
	dial   error
	says   func(policy.LetterID) error
	tries  []try
	dials  int
	opened int
}

type try struct {
	letter policy.LetterID
	at     time.Duration
}

func (f *fake) worker(b *outbox, begun time.Time) *Worker {
	w := New(b.Live, time.Now, slog.New(slog.DiscardHandler))
	w.dial = func(context.Context, *Server) (carrier, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.dials++
		if f.dial != nil {
			return nil, f.dial
		}
		f.opened++
		return fakeSession{f, begun}, nil
	}
	return w
}

type fakeSession struct {
	*fake
	begun time.Time
}

func (s fakeSession) deliver(d mailing) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries = append(s.tries, try{d.Letter, time.Since(s.begun).Round(time.Second)})
	if s.says == nil {
		return nil
	}
	return s.says(d.Letter)
}

func (s fakeSession) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened--
}

// answer makes a mail server say something.
func (f *fake) answer(says func(policy.LetterID) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.says = says
}

// bubble runs a worker with a fake server, on fake time.
func bubble(t *testing.T, f *fake, test func(b *outbox, w *Worker)) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		w := f.worker(b, time.Now())
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.Run(ctx)
		}()
		test(b, w)
		stop()
		<-done
		if f.opened != 0 {
			t.Errorf("%d connections are open", f.opened)
		}
	})
}

var errLater = errors.New("451 later")

func TestALetterIsTriedAgainAfterTwiceTheTimeUntilItIsTaken(t *testing.T) {
	f := &fake{says: func(policy.LetterID) error { return errLater }}
	bubble(t, f, func(b *outbox, w *Worker) {
		id := b.issue()
		w.Use(&Server{})
		time.Sleep(30 * time.Hour)
		synctest.Wait()
		var got []time.Duration
		for _, try := range f.tries {
			got = append(got, try.at)
		}
		want, at := []time.Duration{0}, time.Duration(0)
		for wait := time.Minute; at+wait < 30*time.Hour; wait = min(2*wait, 6*time.Hour) {
			at += wait
			want = append(want, at)
		}
		if !slices.Equal(got, want) {
			t.Errorf("tried after %v; want %v", got, want)
		}
		if _, m, waits := b.letter(id); !waits || m.Attempts != len(want) || m.Error != "451 later" || m.Refused {
			t.Errorf("outbox %+v", m)
		}
		f.answer(nil)
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		l, _, waits := b.letter(id)
		if l.State != policy.Sent || waits || time.Since(l.Sent) > 6*time.Hour {
			t.Errorf("%+v, waits %v", l, waits)
		}
	})
}

func TestAnIdleWorkerSleeps(t *testing.T) {
	f := &fake{}
	bubble(t, f, func(b *outbox, w *Worker) {
		w.Use(&Server{})
		synctest.Wait()
		views := 0
		w.now = func() time.Time { views++; return time.Now() }
		time.Sleep(1000 * time.Hour)
		synctest.Wait()
		if views != 0 {
			t.Errorf("looked %d times", views)
		}
		id := b.issue()
		w.Wake()
		synctest.Wait()
		if l, _, _ := b.letter(id); l.State != policy.Sent {
			t.Errorf("%+v", l)
		}
	})
}

func TestALetterWithALowerNumberDoesNotWaitForAnotherRound(t *testing.T) {
	f := &fake{}
	bubble(t, f, func(b *outbox, w *Worker) {
		first, second := b.issue(), b.issue()
		if err := b.Postpone(policy.Mailing{Letter: first, Next: time.Now().Add(time.Second)}); err != nil {
			t.Fatal(err)
		}
		f.says = func(policy.LetterID) error { // while the second goes out, the first becomes due
			time.Sleep(2 * time.Second)
			return nil
		}
		w.server.Store(&Server{}) // without haste
		w.Wake()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		for _, id := range []policy.LetterID{first, second} {
			if l, _, _ := b.letter(id); l.State != policy.Sent {
				t.Errorf("letter %s is %s after %v", id, l.State, f.tries)
			}
		}
	})
}

func TestWithoutAServerNothingIsTriedAndWithOneAllIs(t *testing.T) {
	f := &fake{}
	bubble(t, f, func(b *outbox, w *Worker) {
		var all []policy.LetterID
		for range 2*batch + 3 {
			all = append(all, b.issue())
		}
		w.Wake()
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		if len(f.tries) != 0 {
			t.Errorf("tried %v", f.tries)
		}
		w.Use(&Server{})
		synctest.Wait()
		for i, id := range all {
			if f.tries[i].letter != id {
				t.Errorf("tried %v; want the oldest first", f.tries)
			}
			if l, _, _ := b.letter(id); l.State != policy.Sent {
				t.Errorf("letter %s is %s", id, l.State)
			}
		}
		if f.dials != 3 || len(f.tries) != len(all) {
			t.Errorf("%d connections and %d mails for %d letters", f.dials, len(f.tries), len(all))
		}
	})
}

func TestAServerThatIsNotThereIsDialledOnceForAll(t *testing.T) {
	f := &fake{dial: errors.New("connection refused")}
	bubble(t, f, func(b *outbox, w *Worker) {
		first := b.issue()
		b.issue()
		w.Use(&Server{})
		synctest.Wait()
		if _, m, _ := b.letter(first); f.dials != 1 || m.Attempts != 1 || m.Error != "connection refused" {
			t.Errorf("%d dials; outbox %+v", f.dials, m)
		}
		f.mu.Lock()
		f.dial = nil
		f.mu.Unlock()
		w.Use(&Server{}) // new settings: at once
		synctest.Wait()
		if l, _, _ := b.letter(first); l.State != policy.Sent {
			t.Errorf("%+v", l)
		}
	})
}

func TestAClockThatWasPutBackHoldsNoLetter(t *testing.T) {
	f := &fake{}
	bubble(t, f, func(b *outbox, w *Worker) {
		id := b.issue()
		if err := b.Postpone(policy.Mailing{Letter: id, Attempts: 1, Next: time.Now().AddDate(1, 0, 0)}); err != nil {
			t.Fatal(err)
		}
		w.server.Store(&Server{}) // without haste
		w.Wake()
		synctest.Wait()
		if l, _, _ := b.letter(id); l.State != policy.Sent {
			t.Errorf("%+v", l)
		}
	})
}
