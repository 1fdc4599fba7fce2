package upstream

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// Over is the encrypted transport that a server is asked over.
type Over string

// The encrypted transports.
const (
	TLS   Over = "tls"   // RFC 7858
	HTTPS Over = "https" // RFC 8484, over HTTP/2
	QUIC  Over = "quic"  // RFC 9250
)

// Secure is how a server is asked over an encrypted transport. It has to prove its name, or it is not asked at all (the strict profile of RFC
// 8310 §5); its address is given, so that no name is needed to reach it.
type Secure struct {
	Over  Over
	Name  string         // on its certificate
	Path  string         // of HTTPS; empty: /dns-query
	Roots *x509.CertPool // of certificates; nil: the machine's
	Pins  [][]byte       // SHA-256 of public keys (SPKI), of which one must be in the certificate's chain; none: any
}

// errInsecure: a server that did not prove who it is.
var errInsecure = errors.New("not asked, since it did not prove who it is")

// secured is an encrypted server's way.
type secured struct {
	Secure
	config   *tls.Config
	exchange func(context.Context, *query, time.Time) (Answer, error)
	close    func()
}

// secure makes a server one that is asked over an encrypted transport. Early data stays off: it can be replayed (RFC 9250 §4.5).
func (g *Group) secure(s *server, how Secure) {
	s.secured = &secured{Secure: how, close: func() {}}
	s.stat.Over, s.stat.Name = how.Over, how.Name
	alpn := map[Over]string{TLS: "dot", HTTPS: "h2", QUIC: "doq"}[how.Over]
	s.secured.config = &tls.Config{
		ServerName: how.Name, RootCAs: how.Roots, NextProtos: []string{alpn}, MinVersion: tls.VersionTLS12,
		ClientSessionCache: tls.NewLRUClientSessionCache(4), VerifyConnection: how.pinned,
	}
	switch how.Over {
	case HTTPS:
		g.overHTTPS(s)
	case QUIC:
		g.overQUIC(s)
	default:
		s.secured.exchange = func(ctx context.Context, x *query, deadline time.Time) (Answer, error) {
			return g.exchangeTCP(ctx, s, x, deadline)
		}
	}
}

// pinned refuses a chain without any of the pinned keys.
func (how *Secure) pinned(state tls.ConnectionState) error {
	if len(how.Pins) == 0 {
		return nil
	}
	for _, chain := range state.VerifiedChains {
		for _, cert := range chain {
			key := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
			if slices.ContainsFunc(how.Pins, func(pin []byte) bool { return string(pin) == string(key[:]) }) {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: none of its keys is one of those pinned", errInsecure)
}

// insecure marks an error as one of a server that did not prove who it is, if it is that.
func insecure(err error) error {
	var verification *tls.CertificateVerificationError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	if errors.As(err, &verification) || errors.As(err, &alert) || errors.As(err, &record) {
		return fmt.Errorf("%w: %w", errInsecure, err)
	}
	return err
}

// askSecurely is ask for a server behind an encrypted transport.
func (g *Group) askSecurely(ctx context.Context, s *server, q Question, deadline time.Time) (Answer, error) {
	a := g.newAsking(s, q, manner{edns: true}, g.cfg.Now())
	a.query.pad()
	answer, err := s.secured.exchange(ctx, a.query, g.tryDeadline(deadline))
	if ctx.Err() == nil {
		g.note(&a, err)
	}
	answer.Server = s.name
	return answer, err
}

// paddedTo is the block of octets that a query's length is a multiple of (RFC 8467 §4.1).
const paddedTo = 128

// pad makes the length of a query, which ends in its OPT record, tell nothing of the name in it (RFC 7830).
func (x *query) pad() {
	const option = 4
	padding := (paddedTo - (len(x.sent)+option)%paddedTo) % paddedTo
	binary.BigEndian.PutUint16(x.sent[len(x.sent)-2:], uint16(option+padding))
	x.sent = binary.BigEndian.AppendUint16(x.sent, dns.EDNS0PADDING)
	x.sent = binary.BigEndian.AppendUint16(x.sent, uint16(padding))
	x.sent = append(x.sent, make([]byte, padding)...)
}

// anonymous gives a query the ID 0, where its reply is known by its stream (RFC 8484 §4.1, RFC 9250 §4.2.1).
func (x *query) anonymous() { x.sent[0], x.sent[1] = 0, 0 }

// taken is the answer in a reply that came on the query's own stream: what does not match is no stranger's, but the server's fault.
func (x *query) taken(reply []byte) (Answer, error) {
	a, err := x.take(reply)
	if errors.Is(err, errStranger) {
		err = fmt.Errorf("%w: %w", errUnusable, err)
	}
	return a, err
}

// inTime tells an error of a deadline that passed as the silence it is.
func inTime(ctx context.Context, deadline time.Time, err error) error {
	if err != nil && ctx.Err() == nil && !time.Now().Before(deadline) {
		return fmt.Errorf("%w (%w)", errSilent, err)
	}
	return err
}
