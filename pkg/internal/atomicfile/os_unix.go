//go:build unix

package atomicfile

import (
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives temp the owner and group of the file that it will replace. Where this
// process may not, the file becomes its own: there is nothing better to be had.
func keepOwner(temp string, old fs.FileInfo) {
	if st, ok := old.Sys().(*syscall.Stat_t); ok {
		_ = os.Lchown(temp, int(st.Uid), int(st.Gid))
	}
}

func flush(d *os.File) error { return d.Sync() }
