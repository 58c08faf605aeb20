package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// content is a file that was read: what was in it, and what it was when it was opened.
type content struct {
	data []byte
	info fs.FileInfo
}

// readFile reads a regular file, or a symbolic link to one, of at most limit bytes. Nothing
// else is opened for reading, so that a pipe, a device or a directory neither blocks nor
// drains anything (C8).
func readFile(path string, limit int64) (content, error) {
	// Asked before opening, since opening a device may do something, and again of what was
	// opened. O_NONBLOCK: opening a pipe that took the file's place would wait for a writer.
	if err := regular(os.Stat(path)); err != nil {
		return content{}, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return content{}, bare(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err := regular(info, err); err != nil {
		return content{}, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return content{}, bare(err)
	}
	if int64(len(data)) > limit {
		return content{}, fmt.Errorf("it is larger than %d bytes", limit)
	}
	return content{data, info}, nil
}

func regular(info fs.FileInfo, err error) error {
	switch {
	case err != nil:
		return bare(err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("it is %s, not a regular file", kind(info.Mode()))
	}
	return nil
}

func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}

// why puts an error of the file system in words, with what to do.
func why(err error) (text, hint string) {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file", ""
	case errors.Is(err, fs.ErrPermission):
		return "it cannot be read: permission denied", "make it readable for the user that sendctl runs as"
	}
	return err.Error(), ""
}
