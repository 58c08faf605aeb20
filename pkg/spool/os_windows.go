package spool

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

const (
	// unlinkOpen: a file can be unlinked while it is open.
	unlinkOpen     = false
	permissionBits = false
	openFlags      = 0
)

// ownedByUs: access lists, not owners, protect a profile's directories here.
func ownedByUs(fs.FileInfo) bool { return true }

// tryLock takes an exclusive lock that ends with the file's handle, and so with the process;
// false when another handle has it.
func tryLock(f *os.File) (bool, error) {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

// syncDir has nothing to do: a directory cannot be flushed here, and its changes are journalled.
func syncDir(string) error { return nil }
