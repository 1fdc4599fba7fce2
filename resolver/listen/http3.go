package listen

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/quic-go/quic-go"
	quichttp "github.com/quic-go/quic-go/http3"
)

// newWeb3 is the web server of DNS over HTTPS once more, for HTTP/3 (RFC 9114). Its connections are taken, limited and ended as all of QUIC
// are.
func (s *Server) newWeb3(h Handler) *quichttp.Server {
	return &quichttp.Server{
		Handler:        http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serveWeb(h, w, r) }),
		MaxHeaderBytes: maxHead,
		ConnContext: func(ctx context.Context, conn *quic.Conn) context.Context {
			if c, ok := conn.Context().Value(quicKey{}).(*quicConn); ok {
				ctx = context.WithValue(ctx, webKey{}, &c.caller)
			}
			return ctx
		},
		Logger: slog.New(slog.DiscardHandler), // clients that err are not worth a line
	}
}

// speakHTTP3 begins HTTP/3 over a connection.
func (s *Server) speakHTTP3(conn *quic.Conn) (answer func(*quic.Stream), bye quic.ApplicationErrorCode, err error) {
	over, err := s.web3.NewRawServerConn(conn)
	if err != nil {
		return nil, quic.ApplicationErrorCode(quichttp.ErrCodeInternalError), err
	}
	s.workers.Go(func() {
		for {
			stream, err := conn.AcceptUniStream(conn.Context())
			if err != nil {
				return
			}
			s.workers.Go(func() { over.HandleUnidirectionalStream(stream) })
		}
	})
	return over.HandleRequestStream, quic.ApplicationErrorCode(quichttp.ErrCodeNoError), nil
}
