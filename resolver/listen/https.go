package listen

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"usciere/resolver/wire"
)

// WebPath is where DNS over HTTPS is served (RFC 8484 §4.1).
const WebPath = "/dns-query"

const (
	messageType = "application/dns-message"
	// maxGet is the longest message taken in the address of a GET, in octets: a question has at most some hundred.
	maxGet = 2048
	// maxHead bounds the head of a request, in octets: the longest GET, and as much again.
	maxHead = 8 << 10
)

// newWeb is the web server of DNS over HTTPS, over HTTP/2 and HTTP/1.1. There is no HTTP without TLS, and so no way around it (h2c).
func (s *Server) newWeb(h Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	config := s.tlsConfig("h2", "http/1.1")
	return &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serveWeb(h, w, r) }),
		Protocols:         protocols,
		TLSConfig:         config,
		ReadHeaderTimeout: handshakeTime, // of the TLS handshake too
		ReadTimeout:       handshakeTime,
		IdleTimeout:       s.cfg.Idle,
		MaxHeaderBytes:    maxHead,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          s.cfg.MaxPendingPerConn,
			MaxReceiveBufferPerConnection: 128 << 10,
			MaxReceiveBufferPerStream:     64 << 10,
			WriteByteTimeout:              s.cfg.WriteTimeout,
		},
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if secure, ok := c.(interface{ NetConn() net.Conn }); ok {
				c = secure.NetConn()
			}
			if web, ok := c.(*webConn); ok {
				ctx = context.WithValue(ctx, webKey{}, &web.caller)
			}
			return ctx
		},
		ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug), // clients that err are not worth more
	}
}

// webKey is that of a request's *caller.
type webKey struct{}

// caller is a connection of the web server, as its requests see it.
type caller struct {
	origin
	server *Server
	guest  stranger // has one question
	place  *place
	began  atomic.Bool
	asked  atomic.Bool
	shown  sync.Once
	freed  func() // of a stranger's limits; nil: nothing is to be done
}

// shows takes in what the handshake showed.
func (c *caller) shows(state *tls.ConnectionState) {
	c.shown.Do(func() {
		c.claim = claimOf(state)
		c.welcome(c.claim)
	})
}

func (c *caller) welcome(claim *Claim) {
	if c.server.welcome(&c.guest, claim, c.client.Addr()) && c.freed != nil {
		c.freed()
	}
}

// serveWeb answers one request.
func (s *Server) serveWeb(h Handler, w http.ResponseWriter, r *http.Request) {
	c, ok := r.Context().Value(webKey{}).(*caller)
	if !ok || r.TLS == nil {
		http.Error(w, "no connection", http.StatusInternalServerError)
		return
	}
	c.began.Store(true)
	c.place.begin()
	defer c.place.end()
	c.shows(r.TLS)
	from := c.origin
	token, served := webToken(r.URL.Path)
	if token != "" {
		from.claim = from.claim.withToken(token)
		c.welcome(from.claim)
	}
	if c.guest.Load() && c.asked.Swap(true) {
		if r.ProtoMajor < 3 {
			w.Header().Set("Connection", "close")
		}
		http.Error(w, "one question", http.StatusForbidden)
		return
	}
	if !served {
		http.NotFound(w, r)
		return
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(handshakeTime))
	msg, status := readWeb(w, r)
	if status != http.StatusOK {
		if status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", "GET, POST")
		}
		http.Error(w, http.StatusText(status), status)
		return
	}
	reply := s.answer(r.Context(), h, from, msg)
	if reply == nil {
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	_ = control.SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout))
	head := w.Header()
	head.Set("Content-Type", messageType)
	head.Set("Content-Length", strconv.Itoa(len(reply)))
	// Private, since who asks decides what is answered: no cache may give it to another client.
	head.Set("Cache-Control", "private, max-age="+strconv.FormatUint(uint64(wire.MaxAge(reply)), 10)) // RFC 8484 §5.1
	if s.cfg.HTTP3 && r.ProtoMajor < 3 {
		head.Set("Alt-Svc", `h3=":`+strconv.Itoa(int(c.local.Port()))+`"; ma=86400`) // RFC 7838 §3: for a day
	}
	if _, err := w.Write(reply); err != nil {
		s.streams[HTTPS].dropped.Add(1)
		return
	}
	s.streams[HTTPS].replies.Add(1)
}

// webToken is the token in the path of a request, if there is one; served says whether there is anything at that path.
func webToken(path string) (token string, served bool) {
	rest, below := strings.CutPrefix(path, WebPath)
	if !below || rest == "" {
		return "", below
	}
	token, below = strings.CutPrefix(rest, "/")
	if !below || !isToken(token) {
		return "", false
	}
	return token, true
}

// readWeb is the message in a request, or the status that says why there is none (RFC 8484 §4.1, §4.2.1).
func readWeb(w http.ResponseWriter, r *http.Request) (msg []byte, status int) {
	switch r.Method {
	case http.MethodGet:
		msg, status = messageOf(r.URL.RawQuery)
	case http.MethodPost:
		msg, status = readBody(w, r)
	default:
		return nil, http.StatusMethodNotAllowed
	}
	if status == http.StatusOK && !wire.IsQuery(msg) {
		return nil, http.StatusBadRequest
	}
	return msg, status
}

// messageOf is the message in the query of a GET's address, base64url without padding. Its length is looked at before anything is
// decoded.
func messageOf(query string) ([]byte, int) {
	if len(query) > maxHead {
		return nil, http.StatusRequestURITooLong
	}
	values, err := url.ParseQuery(query)
	if err != nil || len(values["dns"]) != 1 {
		return nil, http.StatusBadRequest
	}
	text := values["dns"][0]
	if len(text) > base64.RawURLEncoding.EncodedLen(maxGet) {
		return nil, http.StatusRequestURITooLong
	}
	msg, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, http.StatusBadRequest
	}
	return msg, http.StatusOK
}

// readBody is the message that a POST brings.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, int) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != messageType {
		return nil, http.StatusUnsupportedMediaType
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, http.StatusUnsupportedMediaType
	}
	if r.ContentLength > maxMessage {
		return nil, http.StatusRequestEntityTooLarge
	}
	msg, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return nil, http.StatusRequestEntityTooLarge
	case err != nil:
		return nil, http.StatusBadRequest
	}
	return msg, http.StatusOK
}

// webListener gives the web server those connections that the limits allow.
type webListener struct {
	*net.TCPListener
	server *Server
}

// Accept waits for the next connection.
func (l *webListener) Accept() (net.Conn, error) {
	s := l.server
	for {
		conn, err := l.AcceptTCP()
		switch {
		case err == nil:
			if c := s.enterWeb(conn); c != nil {
				return c, nil
			}
			conn.Close()
		case s.stopping() || errors.Is(err, net.ErrClosed):
			return nil, net.ErrClosed
		default:
			s.pause("accepting HTTPS connections", err)
		}
	}
}

// webConn is one connection of the web server.
type webConn struct {
	*net.TCPConn
	caller
	until time.Time // a guest's end
	left  sync.Once
}

// enterWeb counts a connection; it is nil when a limit forbids.
func (s *Server) enterWeb(conn *net.TCPConn) *webConn {
	peer, _ := conn.RemoteAddr().(*net.TCPAddr)
	local, _ := conn.LocalAddr().(*net.TCPAddr)
	if peer == nil || local == nil {
		return nil
	}
	c := &webConn{TCPConn: conn, until: time.Now().Add(guestTime)}
	c.server, c.origin = s, origin{transport: HTTPS, client: withoutZone(peer.AddrPort()), local: withoutZone(local.AddrPort())}
	c.freed = func() { _ = conn.SetDeadline(time.Time{}) } // what the web server does not set anew
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.place = s.enter(c, c.client.Addr(), &c.guest); c.place == nil {
		return nil
	}
	return c
}

// wake ends a connection without a request; the others are the web server's to end.
func (c *webConn) wake() {
	if !c.began.Load() {
		c.cut()
	}
}

func (c *webConn) cut() { c.TCPConn.Close() }

func (c *webConn) evict() { c.cut() }

func (*webConn) waits() bool { return false }

// Close gives the connection's place back.
func (c *webConn) Close() error {
	c.left.Do(func() {
		c.server.mu.Lock()
		defer c.server.mu.Unlock()
		c.server.leave(c)
	})
	return c.TCPConn.Close()
}

// A guest has guestTime in all, whatever the web server allows.
func (c *webConn) atMost(t time.Time) time.Time {
	if c.guest.Load() && (t.IsZero() || t.After(c.until)) {
		return c.until
	}
	return t
}

// SetDeadline is of reading and writing.
func (c *webConn) SetDeadline(t time.Time) error { return c.TCPConn.SetDeadline(c.atMost(t)) }

// SetReadDeadline is of reading.
func (c *webConn) SetReadDeadline(t time.Time) error { return c.TCPConn.SetReadDeadline(c.atMost(t)) }

// SetWriteDeadline is of writing.
func (c *webConn) SetWriteDeadline(t time.Time) error { return c.TCPConn.SetWriteDeadline(c.atMost(t)) }
