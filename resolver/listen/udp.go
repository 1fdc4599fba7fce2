package listen

import (
	"errors"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// udpSocket is one of the sockets bound to an address; the kernel spreads the clients over them.
type udpSocket struct {
	server *Server
	conn   *net.UDPConn
	local  netip.AddrPort
	counts counts
}

// read hands every datagram to h until the server stops. It allocates nothing per datagram.
func (u *udpSocket) read(h Handler) {
	wildcard := u.local.Addr().IsUnspecified()
	packet := make([]byte, maxMessage)
	var control []byte
	if wildcard {
		control = make([]byte, unix.CmsgSpace(unix.SizeofInet6Pktinfo))
	}
	r := &Request{Transport: UDP, udp: u, parent: true, scratch: new(buffer), Local: withoutZone(u.local)}
	for !u.server.stopping() {
		n, nc, _, peer, err := u.conn.ReadMsgUDPAddrPort(packet, control)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
				continue
			}
			u.server.pause("reading from UDP "+u.local.String(), err)
			continue
		}
		if wildcard {
			asked, cm, ok := replySource(control[:nc])
			if !ok {
				continue
			}
			r.Local, r.control = netip.AddrPortFrom(asked, u.local.Port()), cm
		}
		r.Packet, r.peer, r.detached = packet[:n], peer, nil
		r.Client = withoutZone(peer)
		u.counts.queries.Add(1)
		u.server.serve(h, r)
	}
}

func (u *udpSocket) write(r *Request, msg []byte) {
	if _, _, err := u.conn.WriteMsgUDPAddrPort(msg, r.control, r.peer); err != nil {
		u.counts.dropped.Add(1)
		return
	}
	u.counts.replies.Add(1)
}

func withoutZone(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}
