package store

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// The kinds of refusal; each error of Open that wraps one says what to do.
var (
	ErrDamaged  = errors.New("the store is damaged")
	ErrVanished = errors.New("the store has vanished")
	ErrNewer    = errors.New("the store was made by a newer usciere")
	ErrInUse    = errors.New("the store is in use")
	ErrNone     = errors.New("there is no store")
	ErrReadOnly = errors.New("the store was opened for reading only")
	ErrNoEntry  = errors.New("a change of the store needs a journal entry: this is a fault in usciere, please report it")
)

// damaged is an ErrDamaged: what is wrong, and the way out.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w; put back a backup with `usciere restore FILE`", ErrDamaged, fmt.Errorf(format, args...))
}

// advise adds to an error of the file system what to do about it.
func advise(err error) error {
	for _, known := range []struct {
		errno  syscall.Errno
		advice string
	}{
		{syscall.EROFS, "mount the file system for writing, or choose another folder with --state"},
		{syscall.EACCES, fmt.Sprintf("usciere runs as uid %d, to whom the state folder and its files must belong", os.Geteuid())},
		{syscall.EPERM, fmt.Sprintf("usciere runs as uid %d, to whom the state folder and its files must belong", os.Geteuid())},
		{syscall.ENOSPC, "the disk is full: make room; nothing was changed"},
		{syscall.EDQUOT, "the disk quota is used up: make room; nothing was changed"},
		{syscall.EFBIG, "the file may not grow so large (see ulimit -f); nothing was changed"},
		{syscall.ENOTDIR, "the state folder must be a folder: choose another with --state"},
		{syscall.EIO, "the disk fails: look at the kernel's log"},
	} {
		if errors.Is(err, known.errno) {
			return fmt.Errorf("%w: %s", err, known.advice)
		}
	}
	return err
}
