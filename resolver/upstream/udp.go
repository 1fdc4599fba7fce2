package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// udpBuffer is the room for one datagram: more than ednsSize for servers that do not care. A longer one is cut by the
// kernel and then does not parse.
const udpBuffer = 4096

var udpBuffers = sync.Pool{New: func() any { return new([udpBuffer]byte) }}

// exchangeUDP sends a query from a socket of its own and reads until the answer comes or the deadline passes, whatever else
// comes meanwhile.
func (g *Group) exchangeUDP(ctx context.Context, s *server, x *query, deadline time.Time) (Answer, error) {
	conn, err := dialUDP(s.addr, g.random.port)
	if err != nil {
		return Answer{}, err
	}
	defer conn.Close()
	defer interruptible(ctx, conn, deadline)()
	s.sent()
	if _, err := conn.Write(x.sent); err != nil {
		return Answer{}, gaveUp(err, nil)
	}
	buf := udpBuffers.Get().(*[udpBuffer]byte)
	defer udpBuffers.Put(buf)
	var unusable error
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf[:])
		if err != nil {
			return Answer{}, gaveUp(err, unusable)
		}
		if !sameSource(from, s.addr) { // it came between bind and connect
			s.dropped()
			continue
		}
		answer, err := x.take(buf[:n])
		if !readOn(err) {
			return answer, err
		}
		s.dropped()
		if errors.Is(err, errUnusable) {
			unusable = err
		}
	}
}

// gaveUp is the error of a socket that brought no answer: unusable is the last unusable reply, if there was one.
func gaveUp(err, unusable error) error {
	if unusable != nil {
		return unusable
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errSilent
	}
	return err
}

// dialUDP opens a socket on a port drawn from port, connected to server, so that the kernel drops what comes from elsewhere and
// reports refusals. A port in use is answered by another draw.
func dialUDP(server netip.AddrPort, port func() uint16) (*net.UDPConn, error) {
	network, local := "udp4", netip.IPv4Unspecified()
	if server.Addr().Is6() {
		network, local = "udp6", netip.IPv6Unspecified()
	}
	const draws = 32 // all of them taken: tens of thousands of sockets are open, and waiting would not help
	var failed error
	for range draws {
		from := netip.AddrPortFrom(local, port())
		conn, err := net.DialUDP(network, net.UDPAddrFromAddrPort(from), net.UDPAddrFromAddrPort(server))
		if err == nil {
			return conn, nil
		}
		failed = err
		// Security modules forbid some ports.
		if !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, syscall.EACCES) {
			break
		}
	}
	return nil, fmt.Errorf("opening a UDP socket: %w", failed)
}

// sameSource compares addresses without the zone, which the kernel gives by name and the operator may have by number.
func sameSource(a, b netip.AddrPort) bool {
	return a.Port() == b.Port() && a.Addr().Unmap().WithZone("") == b.Addr().WithZone("")
}
