package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"usciere/resolver/listen"
)

// ready says why the daemon does not answer questions; nil: it does, as one shows that is asked of it.
func (d *daemon) ready(ctx context.Context) error {
	at := d.dns.Addrs()[0]
	if at.Addr().IsUnspecified() {
		loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
		if at.Addr().Is6() {
			loopback = netip.IPv6Loopback()
		}
		at = netip.AddrPortFrom(loopback, at.Port())
	}
	conn, err := new(net.Dialer).DialContext(ctx, "udp", at.String())
	if err != nil {
		return fmt.Errorf("nobody can ask at %s: %w", at, err)
	}
	defer conn.Close()
	from, _ := netip.ParseAddrPort(conn.LocalAddr().String()) // of UDP it always is one
	_ = conn.SetDeadline(time.Now().Add(metricsTime / 2))
	if _, err := conn.Write(d.selfTestFrom(from.Addr().Unmap().WithZone(""))); err != nil {
		return fmt.Errorf("a question to %s cannot be sent: %w", at, err)
	}
	if _, err := conn.Read(make([]byte, 512)); err != nil {
		return fmt.Errorf("a question to %s gets no reply: %w", at, err)
	}
	return nil
}

// selfTest asks for localhost, which is answered here, and shows a cookie (RFC 7873 §4), which follows.
const selfTest = "us\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x09localhost\x00\x00\x01\x00\x01\x00\x00\x29\x02\x00\x00\x00\x00\x00\x00\x1c\x00\x0a\x00\x18"

// selfTestFrom is the question from an address. It gets a reply when others are held back (limits.strangers) or must come through a balancer
// (front.proxy).
func (d *daemon) selfTestFrom(from netip.Addr) []byte {
	var out []byte
	if slices.ContainsFunc(d.opened.Front.Proxy, func(p netip.Prefix) bool { return p.Contains(from) }) {
		out = []byte(listen.ProxyLocal)
	}
	return append(append(out, selfTest...), d.resolver.Cookie(from)...)
}
