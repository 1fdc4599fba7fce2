package main

import (
	"context"
	_ "embed"
	"fmt"
	"net/netip"
	"strings"

	"usciere/resolver/listen"
	"usciere/resolver/wire"
	"usciere/resolver/zone"
)

// demoZone is what the demo's upstream knows: names that offices use, at documentation addresses (RFC 5737, RFC 3849).
//
//go:embed demo.zone
var demoZone string

// demoUpstream is a server of demoZone on a port of its own.
type demoUpstream struct {
	zone   *zone.Zone
	server *listen.Server
	done   chan struct{}
}

func openDemoUpstream() (*demoUpstream, error) {
	z, err := zone.Parse(".", strings.NewReader(demoZone), "demo.zone")
	if err != nil {
		return nil, err
	}
	server, err := listen.Open(listen.Config{Addrs: []string{"127.0.0.1:0"}, Readers: 1})
	if err != nil {
		return nil, fmt.Errorf("open the demo's upstream: %w", err)
	}
	u := &demoUpstream{z, server, make(chan struct{})}
	go func() {
		defer close(u.done)
		_ = server.Serve(u) // ends with close
	}()
	return u, nil
}

func (u *demoUpstream) addr() netip.AddrPort { return u.server.Addrs()[0] }

func (u *demoUpstream) close() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = u.server.Shutdown(ctx)
	<-u.done
}

// Serve answers one question from the zone.
func (u *demoUpstream) Serve(r *listen.Request) {
	var q wire.Query
	var b wire.Builder
	outcome := q.Read(r.Packet)
	if outcome == wire.Drop {
		return
	}
	limit := q.Limit(r.Transport == listen.UDP)
	if outcome == wire.Good {
		if msg, err := u.zone.Lookup(q.Name(), q.Type).Pack(q.Name(), q.Type); err == nil {
			if ttls, err := wire.TTLOffsets(msg); err == nil {
				b.Relay(r.Scratch(), &q, msg, ttls, 0, 3600, true, false)
				r.Reply(b.Finish(limit))
				return
			}
		}
	}
	b.Begin(r.Scratch(), &q, max(outcome.Rcode(), wire.RcodeServFail), false)
	r.Reply(b.Finish(limit))
}
