package lease

import (
	"fmt"
	"io/fs"
	"syscall"
)

// inode tells a file from another of the same name, and from itself before it was written again.
func inode(info fs.FileInfo) string {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprint(st.Ino, " ", st.Size, " ", st.Ctim)
	}
	return fmt.Sprint(info.Size())
}
