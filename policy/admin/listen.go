package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// maxPath is the longest path of a socket, in octets: sun_path of unix(7) has 108, the last one NUL.
const maxPath = 107

// Listen makes the socket, open for everybody to connect to. A socket that a dead daemon left is replaced, once dialling
// has proved it dead. A folder that is missing is made.
func Listen(path string) (*net.UnixListener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("admin socket %s: the path has %d octets, a Unix socket at most %d: give a shorter one with --socket", path, len(path), maxPath)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of the admin socket: %w; make it yourself, or give another place with --socket", err)
	}
	if err := clearStale(path); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("open the admin socket: %w; give another place with --socket", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		l.Close()
		return nil, fmt.Errorf("open the admin socket to others: %w", err)
	}
	return l, nil
}

// clearStale removes the socket of a daemon that is no more.
func clearStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for an older admin socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("admin socket %s: something else is there: remove it, or give another place with --socket", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
		return fmt.Errorf("another usciere answers on %s: stop it first, or give another place with --socket", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("admin socket %s: it cannot be told whether another usciere uses it: %w; remove it if none does", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the admin socket of a daemon that is no more: %w", err)
	}
	return nil
}

// At most so many connections are open at once: all together, and those of one user other than root, so that no user can
// keep the others out.
const (
	maxConns     = 200
	maxUserConns = 50
)

// admission counts open connections.
type admission struct {
	mu    sync.Mutex
	total int
	held  map[uint32]int // by user

	refused uint64
}

func (a *admission) enter(uid uint32, privileged bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	limit := maxConns
	if privileged {
		limit += maxUserConns // kept for those who can put things right
	}
	if a.total >= limit || !privileged && a.held[uid] >= maxUserConns {
		a.refused++
		return false
	}
	a.total++
	a.held[uid]++
	return true
}

func (a *admission) leave(uid uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.total--
	if a.held[uid]--; a.held[uid] == 0 {
		delete(a.held, uid)
	}
}

// door is the listener as the HTTP server sees it: connections beyond the limits are closed at once.
type door struct {
	*net.UnixListener
	server *Server
}

func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.AcceptUnix()
		if err != nil {
			return nil, err
		}
		cred, err := d.server.credentials(conn)
		if err != nil || !d.server.admission.enter(cred.uid, cred.uid == 0 || cred.uid == d.server.owner) {
			conn.Close()
			continue
		}
		return &admitted{UnixConn: conn, credentials: cred, leave: sync.OnceFunc(func() { d.server.admission.leave(cred.uid) })}, nil
	}
}

// admitted is a connection that was let in.
type admitted struct {
	*net.UnixConn
	credentials
	leave func()
}

func (c *admitted) Close() error {
	c.leave()
	return c.UnixConn.Close()
}
