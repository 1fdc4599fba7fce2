package main

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batchSize = 64
	room      = 2048 + 64 // octets a datagram; the odd 64 keep them off the same lines of the cache
)

// reply makes a reply of a packet, unless it is one or too short for a header: two such programs must not play ball.
func reply(packet []byte) bool {
	if len(packet) < 12 || packet[2]&0x80 != 0 {
		return false
	}
	packet[2] |= 0x80 // QR
	packet[3] = 0x85  // RA, REFUSED
	return true
}

// message is struct mmsghdr of recvmmsg(2).
type message struct {
	header unix.Msghdr
	length uint32
	_      [4]byte
}

// batch is room for some datagrams, and for their replies in the same octets.
type batch struct {
	in, out       [batchSize]message
	inVec, outVec [batchSize]unix.Iovec
	peers         [batchSize]unix.RawSockaddrInet4
	packets       [batchSize][room]byte
}

func newBatch() *batch {
	b := new(batch)
	for i := range batchSize {
		b.inVec[i].Base = &b.packets[i][0]
		b.inVec[i].SetLen(room)
		in, out := &b.in[i].header, &b.out[i].header
		in.Iov, out.Iov = &b.inVec[i], &b.outVec[i]
		in.SetIovlen(1)
		out.SetIovlen(1)
		in.Name = (*byte)(unsafe.Pointer(&b.peers[i]))
		in.Namelen, out.Namelen = unix.SizeofSockaddrInet4, unix.SizeofSockaddrInet4
	}
	return b
}

func (b *batch) receive(fd uintptr, flags uintptr) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.in)), batchSize, flags, 0, 0)
	return int(n), errno
}

// answer sends the first n datagrams back. What the kernel does not take is given up: the clients will ask again.
func (b *batch) answer(fd uintptr, n int) {
	count := 0
	for i := range n {
		if packet := b.packets[i][:b.in[i].length]; reply(packet) {
			b.outVec[count].Base = &packet[0]
			b.outVec[count].SetLen(len(packet))
			b.out[count].header.Name = b.in[i].header.Name
			count++
		}
	}
	for sent := 0; sent < count; {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&b.out[sent])), uintptr(count-sent), unix.MSG_DONTWAIT, 0, 0)
		if errno != 0 {
			return
		}
		sent += int(n)
	}
}
