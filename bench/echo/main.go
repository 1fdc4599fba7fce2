// Command echo is the limit that the resolver is measured against: it takes UDP datagrams a batch at a time, sets the two octets of
// a DNS header that make a reply of a query (QR and RA set, RCODE REFUSED), and sends them back. Nothing that answers over sockets
// does less.
//
//	echo [--readers N] [--how poll|block|runtime|xnet] ADDR:PORT
//
// How it waits is to be chosen, so that the ways can be held against each other:
//
//	poll     recvmmsg(2) and sendmmsg(2) that never wait, not announced to the scheduler, and a poll(2) only when nothing has come;
//	         the default, at about 1.14 times the CPU of the same program in C
//	block    a recvmmsg(2) that waits, from a thread of its own
//	runtime  as poll, but waiting in the runtime's poller: as the resolver's listeners do
//	xnet     ReadBatch and WriteBatch of golang.org/x/net/ipv4
package main

import (
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

func main() {
	readers := flag.Int("readers", runtime.GOMAXPROCS(0), "sockets on the port, each read by a thread of its own")
	how := flag.String("how", "poll", "poll, block, runtime or xnet: how to wait for datagrams")
	flag.Parse()
	if err := run(flag.Arg(0), *readers, *how); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(text string, readers int, how string) error {
	serve := ways[how]
	if serve == nil {
		return fmt.Errorf("--how is poll, block, runtime or xnet, not %q", how)
	}
	addr, err := netip.ParseAddrPort(text)
	if err != nil || !addr.Addr().Is4() {
		return fmt.Errorf("give an IPv4 address and a port to listen on, such as 127.0.0.1:5301, not %q", text)
	}
	failed := make(chan error)
	for range readers {
		fd, err := open(addr)
		if err != nil {
			return err
		}
		go func() { failed <- serve(fd) }()
	}
	fmt.Println("echoing on", addr)
	return <-failed
}

// receiveBuffer is that of the resolver's sockets, in octets.
const receiveBuffer = 4 << 20

func open(addr netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt SO_REUSEPORT", err)
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: addr.Addr().As4(), Port: int(addr.Port())}); err != nil {
		return 0, &net.OpError{Op: "bind", Net: "udp", Addr: net.UDPAddrFromAddrPort(addr), Err: err}
	}
	return fd, nil
}
