//go:build e2e

package e2e

import (
	"encoding/binary"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

// wire is a cable that is listened in on: the questions that go over it to port 53, and the replies.
type wire struct {
	t       testing.TB
	fd      int
	waiting map[string]int // how often a question "NAME TYPE" waits for its reply
	asked   []string       // the questions that have one, with it
}

// tap listens in on a cable of the machine.
func (m *machine) tap(cable string) *wire {
	m.t.Helper()
	w := &wire{t: m.t, fd: -1, waiting: map[string]int{}}
	if err := m.inside(func() error {
		i, err := net.InterfaceByName(cable)
		if err != nil {
			return err
		}
		const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // in network order
		w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, all)
		if err != nil {
			return err
		}
		return unix.Bind(w.fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: i.Index})
	}); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = unix.Close(w.fd) })
	return w
}

// questions are those that went over the cable while fn ran, as often as they did, each with what came back: "NAME TYPE DATA", sorted;
// NODATA or the code of an error instead of data. Each has its reply, and over UDP.
func (w *wire) questions(fn func()) []string {
	w.t.Helper()
	w.read() // what was before
	w.waiting, w.asked = map[string]int{}, nil
	fn()
	eventually(w.t, "every question has its reply", func() bool {
		w.read()
		for _, n := range w.waiting {
			if n > 0 {
				return false
			}
		}
		return true
	})
	slices.Sort(w.asked)
	return w.asked
}

// read takes the packets that have come.
func (w *wire) read() {
	w.t.Helper()
	buf := make([]byte, 1<<16)
	for {
		n, err := unix.Read(w.fd, buf)
		if err == unix.EAGAIN {
			return
		}
		if err != nil {
			w.t.Fatal(err)
		}
		w.packet(buf[:n])
	}
}

// packet takes note of an IPv4 packet (RFC 791 §3.1) from or to port 53.
func (w *wire) packet(p []byte) {
	w.t.Helper()
	if len(p) < 20 || p[0]>>4 != 4 {
		return
	}
	protocol, body := p[9], p[min(int(p[0]&15)*4, len(p)):]
	if len(body) < 8 || binary.BigEndian.Uint16(body) != 53 && binary.BigEndian.Uint16(body[2:]) != 53 {
		return
	}
	switch protocol {
	case unix.IPPROTO_TCP:
		w.t.Error("something was asked over TCP")
	case unix.IPPROTO_UDP:
		var m dns.Msg
		if err := m.Unpack(body[8:]); err != nil || len(m.Question) != 1 {
			w.t.Fatalf("a packet of port 53 that is no message: %v %x", err, p)
		}
		w.message(&m)
	}
}

func (w *wire) message(m *dns.Msg) {
	w.t.Helper()
	q := m.Question[0]
	question := strings.ToLower(strings.TrimSuffix(q.Name, ".")) + " " + dns.TypeToString[q.Qtype]
	if !m.Response {
		w.waiting[question]++
		return
	}
	w.waiting[question]--
	reply := "NODATA"
	switch {
	case m.Rcode != dns.RcodeSuccess:
		reply = dns.RcodeToString[m.Rcode]
	case len(m.Answer) > 0:
		reply = strings.TrimPrefix(m.Answer[0].String(), m.Answer[0].Header().String())
	}
	w.asked = append(w.asked, question+" "+reply)
}
