package portal

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"time"

	"usciere/policy/portal/door"
)

const (
	maxHeader = 16 << 10 // octets of a request's header
	maxForm   = 16 << 10 // octets of a form that is sent
)

// Limits bound the connections at once, and how long each may take. Zero values stand for the defaults, which have room: a
// page is one request of some hundred octets on a local network.
type Limits struct {
	Connections int           // in all: 512
	PerClient   int           // of one address: 32; a page of the web opens many at a time
	Header      time.Duration // until the header has come: 5 s
	Whole       time.Duration // until all has come, and again until all has gone: 10 s
}

func (l Limits) orDefault() Limits {
	return Limits{
		Connections: cmp.Or(l.Connections, 512), PerClient: cmp.Or(l.PerClient, 32),
		Header: cmp.Or(l.Header, 5*time.Second), Whole: cmp.Or(l.Whole, 10*time.Second),
	}
}

// Server serves a portal on listeners.
type Server struct {
	http *http.Server
	door *door.Door
	tls  *tls.Config
}

// NewServer makes a server. The certificates are for listeners of HTTPS; nil: there are none.
func NewServer(p *Portal, certificates func(*tls.ClientHelloInfo) (*tls.Certificate, error), l Limits) *Server {
	l = l.orDefault()
	inside := func(a netip.Addr) bool { return p.cfg.Rules.Snapshot().Inside(a) }
	s := &Server{door: door.New(inside, door.Limits{Connections: l.Connections, PerClient: l.PerClient})}
	s.tls = &tls.Config{GetCertificate: certificates, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, SessionTicketsDisabled: true}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	s.http = &http.Server{
		Handler:           p,
		ReadHeaderTimeout: l.Header, ReadTimeout: l.Whole, WriteTimeout: l.Whole, MaxHeaderBytes: maxHeader,
		Protocols:   &protocols,
		ErrorLog:    log.New(io.Discard, "", 0), // it tells who asked
		ConnContext: door.Context,

		DisableGeneralOptionsHandler: true,
	}
	s.http.SetKeepAlivesEnabled(false)
	return s
}

// Serve serves plain HTTP on a listener until Shutdown, which it owns.
func (s *Server) Serve(l net.Listener) error { return s.serve(s.door.Listener(l)) }

// ServeTLS serves HTTPS on a listener until Shutdown, which it owns.
func (s *Server) ServeTLS(l net.Listener) error {
	return s.serve(tls.NewListener(s.door.Listener(l), s.tls))
}

func (s *Server) serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// ShownOut is how many connections were closed, there being no room for all.
func (s *Server) ShownOut() uint64 { return s.door.ShownOut() }

// Shutdown lets the requests under way be answered, and ends; when ctx ends first, they are cut off.
func (s *Server) Shutdown(ctx context.Context) error {
	s.door.CloseWaiting()
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close() // what did not end in time
	}
	return err
}
