package send

import (
	"errors"
	"io/fs"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sendctl/sendctl/pkg/mail"
)

// refusal says why nothing of a file is sent: what is wrong with the message, or why it could
// not be read.
func refusal(file string, err error) Refusal {
	r := Refusal{File: file, Error: err.Error()}
	var pe *mail.ParseError
	var path *fs.PathError
	switch {
	case errors.As(err, &pe):
		r.Line, r.Error, r.Hint = pe.Line, pe.Reason, pe.Hint
	case errors.As(err, &path):
		r.Unread, r.Hint = true, unreadHint(err)
	}
	return r
}

// unreadHint is what to do about a file that could not be read, as is; "" where only its error
// can tell.
func unreadHint(err error) string {
	const again = "then run the same command again: what was accepted is not sent twice"
	for _, h := range []struct {
		is   error
		text string
	}{
		{syscall.EMFILE, "raise the limit of open files (ulimit -n 4096) or lower [delivery] connections, " + again},
		{syscall.ENFILE, "this machine has no file handles left: close something, or raise fs.file-max, " + again},
		{syscall.ENOMEM, "this machine is short of memory: end something, " + again},
		{syscall.EIO, "the disk that the file is on reports errors: look into the system's log, " + again},
		{fs.ErrPermission, "let the user that sendctl runs as read it, " + again},
		{fs.ErrNotExist, "it was there when the run began: somebody moved or removed it"},
	} {
		if errors.Is(err, h.is) {
			return h.text
		}
	}
	return ""
}

// shortage is set once a file could not be opened for want of descriptors although others had
// been waited for: whoever comes next does not wait. It ends when one can be opened.
type shortage struct{ lasts atomic.Bool }

// patiently opens something. Where descriptors are short it waits, five seconds in all, since
// readers and sessions give theirs back when they are done (F5).
func patiently[T any](short *shortage, open func() (T, error)) (T, error) {
	const first, last = 5 * time.Millisecond, 2560 * time.Millisecond
	for wait := first; ; wait *= 2 {
		got, err := open()
		scarce := errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM)
		if !scarce || wait > last || short.lasts.Load() {
			short.lasts.Store(scarce)
			return got, err
		}
		time.Sleep(wait)
	}
}
