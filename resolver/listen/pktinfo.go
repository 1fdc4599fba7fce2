package listen

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// replySource reads the control data of a received datagram: the local address that was asked, and the control message that makes
// the reply leave from it. That is the received one, its interface index cleared in place, since the route to the client decides
// the interface; a link-local address means nothing without the index and keeps it (RFC 3542 §6, ip(7) IP_PKTINFO).
//
// It is not ok when the datagram went to a broadcast or multicast address, which is no address to reply from, or when there is no
// packet information.
func replySource(control []byte) (asked netip.Addr, reply []byte, ok bool) {
	for rest := control; len(rest) >= unix.SizeofCmsghdr; {
		header, data, after, err := unix.ParseOneSocketControlMessage(rest)
		if err != nil {
			return netip.Addr{}, nil, false
		}
		reply = rest[:len(rest)-len(after)]
		rest = after
		switch {
		case header.Level == unix.IPPROTO_IP && header.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			index, local, destination := data[0:4], data[4:8], data[8:12]
			asked = netip.AddrFrom4([4]byte(local))
			clear(index)
			return asked, reply, string(local) == string(destination)
		case header.Level == unix.IPPROTO_IPV6 && header.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			asked = netip.AddrFrom16([16]byte(data[:16]))
			if !asked.IsLinkLocalUnicast() {
				binary.NativeEndian.PutUint32(data[16:20], 0)
			}
			return asked, reply, !asked.IsMulticast()
		}
	}
	return netip.Addr{}, nil, false
}
