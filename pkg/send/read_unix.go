//go:build unix

package send

import (
	"io/fs"
	"syscall"
)

// readStart fills buf from the beginning of a file and says how much of it there was. It talks to
// the system itself: an os.File is made ready for polling, which for a short file costs more
// than reading it.
func readStart(name string, buf []byte) (int, error) {
	var fd int
	err := retried(func() (err error) {
		fd, err = syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return 0, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	n := 0
	for n < len(buf) {
		var m int
		err = retried(func() (err error) { m, err = syscall.Read(fd, buf[n:]); return err })
		if err != nil {
			err = &fs.PathError{Op: "read", Path: name, Err: err}
			break
		}
		if m == 0 {
			break
		}
		n += m
	}
	_ = syscall.Close(fd) // it was only read
	return n, err
}

// retried does a call again that a signal interrupted.
func retried(call func() error) error {
	for {
		if err := call(); err != syscall.EINTR { //nolint:errorlint // as the system gave it
			return err
		}
	}
}
