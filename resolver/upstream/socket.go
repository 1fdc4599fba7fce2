package upstream

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls below never wait, so they are not announced to the scheduler, which would cost as much as some of them do.

// withinDescriptors lowers the number of questions of a group that may be under way, of which each has a socket, to half of the files
// that the process may have open: the other half is for clients over TCP, and for what else there is.
func withinDescriptors(group string, questions int) int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || uint64(questions) <= limit.Cur/2 {
		return questions
	}
	slog.Warn("fewer questions can be under way than the settings allow: raise the limit of open files (LimitNOFILE)",
		"group", group, "settings", questions, "files", limit.Cur)
	return max(1, int(limit.Cur/2))
}

// sockaddr is an address as the kernel has it: a struct sockaddr_in or sockaddr_in6.
type sockaddr struct {
	raw    unix.RawSockaddrInet6 // the longer of the two
	length uint32
}

// kernelAddr turns an address, without IPv4 mapped into IPv6, into the kernel's form. A zone is an interface's name or number.
func kernelAddr(addr netip.AddrPort) (sockaddr, error) {
	var a sockaddr
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&a.raw.Port))[:], addr.Port())
	if addr.Addr().Is4() {
		a.raw.Family, a.length = unix.AF_INET, unix.SizeofSockaddrInet4
		(*unix.RawSockaddrInet4)(unsafe.Pointer(&a.raw)).Addr = addr.Addr().As4()
		return a, nil
	}
	a.raw.Family, a.length, a.raw.Addr = unix.AF_INET6, unix.SizeofSockaddrInet6, addr.Addr().As16()
	if zone := addr.Addr().Zone(); zone != "" {
		n, err := strconv.ParseUint(zone, 10, 32)
		if err != nil {
			link, err := net.InterfaceByName(zone)
			if err != nil {
				return a, fmt.Errorf("finding the network interface of %s: %w", addr, err)
			}
			n = uint64(link.Index)
		}
		a.raw.Scope_id = uint32(n)
	}
	return a, nil
}

// addrPort is the address in Go's form, without zone.
func (a *sockaddr) addrPort() netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&a.raw.Port))[:])
	if a.raw.Family == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&a.raw)).Addr), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(a.raw.Addr), port)
}

// openUDP opens a socket on a port drawn from port, connected to server, so that the kernel drops what comes from elsewhere and
// reports refusals. A port in use is answered by another draw.
func openUDP(server netip.AddrPort, port func() uint16) (fd int, err error) {
	to, err := kernelAddr(server)
	if err != nil {
		return 0, err
	}
	fd, err = unix.Socket(int(to.raw.Family), unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("opening a UDP socket: %w", err)
	}
	if err = bindTo(fd, &to, port); err == nil {
		if _, _, errno := syscall.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&to.raw)), uintptr(to.length)); errno == 0 {
			return fd, nil
		} else {
			err = os.NewSyscallError("connect", errno)
		}
	}
	closeUDP(fd)
	return 0, fmt.Errorf("opening a UDP socket: %w", err)
}

// bindTo binds a socket to a port drawn from port, of every address of the kind that peer is.
func bindTo(fd int, peer *sockaddr, port func() uint16) error {
	local := sockaddr{length: peer.length}
	local.raw.Family = peer.raw.Family
	const draws = 32 // all of them taken: tens of thousands of sockets are open, and waiting would not help
	var errno syscall.Errno
	for range draws {
		binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&local.raw.Port))[:], port())
		_, _, errno = syscall.RawSyscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&local.raw)), uintptr(local.length))
		if errno == 0 {
			return nil
		}
		if errno != unix.EADDRINUSE && errno != unix.EACCES { // security modules forbid some ports
			break
		}
	}
	return os.NewSyscallError("bind", errno)
}

// sendUDP sends a datagram to the server that the socket is connected to.
func sendUDP(fd int, msg []byte) error {
	_, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(msg))), uintptr(len(msg)), unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("sendto", errno)
	}
	return nil
}

// receiveUDP takes a datagram from the socket, of which what is longer than buf is cut off. The error is EAGAIN when there is none.
func receiveUDP(fd int, buf []byte, from *sockaddr) (int, error) {
	from.length = unix.SizeofSockaddrInet6
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), 0,
		uintptr(unsafe.Pointer(&from.raw)), uintptr(unsafe.Pointer(&from.length)))
	if errno != 0 {
		return 0, os.NewSyscallError("recvfrom", errno)
	}
	return int(n), nil
}

func closeUDP(fd int) { _, _, _ = syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// sameSource compares addresses without the zone, which the kernel gives by number and the operator may have by name.
func sameSource(a, b netip.AddrPort) bool {
	return a.Port() == b.Port() && a.Addr().Unmap().WithZone("") == b.Addr().WithZone("")
}
