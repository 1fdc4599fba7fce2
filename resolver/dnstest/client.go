package dnstest

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// patience is how long Exchange waits: longer than any reply may take, so that a test only waits for it when it fails.
const patience = 10 * time.Second

// Exchange sends one query over network ("udp" or "tcp") to server ("address:port") from the local address fromAddr
// ("127.10.1.5"; "" leaves it to the kernel) and returns the reply, failing the test when there is none. Call it from the test's
// own goroutine.
func Exchange(t testing.TB, network, server, fromAddr string, msg *dns.Msg) *dns.Msg {
	t.Helper()
	pkt, err := msg.Pack()
	if err != nil {
		t.Fatalf("packing the query: %v", err)
	}
	raw, err := ExchangeRaw(network, server, fromAddr, pkt, patience)
	if err != nil {
		t.Fatal(err)
	}
	reply := new(dns.Msg)
	if err := reply.Unpack(raw); err != nil {
		t.Fatalf("reply %x does not parse: %v", raw, err)
	}
	if reply.Id != msg.Id {
		t.Fatalf("reply has ID %d, the query had %d", reply.Id, msg.Id)
	}
	return reply
}

// ExchangeRaw is Exchange on octets, without a look at what they mean: the first message that comes within wait, or an
// error that wraps os.ErrDeadlineExceeded when there is silence. It may be called from any goroutine.
func ExchangeRaw(network, server, fromAddr string, pkt []byte, wait time.Duration) ([]byte, error) {
	dialer := net.Dialer{Timeout: wait}
	if fromAddr != "" {
		from, err := netip.ParseAddr(fromAddr)
		if err != nil {
			return nil, fmt.Errorf("asking %s from %q: %w", server, fromAddr, err)
		}
		if network == "tcp" {
			dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
		} else {
			dialer.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
		}
	}
	conn, err := dialer.Dial(network, server)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", server, err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(wait))
	if network == "tcp" {
		pkt = append(binary.BigEndian.AppendUint16(nil, uint16(len(pkt))), pkt...)
	}
	if _, err := conn.Write(pkt); err != nil {
		return nil, fmt.Errorf("asking %s: %w", server, err)
	}
	if network == "tcp" {
		reply, err := readMessage(conn)
		if err != nil {
			return nil, fmt.Errorf("reading the reply of %s: %w", server, err)
		}
		return reply, nil
	}
	buf := make([]byte, dns.MaxMsgSize)
	n, err := conn.Read(buf)
	if err != nil {
		return nil, fmt.Errorf("reading the reply of %s: %w", server, err)
	}
	return buf[:n], nil
}
