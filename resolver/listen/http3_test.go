package listen

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	quichttp "github.com/quic-go/quic-go/http3"
)

// overHTTP3 is a client of HTTP/3.
func overHTTP3(t testing.TB, trust *tls.Config, from string) *quichttp.Transport {
	t.Helper()
	over := quicFrom(t, from)
	web := &quichttp.Transport{
		TLSClientConfig: trust.Clone(),
		Dial: func(ctx context.Context, to string, config *tls.Config, limits *quic.Config) (*quic.Conn, error) {
			at, err := net.ResolveUDPAddr("udp4", to)
			if err != nil {
				return nil, err
			}
			return over.Dial(ctx, at, config, limits)
		},
	}
	t.Cleanup(func() { web.Close() })
	return web
}

// dialHTTP3 connects with the name of HTTP/3, to speak it wrongly.
func dialHTTP3(t *testing.T, s *Server, trust *tls.Config) *quic.Conn {
	t.Helper()
	conn, err := dialQUICAs(t, "", s.HTTPSAddrs()[0], trust, "h3")
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestWhatIsNotHTTP3EndsItsStreamOrTheConnection(t *testing.T) {
	s, trust := startEncrypted(t, Config{Idle: 2 * time.Second}, echo)
	for name, octets := range map[string]string{
		"nothing":                    "",
		"a plain query":              string(framed(message("x"))),
		"HTTP/1.1":                   "GET /dns-query HTTP/1.1\r\n\r\n",
		"data before the head":       "\x00\x04abcd",
		"a head that is no QPACK":    "\x01\x08\xff\xff\xff\xff\xff\xff\xff\xff",
		"a head longer than allowed": "\x01\x80\x01\x00\x00",
		"a head cut off":             "\x01\x40\x40abc",
	} {
		conn := dialHTTP3(t, s, trust)
		stream, err := conn.OpenStreamSync(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(stream, octets)
		_ = stream.Close()
		if reply, err := io.ReadAll(stream); err == nil && len(reply) > 0 && reply[0] != 1 {
			t.Errorf("%s: %x", name, reply)
		}
		_ = conn.CloseWithError(0, "")
	}
	eventually(t, "all are gone", func() bool { return s.Stats().TCPConns == 0 })
	if st := s.Stats(); st.HTTPSQueries != 0 || st.Panics != 0 {
		t.Errorf("%+v", st)
	}
}

func TestASlowClientOfHTTP3IsCutOff(t *testing.T) {
	s, trust := startEncrypted(t, Config{Idle: time.Second}, echo)
	conn := dialHTTP3(t, s, trust)
	for range 3 { // streams that never end
		stream, err := conn.OpenStreamSync(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = stream.Write([]byte{1, 0x40})
	}
	select {
	case <-conn.Context().Done():
	case <-time.After(patience):
		t.Error("it is still there")
	}
	eventually(t, "its place is free", func() bool { return s.Stats().TCPConns == 0 })
}

func TestAShutdownEndsHTTP3(t *testing.T) {
	pending := make(chan *Request, 1)
	s, trust := startEncrypted(t, Config{}, handlerFunc(func(r *Request) {
		d, _ := r.Detach()
		pending <- d
	}))
	c := browser(t, trust, 3, "")
	status := make(chan int, 1)
	go func() {
		res, _ := ask(t, c, "POST", "https://"+s.HTTPSAddrs()[0].String()+WebPath, messageType, message("x"))
		status <- res.StatusCode
	}()
	held := <-pending
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(t.Context()) }()
	time.Sleep(50 * time.Millisecond) // it reads no more
	held.Reply(held.Packet)
	if got := <-status; got != 200 {
		t.Errorf("status %d", got)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
}
