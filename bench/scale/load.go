package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"usciere/bench/measure"
	"usciere/bench/testbed"
)

// crowd asks questions from many addresses of this machine at once, from one socket: each datagram says where it is from (ip(7),
// IP_PKTINFO). A question is asked for every reply that comes, so that window of them are under way.
type crowd struct {
	server    netip.AddrPort
	questions []testbed.Question
	core      int
	length    time.Duration
}

const (
	window  = 200
	batch   = 64
	room    = 512
	header  = 12                     // octets of a DNS header
	silence = 200 * time.Millisecond // after which what is under way is lost
)

// message is struct mmsghdr of recvmmsg(2).
type message struct {
	header unix.Msghdr
	length uint32
	_      [4]byte
}

// Run asks for as long as it was told, on its core.
func (c crowd) Run(ctx context.Context) (result measure.Result, err error) {
	err = measure.OnCores([]int{c.core}, func() (err error) {
		result, err = c.ask(ctx)
		return err
	})
	return result, err
}

func (c crowd) ask(ctx context.Context) (r measure.Result, err error) {
	fd, err := c.open()
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &usage); err != nil {
		return r, os.NewSyscallError("getrusage", err)
	}
	used := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	s := newSender(fd, c)
	r.Codes = map[string]int{}
	began := time.Now()
	for underway := 0; time.Since(began) < c.length && ctx.Err() == nil; {
		for underway < window {
			sent, err := s.send(min(batch, window-underway))
			if err != nil {
				return r, err
			}
			underway += sent
		}
		got, err := s.receive(r.Codes)
		if err != nil {
			return r, err
		}
		if got == 0 {
			r.Lost, underway = r.Lost+underway, 0
		}
		r.Completed, underway = r.Completed+got, max(0, underway-got)
	}
	r.PerSecond = float64(r.Completed) / time.Since(began).Seconds()
	err = unix.Getrusage(unix.RUSAGE_THREAD, &usage)
	r.CPU = time.Duration(usage.Utime.Nano()+usage.Stime.Nano()) - used
	return r, os.NewSyscallError("getrusage", err)
}

func (c crowd) open() (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	timeout := unix.NsecToTimeval(silence.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return 0, os.NewSyscallError("setsockopt SO_RCVTIMEO", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20); err != nil {
		return 0, os.NewSyscallError("setsockopt SO_RCVBUF", err)
	}
	return fd, os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrInet4{}))
}

// sender is what the kernel is given: queries made beforehand, and places for a batch of replies.
type sender struct {
	fd        int
	queries   [][]byte
	from      [][]byte // their control messages
	next      int
	to        unix.RawSockaddrInet4
	out, in   [batch]message
	outVec    [batch]unix.Iovec
	inVec     [batch]unix.Iovec
	replies   [batch][room]byte
	lastIdent uint16
}

func newSender(fd int, c crowd) *sender {
	s := &sender{fd: fd, to: unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: c.server.Addr().As4()}}
	port := (*[2]byte)(unsafe.Pointer(&s.to.Port))
	port[0], port[1] = byte(c.server.Port()>>8), byte(c.server.Port())
	for _, q := range c.questions {
		s.queries = append(s.queries, measure.Query(0, q.Name))
		s.from = append(s.from, unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: q.From.As4()}))
	}
	for i := range batch {
		s.inVec[i].Base = &s.replies[i][0]
		s.inVec[i].SetLen(room)
		s.in[i].header.Iov, s.out[i].header.Iov = &s.inVec[i], &s.outVec[i]
		s.in[i].header.SetIovlen(1)
		s.out[i].header.SetIovlen(1)
		s.out[i].header.Name, s.out[i].header.Namelen = (*byte)(unsafe.Pointer(&s.to)), unix.SizeofSockaddrInet4
	}
	return s
}

// send asks the next n questions; fewer if the kernel has no room.
func (s *sender) send(n int) (int, error) {
	for i := range n {
		q := (s.next + i) % len(s.queries)
		s.lastIdent++
		s.queries[q][0], s.queries[q][1] = byte(s.lastIdent>>8), byte(s.lastIdent)
		s.outVec[i].Base = &s.queries[q][0]
		s.outVec[i].SetLen(len(s.queries[q]))
		s.out[i].header.Control = &s.from[q][0]
		s.out[i].header.SetControllen(len(s.from[q]))
	}
	sent, _, errno := syscall.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.out)), uintptr(n), 0, 0, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("sendmmsg", errno)
	}
	s.next = (s.next + int(sent)) % len(s.queries)
	return int(sent), nil
}

// receive waits for replies and counts their response codes; none when it was silent too long.
func (s *sender) receive(codes map[string]int) (int, error) {
	n, _, errno := syscall.Syscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.in)), batch, unix.MSG_WAITFORONE, 0, 0)
	if errno == unix.EAGAIN || errno == unix.EINTR {
		return 0, nil
	}
	if errno != 0 {
		return 0, os.NewSyscallError("recvmmsg", errno)
	}
	for i := range int(n) {
		if s.in[i].length < header {
			return 0, fmt.Errorf("a reply of %d octets", s.in[i].length)
		}
		code := s.replies[i][3] & 0x0f
		if name, known := codeNames[code]; known {
			codes[name]++
		} else {
			codes[fmt.Sprintf("code %d", code)]++
		}
	}
	return int(n), nil
}

var codeNames = map[byte]string{0: "NOERROR", 2: "SERVFAIL", 5: "REFUSED"}
