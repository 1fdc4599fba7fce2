package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// lockPatience is how long to wait for a lock: a daemon that is just ending is waited for, one at work is not.
const lockPatience = 300 * time.Millisecond

// lockFolder locks a state folder against other processes, until the file it returns is closed. The folder is locked rather
// than the database, since a restore puts another file in the database's place.
func lockFolder(dir string, shared bool) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("open the state folder: %w", advise(err))
	}
	how := syscall.LOCK_EX
	if shared {
		how = syscall.LOCK_SH
	}
	for end := time.Now().Add(lockPatience); ; time.Sleep(10 * time.Millisecond) {
		err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		switch {
		case err == nil:
			return f, nil
		case errors.Is(err, syscall.EWOULDBLOCK) && time.Now().After(end):
			return nil, errors.Join(inUse(dir), f.Close())
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			return nil, errors.Join(fmt.Errorf("lock the state folder %s: %w", dir, err), f.Close())
		}
	}
}

// inUse is the ErrInUse for a locked folder or file; it names the process that holds it where it can.
func inUse(path string) error {
	who := "another process"
	if pid, ok := lockHolder(path); ok {
		who = fmt.Sprintf("pid %d", pid)
		if name, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm")); err == nil {
			who = fmt.Sprintf("%s (pid %d)", strings.TrimSpace(string(name)), pid)
		}
	}
	return fmt.Errorf("%w: %s is held by %s: stop it first, or use another folder with --state", ErrInUse, path, who)
}

// lockHolder is the process that holds a lock on a file, as far as the kernel tells.
func lockHolder(path string) (pid int, ok bool) {
	var st syscall.Stat_t
	text, err := os.ReadFile("/proc/locks")
	if err != nil || syscall.Stat(path, &st) != nil {
		return 0, false
	}
	for _, l := range parseLocks(text) {
		if l.inode != st.Ino {
			continue
		}
		// Some file systems (overlayfs, btrfs) report another device here than stat(2) does; the inode must do there.
		pid, ok = l.pid, true
		if major, minor := device(st.Dev); l.major == major && l.minor == minor {
			break
		}
	}
	return pid, ok
}

// device takes a device number of stat(2) apart (makedev(3)).
func device(dev uint64) (major, minor uint32) {
	return uint32(dev>>8&0xfff | dev>>32&^0xfff), uint32(dev&0xff | dev>>12&^0xff)
}
