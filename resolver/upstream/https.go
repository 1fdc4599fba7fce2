package upstream

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/miekg/dns"
)

// httpsIdle is how long a connection without questions is kept; making one anew takes two round trips.
const httpsIdle = 30 * time.Second

// overHTTPS asks a server over HTTPS. A connection is made at the first question, at the server's address whatever its name leads to, and
// used by all.
func (g *Group) overHTTPS(s *server) {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	dialer := net.Dialer{Timeout: g.cfg.TryTimeout}
	transport := &http.Transport{
		Protocols:           protocols,
		TLSClientConfig:     s.secured.config,
		TLSHandshakeTimeout: g.cfg.TryTimeout,
		IdleConnTimeout:     httpsIdle,
		MaxConnsPerHost:     maxStreams, // each has room for a hundred questions at once
		DisableCompression:  true,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: httpsIdle / 2, PingTimeout: g.cfg.TryTimeout},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", s.addr.String())
		},
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	url := "https://" + s.secured.Name + cmp.Or(s.secured.Path, "/dns-query")
	s.secured.close = transport.CloseIdleConnections
	s.secured.exchange = func(ctx context.Context, x *query, deadline time.Time) (Answer, error) {
		x.anonymous()
		within, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		var err error
		for range 2 { // a connection may break that is used again, as one does that the server ended when it was idle
			s.sent()
			var reply []byte
			if reply, err = post(within, client, url, x.sent); err == nil {
				return x.taken(reply)
			}
			if err = insecure(err); within.Err() != nil || errors.Is(err, errInsecure) || errors.Is(err, errUnusable) || isAway(err) {
				break
			}
		}
		return Answer{}, inTime(ctx, deadline, err)
	}
}

// post sends a message and returns the one that comes back (RFC 8484 §4.1).
func post(ctx context.Context, client *http.Client, url string, msg []byte) ([]byte, error) {
	const messageType = "application/dns-message"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(msg))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", messageType)
	r.Header.Set("Accept", messageType)
	r.Header.Set("User-Agent", "") // nothing that tells installations apart
	res, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: HTTP status %s; is the path right", errUnusable, res.Status)
	}
	if kind := res.Header.Get("Content-Type"); kind != messageType {
		return nil, fmt.Errorf("%w: it is %q, no DNS message; is the path right", errUnusable, kind)
	}
	reply, err := io.ReadAll(io.LimitReader(res.Body, dns.MaxMsgSize+1))
	if err == nil && len(reply) > dns.MaxMsgSize {
		err = fmt.Errorf("%w: it is longer than a DNS message", errUnusable)
	}
	return reply, err
}
