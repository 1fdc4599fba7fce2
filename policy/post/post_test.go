package post

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/textproto"
	"slices"
	"strings"
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
		policy.AddSeat{ID: "dirigente", Office: "tributi", Role: policy.Manager, Holder: "G. B.", From: "1999-01-01"})
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

// talk is an SMTP server that says what a script has: to each line that begins with a word, a reply.
func talk(t *testing.T, script map[string]string) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer c.Close()
				converse(c, script)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		conns.Wait()
	})
	return &Server{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Security: None, From: "ced@comune.example.it", Name: "Comune", Timeout: 2 * time.Second}
}

func converse(c net.Conn, script map[string]string) {
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	say := func(word, otherwise string) bool {
		reply, ok := script[word]
		if !ok {
			reply = otherwise
		}
		_, err := c.Write([]byte(reply))
		return err == nil && reply != ""
	}
	if !say("", "220 test\r\n") {
		return
	}
	r := textproto.NewReader(bufio.NewReader(c))
	for {
		line, err := r.ReadLine()
		if err != nil {
			return
		}
		word, _, _ := strings.Cut(line, " ")
		otherwise := "250 ok\r\n"
		switch word {
		case "DATA":
			otherwise = "354 go on\r\n"
		case "QUIT":
			otherwise = "221 bye\r\n"
		}
		if !say(word, otherwise) {
			return
		}
		if word == "DATA" && strings.HasPrefix(script["DATA"]+"3", "3") {
			if _, err := r.ReadDotLines(); err != nil || !say(".", "250 taken\r\n") {
				return
			}
		}
	}
}

func TestWhatAServerSaysDecidesWhatBecomesOfALetter(t *testing.T) {
	for _, test := range []struct {
		name    string
		script  map[string]string
		sent    bool
		refused bool
		says    string
	}{
		{"it takes the mail", nil, true, false, ""},
		{"it refuses the mailbox", map[string]string{"RCPT": "550 5.1.1 no such mailbox\r\n"}, false, true, "550"},
		{"it puts the mailbox off", map[string]string{"RCPT": "450 4.2.1 later\r\n"}, false, false, "450"},
		{"it refuses the sender", map[string]string{"MAIL": "553 5.1.8 not yours\r\n"}, false, true, "553"},
		{"it wants a log-in", map[string]string{"MAIL": "530 5.7.0 log in first\r\n"}, false, false, "530"},
		{"it refuses the content", map[string]string{".": "554 5.6.0 no\r\n"}, false, true, "554"},
		{"it has no room", map[string]string{".": "452 4.3.1 full\r\n"}, false, false, "452"},
		{"it goes away before its word", map[string]string{".": ""}, false, false, "EOF"},
		{"it takes the mail and goes away", map[string]string{"RSET": ""}, true, false, ""},
		{"it takes the mail and is confused", map[string]string{"RSET": "500 what\r\n"}, true, false, ""},
		{"it is not at home", map[string]string{"": "554 no service\r\n"}, false, false, "554"},
		{"it says nonsense", map[string]string{"": "\x00\xff\r\n"}, false, false, "short response"},
		{"it says nothing", map[string]string{"EHLO": "", "HELO": ""}, false, false, "EOF"},
		{"it never ends", map[string]string{"": strings.Repeat("220-x\r\n", maxReplies/7+100)}, false, false, "says more than a session can need"},
		{"a line of it never ends", map[string]string{"": strings.Repeat("2", 2*maxReplies)}, false, false, "says more than a session can need"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := open(t)
			id := b.issue()
			w := New(b.Live, time.Now, slog.New(slog.DiscardHandler))
			w.server.Store(talk(t, test.script))
			w.round(t.Context())
			l, m, waits := b.letter(id)
			if (l.State == policy.Sent) != test.sent || waits == test.sent || m.Refused != test.refused || !strings.Contains(m.Error, test.says) {
				t.Errorf("letter %s, outbox %+v", l.State, m)
			}
		})
	}
}

func TestAServerWithoutEncryptionGetsNothingAndTheSettingIsNamed(t *testing.T) {
	b := open(t)
	id := b.issue()
	w := New(b.Live, time.Now, slog.New(slog.DiscardHandler))
	server := talk(t, nil)
	server.Security = StartTLS
	w.server.Store(server)
	w.round(t.Context())
	if l, m, waits := b.letter(id); l.State == policy.Sent || !waits || m.Refused || !strings.Contains(m.Error, "it offers no STARTTLS") || !strings.Contains(m.Error, "mail.tls") {
		t.Errorf("letter %s, outbox %+v", l.State, m)
	}
}

func TestAStopEndsASessionThatHangs(t *testing.T) {
	b := open(t)
	id := b.issue()
	l, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, nobody speaks
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := New(b.Live, time.Now, slog.New(slog.DiscardHandler))
	w.Use(&Server{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Security: StartTLS, From: "a@b.it", Timeout: time.Hour})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stop()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it hangs")
	}
	if _, m, waits := b.letter(id); !waits || m.Attempts != 0 {
		t.Errorf("a stop counts as an attempt: %+v", m)
	}
}

func TestWhatCannotStandInAHeaderIsNotSent(t *testing.T) {
	good := func() *policy.Letter {
		return &policy.Letter{ID: 1, Kind: policy.Reminder, Issue: &policy.Issue{
			Language: "it", To: []string{"tributi@comune.example.it"}, MessageID: "l-1.x@comune.example.it", At: time.Now(),
		}}
	}
	s := &Server{From: "ced@comune.example.it", Name: "Comune"}
	if _, err := s.message(good(), policy.Paper{}); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*policy.Letter){
		"a line end in the address":    func(l *policy.Letter) { l.Issue.To = []string{"a@b.it\r\nBcc: c@d.it"} },
		"two addresses in one":         func(l *policy.Letter) { l.Issue.To = []string{"a@b.it,c@d.it"} },
		"a name before the address":    func(l *policy.Letter) { l.Issue.To = []string{"A <a@b.it>"} },
		"a line end in the copy":       func(l *policy.Letter) { l.Issue.To = append(l.Issue.To, "a@b.it\nX: y") },
		"a line end in the Message-ID": func(l *policy.Letter) { l.Issue.MessageID = "x@y>\r\nBcc: c@d.it" },
		"a line end in the language":   func(l *policy.Letter) { l.Issue.Language = "it\nX: y" },
		"no address":                   func(l *policy.Letter) { l.Issue.To = nil },
		"no issue":                     func(l *policy.Letter) { l.Issue = nil },
	} {
		l := good()
		spoil(l)
		if m, err := s.message(l, policy.Paper{}); err == nil {
			t.Errorf("%s: %v", name, m)
		}
	}
	l := good()
	l.Content.Protocol, l.Kind = "1/2026\r\nBcc: c@d.it", policy.DenialNotice
	s.Name = "Comune\r\nBcc: c@d.it"
	m, err := s.message(l, policy.Paper{Text: "x", Page: "y"})
	if err != nil {
		return // refused
	}
	var out strings.Builder
	if _, err := m.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "Bcc:") {
			t.Errorf("a header of somebody else's:\n%s", out.String())
		}
	}
}
