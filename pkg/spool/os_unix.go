//go:build unix

package spool

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// unlinkOpen: a file can be unlinked while it is open.
	unlinkOpen     = true
	permissionBits = true
	// openFlags: a link in the place of a segment is not followed, a FIFO not waited for (F6).
	openFlags = unix.O_NOFOLLOW | unix.O_NONBLOCK
)

func ownedByUs(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int(st.Uid) == os.Geteuid()
}

// tryLock takes an exclusive lock that ends with the file's descriptor, and so with the process;
// false when another descriptor has it.
func tryLock(f *os.File) (bool, error) {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		default:
			return err == nil, err
		}
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
