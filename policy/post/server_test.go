package post

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"usciere/policy"
)

// talk is an SMTP server that says what a script has: to each line, or to each that begins with a word, a reply.
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
		if _, ok := script[line]; ok {
			word = line
		}
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

func TestACopyThatIsRefusedKeepsTheLetterFromNobodyElse(t *testing.T) {
	const office, seat = "RCPT TO:<tributi@comune.example.it>", "RCPT TO:<dirigente@comune.example.it>"
	for _, test := range []struct {
		name    string
		script  map[string]string
		sent    bool
		refused bool
		warns   bool
		says    string
	}{
		{"it takes both", nil, true, false, false, ""},
		{"the seat's mailbox is no more", map[string]string{seat: "550 5.1.1 no such mailbox\r\n"}, true, false, true, ""},
		{"neither is there", map[string]string{"RCPT": "550 5.1.1 no such mailbox\r\n"}, false, true, false, "550"},
		{"the office's is no more", map[string]string{office: "550 5.1.1 no such mailbox\r\n"}, false, true, false, "550"},
		{"the office's is put off", map[string]string{office: "450 4.2.1 later\r\n", seat: "550 5.1.1 no such mailbox\r\n"}, false, false, false, "450"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := open(t)
			id := b.issueUrgent()
			var log strings.Builder
			w := New(b.Live, time.Now, slog.New(slog.NewTextHandler(&log, nil)))
			w.server.Store(talk(t, test.script))
			w.round(t.Context())
			l, m, waits := b.letter(id)
			if len(l.Issue.To) != 2 || (l.State == policy.Sent) != test.sent || waits == test.sent || m.Refused != test.refused || !strings.Contains(m.Error, test.says) {
				t.Errorf("letter %s to %v, outbox %+v", l.State, l.Issue.To, m)
			}
			if warns := strings.Contains(log.String(), "to=dirigente@comune.example.it"); warns != test.warns {
				t.Errorf("log:\n%s", log.String())
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
