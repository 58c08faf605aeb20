//go:build unix

package send

import (
	"io/fs"
	"os"
	"syscall"

	"github.com/sendctl/sendctl/pkg/mail"
)

// openFile opens a regular file, and reads what is small. It talks to the system itself: an os.File
// is made ready for polling, which for a short file costs more than reading it.
func openFile(name string) (*source, error) {
	fd, err := openRegular(name)
	if err != nil {
		return nil, err
	}
	var info syscall.Stat_t
	if err = retried(func() error { return syscall.Fstat(fd, &info) }); err != nil {
		err = &fs.PathError{Op: "stat", Path: name, Err: err}
	} else if info.Mode&syscall.S_IFMT != syscall.S_IFREG {
		err = irregular(name)
	}
	s := &source{size: info.Size}
	if err == nil && s.size > inMemory {
		_ = syscall.SetNonblock(fd, false) // which a regular file does not heed
		s.file = os.NewFile(uintptr(fd), name)
		s.ReaderAt = s.file
		return s, nil
	}
	if err == nil {
		s.ReaderAt, err = readSmall(fd, name, s.size)
	}
	_ = syscall.Close(fd) // it was only read
	if err != nil {
		return nil, err
	}
	return s, nil
}

// openRegular opens a file for reading. It may turn out not to be a regular one: to open a pipe
// does not wait for somebody to write to it.
func openRegular(name string) (int, error) {
	const flags = syscall.O_RDONLY | syscall.O_CLOEXEC | syscall.O_NOCTTY
	fd, err := openFD(name, flags|syscall.O_NONBLOCK)
	if err == nil {
		return fd, nil
	}
	if why := checkRegular(name); why != nil {
		return 0, why // a socket, for one, cannot be opened at all
	}
	if err == syscall.EAGAIN { //nolint:errorlint // as the system gave it
		// A file server has a lease on it (fcntl(2), F_SETLEASE), which it is asked to give up.
		fd, err = openFD(name, flags)
	}
	if err != nil {
		return 0, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return fd, nil
}

func openFD(name string, flags int) (fd int, err error) {
	err = retried(func() (err error) { fd, err = syscall.Open(name, flags, 0); return err })
	return fd, err
}

// readSmall reads a file that is so many octets long. It asks for one more, to see whether the
// file goes on: where that one does not come with the others it does not.
func readSmall(fd int, name string, size int64) (mail.Bytes, error) {
	data, n := make([]byte, size+1), 0
	for {
		var m int
		err := retried(func() (err error) { m, err = syscall.Read(fd, data[n:]); return err })
		if err != nil {
			return nil, &fs.PathError{Op: "read", Path: name, Err: err}
		}
		if n += m; m == 0 || int64(n) >= size {
			return data[:n], nil
		}
	}
}

// retried does a call again that a signal interrupted.
func retried(call func() error) error {
	for {
		if err := call(); err != syscall.EINTR { //nolint:errorlint // as the system gave it
			return err
		}
	}
}
