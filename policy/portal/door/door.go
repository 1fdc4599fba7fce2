// Package door bounds the connections of a server of HTTP, so that those who only keep connections open keep nobody out.
package door

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Limits are how many connections there are at once, in all and of one address.
type Limits struct{ Connections, PerClient int }

// Door counts the connections, and keeps out whom it is not open to. A connection waits until [Settle] is told that its request has come
// whole; when there is no room, the one that waits longest makes some. A server with a door has a request for each connection: see
// [http.Server.SetKeepAlivesEnabled].
type Door struct {
	open   func(netip.Addr) bool
	limits Limits

	shownOut atomic.Uint64

	mu      sync.Mutex
	all     int
	clients map[netip.Addr]int
	waiting list.List // of *guest, the longest first
	closing bool
}

// New makes a door that is open to some addresses; nil: to all.
func New(open func(netip.Addr) bool, l Limits) *Door {
	if open == nil {
		open = func(netip.Addr) bool { return true }
	}
	return &Door{open: open, limits: l, clients: map[netip.Addr]int{}}
}

// guest is a connection that was let in.
type guest struct {
	net.Conn
	door  *Door
	from  netip.Addr
	place *list.Element // among the waiting; nil when its request is being answered
	once  sync.Once
}

// Close closes the connection, and makes room.
func (g *guest) Close() error {
	g.once.Do(func() { g.door.leave(g) })
	return g.Conn.Close()
}

// Listener lets in the connections of a listener.
func (d *Door) Listener(l net.Listener) net.Listener { return &doorway{l, d} }

type doorway struct {
	net.Listener
	door *Door
}

// Accept returns the next connection that there is room for.
func (d *doorway) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if g := d.door.enter(c); g != nil {
			return g, nil
		}
		c.Close()
	}
}

// enter lets a connection in, or returns nil.
func (d *Door) enter(c net.Conn) *guest {
	at, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return nil
	}
	from := at.Addr().Unmap().WithZone("")
	if !d.open(from) {
		return nil
	}
	d.mu.Lock()
	if d.closing {
		d.mu.Unlock()
		return nil
	}
	var out *guest
	room := true
	switch {
	case d.clients[from] >= d.limits.PerClient:
		out = d.longest(from)
		room = out != nil
	case d.all >= d.limits.Connections:
		out = d.longest(netip.Addr{})
		room = out != nil
	}
	if out != nil {
		d.settled(out) // nobody else chooses it
	}
	if out != nil || !room {
		d.shownOut.Add(1)
	}
	if !room {
		d.mu.Unlock()
		return nil
	}
	g := &guest{Conn: c, door: d, from: from}
	d.all++
	d.clients[from]++
	g.place = d.waiting.PushBack(g)
	d.mu.Unlock()
	if out != nil {
		_ = out.Close() // its client is gone, or slow
	}
	return g
}

// longest is the connection that waits longest, of one client if it is given.
func (d *Door) longest(from netip.Addr) *guest {
	for e := d.waiting.Front(); e != nil; e = e.Next() {
		if g, _ := e.Value.(*guest); !from.IsValid() || g.from == from {
			return g
		}
	}
	return nil
}

// settled takes a connection out of the waiting.
func (d *Door) settled(g *guest) {
	if g.place != nil {
		d.waiting.Remove(g.place)
		g.place = nil
	}
}

func (d *Door) leave(g *guest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settled(g)
	d.all--
	if d.clients[g.from]--; d.clients[g.from] == 0 {
		delete(d.clients, g.from)
	}
}

// ShownOut is how many connections were closed, there being no room for all.
func (d *Door) ShownOut() uint64 { return d.shownOut.Load() }

// CloseWaiting ends the connections that have not asked for anything yet, and lets no more in.
func (d *Door) CloseWaiting() {
	d.mu.Lock()
	d.closing = true
	var waiting []*guest
	for e := d.waiting.Front(); e != nil; e = e.Next() {
		g, _ := e.Value.(*guest)
		waiting = append(waiting, g)
	}
	d.mu.Unlock()
	for _, g := range waiting {
		_ = g.Close()
	}
}

type guestKey struct{}

// Context is for [http.Server.ConnContext].
func Context(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, guestKey{}, guestOf(c))
}

func guestOf(c net.Conn) *guest {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	g, _ := c.(*guest)
	return g
}

// Settle says that a request has come whole: its connection makes no room for another any more.
func Settle(r *http.Request) {
	if g, _ := r.Context().Value(guestKey{}).(*guest); g != nil {
		g.door.mu.Lock()
		defer g.door.mu.Unlock()
		g.door.settled(g)
	}
}
