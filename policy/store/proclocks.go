package store

import (
	"strconv"
	"strings"
)

// fileLock is one lock held on a whole file.
type fileLock struct {
	pid          int
	major, minor uint32
	inode        uint64
}

// parseLocks reads the flock(2) locks of /proc/locks (proc_locks(5)), whose lines are
//
//	1: FLOCK  ADVISORY  WRITE 4711 fd:01:5513 0 EOF
//
// Locks of other kinds, processes that wait ("->") or are out of sight (a pid below 1), and lines it does not
// understand are left out.
func parseLocks(text []byte) []fileLock {
	var locks []fileLock
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 6 || f[1] != "FLOCK" {
			continue
		}
		file := strings.Split(f[5], ":")
		pid, err := strconv.Atoi(f[4])
		if err != nil || pid < 1 || len(file) != 3 {
			continue
		}
		major, err1 := strconv.ParseUint(file[0], 16, 32)
		minor, err2 := strconv.ParseUint(file[1], 16, 32)
		inode, err3 := strconv.ParseUint(file[2], 10, 64)
		if err1 == nil && err2 == nil && err3 == nil {
			locks = append(locks, fileLock{pid, uint32(major), uint32(minor), inode})
		}
	}
	return locks
}
