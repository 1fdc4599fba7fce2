package portal

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// What a request may take. A page is one request of some hundred octets on a local network.
const (
	headerTime = 5 * time.Second
	wholeTime  = 10 * time.Second
	maxHeader  = 16 << 10 // octets
	maxForm    = 16 << 10 // octets of a form that is sent
)

// Limits bound the connections at once. Zero values stand for the defaults.
type Limits struct {
	Connections int // in all: 512
	PerClient   int // of one address: 32; a page of the web opens many at a time
}

// Server serves a portal on listeners.
type Server struct {
	http *http.Server
	door *door
	tls  *tls.Config
}

// NewServer makes a server. The certificates are for listeners of HTTPS; nil: there are none.
func NewServer(p *Portal, certificates func(*tls.ClientHelloInfo) (*tls.Certificate, error), l Limits) *Server {
	if l.Connections == 0 {
		l.Connections = 512
	}
	if l.PerClient == 0 {
		l.PerClient = 32
	}
	s := &Server{door: newDoor(p, l)}
	s.tls = &tls.Config{GetCertificate: certificates, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, SessionTicketsDisabled: true}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	s.http = &http.Server{
		Handler:           p,
		ReadHeaderTimeout: headerTime, ReadTimeout: wholeTime, WriteTimeout: wholeTime, MaxHeaderBytes: maxHeader,
		Protocols: &protocols,
		ErrorLog:  log.New(io.Discard, "", 0), // it tells who asked
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, guestKey{}, guestOf(c))
		},

		DisableGeneralOptionsHandler: true,
	}
	s.http.SetKeepAlivesEnabled(false)
	return s
}

// Serve serves plain HTTP on a listener until Shutdown, which it owns.
func (s *Server) Serve(l net.Listener) error { return s.serve(s.door.listener(l)) }

// ServeTLS serves HTTPS on a listener until Shutdown, which it owns.
func (s *Server) ServeTLS(l net.Listener) error {
	return s.serve(tls.NewListener(s.door.listener(l), s.tls))
}

func (s *Server) serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown lets the requests under way be answered, and ends; when ctx ends first, they are cut off.
func (s *Server) Shutdown(ctx context.Context) error {
	s.door.closeWaiting()
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close() // what did not end in time
	}
	return err
}
