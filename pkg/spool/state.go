package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The names in a state directory.
const (
	databaseName  = "spool.db"
	bodiesName    = "bodies"
	ownersName    = "owners"
	corruptName   = "corrupt"
	openLockName  = "open.lock"
	sweepLockName = "sweep.lock"
	runLockName   = "run.lock"
)

// prepareState makes the state directory where it is missing, and refuses one that others can
// look into or that SQLite cannot work on (F7). An empty directory of ours is closed to others
// instead: there is nothing in it that anybody could have seen.
func prepareState(dir string) error {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return makeDir(dir)
	}
	if err != nil {
		return stateError("opening the state directory", dir, err)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, _ := os.Readlink(dir)
		return refuse(dir, "it is a symbolic link to "+target, "name the directory itself: --state "+shellQuoted(target))
	}
	if err := private(dir, info, true); err != nil {
		if !looseButEmpty(dir, info) {
			return err
		}
		if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a directory needs its x bit
			return stateError("closing to others the state directory", dir, err)
		}
	}
	return checkFileSystem(dir)
}

func refuse(path, why, hint string) error {
	return &StateError{Op: "opening", Path: path, Err: errors.New(why), Hint: hint}
}

// looseButEmpty reports an empty directory that is ours and that others could read, but not write.
func looseButEmpty(dir string, info fs.FileInfo) bool {
	if !info.IsDir() || !ownedByUs(info) || info.Mode().Perm()&0o022 != 0 {
		return false
	}
	names, err := os.ReadDir(dir)
	return err == nil && len(names) == 0
}

// private refuses what is not ours alone. Where there are no permission bits nothing is refused.
func private(path string, info fs.FileInfo, dir bool) error {
	quoted := shellQuoted(path)
	switch {
	case dir && !info.IsDir():
		return refuse(path, "it is not a directory", "move it away, or name another state directory with --state")
	case !dir && !info.Mode().IsRegular():
		return refuse(path, "it is not a regular file", "move it away")
	case !ownedByUs(info):
		return refuse(path, "it belongs to another user", fmt.Sprintf("run as its owner, or: chown -R %d %s", os.Geteuid(), quoted))
	case permissionBits && info.Mode().Perm()&0o077 != 0:
		fix := "chmod 600 " + quoted
		if dir {
			fix = "chmod 700 " + quoted
		}
		return refuse(path, fmt.Sprintf("others can look into it or write to it (mode %04o)", info.Mode().Perm()), fix)
	}
	return nil
}

// makeDir makes a directory for us alone, durably.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return stateError("making the state directory", dir, err)
	}
	if err := syncDir(filepath.Dir(dir)); err != nil {
		return stateError("making the state directory", dir, err)
	}
	return checkFileSystem(dir)
}

func checkFileSystem(dir string) error {
	if name := networkFileSystem(dir); name != "" {
		return refuse(dir, "it is on a network file system ("+name+"), on which SQLite loses data",
			"name a directory on a local disk with --state")
	}
	return nil
}

// prepareDatabase makes what belongs into the state directory and gives the database's path.
// An empty database beside bodies was truncated: its messages would be forgotten silently (F6).
func prepareDatabase(dir string) (string, error) {
	for _, name := range []string{bodiesName, ownersName} {
		sub := filepath.Join(dir, name)
		info, err := os.Lstat(sub)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = makeDir(sub)
		case err == nil:
			err = private(sub, info, true)
		}
		if err != nil {
			return "", stateError("opening", sub, err)
		}
	}
	path := filepath.Join(dir, databaseName)
	info, err := os.Lstat(path)
	if err == nil {
		err = private(path, info, false)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", stateError("opening", path, err)
	}
	if info != nil && info.Size() > 0 {
		return path, nil
	}
	if segments, err := filepath.Glob(filepath.Join(dir, bodiesName, "*"+segmentSuffix)); err != nil || len(segments) > 0 {
		return "", refuse(path, fmt.Sprintf("it is missing or empty, but there are %d files with bodies of messages beside it", len(segments)),
			"put the database back from a backup; or, to start afresh, move "+shellQuoted(filepath.Join(dir, bodiesName))+" away")
	}
	if info == nil {
		err = createEmpty(path)
	}
	return path, stateError("creating", path, err)
}

// createEmpty makes an empty file for us alone; SQLite gives its own files the mode of the
// database. It comes under its name only when it is closed: closing a file on which SQLite has
// locks in this process would drop them.
func createEmpty(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}
