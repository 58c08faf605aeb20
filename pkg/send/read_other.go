//go:build !unix

package send

import (
	"errors"
	"io"
	"os"
)

// readStart fills buf from the beginning of a file and says how much of it there was.
func readStart(name string, buf []byte) (int, error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	n, err := io.ReadFull(f, buf)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil
	}
	_ = f.Close() // it was only read
	return n, err
}
