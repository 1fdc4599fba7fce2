package main

import (
	"net/netip"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"usciere/bench/officeload"
)

const (
	batch   = 64   // datagrams a system call at most
	room    = 2048 // octets of one; none of the replies is longer than the 1232 that the server sends at most
	control = 128  // octets of what the kernel tells beside one
)

// message is struct mmsghdr of recvmmsg(2) and sendmmsg(2).
type message struct {
	header unix.Msghdr
	length uint32
	_      [4]byte
}

// outbox are datagrams to be sent together.
type outbox struct {
	n        int
	to       unix.RawSockaddrInet4
	messages [batch]message
	vectors  [batch]unix.Iovec
	packets  [batch][room]byte
	sources  [batch]source
}

// source is the control message that says from which address to send.
type source struct {
	header unix.Cmsghdr
	info   unix.Inet4Pktinfo
	_      [4]byte // CMSG_SPACE is in steps of 8
}

func newOutbox(target netip.AddrPort) *outbox {
	o := &outbox{to: unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: target.Addr().As4()}}
	port := (*[2]byte)(unsafe.Pointer(&o.to.Port)) // in the order of the network
	port[0], port[1] = byte(target.Port()>>8), byte(target.Port())
	for i := range o.messages {
		h := &o.messages[i].header
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&o.to)), unix.SizeofSockaddrInet4
		o.vectors[i].Base = &o.packets[i][0]
		h.Iov = &o.vectors[i]
		h.SetIovlen(1)
		s := &o.sources[i]
		s.header = unix.Cmsghdr{Level: unix.IPPROTO_IP, Type: unix.IP_PKTINFO}
		s.header.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
		h.Control = (*byte)(unsafe.Pointer(s))
		h.SetControllen(int(unsafe.Sizeof(*s)))
	}
	return o
}

func (o *outbox) begin()     { o.n = 0 }
func (o *outbox) full() bool { return o.n == batch }

// add puts a question of a workstation into the box.
func (o *outbox) add(id uint16, s *officeload.Station, q *officeload.Question) {
	packet := appendQuery(o.packets[o.n][:0], id, s.EDNS, q)
	o.vectors[o.n].SetLen(len(packet))
	o.sources[o.n].info.Spec_dst = s.Addr.As4()
	o.n++
}

// send sends what is in the box, and waits where the socket is full.
func (o *outbox) send(fd int) error {
	for sent := 0; sent < o.n; {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&o.messages[sent])), uintptr(o.n-sent), 0, 0, 0)
		switch errno {
		case 0:
			sent += int(n)
		case unix.EINTR, unix.ECONNREFUSED: // the latter is of an earlier datagram: nobody listened
		default:
			return os.NewSyscallError("sendmmsg", errno)
		}
	}
	return nil
}

// inbox are datagrams that came together.
type inbox struct {
	messages [batch]message
	vectors  [batch]unix.Iovec
	packets  [batch][room]byte
	controls [batch][control]byte
}

func newInbox() *inbox {
	b := &inbox{}
	for i := range b.messages {
		b.vectors[i].Base = &b.packets[i][0]
		b.vectors[i].SetLen(room)
		h := &b.messages[i].header
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
		h.Control = &b.controls[i][0]
	}
	return b
}

// receive waits for datagrams for a while and returns how many there are.
func (b *inbox) receive(fd int) (int, error) {
	for i := range b.messages {
		b.messages[i].header.SetControllen(control)
	}
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.messages)), batch, unix.MSG_WAITFORONE, 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case unix.EAGAIN, unix.EINTR, unix.ECONNREFUSED:
		return 0, nil
	}
	return 0, os.NewSyscallError("recvmmsg", errno)
}

// reply is a datagram that came.
type reply struct {
	packet []byte
	to     netip.Addr
	at     time.Time
}

// reply is the i-th datagram received; now is the time, in which the kernel's of its arrival is counted back.
func (b *inbox) reply(i int, now time.Time) reply {
	r := reply{packet: b.packets[i][:min(b.messages[i].length, room)], at: now}
	rest := b.controls[i][:b.messages[i].header.Controllen]
	for len(rest) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&rest[0]))
		data := rest[unix.SizeofCmsghdr:]
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO:
			r.to = netip.AddrFrom4((*unix.Inet4Pktinfo)(unsafe.Pointer(&data[0])).Addr)
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SO_TIMESTAMPNS:
			came := time.Unix(0, (*unix.Timespec)(unsafe.Pointer(&data[0])).Nano())
			r.at = now.Add(-now.Round(0).Sub(came)) // Round takes the monotonic time off
		}
		rest = rest[min(unix.CmsgSpace(int(h.Len)-unix.SizeofCmsghdr), len(rest)):]
	}
	return r
}
