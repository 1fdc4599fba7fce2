package listen

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type handlerFunc func(r *Request)

func (f handlerFunc) Serve(r *Request) { f(r) }

// echo replies with the message itself, built in the request's scratch.
var echo = handlerFunc(func(r *Request) { r.Reply(append(r.Scratch(), r.Packet...)) })

// message is a message of header length or more with a text at its end.
func message(text string) []byte { return append(make([]byte, headerLength), text...) }

const patience = 10 * time.Second

// start opens a server on the configuration, quiet and on 127.0.0.1:0 unless it says otherwise, and serves h until the test ends.
func start(t testing.TB, cfg Config, h Handler) *Server {
	t.Helper()
	if cfg.Addrs == nil {
		cfg.Addrs = []string{"127.0.0.1:0"}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(h) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

// ipv6 reports whether this machine has it; many containers have not.
func ipv6() bool {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err == nil {
		l.Close()
	}
	return err == nil
}

// available leaves out the IPv6 addresses on a machine without IPv6.
func available(t testing.TB, addrs ...string) []string {
	if ipv6() {
		return addrs
	}
	t.Log("this machine has no IPv6")
	return slices.DeleteFunc(addrs, func(a string) bool { return strings.HasPrefix(a, "[") })
}

// dial connects from the given source address ("" for any) to an address of the server.
func dial(t testing.TB, network, from string, to netip.AddrPort) net.Conn {
	t.Helper()
	d := net.Dialer{Timeout: patience}
	if from != "" {
		if ip := net.ParseIP(from); network == "udp" {
			d.LocalAddr = &net.UDPAddr{IP: ip}
		} else {
			d.LocalAddr = &net.TCPAddr{IP: ip}
		}
	}
	c, err := d.Dial(network, to.String())
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { c.Close() })
	return c
}

func exchangeUDP(t testing.TB, c net.Conn, msg []byte) []byte {
	t.Helper()
	if _, err := c.Write(msg); err != nil {
		t.Fatal(err)
	}
	in := make([]byte, maxMessage)
	n, err := c.Read(in)
	if err != nil {
		t.Fatal(err)
	}
	return in[:n]
}

// eventually polls until ok or the patience is over.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

func TestShutdownWaitsForDetachedRequests(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			pending := make(chan *Request, 1)
			s := start(t, Config{}, handlerFunc(func(r *Request) {
				d, _ := r.Detach()
				pending <- d
			}))
			c := dial(t, network, "", s.Addrs()[0])
			send(t, c, message("late"))
			d := <-pending
			ended := make(chan error, 1)
			go func() { ended <- s.Shutdown(t.Context()) }()
			<-s.stop
			select {
			case err := <-ended:
				t.Fatalf("Shutdown returned %v with a request pending", err)
			default:
			}
			d.Reply(d.Packet)
			if got := receive(t, c); !bytes.Equal(got, message("late")) {
				t.Errorf("got %q", got)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if st := s.Stats(); st.Pending != 0 || st.TCPConns != 0 {
				t.Errorf("left over: %+v", st)
			}
		})
	}
}

func TestShutdownGivesUpWhenItsContextEnds(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			pending := make(chan *Request, 1)
			s := start(t, Config{}, handlerFunc(func(r *Request) {
				d, _ := r.Detach()
				pending <- d
			}))
			c := dial(t, network, "", s.Addrs()[0])
			send(t, c, message("never"))
			d := <-pending
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "1 requests unanswered") {
				t.Errorf("Shutdown: %v", err)
			}
			d.Reply(d.Packet) // too late, and harmless
			d.Reply(d.Packet)
			d.Drop()
			eventually(t, "nothing is pending", func() bool { st := s.Stats(); return st.Pending == 0 && st.TCPConns == 0 })
		})
	}
}

func TestShutdownOfAServerThatNeverServedFreesThePort(t *testing.T) {
	s, err := Open(Config{Addrs: []string{"127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(echo); err != nil {
		t.Fatal(err)
	}
	start(t, Config{Addrs: []string{s.Addrs()[0].String()}}, echo)
}

func TestServeCanBeCalledOnce(t *testing.T) {
	s := start(t, Config{}, echo)
	c := dial(t, "udp", "", s.Addrs()[0])
	exchangeUDP(t, c, message("served"))
	if err := s.Serve(echo); err == nil {
		t.Error("a second Serve is not refused")
	}
}

func TestAPanickingHandlerDropsThePacketAndNothingElse(t *testing.T) {
	var log lockedBuffer
	for _, network := range []string{"udp", "tcp"} {
		s := start(t, Config{MaxPending: 1, Log: slog.New(slog.NewTextHandler(&log, nil))}, handlerFunc(func(r *Request) {
			if bytes.HasSuffix(r.Packet, []byte("boom")) {
				r.Detach()
				panic("bad packet")
			}
			echo(r)
		}))
		c := dial(t, network, "", s.Addrs()[0])
		send(t, c, message("boom"))
		send(t, c, message("boom"))
		send(t, c, message("fine"))
		if got := receive(t, c); !bytes.Equal(got, message("fine")) {
			t.Errorf("%s: got %q", network, got)
		}
		if st := s.Stats(); st.Panics != 2 || st.Pending != 0 || st.Shed != 0 {
			t.Errorf("%s: %+v", network, st)
		}
		if n := strings.Count(log.String(), "made the handler panic"); n != 1 {
			t.Errorf("%s: two panics at once gave %d log lines", network, n)
		}
		log.Reset()
	}
}

func TestRequestsBeyondThePendingLimitAreShed(t *testing.T) {
	pending := make(chan *Request, 2)
	s := start(t, Config{MaxPending: 2}, handlerFunc(func(r *Request) {
		if d, ok := r.Detach(); ok {
			pending <- d
			return
		}
		r.Reply([]byte("too many"))
	}))
	c := dial(t, "udp", "", s.Addrs()[0])
	c.Write(message("1"))
	c.Write(message("2"))
	if got := exchangeUDP(t, c, message("3")); string(got) != "too many" {
		t.Errorf("got %q", got)
	}
	if st := s.Stats(); st.Shed != 1 || st.Pending != 2 {
		t.Errorf("%+v", st)
	}
	(<-pending).Drop()
	(<-pending).Drop()
	send(t, c, message("4"))
	d := <-pending
	d.Reply(append(d.Scratch(), d.Packet...))
	if got := receive(t, c); !bytes.Equal(got, message("4")) {
		t.Errorf("got %q", got)
	}
}

func TestAClientWithItsShareOfPendingRequestsLeavesTheRestToOthers(t *testing.T) {
	pending := make(chan *Request, 3)
	s := start(t, Config{MaxPendingPerClient: 2}, handlerFunc(func(r *Request) {
		if d, ok := r.Detach(); ok {
			pending <- d
			return
		}
		r.Reply([]byte("too many"))
	}))
	greedy, other := dial(t, "udp", "127.0.0.8", s.Addrs()[0]), dial(t, "udp", "127.0.0.9", s.Addrs()[0])
	greedy.Write(message("1"))
	greedy.Write(message("2"))
	if got := exchangeUDP(t, greedy, message("3")); string(got) != "too many" {
		t.Errorf("the third is answered %q", got)
	}
	send(t, other, message("4"))
	for range 3 {
		(<-pending).Drop()
	}
	send(t, greedy, message("5"))
	(<-pending).Drop()
}

func TestStrangersHaveOneQuestionAndFewPlaces(t *testing.T) {
	stranger := netip.MustParseAddr("127.0.0.8")
	s := start(t, Config{Guest: func(a netip.Addr) bool { return a == stranger }}, echo)
	c := dial(t, "tcp", "127.0.0.8", s.Addrs()[0])
	c.Write(append(framed(message("one")), framed(message("two"))...))
	if got := receive(t, c); !bytes.Equal(got, message("one")) {
		t.Errorf("got %q", got)
	}
	if rest, _ := io.ReadAll(c); len(rest) > 0 {
		t.Errorf("a second question was answered: %q", rest)
	}
	for range maxGuests + 5 {
		dial(t, "tcp", "127.0.0.8", s.Addrs()[0])
	}
	eventually(t, "the last five are refused", func() bool { return s.Stats().TCPRefused >= 5 })
	inside := dial(t, "tcp", "127.0.0.9", s.Addrs()[0])
	inside.Write(framed(message("x")))
	if got := receive(t, inside); !bytes.Equal(got, message("x")) {
		t.Errorf("got %q", got)
	}
}

// lockedBuffer is a log that tests read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func (b *lockedBuffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Buffer.Reset()
}

// send writes one message as the connection's transport wants it.
func send(t testing.TB, c net.Conn, msg []byte) {
	t.Helper()
	if c.LocalAddr().Network() == "tcp" {
		msg = framed(msg)
	}
	if _, err := c.Write(msg); err != nil {
		t.Fatal(err)
	}
}

// receive reads one message as the connection's transport wants it.
func receive(t testing.TB, c net.Conn) []byte {
	t.Helper()
	if c.LocalAddr().Network() == "tcp" {
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			t.Fatal(err)
		}
		msg := make([]byte, int(length[0])<<8|int(length[1]))
		if _, err := io.ReadFull(c, msg); err != nil {
			t.Fatal(err)
		}
		return msg
	}
	msg := make([]byte, maxMessage)
	n, err := c.Read(msg)
	if err != nil {
		t.Fatal(err)
	}
	return msg[:n]
}

func framed(msg []byte) []byte {
	return append([]byte{byte(len(msg) >> 8), byte(len(msg))}, msg...)
}
