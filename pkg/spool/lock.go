package spool

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// lockPause is how long to wait before a lock is tried again.
const lockPause = 20 * time.Millisecond

// lockFile opens a file and tries to lock it; nil when another has it.
func lockFile(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|flags|openFlags, 0o600)
	if err != nil {
		return nil, err
	}
	ok, err := tryLock(f)
	if err != nil || !ok {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// waitLock waits until the lock is free. There is no way to wait for a lock and for a context
// at once, so it asks again and again.
func waitLock(ctx context.Context, path string) (*os.File, error) {
	for {
		f, err := lockFile(path, os.O_CREATE)
		if f != nil || err != nil {
			return f, err
		}
		pause := time.NewTimer(lockPause)
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil, ctx.Err()
		case <-pause.C:
		}
	}
}

// RunLock is held by the one queue run that is at work.
type RunLock struct{ file *os.File }

// LockRun takes the lock that lets one queue run at a time work on this spool. Where another
// process has it the error is ErrRunning; with wait, it waits for it until ctx ends, and then
// the error is ErrRunning too. A dead process holds no lock.
func (s *Spool) LockRun(ctx context.Context, wait bool) (*RunLock, error) {
	path := filepath.Join(s.dir, runLockName)
	var f *os.File
	var err error
	if wait {
		f, err = waitLock(ctx, path)
	} else {
		f, err = lockFile(path, os.O_CREATE)
	}
	switch {
	case f != nil:
		return &RunLock{f}, nil
	case err == nil || ctx.Err() != nil:
		return nil, ErrRunning
	}
	return nil, stateError("locking", path, err)
}

// Unlock lets the next one run.
func (l *RunLock) Unlock() error { return l.file.Close() }
