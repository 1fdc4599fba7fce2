package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// crowd is a server with detached requests of so many clients over UDP, whose replies are still to come.
func crowd(t *testing.T, many int) (s *Server, clients []net.Conn, requests []*Request) {
	t.Helper()
	detached := make(chan *Request, many)
	s = start(t, Config{Readers: 1, MaxPendingPerClient: many}, handlerFunc(func(r *Request) {
		if d, ok := r.Detach(); ok {
			detached <- d
		}
	}))
	for i := range many {
		c := dial(t, "udp", fmt.Sprintf("127.10.0.%d", i+1), s.Addrs()[0])
		send(t, c, message("x"))
		clients = append(clients, c)
		requests = append(requests, <-detached)
	}
	return s, clients, requests
}

// silent says whether nothing comes to a client now.
func silent(t *testing.T, c net.Conn) bool {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Read(make([]byte, 100))
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return errors.Is(err, os.ErrDeadlineExceeded)
}

func TestRepliesGoOutTogether(t *testing.T) {
	s, clients, requests := crowd(t, maxGathered+9)
	reply := func(i int) []byte { return fmt.Appendf(nil, "reply %d", i) }
	same := make([]byte, 0, 100) // for all of them, as a caller may use it
	s.Together(func() {
		for i, r := range requests {
			if i%2 == 0 {
				r.Reply(append(same, reply(i)...))
			} else {
				r.Reply(append(r.Scratch(), reply(i)...))
			}
			switch {
			case i+1 < maxGathered && !silent(t, clients[i]):
				t.Errorf("reply %d went out by itself", i)
			case i+1 == maxGathered:
				for i, c := range clients[:maxGathered] {
					if got := receive(t, c); string(got) != string(reply(i)) {
						t.Errorf("%d got %q of a full house", i, got)
					}
				}
			}
		}
	})
	for i, c := range clients[maxGathered:] {
		if got := receive(t, c); string(got) != string(reply(maxGathered+i)) {
			t.Errorf("%d got %q", maxGathered+i, got)
		}
	}
	eventually(t, "all replies are counted", func() bool { st := s.Stats(); return st.UDPReplies == maxGathered+9 && st.Pending == 0 })
}

func TestAReplyAloneGoesOutAtOnce(t *testing.T) {
	s, clients, requests := crowd(t, 2)
	requests[0].Reply([]byte("first"))
	if got := receive(t, clients[0]); string(got) != "first" {
		t.Errorf("got %q", got)
	}
	s.Together(func() {})
	requests[1].Reply([]byte("second"))
	if got := receive(t, clients[1]); string(got) != "second" {
		t.Errorf("after the end of a call of Together got %q", got)
	}
}

// Whoever replies while others reply together, is done in time.
func TestTogetherFromEverywhere(t *testing.T) {
	s, clients, requests := crowd(t, 60)
	var all sync.WaitGroup
	for from := range 6 {
		all.Go(func() {
			mine := requests[10*from:][:10]
			if from%3 == 0 {
				for i, r := range mine {
					r.Reply(fmt.Appendf(nil, "%d", 10*from+i))
				}
				return
			}
			s.Together(func() {
				for i, r := range mine {
					r.Reply(fmt.Appendf(nil, "%d", 10*from+i))
				}
			})
		})
	}
	all.Wait()
	for i, c := range clients {
		if got := receive(t, c); string(got) != fmt.Sprint(i) {
			t.Errorf("%d got %q", i, got)
		}
	}
}

func TestShutdownWaitsForWhatIsGathered(t *testing.T) {
	s, clients, requests := crowd(t, 1)
	stopped := make(chan error, 1)
	s.Together(func() {
		requests[0].Reply([]byte("late"))
		go func() { stopped <- s.Shutdown(context.Background()) }()
		select {
		case err := <-stopped:
			t.Fatalf("shut down with a reply that was not sent: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
	})
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if got := receive(t, clients[0]); string(got) != "late" {
		t.Errorf("got %q", got)
	}
}
