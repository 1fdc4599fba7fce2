package upstream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"
)

// exchangeTCP sends a query over a connection of its own and reads messages until the answer comes, the server ends the
// connection, or the deadline passes.
func (g *Group) exchangeTCP(s *server, x *query, deadline time.Time) (Answer, error) {
	dialer := net.Dialer{Deadline: deadline}
	conn, err := dialer.DialContext(g.ctx, "tcp", s.addr.String())
	if err != nil {
		return Answer{}, fmt.Errorf("connecting: %w", err)
	}
	defer conn.Close()
	defer g.interruptible(conn, deadline)()
	s.sent()
	framed := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(x.sent)), uint16(len(x.sent)))
	if _, err := conn.Write(append(framed, x.sent...)); err != nil {
		return Answer{}, fmt.Errorf("sending: %w", err)
	}
	var buf []byte
	var unusable error
	for {
		if buf, err = readFrame(conn, buf); err != nil {
			if unusable != nil {
				return Answer{}, unusable
			}
			return Answer{}, fmt.Errorf("reading: %w", err)
		}
		answer, err := x.take(buf)
		if !readOn(err) {
			return answer, err
		}
		s.dropped()
		if errors.Is(err, errUnusable) {
			unusable = err
		}
	}
}

// readFrame reads one message with its length prefix (RFC 1035 §4.2.2) into buf, which grows as needed.
func readFrame(r io.Reader, buf []byte) ([]byte, error) {
	var prefix [2]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return buf, err
	}
	n := int(binary.BigEndian.Uint16(prefix[:]))
	buf = slices.Grow(buf[:0], n)[:n]
	_, err := io.ReadFull(r, buf)
	return buf, err
}
