package resolver

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"usciere/resolver/dnstest"
)

// asking is an ask statement whose replies have not all come.
type asking struct {
	step    dnstest.Step
	query   *dns.Msg
	network string
	replies chan reply // one for each time it is asked
	times   int
	open    atomic.Int32 // replies that have not come
}

type reply struct {
	id  uint16
	raw []byte
	err error
}

const (
	asMuch   = 10 * time.Second       // longer than any reply may take
	asSilent = 100 * time.Millisecond // for a reply that is not to come
	mostAsks = 200                    // at once
)

// ask sends a question, and goes on when its replies are there or wait for an upstream server that holds its own back.
func (s *scene) ask(step dnstest.Step) ([]string, error) {
	s.open()
	words := step.Words[1:]
	a := &asking{step: step, times: 1}
	if len(words) > 0 {
		if n, ok := strings.CutPrefix(words[len(words)-1], "×"); ok {
			var err error
			if a.times, err = strconv.Atoi(n); err != nil || a.times < 1 || a.times > mostAsks {
				return nil, fmt.Errorf("×%s: ask at most %d times at once", n, mostAsks)
			}
			words = words[:len(words)-1]
		}
	}
	if len(words) < 3 || len(step.Expects) == 0 {
		return nil, errors.New("write ask CLIENT NAME TYPE, and below it what is expected")
	}
	client, err := s.client(words[0])
	if err != nil {
		return nil, err
	}
	if a.query, a.network, err = dnstest.ParseQuestion(words[1:]); err != nil {
		return nil, err
	}
	a.replies = make(chan reply, a.times)
	a.open.Store(int32(a.times))
	patience := asMuch
	if step.Expects[0].Text == "nothing" {
		patience = asSilent
	}
	for range a.times {
		m := a.query.Copy()
		m.Id = dns.Id()
		pkt, err := m.Pack()
		if err != nil {
			return nil, err
		}
		go func() {
			raw, err := dnstest.ExchangeRaw(a.network, s.addr, client, pkt, patience)
			a.replies <- reply{m.Id, raw, err}
			a.open.Add(-1)
		}()
	}
	s.asking = append(s.asking, a)
	s.settle()
	return nil, nil
}

// client is the address of one who asks: an office's id stands for address 5 of its first network.
func (s *scene) client(text string) (string, error) {
	if office, ok := s.live.Snapshot().Office(text); ok && len(office.Networks) > 0 {
		addr := office.Networks[0].Addr()
		for range 5 {
			addr = addr.Next()
		}
		return addr.String(), nil
	}
	if !strings.HasPrefix(text, "127.") {
		return "", fmt.Errorf("%q is no office with a network, and no address of 127.0.0.0/8", text)
	}
	return text, nil
}

// settle waits until each question is answered or waits for an upstream server, and compares the replies that have come.
func (s *scene) settle() {
	for deadline := time.Now().Add(asMuch); time.Now().Before(deadline); {
		open := 0
		for _, a := range s.asking {
			open += int(a.open.Load())
		}
		if open == 0 || s.holding() && s.dns.Stats().Pending >= open {
			break
		}
		time.Sleep(200 * time.Microsecond) // until sockets and goroutines have come as far
	}
	var later []*asking
	for _, a := range s.asking {
		if a.open.Load() > 0 {
			later = append(later, a)
			continue
		}
		for range a.times {
			s.compare(a.step, s.shown(a, <-a.replies))
		}
	}
	s.asking = later
}

// shown is a reply as scenarios have it.
func (s *scene) shown(a *asking, r reply) []string {
	if errors.Is(r.err, os.ErrDeadlineExceeded) {
		return []string{"nothing"}
	}
	if r.err != nil {
		return []string{r.err.Error()}
	}
	query := a.query.Copy()
	query.Id = r.id
	m, err := dnstest.CheckReply(query, a.network, r.raw)
	if err != nil {
		return []string{err.Error(), m.String()}
	}
	return dnstest.Show(m)
}

// end lets everybody go who still waits, which a scenario must not leave undone.
func (s *scene) end() {
	for _, a := range s.asking {
		s.fault(a.step, fmt.Errorf("%d of its questions still wait at the end: let the upstream go", a.open.Load()))
	}
	for _, a := range s.actors {
		a.letGo()
	}
	for _, a := range s.asking {
		for range a.times {
			<-a.replies
		}
	}
}
