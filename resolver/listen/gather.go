package listen

import (
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxGathered is how many replies of one socket are gathered at most.
const maxGathered = 32

// gathered are the replies of detached requests of one socket that wait to be sent together.
type gathered struct {
	mu       sync.Mutex
	requests [maxGathered]*Request
	out      [maxGathered]datagram
	vec      [maxGathered]unix.Iovec
	n        int
}

// peer is who sent a datagram, as the kernel has it: with the zone of a link-local address, and IPv4 in IPv6 as the socket wants it.
type peer struct {
	raw    unix.RawSockaddrInet6 // the longest of those it holds
	length uint32
}

// Together calls do, which replies to many: what is sent over UDP meanwhile to detached requests goes out with few system calls, at the
// end at the latest. Their clients, too, wake up once rather than for each.
func (s *Server) Together(do func()) {
	s.together.Add(1)
	defer func() {
		s.together.Add(-1)
		for _, u := range s.udp {
			u.gathered.mu.Lock()
			u.sendGathered()
			u.gathered.mu.Unlock()
		}
	}()
	do()
}

// answer sends the reply to a request that has a peer, now or together with others. When it returns, msg is the caller's again; the request
// is over when it is sent.
func (u *udpSocket) answer(r *Request, msg []byte) {
	if own := r.Scratch()[:1]; len(msg) > 0 && &msg[0] != &own[0] {
		msg = append(own[:0], msg...)
	}
	g := &u.gathered
	g.mu.Lock()
	defer g.mu.Unlock()
	i := g.n
	g.n++
	g.requests[i] = r
	g.vec[i].Base = unsafe.SliceData(msg)
	g.vec[i].SetLen(len(msg))
	h := &g.out[i].header
	h.Name, h.Namelen = (*byte)(unsafe.Pointer(&r.peer.raw)), r.peer.length
	h.Iov = &g.vec[i]
	h.SetIovlen(1)
	h.Control = unsafe.SliceData(r.control)
	h.SetControllen(len(r.control))
	if g.n == maxGathered || u.server.together.Load() == 0 {
		u.sendGathered()
	}
}

// sendGathered sends what is gathered, and ends its requests. The mutex is held.
func (u *udpSocket) sendGathered() {
	g := &u.gathered
	if g.n == 0 {
		return
	}
	if err := u.raw.Write(u.writeGathered); err != nil { // closed
		u.counts.dropped.Add(uint64(g.n))
	}
	for i, r := range g.requests[:g.n] {
		r.releaseScratch()
		u.server.detached.Done()
		g.requests[i], g.out[i] = nil, datagram{}
		g.vec[i] = unix.Iovec{}
	}
	g.n = 0
}

// writeGathered is what sendGathered does with the socket's descriptor.
func (u *udpSocket) writeGathered(fd uintptr) bool {
	u.send(fd, u.gathered.out[:u.gathered.n])
	return true
}

// send sends datagrams. One that the kernel does not take is given up, and the next are sent, unless there is no room for any.
func (u *udpSocket) send(fd uintptr, out []datagram) {
	sent := uint64(0)
	for len(out) > 0 {
		n, errno := sendmmsg(fd, out)
		switch {
		case errno == 0:
			out = out[n:]
			sent += uint64(n)
		case errno == unix.EINTR:
		case errno == unix.EAGAIN && waitWritable(fd):
		case errno == unix.EAGAIN: // whoever waits for the socket waited long enough
			u.counts.dropped.Add(uint64(len(out)))
			out = nil
		default:
			out = out[1:]
			u.counts.dropped.Add(1)
		}
	}
	u.counts.replies.Add(sent)
}

// sendmmsg hands datagrams to the kernel and says how many it took; it does not wait.
func sendmmsg(fd uintptr, out []datagram) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(unsafe.SliceData(out))), uintptr(len(out)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}
