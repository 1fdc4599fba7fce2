package main

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"usciere/bench/officeload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answering is a server that gives each question the reply that f makes of it; nil: none. It notes the clients.
type answering struct {
	conn    *net.UDPConn
	clients chan netip.Addr
}

func answer(t *testing.T, f func(query []byte) []byte) *answering {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s := &answering{conn, make(chan netip.Addr, 10_000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var in [room]byte
		for {
			n, from, err := conn.ReadFromUDPAddrPort(in[:])
			if errors.Is(err, net.ErrClosed) {
				return
			}
			s.clients <- from.Addr()
			if out := f(in[:n]); out != nil {
				_, _ = conn.WriteToUDPAddrPort(out, from)
			}
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return s
}

func playerOf(t *testing.T, s *answering) *player {
	t.Helper()
	p, err := newPlayer(s.conn.LocalAddr().(*net.UDPAddr).AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

// some are 200 granted questions of different workstations, as fast as they go.
func some(t *testing.T) []officeload.Event {
	t.Helper()
	var events []officeload.Event
	for _, e := range officeload.New(1).Warm(1e6) {
		if events = append(events, e); len(events) == 200 {
			return events
		}
	}
	t.Fatal("too few")
	return nil
}

func TestEveryQuestionComesFromItsWorkstationAndIsMatchedWithItsReply(t *testing.T) {
	s := answer(t, func(q []byte) []byte { return appendReply(nil, q, replyTTL) })
	events := some(t)
	r, err := playerOf(t, s).play(t.Context(), events, rules{verdicts: true})
	if err != nil {
		t.Fatal(err)
	}
	if r.Sent[officeload.Cached] != 200 || r.answered() != 200 || r.Wrong != 0 || r.Latency[officeload.Cached].Count() != 200 {
		t.Errorf("%d sent, %d answered, %d wrong (%s)", r.Sent[officeload.Cached], r.answered(), r.Wrong, r.First)
	}
	if least := r.Latency[officeload.Cached].Quantile(0); least <= 0 {
		t.Errorf("an answer took %s", least)
	}
	for i, e := range events {
		if from := <-s.clients; from != e.Station.Addr {
			t.Fatalf("question %d came from %s; want %s", i, from, e.Station.Addr)
		}
	}
}

func TestAWrongAnswerIsFoundAndNamed(t *testing.T) {
	n := 0
	s := answer(t, func(q []byte) []byte {
		out := appendReply(nil, q, replyTTL)
		if n++; n == 100 {
			out[3] |= officeload.NXDomain
		}
		return out
	})
	events := some(t)
	r, err := playerOf(t, s).play(t.Context(), events, rules{verdicts: true})
	if err != nil {
		t.Fatal(err)
	}
	if r.Wrong != 1 || !strings.Contains(r.First, events[99].Question.Name) || !strings.Contains(r.First, "response code 3") {
		t.Errorf("%d wrong: %s", r.Wrong, r.First)
	}
}

func TestAFailureIsWrongExceptWhereItMayBe(t *testing.T) {
	s := answer(t, func(q []byte) []byte {
		out := appendReply(nil, q, replyTTL)
		out[3] |= officeload.ServFail
		return out
	})
	for _, tc := range []struct {
		kind          officeload.Kind
		rules         rules
		wrong, failed int
	}{
		{officeload.Cached, rules{verdicts: true}, 1, 0},
		{officeload.Cached, rules{verdicts: true, overload: true}, 1, 0},
		{officeload.Cached, rules{verdicts: true, warming: true}, 0, 1},
		{officeload.Cold, rules{verdicts: true}, 1, 0},
		{officeload.Cold, rules{verdicts: true, overload: true}, 0, 1},
		{officeload.Flood, rules{verdicts: true}, 0, 1},
		{officeload.Cached, rules{}, 0, 0},
	} {
		e := some(t)[0]
		q := *e.Question
		q.Kind, e.Question = tc.kind, &q
		r, err := playerOf(t, s).play(t.Context(), []officeload.Event{e}, tc.rules)
		if err != nil {
			t.Fatal(err)
		}
		if r.Wrong != tc.wrong || r.Failed[tc.kind] != tc.failed {
			t.Errorf("%s with %+v: %d wrong, %d failed; want %d and %d", tc.kind, tc.rules, r.Wrong, r.Failed[tc.kind], tc.wrong, tc.failed)
		}
	}
}

func TestAQuestionWithoutAReplyIsLostAndThoseOfOthersAreNotTaken(t *testing.T) {
	n := 0
	s := answer(t, func(q []byte) []byte {
		out := appendReply(nil, q, replyTTL)
		switch n++; n {
		case 1:
			return nil
		case 2:
			out[headerLength+1] ^= 1 // another question
		}
		return out
	})
	r, err := playerOf(t, s).play(t.Context(), some(t), rules{verdicts: true})
	if err != nil {
		t.Fatal(err)
	}
	if r.Lost[officeload.Cached] != 2 || r.answered() != 198 || r.Wrong != 0 {
		t.Errorf("%d lost, %d answered, %d wrong", r.Lost[officeload.Cached], r.answered(), r.Wrong)
	}
}

func TestAServerElsewhereIsRefused(t *testing.T) {
	if _, err := newPlayer(netip.MustParseAddrPort("192.0.2.1:53")); err == nil {
		t.Error("taken")
	}
}

func TestLatencyCountsFromWhenTheQuestionWasDue(t *testing.T) {
	s := answer(t, func(q []byte) []byte { return appendReply(nil, q, replyTTL) })
	// The first two are due before the play can begin: what the wait for its beginning costs is latency.
	events := some(t)[:2]
	events[0].At, events[1].At = -time.Second, -time.Second
	r, err := playerOf(t, s).play(t.Context(), events, rules{verdicts: true})
	if err != nil {
		t.Fatal(err)
	}
	if least := r.Latency[officeload.Cached].Quantile(0); least < 900*time.Millisecond {
		t.Errorf("%s; the questions were due a second before", least)
	}
}
