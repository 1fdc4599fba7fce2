package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"usciere/bench/measure"
	"usciere/bench/officeload"
)

// player sends the questions of a day when they are due, whether the ones before were answered or not (an open loop), and takes the
// time of each reply from when its question was due, not from when it was sent: what the server, or the player itself, holds up counts
// for every question that waits behind it.
//
// One socket plays all workstations: each datagram is sent from the address of its workstation (IP_PKTINFO), and the reply comes back
// to that. The kernel notes when a reply arrives, so that the player's own way to it does not count.
type player struct {
	fd     int
	target netip.AddrPort
	next   uint32                           // number of the next question; its lower half is the ID
	asked  [1 << 16]atomic.Pointer[pending] // by ID
}

// pending is a question that awaits its reply.
type pending struct {
	event *officeload.Event
	due   time.Time
}

// result is what came of a play.
type result struct {
	Latency [officeload.Kinds]*measure.Histogram
	Sent    [officeload.Kinds]int
	Lost    [officeload.Kinds]int // no reply until the end of patience
	Failed  [officeload.Kinds]int // SERVFAIL where that may be
	Wrong   int                   // replies that are not what they must be
	First   string                // the first of them
	Late    *measure.Histogram    // how much after it was due a question was sent
	Length  time.Duration
}

func newResult() *result {
	r := &result{Late: measure.NewHistogram()}
	for k := range r.Latency {
		r.Latency[k] = measure.NewHistogram()
	}
	return r
}

// add puts the figures of another play to these.
func (r *result) add(other *result) {
	for k := range r.Latency {
		r.Latency[k].Merge(other.Latency[k])
		r.Sent[k] += other.Sent[k]
		r.Lost[k] += other.Lost[k]
		r.Failed[k] += other.Failed[k]
	}
	if r.Wrong == 0 {
		r.First = other.First
	}
	r.Wrong += other.Wrong
	r.Late.Merge(other.Late)
	r.Length += other.Length
}

// answered is how many replies came.
func (r *result) answered() (n int) {
	for k := range r.Sent {
		n += r.Sent[k] - r.Lost[k]
	}
	return n
}

// all are the latencies of all kinds.
func (r *result) all() *measure.Histogram {
	h := measure.NewHistogram()
	for _, k := range r.Latency {
		h.Merge(k)
	}
	return h
}

// rules are what a reply is held to.
type rules struct {
	verdicts bool // replies are checked; the echo's are not
	overload bool // first-time names may fail
	warming  bool // so may those that are to be cached
}

func (r rules) mayFail(k officeload.Kind) bool {
	return k == officeload.Flood || k == officeload.Cold && r.overload || k == officeload.Cached && r.warming
}

// patience is how long after the last question its reply is waited for: past the resolver's own patience with its upstream, 1.8 s until
// a stale answer, but not past the 5 s after which a workstation gives up.
const patience = 3 * time.Second

func newPlayer(target netip.AddrPort) (*player, error) {
	if !target.Addr().Is4() || !target.Addr().IsLoopback() {
		return nil, fmt.Errorf("%s: the workstations are addresses of this machine's loopback: the server must be at an address 127.x.y.z too", target)
	}
	fd, err := open()
	if err != nil {
		return nil, err
	}
	return &player{fd: fd, target: target}, nil
}

// buffers are those of the socket, in octets: what arrives while the player is kept from a core must fit.
const buffers = 8 << 20

func open() (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	for _, o := range []struct{ level, option, value int }{
		{unix.IPPROTO_IP, unix.IP_PKTINFO, 1}, {unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1},
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.option, o.value); err != nil {
			return 0, os.NewSyscallError("setsockopt", err)
		}
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffers) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffers)
	}
	// A wait for replies ends now and then, to see whether there are any to come.
	wait := unix.NsecToTimeval(int64(50 * time.Millisecond))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		return 0, os.NewSyscallError("setsockopt SO_RCVTIMEO", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{}); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	return fd, nil
}

func (p *player) close() { _ = unix.Close(p.fd) }

// play sends the events and returns when all replies are there, or patience is over, or ctx.
func (p *player) play(ctx context.Context, events []officeload.Event, rules rules) (*result, error) {
	runtime.GC() // now rather than in between
	var sent atomic.Bool
	failed := make(chan error, 1)
	r := newResult()
	start := time.Now().Add(20 * time.Millisecond)
	go func() {
		failed <- p.send(ctx, events, start, r)
		sent.Store(true)
	}()
	err := p.receive(ctx, len(events), &sent, rules, r)
	if sendErr := <-failed; sendErr != nil {
		err = sendErr
	}
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	for i := range p.asked {
		if q := p.asked[i].Swap(nil); q != nil {
			r.Lost[q.event.Question.Kind]++
		}
	}
	if len(events) > 0 {
		r.Length = events[len(events)-1].At
	}
	return r, err
}

// send sends each event when it is due. It keeps a thread to itself, which wakes up more exactly than the runtime's timers do.
func (p *player) send(ctx context.Context, events []officeload.Event, start time.Time, r *result) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl PR_SET_TIMERSLACK", err)
	}
	out := newOutbox(p.target)
	waiting := make([]pending, len(events))
	for i := 0; i < len(events) && ctx.Err() == nil; {
		now := time.Since(start)
		if wait := events[i].At - now; wait > 0 {
			ts := unix.NsecToTimespec(int64(wait))
			_ = unix.Nanosleep(&ts, nil) // woken early it looks again
			continue
		}
		out.begin()
		for ; i < len(events) && !out.full() && events[i].At <= now; i++ {
			e := &events[i]
			waiting[i] = pending{e, start.Add(e.At)}
			if old := p.asked[uint16(p.next)].Swap(&waiting[i]); old != nil {
				r.Lost[old.event.Question.Kind]++
			}
			out.add(uint16(p.next), e.Station, e.Question)
			p.next++
			r.Sent[e.Question.Kind]++
			r.Late.Record(now - e.At)
		}
		if err := out.send(p.fd); err != nil {
			return err
		}
	}
	return nil
}

// receive takes replies until there is one for each of n questions, or patience is over after the last of them was sent.
func (p *player) receive(ctx context.Context, n int, sent *atomic.Bool, rules rules, r *result) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	in := newInbox()
	var end time.Time
	for got := 0; got < n && ctx.Err() == nil; {
		count, err := in.receive(p.fd)
		if err != nil {
			return err
		}
		now := time.Now()
		if sent.Load() {
			if end.IsZero() {
				end = now.Add(patience)
			}
			if now.After(end) {
				return nil
			}
		}
		for i := range count {
			if p.take(in.reply(i, now), rules, r) {
				got++
			}
		}
	}
	return nil
}

// take matches a reply with its question and notes what it says; false: it answers none.
func (p *player) take(reply reply, rules rules, r *result) bool {
	if len(reply.packet) < headerLength {
		return false
	}
	slot := &p.asked[reply.id()]
	q := slot.Load()
	if q == nil || reply.to != q.event.Station.Addr || !reply.answers(q.event.Question) || !slot.CompareAndSwap(q, nil) {
		return false
	}
	kind := q.event.Question.Kind
	r.Latency[kind].Record(reply.at.Sub(q.due))
	if !rules.verdicts {
		return true
	}
	if reply.rcode() == officeload.ServFail && rules.mayFail(kind) {
		r.Failed[kind]++
		return true
	}
	if problem := reply.check(q.event.Question); problem != "" {
		if r.Wrong == 0 {
			r.First = fmt.Sprintf("%s asks %s for type %d (%s): %s", q.event.Station.Addr, q.event.Question.Name, q.event.Question.Type, kind, problem)
		}
		r.Wrong++
	}
	return true
}
