package upstream

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// udpBuffer is the room for one datagram in octets: for any, since there are servers, domain controllers of Samba among them, that do
	// not care for ednsSize.
	udpBuffer = 65535
	// wakeful is how many sockets one system call tells of at most.
	wakeful = 32
)

// exchange is one query on its way over UDP, from a socket of its own. It is over when done was called, which happens once.
type exchange struct {
	server *server
	query  *query
	done   func(Answer, error) // must not block: it holds up the other exchanges

	// Guarded by the mutex of exchanges.
	fd       int
	until    time.Time     // when it is over without an answer; zero when its owner sees to that
	place    *list.Element // among those with an until
	unusable error         // of the last reply that was of no use
}

// exchanges is the UDP queries of a group that are under way. One goroutine reads all of their sockets, through an epoll instance
// that the runtime's poller watches in turn: a question costs no goroutine, no timer, and no wake-up when others' answers come
// with its own.
type exchanges struct {
	random   *random
	together func(func()) // see Config
	fd       int          // of the epoll instance
	epoll    *os.File     // the same, for the runtime's poller

	mu    sync.Mutex
	byFD  []*exchange // by descriptor; nil where there is none
	timed *list.List  // of those with an until, the earliest first
}

// newExchanges makes the epoll instance; listen must follow, and close.
func newExchanges(r *random, together func(func())) (*exchanges, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		err = unix.SetNonblock(fd, true) // for package os to watch it
	}
	if err != nil {
		return nil, fmt.Errorf("preparing to ask upstream: %w", os.NewSyscallError("epoll_create1", err))
	}
	return &exchanges{random: r, together: together, fd: fd, epoll: os.NewFile(uintptr(fd), "epoll"), timed: list.New()}, nil
}

// begin sends the query of x from a fresh socket. When it fails, done is not called. Those with an until must come in its order, and
// nobody may end x meanwhile.
func (e *exchanges) begin(x *exchange) error {
	fd, err := openUDP(x.server.addr, e.random.port)
	if err != nil {
		return err
	}
	if err := unix.EpollCtl(e.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
		closeUDP(fd)
		return fmt.Errorf("watching a UDP socket: %w", os.NewSyscallError("epoll_ctl", err))
	}
	e.add(x, fd)
	x.server.sent()
	if err := sendUDP(fd, x.query.sent); err != nil && e.remove(x) {
		return err
	}
	return nil
}

func (e *exchanges) add(x *exchange, fd int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.byFD) <= fd {
		e.byFD = append(e.byFD, nil)
	}
	e.byFD[fd], x.fd = x, fd
	if !x.until.IsZero() {
		x.place = e.timed.PushBack(x)
	}
}

// remove closes the socket of x. It says whether the caller is the one that ends x.
func (e *exchanges) remove(x *exchange) bool {
	e.mu.Lock()
	fd := x.fd
	if fd >= len(e.byFD) || e.byFD[fd] != x {
		e.mu.Unlock()
		return false
	}
	e.byFD[fd] = nil
	if x.place != nil {
		e.timed.Remove(x.place)
	}
	e.mu.Unlock()
	closeUDP(fd) // only now: nobody else has the number any more
	return true
}

// end ends x, unless that has happened, with the last unusable reply if there was one, and otherwise with err.
func (e *exchanges) end(x *exchange, err error) {
	if e.remove(x) {
		if x.unusable != nil {
			err = x.unusable
		}
		x.done(Answer{}, err)
	}
}

// expire ends what has had its time, and says when the next one will have; zero when there is none.
func (e *exchanges) expire(now time.Time) (next time.Time) {
	for {
		e.mu.Lock()
		first := e.timed.Front()
		e.mu.Unlock()
		if first == nil {
			return time.Time{}
		}
		x := first.Value.(*exchange)
		if now.Before(x.until) {
			return x.until
		}
		e.end(x, errSilent)
	}
}

// close ends everything with ErrClosed, and listen. Nobody may begin anything any more.
func (e *exchanges) close() {
	e.mu.Lock()
	left := slices.Clone(e.byFD)
	e.mu.Unlock()
	for _, x := range left {
		if x != nil {
			e.end(x, ErrClosed)
		}
	}
	_ = e.epoll.Close()
}

// listen reads replies until close.
func (e *exchanges) listen() {
	raw, err := e.epoll.SyscallConn()
	if err != nil {
		return // closed
	}
	var events [wakeful]unix.EpollEvent
	var ready int
	buf := make([]byte, udpBuffer)
	receive := func() {
		for i, event := range events[:ready] {
			e.receive(int(event.Fd), buf)
			if i%turn == turn-1 {
				runtime.Gosched()
			}
		}
	}
	_ = raw.Read(func(epoll uintptr) bool { // until it is closed
		for {
			n, _, _ := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, epoll, uintptr(unsafe.Pointer(&events)), wakeful, 0, 0, 0)
			if ready = int(n); ready <= 0 {
				return false
			}
			e.together(receive)
		}
	})
}

// receive takes one datagram, or the error that the kernel reports, from a socket. If there is more, it will be heard of again.
func (e *exchanges) receive(fd int, buf []byte) {
	x, n, from, err := e.read(fd, buf)
	switch {
	case x == nil || errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return
	case err != nil:
		e.end(x, err)
		return
	case !sameSource(from.addrPort(), x.server.addr): // it came between bind and connect
		x.server.dropped()
		return
	}
	var answer Answer
	if fault := survive(func() { answer, err = x.query.take(buf[:n]) }); fault != nil {
		err = fault
	}
	if !readOn(err) {
		if e.remove(x) {
			x.done(answer, err)
		}
		return
	}
	x.server.dropped()
	if errors.Is(err, errUnusable) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.byFD[fd] == x {
			x.unusable = err
		}
	}
}

// read reads from a socket, if it is still an exchange's: its number may have been another's when it was ready.
func (e *exchanges) read(fd int, buf []byte) (x *exchange, n int, from sockaddr, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if fd >= len(e.byFD) || e.byFD[fd] == nil {
		return nil, 0, from, nil
	}
	n, err = receiveUDP(fd, buf, &from)
	return e.byFD[fd], n, from, err
}

// exchangeUDP sends a query from a socket of its own and waits until its answer comes, the deadline passes, or ctx ends, whatever else
// comes meanwhile.
func (g *Group) exchangeUDP(ctx context.Context, s *server, q *query, deadline time.Time) (Answer, error) {
	type outcome struct {
		answer Answer
		err    error
	}
	heard := make(chan outcome, 1)
	x := &exchange{server: s, query: q, done: func(a Answer, err error) { heard <- outcome{a, err} }}
	if err := g.udp.begin(x); err != nil {
		return Answer{}, err
	}
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case o := <-heard:
		return o.answer, o.err
	case <-timer.C:
		g.udp.end(x, errSilent)
	case <-ctx.Done():
		g.udp.end(x, ctx.Err())
	}
	o := <-heard
	return o.answer, o.err
}
