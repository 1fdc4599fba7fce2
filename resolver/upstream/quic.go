package upstream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
)

// doqNoError ends a connection in peace (RFC 9250 §4.3).
const doqNoError = 0

// quicLine is the connection to a server over QUIC, made at a question and used by all that follow until it ends.
type quicLine struct {
	group  *Group
	server *server

	heard atomic.Uint64 // replies

	mu   sync.Mutex
	conn *quic.Conn
}

// overQUIC asks a server over QUIC, each question on a stream of its own. A connection that breaks while it is used, as one does that the
// server ended when it was idle, is replaced once. One that brings nothing, as when the server was started anew, is given up, for all that
// wait for it; one that keeps silent to a single question is not.
func (g *Group) overQUIC(s *server) {
	line := &quicLine{group: g, server: s}
	s.secured.close = line.close
	s.secured.exchange = func(ctx context.Context, x *query, deadline time.Time) (Answer, error) {
		x.anonymous()
		within, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		var reply []byte
		var err error
		for range 2 {
			var conn *quic.Conn
			var fresh bool
			if conn, fresh, err = line.get(within); err != nil {
				break
			}
			s.sent()
			heard := line.heard.Load()
			if reply, err = askStream(within, conn, x.sent, deadline); err == nil {
				line.heard.Add(1)
				return x.taken(reply)
			}
			late := !time.Now().Before(deadline)
			if stream := new(quic.StreamError); ctx.Err() != nil || errors.Is(err, errUnusable) || errors.As(err, &stream) || late && line.heard.Load() != heard {
				break // given up, or it was this question's fault alone
			}
			line.drop(conn)
			if fresh || late {
				break
			}
		}
		return Answer{}, inTime(ctx, deadline, insecure(err))
	}
}

// get is the connection, or a fresh one.
func (l *quicLine) get(ctx context.Context) (conn *quic.Conn, fresh bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil && l.conn.Context().Err() == nil {
		return l.conn, false, nil
	}
	config := &quic.Config{
		HandshakeIdleTimeout: l.group.cfg.TryTimeout, MaxIdleTimeout: httpsIdle, MaxIncomingStreams: -1, MaxIncomingUniStreams: -1,
	}
	if conn, err = quic.DialAddr(ctx, l.server.addr.String(), l.server.secured.config, config); err != nil {
		return nil, false, fmt.Errorf("connecting: %w", err)
	}
	l.conn = conn
	return conn, true, nil
}

func (l *quicLine) drop(conn *quic.Conn) {
	_ = conn.CloseWithError(doqNoError, "")
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == conn {
		l.conn = nil
	}
}

func (l *quicLine) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		_ = l.conn.CloseWithError(doqNoError, "")
	}
}

// askStream sends a message on a stream of its own and returns the one that comes back (RFC 9250 §4.2).
func askStream(ctx context.Context, conn *quic.Conn, msg []byte, deadline time.Time) ([]byte, error) {
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	stop := context.AfterFunc(ctx, func() { stream.CancelRead(doqNoError) })
	defer stop()
	_ = stream.SetDeadline(deadline)
	framed := append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(msg)), uint16(len(msg))), msg...)
	if _, err := stream.Write(framed); err != nil {
		return nil, fmt.Errorf("%w: sending: %w", errBroken, err)
	}
	if err := stream.Close(); err != nil { // the end of what is sent
		return nil, fmt.Errorf("%w: sending: %w", errBroken, err)
	}
	reply, err := readFrame(stream, nil)
	if err != nil {
		stream.CancelRead(doqNoError)
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: it ends early", errUnusable)
		}
		return nil, fmt.Errorf("%w: reading: %w", errBroken, err)
	}
	return reply, nil
}
