package listen

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestPipelinedQueriesAreAnsweredAsTheirAnswersCome(t *testing.T) {
	pending := make(chan *Request, 3)
	s := start(t, Config{}, handlerFunc(func(r *Request) {
		if bytes.HasSuffix(r.Packet, []byte("quick")) {
			echo(r)
			return
		}
		d, _ := r.Detach()
		pending <- d
	}))
	c := dial(t, "tcp", "127.0.0.9", s.Addrs()[0])
	var batch []byte
	for _, text := range []string{"slow 1", "slow 2", "quick", "slow 3"} {
		batch = append(batch, framed(message(text))...)
	}
	if _, err := c.Write(batch); err != nil {
		t.Fatal(err)
	}
	first, second, third := <-pending, <-pending, <-pending
	var got []string
	got = append(got, string(receive(t, c)[headerLength:]))
	for _, d := range []*Request{third, first, second} {
		if d.Client.Addr() != netip.MustParseAddr("127.0.0.9") || d.Transport != TCP {
			t.Errorf("client %s over %s", d.Client, d.Transport)
		}
		d.Reply(append(d.Scratch(), d.Packet...))
		got = append(got, string(receive(t, c)[headerLength:]))
	}
	for i, want := range []string{"quick", "slow 3", "slow 1", "slow 2"} {
		if got[i] != want {
			t.Fatalf("replies came as %q", got)
		}
	}
}

func TestAConnectionWithManyPendingRequestsIsNotReadMeanwhile(t *testing.T) {
	pending := make(chan *Request, 10)
	s := start(t, Config{MaxPendingPerConn: 3}, handlerFunc(func(r *Request) {
		d, _ := r.Detach()
		pending <- d
	}))
	c := dial(t, "tcp", "", s.Addrs()[0])
	for range 10 {
		send(t, c, message("x"))
	}
	for range 10 {
		d := <-pending
		if n := s.Stats().Pending; n > 3 {
			t.Errorf("%d requests pending", n)
		}
		eventually(t, "the connection is full, or at its end", func() bool { st := s.Stats(); return st.Pending == 3 || st.TCPQueries == 10 })
		d.Reply(d.Packet)
		receive(t, c)
	}
}

func TestAHundredThousandQueriesDownOneConnection(t *testing.T) {
	const n = 100_000
	s := start(t, Config{}, echo)
	c := dial(t, "tcp", "", s.Addrs()[0])
	c.SetDeadline(time.Now().Add(time.Minute))
	go func() {
		batch := bytes.Repeat(framed(message("many")), 100)
		for range n / 100 {
			if _, err := c.Write(batch); err != nil {
				return
			}
		}
	}()
	if _, err := io.CopyN(io.Discard, c, n*int64(len(framed(message("many"))))); err != nil {
		t.Fatal(err)
	}
}

func TestTheLongestMessagePassesBothWays(t *testing.T) {
	for name, h := range map[string]Handler{"at once": echo, "detached": handlerFunc(func(r *Request) {
		d, _ := r.Detach()
		go d.Reply(append(d.Scratch(), d.Packet...))
	}), "from elsewhere": handlerFunc(func(r *Request) { r.Reply(bytes.Clone(r.Packet)) })} {
		t.Run(name, func(t *testing.T) {
			s := start(t, Config{}, h)
			c := dial(t, "tcp", "", s.Addrs()[0])
			long := make([]byte, maxMessage)
			for i := range long {
				long[i] = byte(i * i >> 3)
			}
			for _, msg := range [][]byte{long, message("short"), long} {
				send(t, c, msg)
				if got := receive(t, c); !bytes.Equal(got, msg) {
					t.Fatalf("%d octets came back as %d others", len(msg), len(got))
				}
			}
		})
	}
}

func TestAConnectionIsClosed(t *testing.T) {
	cases := []struct {
		name  string
		sends []byte
	}{
		{"when nothing comes", nil},
		{"when half a length comes", []byte{0}},
		{"when half a message comes", framed(message("whole"))[:9]},
		{"after its last query", framed(message("whole"))},
		{"at once on an empty message", []byte{0, 0, 0, 0}},
		{"at once on a message shorter than a header", framed(message("")[:11])},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Config{Idle: 200 * time.Millisecond}, echo)
			conn := dial(t, "tcp", "", s.Addrs()[0])
			conn.Write(c.sends)
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("it stayed open")
			}
			eventually(t, "the connection is forgotten", func() bool { return s.Stats().TCPConns == 0 })
		})
	}
}

func TestDrippingOctetsDoNotKeepAConnectionOpen(t *testing.T) {
	s := start(t, Config{Idle: 300 * time.Millisecond}, echo)
	c := dial(t, "tcp", "", s.Addrs()[0])
	go func() {
		drip := time.NewTicker(20 * time.Millisecond)
		defer drip.Stop()
		for _, octet := range framed(make([]byte, 4000)) {
			if _, err := c.Write([]byte{octet}); err != nil {
				return
			}
			<-drip.C
		}
	}()
	begin := time.Now()
	io.Copy(io.Discard, c)
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("closed after %s", d)
	}
}

func TestARepliedConnectionIdlesFromTheReply(t *testing.T) {
	const idle = 400 * time.Millisecond
	pending := make(chan *Request, 1)
	s := start(t, Config{Idle: idle}, handlerFunc(func(r *Request) {
		d, _ := r.Detach()
		pending <- d
	}))
	c := dial(t, "tcp", "", s.Addrs()[0])
	begin := time.Now()
	send(t, c, message("x"))
	d := <-pending
	time.AfterFunc(idle/2, func() { d.Reply(d.Packet) })
	receive(t, c)
	io.Copy(io.Discard, c)
	if open := time.Since(begin); open < idle+idle/2 {
		t.Errorf("closed %s after the query, %s after the reply", open, open-idle/2)
	}
}

func TestAClientThatClosesItsHalfStillGetsItsReplies(t *testing.T) {
	pending := make(chan *Request, 2)
	s := start(t, Config{}, handlerFunc(func(r *Request) {
		d, _ := r.Detach()
		pending <- d
	}))
	c := dial(t, "tcp", "", s.Addrs()[0]).(*net.TCPConn)
	send(t, c, message("1"))
	send(t, c, message("2"))
	c.CloseWrite()
	first, second := <-pending, <-pending
	first.Drop()
	second.Reply(second.Packet)
	got, err := io.ReadAll(c)
	if want := framed(message("2")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestConnectionsOverALimitAreClosedAtOnce(t *testing.T) {
	closed := func(c net.Conn) bool {
		_, err := c.Read(make([]byte, 1))
		return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
	}
	s := start(t, Config{MaxTCP: 5, MaxTCPPerClient: 2}, echo)
	to := s.Addrs()[0]
	var open []net.Conn
	for _, from := range []string{"127.0.1.1", "127.0.1.1", "127.0.1.2", "127.0.1.2", "127.0.1.3"} {
		c := dial(t, "tcp", from, to)
		send(t, c, message("x"))
		receive(t, c)
		open = append(open, c)
	}
	for _, from := range []string{"127.0.1.1", "127.0.1.3"} {
		if !closed(dial(t, "tcp", from, to)) {
			t.Errorf("%s got one connection more", from)
		}
	}
	if st := s.Stats(); st.TCPRefused != 2 || st.TCPConns != 5 {
		t.Errorf("%+v", st)
	}
	open[0].Close()
	eventually(t, "the place is free again", func() bool { return s.Stats().TCPConns == 4 })
	c := dial(t, "tcp", "127.0.1.1", to)
	send(t, c, message("x"))
	receive(t, c)
}

func TestAClientThatDoesNotReadIsCutOff(t *testing.T) {
	big := make([]byte, 60_000)
	for name, h := range map[string]Handler{
		"at once": handlerFunc(func(r *Request) { r.Reply(big) }),
		"detached": handlerFunc(func(r *Request) {
			if d, ok := r.Detach(); ok {
				go d.Reply(big)
			}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, Config{WriteTimeout: 100 * time.Millisecond}, h)
			c := dial(t, "tcp", "", s.Addrs()[0])
			for range 1000 {
				if _, err := c.Write(framed(message("more"))); err != nil {
					break
				}
			}
			eventually(t, "the connection is closed", func() bool { st := s.Stats(); return st.TCPConns == 0 && st.DroppedWrites > 0 })
			if n := s.Stats().Pending; n != 0 {
				t.Errorf("%d requests still pending", n)
			}
		})
	}
}

// FuzzFraming throws bytes at a connection and holds what comes back against a plain reading of RFC 1035 §4.2.2.
func FuzzFraming(f *testing.F) {
	f.Add(framed(message("one")), uint8(3))
	f.Add(append(framed(message("one")), framed(message("two"))...), uint8(1))
	f.Add(append(framed(message("one")), 0, 0), uint8(200))
	f.Add([]byte{0xff, 0xff, 1, 2, 3}, uint8(0))
	f.Add(append([]byte{0x20, 0}, make([]byte, 0x2000)...), uint8(255))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8) {
		if len(stream) > 100_000 {
			return
		}
		s := &Server{
			cfg:  Config{Log: slog.New(slog.DiscardHandler)}.withDefaults(),
			stop: make(chan struct{}), dead: make(chan struct{}),
			conns: make(map[connection]*place), perClient: make(map[netip.Addr]int),
		}
		client, server := socketPair(t)
		odd := false
		echoBothWays := handlerFunc(func(r *Request) {
			if odd = !odd; odd {
				echo(r)
				return
			}
			d, _ := r.Detach()
			d.Reply(append(d.Scratch(), d.Packet...))
		})
		if !s.admit(newConn(s, server, netip.AddrPort{}, netip.AddrPort{}), echoBothWays) {
			t.Fatal("not admitted")
		}
		go func() {
			for rest := stream; len(rest) > 0; {
				n := min(len(rest), int(piece)*16+1)
				if _, err := client.Write(rest[:n]); err != nil {
					break
				}
				rest = rest[n:]
			}
			client.CloseWrite()
		}()
		got, _ := io.ReadAll(client)
		sameMessages(t, got, stream)
		if err := s.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		if st := s.Stats(); st.TCPConns != 0 || st.Pending != 0 || st.Panics != 0 {
			t.Fatalf("left over: %+v", st)
		}
	})
}

// sameMessages holds the replies against the messages at the head of stream, in any order.
func sameMessages(t *testing.T, got, stream []byte) {
	t.Helper()
	want, have := map[string]int{}, map[string]int{}
	for _, m := range messages(stream) {
		want[m]++
	}
	for _, m := range messages(got) {
		have[m]++
	}
	if len(want) != len(have) {
		t.Fatalf("%d kinds of message sent, %d came back", len(want), len(have))
	}
	for m, n := range want {
		if have[m] != n {
			t.Fatalf("%q sent %d times, came back %d times", m, n, have[m])
		}
	}
}

func messages(stream []byte) (all []string) {
	for len(stream) >= 2 {
		n := int(binary.BigEndian.Uint16(stream))
		if n < headerLength || len(stream)-2 < n {
			break
		}
		all = append(all, string(stream[2:2+n]))
		stream = stream[2+n:]
	}
	return all
}

func socketPair(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socketpair")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = c.(*net.UnixConn)
		t.Cleanup(func() { c.Close() })
	}
	return ends[0], ends[1]
}
