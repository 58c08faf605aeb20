//go:build unix

package cmd

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
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

// mayCreateIn tells why this user cannot make anything in a directory, nil where he can.
func mayCreateIn(dir string) error { return unix.Access(dir, unix.W_OK|unix.X_OK) }
