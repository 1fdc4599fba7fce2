package listen

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// batchSize is how many datagrams one system call takes in at most: a system call costs as much as a reply, and beyond
	// this many what is saved no longer shows.
	batchSize = 64
	// room is the longest datagram taken, and the longest reply kept for its batch, in octets: more than the 1,232 that the
	// resolver announces (RFC 6891 §6.2.3). The odd 64 keep the datagrams of a batch from sharing the same lines of the cache.
	room = 2048 + 64
	// controlRoom holds one control message with the packet information of IPv6, the longer of the two (ip(7), RFC 3542 §6).
	controlRoom = unix.SizeofCmsghdr + (unix.SizeofInet6Pktinfo+7)&^7
)

// datagram is struct mmsghdr of recvmmsg(2).
type datagram struct {
	header unix.Msghdr
	length uint32
	_      [4]byte
}

// batch is room for some datagrams and the replies to them, laid out as recvmmsg(2) and sendmmsg(2) want it. It belongs to one
// reader, and its i-th reply goes to the client of its i-th datagram unless the handler gave none.
type batch struct {
	in, out        [batchSize]datagram
	inVec, outVec  [batchSize]unix.Iovec
	peers          [batchSize]unix.RawSockaddrInet6 // the longest of those it holds
	control        [batchSize][controlRoom]byte
	packets, texts [batchSize][room]byte
	replies        int // in out
}

// newBatch makes a batch; control tells whether the local address is to be read with each datagram.
func newBatch(control bool) *batch {
	b := new(batch)
	for i := range b.in {
		b.inVec[i].Base = &b.packets[i][0]
		b.inVec[i].SetLen(room)
		h := &b.in[i].header
		h.Name = (*byte)(unsafe.Pointer(&b.peers[i]))
		h.Iov = &b.inVec[i]
		h.SetIovlen(1)
		if control {
			h.Control = &b.control[i][0]
		}
		b.renew(i)
		b.out[i].header.Iov = &b.outVec[i]
		b.out[i].header.SetIovlen(1)
	}
	return b
}

// renew gives the kernel the whole room of the i-th datagram again.
func (b *batch) renew(i int) {
	h := &b.in[i].header
	h.Namelen = unix.SizeofSockaddrInet6
	if h.Control != nil {
		h.SetControllen(len(b.control[i]))
	}
}

// receive fills the batch with what has come and says how many datagrams that were; it does not wait. The system call is not
// announced to the scheduler, which saves more than it costs for one that returns at once.
func (b *batch) receive(fd uintptr) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.in)), batchSize, unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// packet is the i-th datagram. Of one that was longer than the room only the header is left, which is malformed by itself.
func (b *batch) packet(i int) []byte {
	n := int(b.in[i].length)
	if b.in[i].header.Flags&unix.MSG_TRUNC != 0 {
		n = min(n, 12)
	}
	return b.packets[i][:n:room]
}

// controlOf is the control data of the i-th datagram.
func (b *batch) controlOf(i int) []byte {
	return b.control[i][:b.in[i].header.Controllen]
}

// peer is the sender of the i-th datagram, without zone.
func (b *batch) peer(i int) netip.AddrPort {
	raw := &b.peers[i]
	port := *(*[2]byte)(unsafe.Pointer(&raw.Port)) // in network order
	var addr netip.Addr
	if raw.Family == unix.AF_INET {
		addr = netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(raw)).Addr)
	} else {
		addr = netip.AddrFrom16(raw.Addr).Unmap()
	}
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(port[:]))
}

// reply puts msg, which lies in the batch, after the replies so far, for the client of the i-th datagram.
func (b *batch) reply(i int, msg, control []byte) {
	k := b.replies
	b.replies++
	b.outVec[k].Base = unsafe.SliceData(msg)
	b.outVec[k].SetLen(len(msg))
	h := &b.out[k].header
	h.Name, h.Namelen = b.in[i].header.Name, b.in[i].header.Namelen
	h.Control = unsafe.SliceData(control)
	h.SetControllen(len(control))
}
