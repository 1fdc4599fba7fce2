package tap

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/dnstap/golang-dnstap"
	"google.golang.org/protobuf/proto"

	"usciere/resolver/listen"
)

// WriteDnstap writes exchanges as a file of dnstap messages (https://dnstap.info: protocol buffers in a frame stream), two for each:
// CLIENT_QUERY and CLIENT_RESPONSE. Office and verdict stand in their extra field. server and version are who tells it.
func WriteDnstap(w io.Writer, server, version string, exchanges []Exchange) error {
	out, err := dnstap.NewWriter(w, nil)
	if err != nil {
		return err
	}
	for i := range exchanges {
		e := &exchanges[i]
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
	}
	return out.Close()
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
