package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"zombiezen.com/go/sqlite"
)

// Errors that callers tell apart.
var (
	// ErrClosed: the spool was closed.
	ErrClosed = errors.New("the spool is closed")
	// ErrRunning: another process holds the run lock.
	ErrRunning = errors.New("another queue run is at work")
	// ErrReported: what a notification reports was reported already, by another process
	// perhaps; the notification was not accepted.
	ErrReported = errors.New("it was reported already")
)

// StateError means that the state directory cannot be used or written (exit status 74). What
// was accepted before is kept.
type StateError struct {
	Op   string // what was being done: "opening", "writing"
	Path string // to what
	Err  error
	Hint string // what to do about it; may be a command line
}

// Error says what was being done to what, and why it failed.
func (e *StateError) Error() string { return e.Op + " " + e.Path + ": " + e.Err.Error() }

// Unwrap is the cause.
func (e *StateError) Unwrap() error { return e.Err }

// ClaimLostError names recipients whose claim is no longer this owner's: its lease ended and
// another process took them, or they were settled. They must not be sent.
type ClaimLostError struct{ Recipients []int64 }

// Error counts the recipients.
func (e *ClaimLostError) Error() string {
	return fmt.Sprintf("%d recipients are no longer claimed by this process; another one took them over", len(e.Recipients))
}

// CorruptError means that the body of a message is not what was accepted. Its recipients were
// put on hold; nothing of it is sent.
type CorruptError struct {
	QueueID string
	Err     error
}

// Error says what is wrong with the body.
func (e *CorruptError) Error() string {
	return "the stored body of " + e.QueueID + " is damaged: " + e.Err.Error()
}

// Unwrap is the cause.
func (e *CorruptError) Unwrap() error { return e.Err }

// stateError wraps a failure of the file system or of SQLite, with a hint where there is one.
// An error that is one already is left alone.
func stateError(op, path string, err error) error {
	var se *StateError
	if err == nil || errors.As(err, &se) {
		return err
	}
	return &StateError{Op: op, Path: path, Err: err, Hint: hint(err, path)}
}

func hint(err error, path string) string {
	if text := sqliteHint(sqlite.ErrCode(err).ToPrimary(), path); text != "" {
		return text
	}
	for _, h := range []struct {
		is   error
		text string
	}{
		{syscall.ENOSPC, "free some space (or inodes: df -i) on the file system of " + path + "; what was accepted is kept"},
		{syscall.EROFS, "the file system of " + path + " is mounted read-only; name another state directory with --state"},
		{syscall.EFBIG, "raise the limit of file size: ulimit -f unlimited"},
		{syscall.EMFILE, "raise the limit of open files: ulimit -n 4096"},
		{syscall.ENFILE, "the system has no file handles left"},
		{syscall.EIO, "the disk under " + path + " reports errors; look into the system's log"},
		{fs.ErrPermission, "run as the owner of " + path + ", or name another state directory with --state"},
	} {
		if errors.Is(err, h.is) {
			return h.text
		}
	}
	return ""
}

func sqliteHint(code sqlite.ResultCode, path string) string {
	switch code {
	case sqlite.ResultFull:
		return hint(syscall.ENOSPC, path)
	case sqlite.ResultReadOnly, sqlite.ResultPerm:
		return hint(fs.ErrPermission, path)
	case sqlite.ResultCantOpen: // whatever the cause: it makes files beside the database too
		return "run as the owner of " + path + "; or there is room for no more files (df -i), or for no more open ones (ulimit -n)"
	case sqlite.ResultIOErr:
		return "the disk may be full (df " + path + "), a limit of file size be met (ulimit -f), or the disk be failing (the system's log)"
	case sqlite.ResultBusy, sqlite.ResultLocked:
		return "another process holds the database; find it with: fuser -v " + path
	case sqlite.ResultCorrupt, sqlite.ResultNotADB:
		return "the database is damaged; save the state directory, then recover with: sqlite3 " + path + " .recover"
	}
	return ""
}

// storeFault reports an error of the store as a whole, which would meet every other
// transaction too.
func storeFault(err error) bool {
	if err == nil {
		return false
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultFull, sqlite.ResultReadOnly, sqlite.ResultPerm, sqlite.ResultCantOpen, sqlite.ResultIOErr,
		sqlite.ResultBusy, sqlite.ResultLocked, sqlite.ResultCorrupt, sqlite.ResultNotADB, sqlite.ResultNoMem:
		return true
	}
	return false
}

// distinct is errors.Join, but an error that says only what the first one says already is left
// out: where the store fails, everything that is still to be done fails alike.
func distinct(first error, more ...error) error {
	for _, err := range more {
		if err == nil {
			continue
		}
		said := []string{}
		if first != nil {
			said = strings.Split(first.Error(), "\n")
		}
		if slices.ContainsFunc(strings.Split(err.Error(), "\n"), func(line string) bool { return !slices.Contains(said, line) }) {
			first = errors.Join(first, err)
		}
	}
	return first
}

// shellQuoted is a path as it can be pasted into a shell.
func shellQuoted(path string) string {
	if path != "" && strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:,@") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
