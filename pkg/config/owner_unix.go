//go:build unix

package config

import (
	"io/fs"
	"os"
	"syscall"
)

// hasModes tells that files have permission bits that mean something.
const hasModes = true

// ownerOf is the user that a file belongs to.
func ownerOf(info fs.FileInfo) (uid int, known bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}

func currentUser() int { return os.Geteuid() }
