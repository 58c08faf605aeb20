package mail

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
)

// ErrChanged says that a message's file is no longer what was parsed, or is not of the
// size that was stated: it is being written to. What was sent of it must not be completed.
var ErrChanged = errors.New("the message was changed meanwhile")

// chunkSize is how much of a message is in memory at a time: enough for most messages to
// be one chunk, little enough to be allocated for each pass.
const chunkSize = 16 << 10

// Bytes is a message that is in memory whole. It is read where it lies, and must not be changed.
type Bytes []byte

// ReadAt reads from it as from a file.
func (b Bytes) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= int64(len(b)) {
		return 0, io.EOF
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// inMemory is a source of size octets where it is in memory, and so cannot change; else nil.
func inMemory(src io.ReaderAt, size int64) Bytes {
	if b, ok := src.(Bytes); ok && int64(len(b)) == size {
		return b
	}
	return nil
}

// source reads a message once from front to back, in chunks.
type source struct {
	src       io.ReaderAt
	size, off int64
	hashed    bool   // sum what is read, and insist that the source ends where size says
	whole     []byte // the message, where it is in memory
	buf       []byte // one octet more than a chunk, to see whether the source goes on
	hash      hash.Hash
	sum       [sha256.Size]byte // in place of hash where one chunk is all
}

func openSource(src io.ReaderAt, size int64, hashed bool) source {
	s := source{src: src, size: size, hashed: hashed, whole: inMemory(src, size)}
	if s.whole == nil {
		s.buf = make([]byte, 1+min(chunkSize, max(0, size)))
	}
	if hashed && size > chunkSize {
		s.hash = sha256.New()
	}
	return s
}

// next returns the next chunk, good until the next call, and nil after the last one.
func (s *source) next() ([]byte, error) {
	want := int(min(chunkSize, s.size-s.off))
	if want <= 0 {
		return nil, nil
	}
	if s.whole != nil {
		part := s.whole[s.off : s.off+int64(want)]
		s.took(part)
		return part, nil
	}
	ask := want
	if s.hashed && s.off+int64(want) == s.size {
		ask++
	}
	n, err := s.src.ReadAt(s.buf[:ask], s.off)
	switch {
	case n > want:
		return nil, fmt.Errorf("reading the message: it is longer than its %d octets: %w", s.size, ErrChanged)
	case n < want && (err == nil || errors.Is(err, io.EOF)):
		return nil, fmt.Errorf("reading the message: it ends after %d of %d octets: %w", s.off+int64(n), s.size, ErrChanged)
	case err != nil && !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("reading the message at octet %d: %w", s.off, err)
	}
	s.took(s.buf[:n])
	return s.buf[:n], nil
}

// took goes on behind a part that was read.
func (s *source) took(part []byte) {
	s.off += int64(len(part))
	switch {
	case !s.hashed:
	case s.hash == nil:
		s.sum = sha256.Sum256(part)
	default:
		s.hash.Write(part)
	}
}

// done reports that the chunk last returned was the final one.
func (s *source) done() bool { return s.off >= s.size }

// digest is the SHA-256 of all that was read.
func (s *source) digest() [sha256.Size]byte {
	if s.hash == nil {
		return s.sum
	}
	return [sha256.Size]byte(s.hash.Sum(nil))
}
