package tap

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/dnstap/golang-dnstap"
	"google.golang.org/protobuf/proto"

	"usciere/resolver/listen"
)

// ErrOver says that a trace ended while it was written.
var ErrOver = errors.New("the trace is over, and what it kept deleted")

// page is how many exchanges are in hand at once while they are written: whoever reads slowly keeps no more beyond the end.
const page = 32

// WriteDnstap writes what is kept by now as a file of dnstap messages (https://dnstap.info: protocol buffers in a frame stream), two for
// each exchange: CLIENT_QUERY and CLIENT_RESPONSE. Office and verdict stand in their extra field. server and version are who tells it. When
// the trace ends meanwhile, the error is ErrOver.
func (t *Trace) WriteDnstap(w io.Writer, server, version string) error {
	out, err := dnstap.NewWriter(w, nil)
	if err != nil {
		return err
	}
	_, last := t.From(1, 0)
	for next := uint64(1); next <= last; {
		kept, _ := t.From(next, page)
		if len(kept) == 0 {
			if t.Over() {
				return ErrOver
			}
			break
		}
		for i := range kept {
			if err := kept[i].write(out, server, version); err != nil {
				return err
			}
		}
		next = kept[len(kept)-1].Number + 1
	}
	return out.Close()
}

// write writes the two messages of an exchange.
func (e *Exchange) write(out dnstap.Writer, server, version string) error {
	for _, m := range [...]*dnstap.Message{e.query(), e.response()} {
		frame, err := proto.Marshal(&dnstap.Dnstap{
			Type: dnstap.Dnstap_MESSAGE.Enum(), Identity: []byte(server), Version: []byte(version),
			Extra: fmt.Appendf(nil, "office=%s verdict=%s", e.Office, e.Verdict), Message: m,
		})
		if err != nil {
			return err
		}
		if _, err := out.WriteFrame(frame); err != nil {
			return err
		}
	}
	return nil
}

func (e *Exchange) query() *dnstap.Message {
	m := e.message(dnstap.Message_CLIENT_QUERY)
	m.QueryMessage = e.Question
	return m
}

func (e *Exchange) response() *dnstap.Message {
	m := e.message(dnstap.Message_CLIENT_RESPONSE)
	m.ResponseTimeSec, m.ResponseTimeNsec = stamp(e.Told)
	m.ResponseMessage = e.Reply
	return m
}

var protocols = [...]dnstap.SocketProtocol{
	listen.UDP: dnstap.SocketProtocol_UDP, listen.TCP: dnstap.SocketProtocol_TCP, listen.TLS: dnstap.SocketProtocol_DOT,
	listen.HTTPS: dnstap.SocketProtocol_DOH, listen.QUIC: 7, // DOQ, which the library does not name yet
}

// message has what question and reply have in common.
func (e *Exchange) message(kind dnstap.Message_Type) *dnstap.Message {
	m := &dnstap.Message{Type: kind.Enum(), SocketFamily: dnstap.SocketFamily_INET.Enum(), SocketProtocol: protocols[e.Transport].Enum()}
	if e.Client.Addr().Is6() {
		m.SocketFamily = dnstap.SocketFamily_INET6.Enum()
	}
	m.QueryAddress, m.QueryPort = endpoint(e.Client)
	m.ResponseAddress, m.ResponsePort = endpoint(e.Local)
	m.QueryTimeSec, m.QueryTimeNsec = stamp(e.Asked)
	return m
}

func endpoint(a netip.AddrPort) (address []byte, port *uint32) {
	return a.Addr().AsSlice(), proto.Uint32(uint32(a.Port()))
}

func stamp(t time.Time) (sec *uint64, nsec *uint32) {
	return proto.Uint64(uint64(t.Unix())), proto.Uint32(uint32(t.Nanosecond()))
}
