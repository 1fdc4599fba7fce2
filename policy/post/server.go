package post

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// Security is how the connection to a mail server is kept secret.
type Security string

// The ways. StartTLS is mandatory where it is chosen: a server that does not offer it is sent nothing (RFC 3207 §6).
const (
	StartTLS Security = "starttls"
	TLS      Security = "tls"
	None     Security = "none"
)

// Server is the town's mail server.
type Server struct {
	Host     string
	Port     int
	Security Security
	Roots    *x509.CertPool // that its certificate must come from; nil: the machine's
	User     string         // empty: it lets us in without
	Password string
	From     string // address of the sender
	Name     string // of the sender
	Timeout  time.Duration
}

// maxReplies is the most that a server may say in one session, in octets.
const maxReplies = 1 << 20

// session is a connection to a mail server.
type session struct {
	server *Server
	client *mail.Client
	smtp   *smtp.Client
	conn   net.Conn
	stop   func() bool // the connection from ending with the context
}

// dial connects, with TLS as it is to be, and logs in.
func (s *Server) dial(ctx context.Context) (*session, error) {
	out, whole := &session{server: s}, ctx
	config := &tls.Config{ServerName: s.Host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
	options := []mail.Option{
		mail.WithPort(s.Port), mail.WithTimeout(s.Timeout), mail.WithTLSConfig(config), mail.WithoutNoop(), mail.WithoutSMTPUTF8(),
		mail.WithDialContextFunc(func(ctx context.Context, network, addr string) (net.Conn, error) {
			raw, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			out.conn = &bounded{Conn: raw, left: maxReplies}
			out.stop = context.AfterFunc(whole, func() { _ = out.conn.Close() })
			if s.Security != TLS {
				return out.conn, nil
			}
			secret := tls.Client(out.conn, config)
			return secret, secret.HandshakeContext(ctx)
		}),
	}
	switch s.Security {
	case TLS:
		options = append(options, mail.WithSSL())
	case None:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if s.User != "" {
		options = append(options, mail.WithUsername(s.User), mail.WithPassword(s.Password),
			mail.WithOpportunisticSMTPAuth(mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthSCRAMSHA1, mail.SMTPAuthPlain, mail.SMTPAuthLogin))
	}
	var err error
	if out.client, err = mail.NewClient(s.Host, options...); err != nil {
		return nil, err
	}
	if out.smtp, err = out.client.DialToSMTPClientWithContext(ctx); err != nil {
		if out.conn != nil { // the library leaves it open
			out.stop()
			_ = out.conn.Close()
		}
		if s.Security != TLS && s.Security != None && strings.Contains(err.Error(), "does not support STARTTLS") { // no error of its own
			err = errors.New("it offers no STARTTLS, so nothing was sent; another port or mail.tls may suit it (tls, or none in a network you trust)")
		}
		return nil, fmt.Errorf("%s: %w", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), err)
	}
	return out, nil
}

// close takes leave.
func (s *session) close() {
	_ = s.client.CloseWithSMTPClient(s.smtp) // what was to be sent was sent, or will be again
	s.stop()
	_ = s.conn.Close()
}

// deliver gives the server a letter. It may say that it took it and yet fail later: what was taken is no failure.
func (s *session) deliver(d mailing) error {
	m, err := s.server.message(d.letter, d.paper)
	if err != nil {
		return err
	}
	err = s.client.SendWithSMTPClient(s.smtp, m)
	if m.IsDelivered() {
		return nil
	}
	return err
}

// forGood says whether a failure is the server's last word on a message (RFC 5321 §4.2.1), and no matter of settings: log-in
// and encryption missing or failed (RFC 4954 §6) can be put right for all messages.
func forGood(err error) bool {
	var refusal *mail.SendError
	if !errors.As(err, &refusal) {
		return false
	}
	code := refusal.ErrorCode()
	return code >= 500 && code < 600 && (code < 530 || code > 538)
}

// bounded is a connection that breaks off when the other side says too much.
type bounded struct {
	net.Conn
	left int
}

var errTooMuch = errors.New("the mail server says more than a session can need")

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooMuch
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
