package listen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseAddr(t *testing.T) {
	cases := []struct{ text, want string }{
		{"127.0.0.1:5300", "127.0.0.1:5300"},
		{"[::1]:53", "[::1]:53"},
		{"[fe80::1%eth0]:53", "[fe80::1%eth0]:53"},
		{"[::ffff:127.0.0.1]:53", "127.0.0.1:53"},
		{"0.0.0.0:0", "0.0.0.0:0"},
		{"[::]:53", "[::]:53"},
		{":53", "0.0.0.0:53 [::]:53"},
		{"", "write an IP address and a port"},
		{"127.0.0.1", "write an IP address and a port"},
		{"::1:53", "write an IP address and a port"},
		{"localhost:53", "write an IP address and a port"},
		{"127.0.0.1:domain", "write an IP address and a port"},
		{":65536", "a port between 0 and 65535"},
		{":", "a port between 0 and 65535"},
	}
	for _, c := range cases {
		endpoints, err := parseAddr(c.text)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q: %v", c.text, err)
			}
			continue
		}
		var got []string
		for _, e := range endpoints {
			got = append(got, e.addr.String())
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%q is %s, want %s", c.text, s, c.want)
		}
	}
}

func FuzzParseAddr(f *testing.F) {
	f.Add(":53")
	f.Add("[fe80::1%eth0]:53")
	f.Fuzz(func(t *testing.T, text string) {
		endpoints, err := parseAddr(text)
		if (err == nil) != (len(endpoints) > 0) {
			t.Fatalf("%d endpoints and error %v", len(endpoints), err)
		}
		for _, e := range endpoints {
			if _, err := netip.ParseAddrPort(e.addr.String()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestPortZeroIsTheSamePortForEverySocketOfAnAddress(t *testing.T) {
	s := start(t, Config{Addrs: []string{":0", "127.0.0.7:0"}, Readers: 3}, echo)
	addrs := s.Addrs()
	if len(addrs) == 3 && addrs[0].Port() != addrs[1].Port() {
		t.Errorf("IPv4 and IPv6 differ: %v", addrs)
	}
	if len(s.udp) != 3*len(addrs) || len(s.tcp) != len(addrs) {
		t.Errorf("%d UDP and %d TCP sockets on %d addresses", len(s.udp), len(s.tcp), len(addrs))
	}
	for i, l := range s.tcp {
		if got := l.Addr().(*net.TCPAddr).AddrPort(); got.Port() != addrs[i].Port() {
			t.Errorf("TCP on %s, UDP on %s", got, addrs[i])
		}
	}
}

func TestASecondServerOnAPortIsRefusedAndNamesTheFirst(t *testing.T) {
	for _, readers := range []int{1, 4} {
		for _, pair := range [][2]string{
			{"127.0.0.1", "127.0.0.1"}, {"0.0.0.0", "127.0.0.1"}, {"127.0.0.1", "0.0.0.0"}, {"0.0.0.0", "0.0.0.0"},
			{"127.0.0.1", ""}, {"", "127.0.0.1"}, {"", ""}, {"[::1]", "[::1]"}, {"[::1]", ""}, {"", "[::1]"},
		} {
			if strings.Contains(pair[0]+pair[1], "::") && !ipv6() {
				continue
			}
			if err := besides(t, pair[0], pair[1], readers); err != nil {
				t.Errorf("%q beside %q: %v", pair[1], pair[0], err)
			}
		}
	}
}

// besides opens a second server on the port of a first, and says what is wrong with how it was refused. A port whose number
// some other program has just taken in the other family is no trial; another is tried.
func besides(t *testing.T, first, second string, readers int) (err error) {
	for range 5 {
		s := start(t, Config{Addrs: []string{first + ":0"}, Readers: readers}, echo)
		_, err = Open(Config{Addrs: []string{fmt.Sprintf("%s:%d", second, s.Addrs()[0].Port())}, Readers: readers, Log: slog.New(slog.DiscardHandler)})
		var inUse *InUseError
		if errors.As(err, &inUse) && inUse.PID == os.Getpid() && inUse.Network == "udp" && errors.Is(err, syscall.EADDRINUSE) {
			return nil
		}
		if err == nil {
			return errors.New("it was opened")
		}
	}
	return err
}

func TestOfTwoServersStartingTogetherOneIsRefused(t *testing.T) {
	free := start(t, Config{}, echo)
	addr := free.Addrs()[0].String()
	free.Shutdown(t.Context())
	for range 100 {
		var won []*Server
		var mu sync.Mutex
		var both sync.WaitGroup
		gate := make(chan struct{})
		for range 2 {
			both.Go(func() {
				<-gate
				s, err := Open(Config{Addrs: []string{addr}, Readers: 3})
				var inUse *InUseError
				if err != nil && !errors.As(err, &inUse) {
					t.Error(err)
				}
				if err == nil {
					mu.Lock()
					won = append(won, s)
					mu.Unlock()
				}
			})
		}
		close(gate)
		both.Wait()
		if len(won) != 1 {
			t.Fatalf("%d servers share %s", len(won), addr)
		}
		won[0].Shutdown(t.Context())
	}
}

func TestAPortSharedByOthersIsStillTaken(t *testing.T) {
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	}}
	other, err := lc.ListenPacket(context.Background(), "udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var inUse *InUseError
	if _, err := Open(Config{Addrs: []string{other.LocalAddr().String()}}); !errors.As(err, &inUse) {
		t.Errorf("bound beside a SO_REUSEPORT socket: %v", err)
	}
}

func TestOpenBindsEverythingOrNothing(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free := start(t, Config{}, echo)
	first := free.Addrs()[0].String()
	free.Shutdown(t.Context())

	_, err = Open(Config{Addrs: []string{first, taken.Addr().String()}})
	var inUse *InUseError
	if !errors.As(err, &inUse) || inUse.Network != "tcp" || inUse.PID != os.Getpid() {
		t.Fatalf("got %v", err)
	}
	start(t, Config{Addrs: []string{first}}, echo)
}

func TestOpenSaysWhatToDo(t *testing.T) {
	cases := []struct {
		addrs []string
		want  string
	}{
		{nil, "give at least one"},
		{[]string{"nowhere"}, "write an IP address and a port"},
		{[]string{"203.0.113.9:0"}, "the address is not on this machine"},
		{[]string{"127.0.0.1:0", "[2001:db8::9]:0"}, "the address is not on this machine"},
	}
	for _, c := range cases {
		if _, err := Open(Config{Addrs: c.addrs}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.addrs, err)
		}
	}
	err := explain("udp", netip.MustParseAddrPort("0.0.0.0:53"), &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EACCES)})
	const want = "listen on udp 0.0.0.0:53: not permitted (bind: permission denied): a port below 1024 needs root or the capability " +
		"CAP_NET_BIND_SERVICE; to try it without, --listen 127.0.0.1:5300"
	if err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
