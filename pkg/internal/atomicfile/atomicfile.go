// Package atomicfile replaces, creates and removes files so that after a crash there is the old file or the new one, whole.
//
// Every change is durable when the call returns: the new content is fsynced under a temporary
// name in the same directory, moved into place, and the directory is fsynced, for without the
// latter a power cut may undo the move (F15).
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace puts data in the place of the file at path, or creates it with perm where there is
// none. A file that exists keeps its mode and, as far as this process may, its owner. Where
// path is a symbolic link, the file that it points to is replaced and the link stays.
func Replace(path string, data []byte, perm fs.FileMode) error {
	target, err := filepath.EvalSymlinks(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		target = path
	case err != nil:
		return fmt.Errorf("replacing %s: %w", path, err)
	}
	old, err := os.Stat(target)
	if err == nil {
		if !old.Mode().IsRegular() {
			return fmt.Errorf("replacing %s: it is not a regular file", path)
		}
		perm = old.Mode().Perm()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replacing %s: %w", path, err)
	}
	temp, err := stage(target, data, perm)
	if err != nil {
		return err
	}
	if old != nil {
		keepOwner(temp, old)
	}
	if err := os.Rename(temp, target); err != nil {
		return discard(temp, fmt.Errorf("replacing %s: %w", path, err))
	}
	return syncDir(filepath.Dir(target))
}

// Create writes a file that must not exist yet; where it does, the error wraps fs.ErrExist
// and the file there is untouched.
func Create(path string, data []byte, perm fs.FileMode) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("creating %s: %w", path, fs.ErrExist)
	}
	temp, err := stage(path, data, perm)
	if err != nil {
		return err
	}
	// A link never overwrites, whereas a rename does: whoever came first since Lstat keeps the file.
	err = os.Link(temp, path)
	switch {
	case err == nil:
		err = os.Remove(temp)
	case !errors.Is(err, fs.ErrExist):
		// No hard links on this file system.
		err = os.Rename(temp, path)
	}
	if err != nil {
		return discard(temp, fmt.Errorf("creating %s: %w", path, err))
	}
	return syncDir(filepath.Dir(path))
}

// Remove unlinks the file at path, durably.
func Remove(path string) error {
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("removing %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

// MkdirAll creates a directory and those above it that are missing, durably, and gives those
// that it made, the outermost first.
func MkdirAll(path string, perm fs.FileMode) (made []string, err error) {
	switch _, err := os.Stat(path); {
	case err == nil:
		return nil, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("creating %s: %w", path, err)
	}
	if parent := filepath.Dir(path); parent != path {
		if made, err = MkdirAll(parent, perm); err != nil {
			return made, err
		}
	}
	switch err := os.Mkdir(path, perm); {
	case errors.Is(err, fs.ErrExist):
		return made, nil // somebody else was faster
	case err != nil:
		return made, fmt.Errorf("creating %s: %w", path, err)
	}
	return append(made, path), syncDir(filepath.Dir(path))
}

// stage writes data, fsynced, to a hidden temporary file beside path and gives its name.
func stage(path string, data []byte, perm fs.FileMode) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".new-*")
	if err != nil {
		return "", fmt.Errorf("writing %s: %w", path, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", discard(f.Name(), fmt.Errorf("writing %s: %w", path, err))
	}
	return f.Name(), nil
}

// discard removes a temporary file after err, which it gives back.
func discard(temp string, err error) error {
	if rm := os.Remove(temp); rm != nil && !errors.Is(rm, fs.ErrNotExist) {
		return errors.Join(err, rm)
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("making a change in %s durable: %w", dir, err)
	}
	if err := errors.Join(flush(d), d.Close()); err != nil {
		return fmt.Errorf("making a change in %s durable: %w", dir, err)
	}
	return nil
}
