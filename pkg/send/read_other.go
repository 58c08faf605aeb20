//go:build !unix

package send

import (
	"errors"
	"io"
	"os"

	"github.com/sendctl/sendctl/pkg/mail"
)

// openFile opens a regular file, and reads what is small.
func openFile(name string) (*source, error) {
	if err := checkRegular(name); err != nil { // before it is opened: that of a pipe would not return
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	s := &source{size: info.Size()}
	if s.size > inMemory {
		s.file, s.ReaderAt = f, f
		return s, nil
	}
	data := make([]byte, s.size+1) // one more, to see whether it goes on
	n, err := io.ReadFull(f, data)
	_ = f.Close() // it was only read
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	s.ReaderAt = mail.Bytes(data[:n])
	return s, nil
}
