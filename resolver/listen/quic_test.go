package listen

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

// dialQUIC connects from a source address ("" for any).
func dialQUIC(t testing.TB, from string, to netip.AddrPort, trust *tls.Config) (*quic.Conn, error) {
	t.Helper()
	return dialQUICAs(t, from, to, trust, "doq")
}

// quicFrom is where connections from a source address begin.
func quicFrom(t testing.TB, from string) *quic.Transport {
	t.Helper()
	local := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	if from != "" {
		local.IP = net.ParseIP(from)
	}
	socket, err := net.ListenUDP("udp4", local)
	if err != nil {
		t.Fatal(err)
	}
	transport := &quic.Transport{Conn: socket}
	t.Cleanup(func() { transport.Close(); socket.Close() })
	return transport
}

func dialQUICAs(t testing.TB, from string, to netip.AddrPort, trust *tls.Config, protocol string) (*quic.Conn, error) {
	t.Helper()
	client := trust.Clone()
	client.NextProtos = []string{protocol}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return quicFrom(t, from).Dial(ctx, net.UDPAddrFromAddrPort(to), client, &quic.Config{MaxIdleTimeout: patience})
}

// exchangeQUIC sends octets on a stream of their own, ends it, and reads what comes back.
func exchangeQUIC(conn *quic.Conn, octets []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	stream.SetDeadline(time.Now().Add(patience))
	if _, err := stream.Write(octets); err != nil {
		return nil, err
	}
	stream.Close()
	return io.ReadAll(stream)
}

// overQUIC asks one question on a connection of its own.
func overQUIC(t *testing.T, s *Server, trust *tls.Config, query []byte) []byte {
	conn, err := dialQUIC(t, "", s.QUICAddrs()[0], trust)
	if err != nil {
		t.Error(err)
		return nil
	}
	reply, err := exchangeQUIC(conn, framed(query))
	if err != nil || len(reply) < 2 || int(binary.BigEndian.Uint16(reply)) != len(reply)-2 {
		t.Errorf("%x, %v", reply, err)
		return nil
	}
	conn.CloseWithError(0, "")
	return reply[2:]
}

func TestQUICAnswersOneQueryAStream(t *testing.T) {
	for _, later := range []bool{false, true} {
		clients := make(chan netip.Addr, 100)
		h := respond(later)
		s, trust := startEncrypted(t, Config{MaxPendingPerConn: 5}, handlerFunc(func(r *Request) { clients <- r.Client.Addr(); h.Serve(r) }))
		conn, err := dialQUIC(t, "127.0.0.9", s.QUICAddrs()[0], trust)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 40 { // more than may be open at once
			all.Go(func() {
				reply, err := exchangeQUIC(conn, framed(queryWith(0, padding)))
				if err != nil || len(reply) != 2+468 {
					t.Errorf("%d octets, %v", len(reply), err)
				}
			})
		}
		all.Wait()
		if client := <-clients; client != netip.MustParseAddr("127.0.0.9") {
			t.Errorf("the client is %s", client)
		}
		if conn.ConnectionState().Used0RTT || s.Stats().TCPConns != 1 {
			t.Errorf("0-RTT, or %d connections", s.Stats().TCPConns)
		}
		conn.CloseWithError(0, "")
		eventually(t, "all is counted and gone", func() bool {
			st := s.Stats()
			return st.QUICQueries == 40 && st.QUICReplies == 40 && st.TCPConns == 0 && st.Pending == 0
		})
	}
}

func TestWhatIsNotDNSOverQUICEndsTheConnection(t *testing.T) {
	s, trust := startEncrypted(t, Config{Idle: 2 * time.Second}, echo)
	for name, octets := range map[string][]byte{
		"an ID other than 0":        framed(queryWith(1, "")),
		"two queries on one stream": append(framed(queryWith(0, "")), framed(queryWith(0, ""))...),
		"an octet too many":         append(framed(queryWith(0, "")), 0),
		"an octet too few":          framed(queryWith(0, ""))[:20],
		"a length alone":            {0, 40},
		"nothing":                   {},
		"shorter than a header":     framed([]byte{0, 0, 1}),
		"keepalive, which is TCP's": framed(queryWith(0, keepalive)),
		"no length":                 queryWith(0, ""),
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := dialQUIC(t, "", s.QUICAddrs()[0], trust)
			if err != nil {
				t.Fatal(err)
			}
			_, err = exchangeQUIC(conn, octets)
			var closed *quic.ApplicationError
			if !errors.As(err, &closed) || closed.ErrorCode != doqProtocolError || !closed.Remote {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("a stream in one direction", func(t *testing.T) {
		conn, err := dialQUIC(t, "", s.QUICAddrs()[0], trust)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.OpenUniStream(); err == nil {
			t.Error("it was opened")
		}
	})
	t.Run("a stream without an end", func(t *testing.T) {
		conn, err := dialQUIC(t, "", s.QUICAddrs()[0], trust)
		if err != nil {
			t.Fatal(err)
		}
		stream, err := conn.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		stream.Write(framed(queryWith(0, "")))
		stream.SetReadDeadline(time.Now().Add(patience))
		_, err = io.ReadAll(stream)
		var closed *quic.ApplicationError
		if !errors.As(err, &closed) || closed.ErrorCode != doqProtocolError {
			t.Errorf("got %v", err)
		}
	})
}

func TestAQueryWithoutAReplyResetsItsStreamOnly(t *testing.T) {
	s, trust := startEncrypted(t, Config{}, handlerFunc(func(r *Request) {
		if len(r.Packet) > headerLength {
			r.Reply(r.Packet)
		}
	}))
	conn, err := dialQUIC(t, "", s.QUICAddrs()[0], trust)
	if err != nil {
		t.Fatal(err)
	}
	_, err = exchangeQUIC(conn, framed(message("")))
	var reset *quic.StreamError
	if !errors.As(err, &reset) || reset.ErrorCode != doqInternalError {
		t.Errorf("got %v", err)
	}
	if reply, err := exchangeQUIC(conn, framed(queryWith(0, ""))); err != nil || len(reply) == 0 {
		t.Errorf("the next: %v", err)
	}
}

func TestQUICConnectionsAreLimitedAndIdleOnesEnd(t *testing.T) {
	s, trust := startEncrypted(t, Config{MaxTCPPerClient: 2, Idle: time.Second}, echo)
	for range 2 {
		if _, err := dialQUIC(t, "127.0.0.8", s.QUICAddrs()[0], trust); err != nil {
			t.Fatal(err)
		}
	}
	var refused *quic.TransportError
	if _, err := dialQUIC(t, "127.0.0.8", s.QUICAddrs()[0], trust); !errors.As(err, &refused) || refused.ErrorCode != quic.ConnectionRefused {
		t.Errorf("the third: %v", err)
	}
	eventually(t, "idle connections end", func() bool { return s.Stats().TCPConns == 0 })
	if _, err := dialQUIC(t, "127.0.0.8", s.QUICAddrs()[0], trust); err != nil {
		t.Errorf("after that: %v", err)
	}
}

func TestAStrangerHasOneQuestionOverQUIC(t *testing.T) {
	s, trust := startEncrypted(t, Config{Guest: func(netip.Addr) bool { return true }}, echo)
	conn, err := dialQUIC(t, "", s.QUICAddrs()[0], trust)
	if err != nil {
		t.Fatal(err)
	}
	if reply, err := exchangeQUIC(conn, framed(queryWith(0, ""))); err != nil || len(reply) == 0 {
		t.Errorf("the first: %v", err)
	}
	if _, err := exchangeQUIC(conn, framed(queryWith(0, ""))); err == nil {
		t.Error("the second was answered")
	}
	eventually(t, "the connection is over", func() bool { return s.Stats().TCPConns == 0 })
}

func TestGarbageOnTheQUICPortHarmsNobody(t *testing.T) {
	s, trust := startEncrypted(t, Config{}, echo)
	c := dial(t, "udp", "", s.QUICAddrs()[0])
	initial := append([]byte{0xc3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x44, 0x00}, make([]byte, 1200)...)
	for i := range 200 {
		c.Write(queryWith(byte(i), ""))
		initial[6] = byte(i)
		c.Write(initial)
		c.Write(initial) // the same connection ID again
	}
	if n := s.Stats().TCPConns; n > maxYoungOfOne {
		t.Errorf("%d connections came of it", n)
	}
	if got := overQUIC(t, s, trust, queryWith(0, "")); string(got) != string(queryWith(0, "")) {
		t.Errorf("got %x", got)
	}
}
