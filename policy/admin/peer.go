package admin

import (
	"errors"
	"fmt"
	"net"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"usciere/policy"
	"usciere/policy/journal"
)

// permit is what a peer may do.
type permit uint8

const (
	none permit = iota
	read
	change
	decide // on requests: the IT head's seat (Art. 5 and 7)
)

func (p permit) String() string { return [...]string{"nothing", "read", "change", "decide"}[p] }

// credentials are who connected, as the kernel noted at connect(2) (SO_PEERCRED, unix(7)).
type credentials struct {
	uid, gid uint32
	pid      int32
	groups   func() []uint32 // the supplementary ones
}

// peer is who is at the other end of a connection. Names and groups are looked up when the first command comes, since that
// can take a while.
type peer struct {
	credentials
	once   sync.Once
	actor  policy.Actor
	permit permit
}

type peerKey struct{}

// identify finds the peer's name and what it may do.
func (s *Server) identify(p *peer) {
	p.once.Do(func() {
		p.actor = policy.Actor{UID: p.uid, Name: userName(p.uid), PID: p.pid, Via: journal.ViaSocket}
		groups := append(p.groups(), p.gid)
		in := func(group string) bool {
			gid, ok := s.gidOf(group)
			return ok && slices.Contains(groups, gid)
		}
		switch {
		case p.uid == 0, p.uid == s.owner, in(s.cfg.Groups.Admin):
			p.permit = change
		case in(s.cfg.Groups.Viewer):
			p.permit = read
		}
		head := s.cfg.Groups.Head
		group, isGroup := strings.CutPrefix(head, "@")
		if head == "" && p.permit == change || isGroup && in(group) || !isGroup && head == p.actor.Name {
			p.permit = decide
		}
	})
}

// refusal says why the peer may not do what needs the permit, and whom to ask.
func (s *Server) refusal(p *peer, needed permit) *policy.Error {
	e := &policy.Error{Code: Forbidden, Message: fmt.Sprintf("%s (uid %d) may not see the rules", p.actor.Name, p.uid)}
	if head := s.cfg.Groups.Head; needed == decide && head != "" && p.permit == change {
		e.Message = fmt.Sprintf("%s (uid %d) may not decide on requests or begin a trace: both are for the IT head's seat (Art. 5 and 7)", p.actor.Name, p.uid)
		e.Hint = "the settings say who holds it (admin.head): the user " + head
		if group, ok := strings.CutPrefix(head, "@"); ok {
			e.Hint = "the settings say who holds it (admin.head): the members of the group " + group
		}
		return e
	}
	groups := []string{s.cfg.Groups.Viewer, s.cfg.Groups.Admin}
	if needed >= change {
		e.Message = fmt.Sprintf("%s (uid %d) may not change the rules, nor see who asked what", p.actor.Name, p.uid)
		groups = groups[1:]
	}
	groups = slices.DeleteFunc(groups, func(g string) bool { return g == "" })
	switch len(groups) {
	case 0:
		e.Hint = "only root and the user that the daemon runs as may; name a group in the settings (admin.group)"
	case 1:
		e.Hint = "ask to become a member of the group " + groups[0] + ", and log in again"
	default:
		e.Hint = "ask to become a member of the group " + groups[0] + " (or " + groups[1] + ", to change them), and log in again"
	}
	return e
}

func userName(uid uint32) string {
	if u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10)); err == nil {
		return u.Username
	}
	return "uid " + strconv.FormatUint(uint64(uid), 10)
}

func lookupGroup(name string) (gid uint32, ok bool) {
	if name == "" {
		return 0, false
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(g.Gid, 10, 32)
	return uint32(n), err == nil
}

// peerCredentials asks the kernel.
func peerCredentials(conn *net.UnixConn) (credentials, error) {
	var c credentials
	raw, err := conn.SyscallConn()
	if err != nil {
		return c, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			failed = fmt.Errorf("peer credentials: %w", err)
			return
		}
		c.uid, c.gid, c.pid = cred.Uid, cred.Gid, cred.Pid
		groups, err := peerGroups(int(fd))
		c.groups = func() []uint32 { return groups }
		if errors.Is(err, unix.ENOPROTOOPT) { // before Linux 4.13
			c.groups = func() []uint32 { return userGroups(cred.Uid) }
		} else if err != nil {
			failed = fmt.Errorf("peer groups: %w", err)
		}
	})
	return c, errors.Join(err, failed)
}

// peerGroups reads SO_PEERGROUPS, an array of gid_t; the kernel answers ERANGE with the size it needs.
func peerGroups(fd int) ([]uint32, error) {
	groups := make([]uint32, 32)
	for {
		size := uint32(4 * len(groups))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == 0:
			return groups[:size/4], nil
		case errno == unix.ERANGE && int(size/4) > len(groups):
			groups = make([]uint32, size/4)
		default:
			return nil, errno
		}
	}
}

// userGroups are the groups of a user by the user database.
func userGroups(uid uint32) []uint32 {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return nil
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil
	}
	var out []uint32
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			out = append(out, uint32(n))
		}
	}
	return out
}
