package listen

import (
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// ended says whether the server has closed a connection.
func ended(c net.Conn) bool {
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}

// When all places are taken, the client with the most gives one up, the one that was silent the longest; what is under way stays.
func TestIdleConnectionsMakeRoomForOthers(t *testing.T) {
	pending := make(chan *Request, 1)
	s := start(t, Config{MaxTCP: 6, MaxTCPPerClient: 4}, handlerFunc(func(r *Request) {
		if string(r.Packet[headerLength:]) == "slow" {
			d, _ := r.Detach()
			pending <- d
			return
		}
		echo(r)
	}))
	to := s.Addrs()[0]
	var open []net.Conn
	for range 4 {
		open = append(open, dial(t, "tcp", "127.0.1.1", to))
		send(t, open[len(open)-1], message("x"))
		receive(t, open[len(open)-1])
	}
	send(t, open[0], message("slow"))
	slow := <-pending
	send(t, open[1], message("y")) // the third is the one silent the longest
	receive(t, open[1])
	for _, from := range []string{"127.0.1.2", "127.0.1.2", "127.0.1.3"} { // the last needs a place
		c := dial(t, "tcp", from, to)
		send(t, c, message("x"))
		receive(t, c)
	}
	eventually(t, "the third has ended", func() bool { return ended(open[2]) })
	for _, i := range []int{1, 3} {
		if ended(open[i]) {
			t.Errorf("connection %d has ended too", i)
		}
	}
	slow.Reply(append(slow.Scratch(), slow.Packet...))
	receive(t, open[0])
	if st := s.Stats(); st.Evicted != 1 || st.TCPRefused != 0 || st.TCPConns != 6 {
		t.Errorf("%+v", st)
	}
	// Nobody takes more than others have: with three, two and one, the one with two has no claim to a third.
	if c := dial(t, "tcp", "127.0.1.2", to); !ended(c) {
		t.Error("a client took a place from one that has as many")
	}
	if st := s.Stats(); st.Evicted != 1 || st.TCPRefused != 1 {
		t.Errorf("%+v", st)
	}
}

// Connections of every transport give way, and take.
func TestConnectionsOfAllTransportsMakeRoom(t *testing.T) {
	s, trust := startEncrypted(t, Config{MaxTCP: 4, MaxTCPPerClient: 4}, respond(true))
	web := func(from string) {
		t.Helper()
		res, _ := ask(t, browser(t, trust, 2, from), http.MethodPost, "https://"+s.HTTPSAddrs()[0].String()+WebPath, messageType, queryWith(0, padding))
		if res.StatusCode != http.StatusOK {
			t.Error(res.Status)
		}
	}
	quicly := func(from string) func() bool {
		t.Helper()
		conn, err := dialQUIC(t, from, s.QUICAddrs()[0], trust)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := exchangeQUIC(conn, framed(queryWith(0, padding))); err != nil {
			t.Error(err)
		}
		return func() bool { return conn.Context().Err() != nil }
	}
	gone := quicly("127.0.1.1")
	web("127.0.1.1")
	web("127.0.1.1")
	web("127.0.1.1")
	quicly("127.0.1.2")
	eventually(t, "the QUIC connection has made room", gone)
	web("127.0.1.3") // for that of an HTTPS connection
	if st := s.Stats(); st.Evicted != 2 || st.TCPRefused != 0 || st.TCPConns != 4 {
		t.Errorf("%+v", st)
	}
}
