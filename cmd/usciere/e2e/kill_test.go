//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"usciere/policy"
)

// stream makes changes without end, one after the other in each of its lanes, and remembers those that were acknowledged.
type stream struct {
	mu    sync.Mutex
	acked map[string]bool // protocol numbers of requests
	next  atomic.Int64
	ended atomic.Bool
	lanes sync.WaitGroup
}

// begin starts changes over the socket and by the command.
func (s *stream) begin(d *daemon) {
	s.ended.Store(false)
	for range 2 {
		s.lane(func(change policy.AddGrants) bool {
			status, err := d.try("POST", "/v1/grant/add", change, nil)
			return err == nil && status == http.StatusOK
		})
	}
	s.lane(func(change policy.AddGrants) bool {
		return d.command("allow", change.Names[0], "--office", change.Office, "--protocol", change.Protocol, "--reason", change.Reason).Run() == nil
	})
}

func (s *stream) lane(make func(policy.AddGrants) bool) {
	s.lanes.Go(func() {
		for !s.ended.Load() {
			n := s.next.Add(1)
			protocol := fmt.Sprintf("%d/2026", 100_000+n)
			if make(policy.AddGrants{
				Subject: policy.Subject{Office: "cultura"}, Names: []string{fmt.Sprintf("n%d.example.org", n)}, Protocol: protocol, Reason: "prova",
			}) {
				s.mu.Lock()
				s.acked[protocol] = true
				s.mu.Unlock()
			}
		}
	})
}

func (s *stream) end() {
	s.ended.Store(true)
	s.lanes.Wait()
}

// lost are the acknowledged changes that the daemon does not have any more.
func (s *stream) lost(d *daemon) (lost []string) {
	d.t.Helper()
	var export []byte
	d.call("GET", "/v1/journal/export", nil, &export)
	there := map[string]bool{}
	for line := range bytes.Lines(export) {
		var entry struct {
			Body struct {
				Request struct {
					Protocol string `json:"protocol"`
				} `json:"request"`
			} `json:"body"`
		}
		if json.Unmarshal(line, &entry) == nil { // other kinds of change have other bodies
			there[entry.Body.Request.Protocol] = true
		}
	}
	for protocol := range s.acked {
		if !there[protocol] {
			lost = append(lost, protocol)
		}
	}
	return lost
}

func TestS15NoAcknowledgedChangeIsLostToAKill(t *testing.T) {
	kills := part(t, 200)
	d := demo(t)
	s := &stream{acked: map[string]bool{}}
	var slowest time.Duration
	for n := range kills {
		s.begin(d)
		time.Sleep(time.Duration(rand.IntN(150_000)) * time.Microsecond) // the random instant
		d.kill()
		s.end()
		begun := time.Now()
		d = d.again("--demo")
		m := d.ask("127.10.1.5", "www.inps.it", dns.TypeA)
		slowest = max(slowest, time.Since(begun))
		if len(m.Answer) != 1 {
			t.Fatalf("kill %d: it does not serve again:\n%s", n, m)
		}
		d.verify()
		if lost := s.lost(d); len(lost) > 0 {
			t.Fatalf("kill %d: %d of %d acknowledged changes are lost: %v", n, len(lost), len(s.acked), lost)
		}
	}
	none(t, fmt.Sprintf("acknowledged changes lost to %d kills", kills), 0, len(s.acked))
	inTime(t, "serving again after a kill", slowest, time.Second)
	if len(s.acked) < kills {
		t.Errorf("only %d changes were acknowledged in %d rounds: this shows little", len(s.acked), kills)
	}
	var counts struct{ Grants []json.RawMessage }
	d.call("GET", "/v1/grant/list?office=cultura&limit=1000", nil, &counts)
	if got, want := len(counts.Grants), min(len(s.acked), 1000); got < want {
		t.Errorf("%d grants are in force; want at least %d", got, want)
	}
	d.stop()
}
