package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// endpoint is one address to bind.
type endpoint struct {
	addr     netip.AddrPort
	optional bool // left out, quietly, on a machine without its address family
}

// version is what network names end in: "4" or "6". A "6" socket never takes IPv4, not even on "::".
func (e endpoint) version() string {
	if e.addr.Addr().Is4() {
		return "4"
	}
	return "6"
}

// parseAddr reads one configured address. ":53" becomes two endpoints, IPv4 and IPv6.
func parseAddr(text string) ([]endpoint, error) {
	if port, ok := strings.CutPrefix(text, ":"); ok && !strings.HasPrefix(port, ":") {
		v4, err := netip.ParseAddrPort("0.0.0.0:" + port)
		if err != nil {
			return nil, fmt.Errorf("listen address %q: after the colon stands a port between 0 and 65535", text)
		}
		v6 := netip.AddrPortFrom(netip.IPv6Unspecified(), v4.Port())
		return []endpoint{{addr: v4}, {addr: v6, optional: true}}, nil
	}
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		return nil, fmt.Errorf("listen address %q: write an IP address and a port, such as 127.0.0.1:5300, [::1]:5300, or :53 for all addresses", text)
	}
	return []endpoint{{addr: netip.AddrPortFrom(a.Addr().Unmap(), a.Port())}}, nil
}

// binding is one address with its sockets.
type binding struct {
	addr netip.AddrPort
	udp  []*net.UDPConn
	tcp  *net.TCPListener
}

func (b binding) close() {
	for _, u := range b.udp {
		u.Close()
	}
	if b.tcp != nil {
		b.tcp.Close()
	}
}

func closeAll(bs []binding) {
	for _, b := range bs {
		b.close()
	}
}

func bindAll(cfg Config) ([]binding, error) {
	if len(cfg.Addrs) == 0 {
		return nil, errors.New("no address to listen on: give at least one, such as 127.0.0.1:5300")
	}
	var all []binding
	for _, text := range cfg.Addrs {
		endpoints, err := parseAddr(text)
		if err == nil {
			var bs []binding
			bs, err = bindTogether(cfg, endpoints)
			all = append(all, bs...)
		}
		if err != nil {
			closeAll(all)
			return nil, err
		}
	}
	return all, nil
}

// portTries bounds how often another port is picked for port 0 when the first is free for UDP only.
const portTries = 32

// bindTogether binds the endpoints of one configured address, on the same port if the kernel is to pick it.
func bindTogether(cfg Config, endpoints []endpoint) ([]binding, error) {
	tries := 1
	if endpoints[0].addr.Port() == 0 {
		tries = portTries
	}
	var err error
	for range tries {
		var bs []binding
		port := endpoints[0].addr.Port()
		for _, e := range endpoints {
			e.addr = netip.AddrPortFrom(e.addr.Addr(), port)
			var b binding
			b, err = bind(cfg, e)
			if err != nil && e.optional && familyMissing(err) {
				cfg.Log.Debug("not listening on IPv6: this machine has none", "address", e.addr)
				err = nil
				continue
			}
			if err != nil {
				break
			}
			bs, port = append(bs, b), b.addr.Port()
		}
		if err == nil {
			return bs, nil
		}
		closeAll(bs)
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return nil, err
}

func familyMissing(err error) bool {
	return errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

// bind opens the sockets of one address. The first UDP socket is bound without SO_REUSEPORT, which fails when anybody else holds
// the port, even in a SO_REUSEPORT group; only then is the option set on it, and the group's others join.
func bind(cfg Config, e endpoint) (b binding, err error) {
	defer func() {
		if err != nil {
			b.close()
			b = binding{}
		}
	}()
	first, err := bindUDP(cfg, e, false)
	if err != nil {
		return b, err
	}
	b.udp = append(b.udp, first)
	b.addr = netip.AddrPortFrom(e.addr.Addr(), first.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	e.addr = b.addr
	if b.tcp, err = bindTCP(e); err != nil {
		return b, err
	}
	if cfg.Readers == 1 {
		return b, nil
	}
	if err := setReusePort(first); err != nil {
		return b, fmt.Errorf("listen on udp %s: sharing the port between readers: %w", e.addr, err)
	}
	for range cfg.Readers - 1 {
		u, err := bindUDP(cfg, e, true)
		if err != nil {
			return b, err
		}
		b.udp = append(b.udp, u)
	}
	return b, nil
}

func bindUDP(cfg Config, e endpoint, reuse bool) (*net.UDPConn, error) {
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		ctl := raw.Control(func(fd uintptr) { err = setUDPOptions(int(fd), e, cfg.ReceiveBuffer, reuse) })
		return errors.Join(ctl, err)
	}}
	conn, err := lc.ListenPacket(context.Background(), "udp"+e.version(), e.addr.String())
	if err != nil {
		return nil, explain("udp", e.addr, err)
	}
	return conn.(*net.UDPConn), nil
}

func bindTCP(e endpoint) (*net.TCPListener, error) {
	lc := net.ListenConfig{KeepAlive: -1} // an idle connection is closed before a probe would be due
	lc.SetMultipathTCP(false)             // of no use to DNS, and its listeners are missing from /proc/net/tcp
	l, err := lc.Listen(context.Background(), "tcp"+e.version(), e.addr.String())
	if err != nil {
		return nil, explain("tcp", e.addr, err)
	}
	return l.(*net.TCPListener), nil
}

func setUDPOptions(fd int, e endpoint, receiveBuffer int, reuse bool) error {
	level, mtu, omit, info := unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_OMIT, unix.IP_PKTINFO
	if e.version() == "6" {
		level, mtu, omit, info = unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_OMIT, unix.IPV6_RECVPKTINFO
	}
	// A forged "packet too big" must not make the kernel cut replies into fragments that an attacker can replace (RFC 9715 §3.1).
	if err := unix.SetsockoptInt(fd, level, mtu, omit); err != nil {
		return fmt.Errorf("setting IP_MTU_DISCOVER: %w", err)
	}
	if e.addr.Addr().IsUnspecified() {
		if err := unix.SetsockoptInt(fd, level, info, 1); err != nil {
			return fmt.Errorf("setting IP_PKTINFO: %w", err)
		}
	}
	if reuse {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return fmt.Errorf("setting SO_REUSEPORT: %w", err)
		}
	}
	// A wish: the kernel's limit holds for those without CAP_NET_ADMIN, and a smaller buffer serves as well, only not in a burst.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	return nil
}

func setReusePort(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	ctl := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	return errors.Join(ctl, err)
}

// explain turns the error of a bind into one that says what to do.
func explain(network string, addr netip.AddrPort, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return newInUseError(network, addr, err)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return fmt.Errorf("listen on %s %s: not permitted (%w): a port below 1024 needs root or the capability CAP_NET_BIND_SERVICE; "+
			"to try it without, --listen 127.0.0.1:5300", network, addr, bare(err))
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("listen on %s %s: the address is not on this machine (%w): `ip address` shows those that are",
			network, addr, bare(err))
	}
	return fmt.Errorf("listen on %s %s: %w", network, addr, bare(err))
}

// bare strips what package net says about operation and address, which our own text says as well.
func bare(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
