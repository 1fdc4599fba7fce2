package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// ways are how a socket can be served, each until that fails.
var ways = map[string]func(fd int) error{"poll": poll, "block": block, "runtime": inRuntime, "xnet": xnet}

// poll asks for what has come and waits only when that is nothing.
func poll(fd int) error {
	runtime.LockOSThread()
	b := newBatch()
	for {
		n, errno := b.receive(uintptr(fd), unix.MSG_DONTWAIT)
		switch errno {
		case 0:
			b.answer(uintptr(fd), n)
		case unix.EAGAIN:
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); err != nil && err != unix.EINTR {
				return os.NewSyscallError("poll", err)
			}
		default:
			return os.NewSyscallError("recvmmsg", errno)
		}
	}
}

// block waits in the kernel for the first datagram of each batch.
func block(fd int) error {
	runtime.LockOSThread()
	b := newBatch()
	for {
		n, _, errno := syscall.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.in)), batchSize, unix.MSG_WAITFORONE, 0, 0)
		switch errno {
		case 0:
			b.answer(uintptr(fd), int(n))
		case unix.EINTR:
		default:
			return os.NewSyscallError("recvmmsg", errno)
		}
	}
}

// inRuntime asks for what has come and waits in the runtime's poller.
func inRuntime(fd int) error {
	conn, err := packetConn(fd)
	if err != nil {
		return err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	b := newBatch()
	for {
		var errno syscall.Errno
		err := raw.Read(func(fd uintptr) bool {
			for {
				var n int
				if n, errno = b.receive(fd, unix.MSG_DONTWAIT); errno != 0 {
					return errno != unix.EAGAIN
				}
				b.answer(fd, n)
			}
		})
		if err != nil {
			return err
		}
		if errno != 0 && errno != unix.EINTR {
			return os.NewSyscallError("recvmmsg", errno)
		}
	}
}

// xnet leaves batches to golang.org/x/net.
func xnet(fd int) error {
	conn, err := packetConn(fd)
	if err != nil {
		return err
	}
	p := ipv4.NewPacketConn(conn)
	messages := make([]ipv4.Message, batchSize)
	replies := make([]ipv4.Message, batchSize)
	for i := range messages {
		messages[i].Buffers = [][]byte{make([]byte, room)}
		replies[i].Buffers = make([][]byte, 1)
	}
	for {
		n, err := p.ReadBatch(messages, 0)
		if err != nil {
			return err
		}
		count := 0
		for _, m := range messages[:n] {
			if packet := m.Buffers[0][:m.N]; reply(packet) {
				replies[count].Buffers[0], replies[count].Addr = packet, m.Addr
				count++
			}
		}
		for sent := 0; sent < count; {
			n, err := p.WriteBatch(replies[sent:count], 0)
			if err != nil {
				break // full: the clients will ask again
			}
			sent += n
		}
	}
}

func packetConn(fd int) (*net.UDPConn, error) {
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	c, err := net.FilePacketConn(f)
	if err != nil {
		return nil, err
	}
	conn, ok := c.(*net.UDPConn)
	if !ok {
		return nil, fmt.Errorf("%T is no UDP socket", c)
	}
	return conn, nil
}
