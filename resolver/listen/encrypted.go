package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	quichttp "github.com/quic-go/quic-go/http3"
)

// handshakeTime bounds the handshake of a connection, and how long a client may take over the head of one HTTP request or its body.
const handshakeTime = 5 * time.Second

// encrypted are the sockets of the encrypted transports.
type encrypted struct {
	tls, https []*net.TCPListener
	quic       []*quicSocket
	web        *http.Server
	web3       *quichttp.Server   // the same over HTTP/3
	young      map[netip.Addr]int // QUIC connections in their handshake, by client; behind the server's mu

	tlsAddrs, httpsAddrs, quicAddrs []netip.AddrPort

	reading     context.Context // ends when the server stops
	stopReading context.CancelFunc
}

// TLSAddrs are the addresses really bound for DNS over TLS, in the order of the configuration.
func (s *Server) TLSAddrs() []netip.AddrPort { return append([]netip.AddrPort(nil), s.tlsAddrs...) }

// HTTPSAddrs are those of DNS over HTTPS.
func (s *Server) HTTPSAddrs() []netip.AddrPort { return append([]netip.AddrPort(nil), s.httpsAddrs...) }

// QUICAddrs are those of DNS over QUIC.
func (s *Server) QUICAddrs() []netip.AddrPort { return append([]netip.AddrPort(nil), s.quicAddrs...) }

// bindEncrypted binds every address of the encrypted transports, or none.
func (s *Server) bindEncrypted() (err error) {
	if s.cfg.Certificate == nil {
		if len(s.cfg.TLS)+len(s.cfg.HTTPS)+len(s.cfg.QUIC) > 0 {
			return errors.New("encrypted transports need a certificate")
		}
		return nil
	}
	s.reading, s.stopReading = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			s.closeEncrypted()
		}
	}()
	if s.tlsAddrs, err = s.bindEach(s.cfg.TLS, "listen", s.bindTLS); err != nil {
		return err
	}
	if s.httpsAddrs, err = s.bindEach(s.cfg.HTTPS, "https", s.bindWeb); err != nil {
		return err
	}
	s.quicAddrs, err = s.bindEach(s.cfg.QUIC, "quic", func(e endpoint) (netip.AddrPort, error) { return s.bindQUIC(e, doq) })
	return err
}

func (s *Server) bindTLS(e endpoint) (netip.AddrPort, error) {
	l, err := bindTCP(e)
	if err != nil {
		return netip.AddrPort{}, err
	}
	s.tls = append(s.tls, l)
	return l.Addr().(*net.TCPAddr).AddrPort(), nil
}

// bindWeb binds one address of DNS over HTTPS: for TCP, and for HTTP/3 the same port for UDP.
func (s *Server) bindWeb(e endpoint) (at netip.AddrPort, err error) {
	tries := 1
	if e.addr.Port() == 0 {
		tries = portTries
	}
	for range tries {
		var l *net.TCPListener
		if l, err = bindTCP(e); err != nil {
			return at, err
		}
		at = l.Addr().(*net.TCPAddr).AddrPort()
		if s.cfg.HTTP3 {
			_, err = s.bindQUIC(endpoint{addr: netip.AddrPortFrom(e.addr.Addr(), at.Port())}, http3)
		}
		if err == nil {
			s.https = append(s.https, l)
			return at, nil
		}
		l.Close()
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return at, err
}

// bindEach binds the endpoints of some configured addresses for one transport.
func (s *Server) bindEach(addrs []string, setting string, bind func(endpoint) (netip.AddrPort, error)) (bound []netip.AddrPort, err error) {
	for _, text := range addrs {
		endpoints, err := parseAddr(text)
		if err != nil {
			return bound, fmt.Errorf("tls.%s: %w", setting, err)
		}
		port := endpoints[0].addr.Port()
		for _, e := range endpoints {
			e.addr = netip.AddrPortFrom(e.addr.Addr(), port)
			at, err := bind(e)
			if err != nil && e.optional && familyMissing(err) {
				continue
			}
			if taken := (*InUseError)(nil); errors.As(err, &taken) {
				taken.Setting = "tls." + setting
				if setting == "https" && taken.Network == "udp" {
					taken.Setting += ", or leave out HTTP/3 (tls.http3: false)"
				}
			}
			if err != nil {
				return bound, err
			}
			port = at.Port()
			bound = append(bound, netip.AddrPortFrom(e.addr.Addr(), port))
		}
	}
	return bound, nil
}

// tlsConfig is for one transport, by its ALPN names. Tickets for resumption are on, with keys of this process that change daily.
func (s *Server) tlsConfig(protocols ...string) *tls.Config {
	config := &tls.Config{GetCertificate: s.cfg.Certificate, MinVersion: tls.VersionTLS12, NextProtos: protocols} // RFC 8310 §9
	if s.cfg.WantCertificate == nil {
		return config
	}
	asking := config.Clone()
	asking.ClientAuth = tls.RequestClientCert
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if s.cfg.WantCertificate() {
			return asking, nil
		}
		return nil, nil
	}
	return config
}

// serveEncrypted starts reading; who calls it holds s.mu.
func (s *Server) serveEncrypted(h Handler) {
	if len(s.tls) > 0 {
		config := s.tlsConfig("dot")
		for _, l := range s.tls {
			s.workers.Go(func() {
				s.acceptEach(l, func(conn *net.TCPConn, client, local netip.AddrPort) bool {
					return s.admit(newConn(s, conn, client, local).encrypt(config), h)
				})
			})
		}
	}
	if len(s.https) > 0 {
		s.web = s.newWeb(h)
		s.web3 = s.newWeb3(h)
		for _, l := range s.https {
			s.workers.Go(func() { _ = s.web.ServeTLS(&webListener{l, s}, "", "") })
		}
	}
	for _, q := range s.quic {
		q.served = true
		s.workers.Go(func() { q.accept(h) })
	}
}

// stopEncrypted ends the reading, and lets what is under way end until ctx does; who calls it holds s.mu.
func (s *Server) stopEncrypted(ctx context.Context) {
	for _, l := range s.tls {
		l.Close()
	}
	for _, l := range s.https {
		l.Close()
	}
	if s.stopReading != nil {
		s.stopReading()
	}
	if s.web != nil {
		s.workers.Go(func() { _ = s.web.Shutdown(ctx) })
	}
}

// closeEncrypted closes everything at once.
func (s *Server) closeEncrypted() {
	if s.stopReading != nil {
		s.stopReading()
	}
	for _, l := range append(append([]*net.TCPListener(nil), s.tls...), s.https...) {
		l.Close()
	}
	if s.web != nil {
		_ = s.web.Close() // of listeners closed before
	}
	for _, q := range s.quic {
		q.close()
	}
}
