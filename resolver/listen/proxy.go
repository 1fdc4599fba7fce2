package listen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"
)

// The PROXY protocol, version 2, by which a load balancer in front says who asks: before each datagram, and once at the beginning of a TCP
// connection, before the handshake of TLS if there is one (haproxy.org, doc/proxy-protocol.txt §2.2).
const (
	proxySignature = "\r\n\r\n\x00\r\nQUIT\n"
	proxyHead      = len(proxySignature) + 4 // version and command, family, length of the rest
	proxyVersion   = 2
	// maxProxyRest bounds what may follow the head, addresses and type-length-values, in octets.
	maxProxyRest = 1024
	// maxIntroduced bounds the connections of load balancers that have not said yet whose they are.
	maxIntroduced = 500
	// introduction is how long one of these has for it.
	introduction = time.Second
)

// ProxyLocal is what a balancer says before a message of its own.
const ProxyLocal = proxySignature + "\x20\x00\x00\x00"

var errProxy = errors.New("a load balancer did not say who asks")

// parseProxyHead reads the head: whether addresses are to be believed (a LOCAL command is the balancer's own, such as a health check), their
// family, and how much follows.
func parseProxyHead(b []byte) (local bool, family byte, rest int, err error) {
	if len(b) < proxyHead || string(b[:len(proxySignature)]) != proxySignature {
		return false, 0, 0, errProxy
	}
	version, command := b[12]>>4, b[12]&0xf
	rest = int(binary.BigEndian.Uint16(b[14:]))
	if version != proxyVersion || command > 1 || rest > maxProxyRest {
		return false, 0, 0, errProxy
	}
	return command == 0, b[13] >> 4, rest, nil
}

// proxiedClient is the source in what follows the head; of the destination and what comes behind the addresses nothing is wanted.
func proxiedClient(family byte, rest []byte) (netip.AddrPort, error) {
	const inet, inet6 = 1, 2
	switch {
	case family == inet && len(rest) >= 12:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(rest)), binary.BigEndian.Uint16(rest[8:])), nil
	case family == inet6 && len(rest) >= 36:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(rest)).Unmap(), binary.BigEndian.Uint16(rest[32:])), nil
	}
	return netip.AddrPort{}, errProxy
}

// unwrap takes the header off a datagram of a load balancer.
func unwrap(datagram []byte, peer netip.AddrPort) (client netip.AddrPort, packet []byte, err error) {
	local, family, rest, err := parseProxyHead(datagram)
	if err != nil || len(datagram) < proxyHead+rest {
		return client, nil, errProxy
	}
	packet = datagram[proxyHead+rest:]
	if local {
		return peer, packet, nil
	}
	client, err = proxiedClient(family, datagram[proxyHead:proxyHead+rest])
	return client, packet, err
}

// introduce reads the header of a connection.
func introduce(conn net.Conn, peer netip.AddrPort) (client netip.AddrPort, err error) {
	_ = conn.SetReadDeadline(time.Now().Add(introduction))
	head := make([]byte, proxyHead)
	if _, err := io.ReadFull(conn, head); err != nil {
		return client, err
	}
	local, family, rest, err := parseProxyHead(head)
	if err != nil {
		return client, err
	}
	var all bytes.Buffer
	if _, err := io.CopyN(&all, conn, int64(rest)); err != nil {
		return client, err
	}
	_ = conn.SetReadDeadline(time.Time{})
	if local {
		return peer, nil
	}
	return proxiedClient(family, all.Bytes())
}

// introduceTo gives a connection to admit, as the client's whose it is; of a load balancer's that has to be heard first.
func (s *Server) introduceTo(admit func(conn *net.TCPConn, client, local netip.AddrPort) bool, conn *net.TCPConn, peer, local netip.AddrPort) bool {
	if s.cfg.Proxied == nil || !s.cfg.Proxied(peer.Addr()) {
		return admit(conn, peer, local)
	}
	if s.introduced.Add(1) > maxIntroduced {
		s.introduced.Add(-1)
		s.tcpRefused.Add(1)
		return false
	}
	s.workers.Go(func() {
		client, err := introduce(conn, peer)
		s.introduced.Add(-1)
		if err != nil || !admit(conn, client, local) {
			conn.Close()
		}
	})
	return true
}
