package listen

import (
	"encoding/binary"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Reader is a UDP reader without a socket: what it gives to a handler comes from memory, and what the handler queues stays there.
type Reader struct {
	socket  *udpSocket
	batch   *batch
	request *Request
}

// NewReader makes one whose datagrams came to local.
func NewReader(local netip.AddrPort, lane int, now func() time.Time) *Reader {
	u := &udpSocket{server: &Server{cfg: Config{Now: now}.withDefaults()}, local: local, lane: lane}
	b := newBatch(false)
	return &Reader{u, b, &Request{Transport: UDP, udp: u, batch: b, parent: true, Local: local, Lane: lane}}
}

// Put puts a datagram of an IPv4 client in the i-th place of the batch.
func (r *Reader) Put(i int, client netip.AddrPort, packet []byte) {
	b := r.batch
	b.in[i].length = uint32(copy(b.packets[i][:], packet))
	peer := (*unix.RawSockaddrInet4)(unsafe.Pointer(&b.peers[i]))
	peer.Family, peer.Addr = unix.AF_INET, client.Addr().As4()
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&peer.Port))[:], client.Port())
}

// Serve gives the first n datagrams to h, as a reader does, and returns how many replies it queued.
func (r *Reader) Serve(h Handler, n int) int {
	r.batch.replies = 0
	r.socket.serve(h, r.request, n)
	return r.batch.replies
}
