package listen

import (
	"crypto/tls"
	"time"

	"usciere/resolver/wire"
)

// encrypt makes of a connection one over TLS (RFC 7858), which has the same limits and manners.
func (c *tcpConn) encrypt(config *tls.Config) *tcpConn {
	c.conn = tls.Server(c.below, config)
	c.in.Reset(c.conn)
	c.counts = &c.server.streams[TLS]
	c.req.Transport = TLS
	return c
}

// handshake is that of TLS, if the connection has it, in time.
func (c *tcpConn) handshake() bool {
	secure, ok := c.conn.(*tls.Conn)
	if !ok {
		return true
	}
	limit := handshakeTime
	if c.guest.Load() {
		limit = guestTime
	}
	c.below.SetDeadline(time.Now().Add(limit))
	if c.server.stopping() {
		c.below.SetDeadline(past)
	}
	if secure.Handshake() != nil {
		return false
	}
	state := secure.ConnectionState()
	c.req.Claim = claimOf(&state)
	c.server.welcome(&c.guest, c.req.Claim, c.client.Addr())
	return true
}

// wishes are what a query asks of the connection; padding is of no use where everybody can read (RFC 7830 §6).
func (c *tcpConn) wishes(r *Request) wire.Wishes {
	w := wire.WishesOf(r.Packet)
	w.Padding = w.Padding && r.Transport == TLS
	return w
}

// idle is how long the connection may be idle, in the units of RFC 7828 §3.1, 100 ms; a guest is to close it at once.
func (c *tcpConn) idle() uint16 {
	if c.guest.Load() {
		return 0
	}
	return uint16(min(c.server.cfg.Idle/(100*time.Millisecond), 65535))
}
