package listen

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestADatagramThatIsTooLongIsGivenAsItsHeader(t *testing.T) {
	s := start(t, Config{}, handlerFunc(func(r *Request) { r.Reply(binary.BigEndian.AppendUint16(r.Scratch(), uint16(len(r.Packet)))) }))
	c := dial(t, "udp", "", s.Addrs()[0])
	for _, tt := range []struct{ sent, given int }{{0, 0}, {11, 11}, {512, 512}, {room, room}, {room + 1, 12}, {65000, 12}, {13, 13}} {
		if got := exchangeUDP(t, c, make([]byte, tt.sent)); int(binary.BigEndian.Uint16(got)) != tt.given {
			t.Errorf("of %d octets the handler got %d, want %d", tt.sent, binary.BigEndian.Uint16(got), tt.given)
		}
	}
}

func TestRepliesFromAnywhereAndOfAnyLengthArriveWhole(t *testing.T) {
	elsewhere := bytes.Repeat([]byte("e"), 60000)
	s := start(t, Config{Readers: 1}, handlerFunc(func(r *Request) {
		n := int(binary.BigEndian.Uint16(r.Packet[1:]))
		switch r.Packet[0] {
		case 's': // built in the scratch, which it may outgrow
			r.Reply(append(r.Scratch(), elsewhere[:n]...))
		case 'e':
			own := bytes.Clone(elsewhere[:n])
			r.Reply(own)
			clear(own)
		case 'd':
			d, _ := r.Detach()
			go func() { d.Reply(append(d.Scratch(), elsewhere[:n]...)) }()
		}
	}))
	var all sync.WaitGroup
	for _, from := range "sed" {
		for _, n := range []int{0, 1, 512, 1232, room, room + 1, 4096, 60000} {
			c := dial(t, "udp", "", s.Addrs()[0])
			all.Go(func() {
				for range 50 {
					got := exchangeUDP(t, c, binary.BigEndian.AppendUint16([]byte{byte(from)}, uint16(n)))
					if !bytes.Equal(got, elsewhere[:n]) {
						t.Errorf("%c, %d octets: got %d", from, n, len(got))
					}
				}
			})
		}
	}
	all.Wait()
}

func TestRequestsOfABatchAreDatedAlikeByTheConfiguredClock(t *testing.T) {
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	seen := make(chan time.Time, 2)
	s := start(t, Config{Now: func() time.Time { return noon }}, handlerFunc(func(r *Request) { seen <- r.At; echo(r) }))
	for _, network := range []string{"udp", "tcp"} {
		c := dial(t, network, "", s.Addrs()[0])
		send(t, c, message("x"))
		receive(t, c)
		if got := <-seen; !got.Equal(noon) {
			t.Errorf("%s: dated %s", network, got)
		}
	}
}

// TestAReplyThatTheKernelRefusesTakesNoOtherWithIt forges a query from port 0, to which nothing can be sent, between two others.
func TestAReplyThatTheKernelRefusesTakesNoOtherWithIt(t *testing.T) {
	raw, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		t.Skip("forging a datagram needs root:", err)
	}
	defer unix.Close(raw)
	held := make(chan struct{})
	var first sync.Once
	s := start(t, Config{Readers: 1}, handlerFunc(func(r *Request) {
		first.Do(func() { <-held }) // so that the others come as one batch
		echo(r)
	}))
	to := s.Addrs()[0]
	before, after := dial(t, "udp", "", to), dial(t, "udp", "", to)
	send(t, before, message("waits"))
	send(t, before, message("a"))
	forge(t, raw, to)
	send(t, after, message("b"))
	close(held)
	receive(t, before)
	if got := receive(t, before); !bytes.Equal(got, message("a")) {
		t.Errorf("before it: got %q", got)
	}
	if got := receive(t, after); !bytes.Equal(got, message("b")) {
		t.Errorf("after it: got %q", got)
	}
	eventually(t, "the refused reply is counted", func() bool { st := s.Stats(); return st.DroppedWrites == 1 && st.UDPReplies == 3 })
}

// forge sends a UDP datagram with source port 0 (RFC 768: none).
func forge(t *testing.T, raw int, to netip.AddrPort) {
	t.Helper()
	datagram := []byte{0, 0, byte(to.Port() >> 8), byte(to.Port()), 0, 8 + 12, 0, 0}
	datagram = append(datagram, make([]byte, 12)...)
	if err := unix.Sendto(raw, datagram, 0, &unix.SockaddrInet4{Addr: to.Addr().As4()}); err != nil {
		t.Fatal(os.NewSyscallError("sendto", err))
	}
}

func TestServingADatagramDoesNotAllocate(t *testing.T) {
	s := start(t, Config{Readers: 1}, echo)
	b := newBatch(false)
	r := &Request{Transport: UDP, udp: s.udp[0], batch: b, parent: true}
	b.peers[0].Family = unix.AF_INET6
	b.in[0].length = 512
	if n := testing.AllocsPerRun(100, func() { s.udp[0].serve(echo, r, 1); b.replies = 0 }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
