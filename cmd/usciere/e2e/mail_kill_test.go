//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usciere/policy"
	"usciere/policy/letter"
)

// TestNoNoticeIsLostToAKill kills the daemon between the decision and the mail, at random instants around both;
// USCIERE_MAIL_KILLS says how often.
func TestNoNoticeIsLostToAKill(t *testing.T) {
	kills := number(t, "USCIERE_MAIL_KILLS", 50)
	m := serveMail(t, false)
	d := mailing(t, "server: \"localhost:"+portOf(m.addr)+"\", ca: "+m.ca)
	n := &notices{}
	atOnce := 0 // kills while letters waited to be sent
	for range kills {
		n.begin(d)
		time.Sleep(time.Duration(20+rand.IntN(400)) * time.Millisecond) // the random instant
		d.kill()
		n.end()
		d = d.again("--demo", "--config", d.config())
		if d.status().Letters.Outbox > 0 {
			atOnce++
		}
	}
	drained(t, "the outbox is empty", func() bool { return d.status().Letters.Outbox == 0 })
	issued := map[string]policy.LetterID{} // Message-ID → letter
	for _, l := range d.letters() {
		if l.Issue == nil {
			continue
		}
		issued["<"+l.Issue.MessageID+">"] = l.ID
		if l.State != policy.Sent {
			t.Errorf("letter %s is %s", l.ID, l.State)
		}
	}
	for _, id := range n.acked {
		if !slices.Contains(ids(issued), id) {
			t.Errorf("letter %s was registered, and is not", id)
		}
	}
	arrived := map[string]int{}
	drained(t, "every notice arrives", func() bool {
		clear(arrived)
		for _, got := range m.mails() {
			arrived[got.id]++
		}
		return len(arrived) >= len(issued)
	})
	duplicates := 0
	for id, times := range arrived {
		if _, ok := issued[id]; !ok {
			t.Errorf("a mail %s of no letter", id)
		}
		duplicates += times - 1
	}
	for id, l := range issued {
		if arrived[id] == 0 {
			t.Errorf("letter %s, %s, never arrived", l, id)
		}
	}
	t.Logf("%d kills, %d of them with letters waiting; %d notices issued (%d acknowledged), all arrived, %d of them twice", kills, atOnce, len(issued), len(n.acked), duplicates)
	if len(issued) < kills {
		t.Errorf("only %d notices in %d rounds: this shows little", len(issued), kills)
	}
	d.verify()
	d.stop()
}

// notices writes and registers notices without end, and remembers those whose registration was acknowledged.
type notices struct {
	mu    sync.Mutex
	acked []policy.LetterID
	next  atomic.Int64
	ended atomic.Bool
	lanes sync.WaitGroup
}

func (s *notices) begin(d *daemon) {
	s.ended.Store(false)
	for range 2 {
		s.lanes.Go(func() {
			for !s.ended.Load() {
				s.one(d)
			}
		})
	}
}

func (s *notices) one(d *daemon) {
	n := s.next.Add(1)
	post := func(path string, change, into any) bool {
		status, err := d.try("POST", path, change, into)
		return err == nil && status == http.StatusOK
	}
	var made policy.GrantsAdded
	if !post("/v1/grant/add", policy.AddGrants{
		Subject: policy.Subject{Office: "cultura"}, Names: []string{fmt.Sprintf("n%d.example.org", n)}, Protocol: fmt.Sprintf("%d/2026", 100_000+n),
		Reason: "prova", Notice: true,
	}, &made) {
		return
	}
	var moved letter.Moved
	if post("/v1/letter/register", letter.Register{Letter: made.Letter.ID, Protocol: fmt.Sprintf("%d/2026", 500_000+n)}, &moved) {
		s.mu.Lock()
		s.acked = append(s.acked, moved.Letter.ID)
		s.mu.Unlock()
	}
}

func (s *notices) end() {
	s.ended.Store(true)
	s.lanes.Wait()
}

// letters are all letters.
func (d *daemon) letters() (all []*policy.Letter) {
	d.t.Helper()
	for after := ""; ; {
		var page struct {
			Letters []*policy.Letter
			Next    string
		}
		d.call("GET", "/v1/letter/list?limit=1000"+after, nil, &page)
		if all = append(all, page.Letters...); strings.TrimPrefix(page.Next, "l-") == "" || page.Next == "l-0" {
			return all
		}
		after = "&after=" + page.Next
	}
}

// drained waits for what was piled up on purpose.
func drained(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(12 * patience); !ok(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %s still not so: %s", 12*patience, what)
		}
	}
}

func ids(letters map[string]policy.LetterID) (out []policy.LetterID) {
	for _, id := range letters {
		out = append(out, id)
	}
	return out
}
