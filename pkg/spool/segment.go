package spool

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
)

const (
	segmentSuffix = ".seg"
	// segmentSize is how far a segment grows before the next one is begun. A single body may
	// be longer.
	segmentSize = 64 << 20
	// writeSize is how much of a body is gathered before it is written.
	writeSize = 64 << 10
)

// place is where a body lies.
type place struct {
	segment, start, length int64
	sum                    [sha256.Size]byte
}

// segment is a file that this process appends to. Several bodies are written to it at once,
// each into the space that was reserved for it.
type segment struct {
	id    int64
	owner int64
	path  string
	file  bodyFile
	// broken: it could not be written or synced, and is not used for another body.
	broken atomic.Bool
	// lost is why it could not be synced; for whoever syncs, one at a time.
	lost error

	// Under the shelf's lock:
	end    int64 // where the next body begins
	users  int   // bodies that are being written, or not in the database yet
	sealed bool  // nothing is appended any more
}

// sync makes all bodies that are completely written durable. Once it failed it always does: the
// system may have dropped what it could not write, and not say so again.
func (s *segment) sync() error {
	if s.lost == nil {
		s.lost = stateError("writing", s.path, s.file.Sync())
	}
	if s.lost != nil {
		s.broken.Store(true)
	}
	return s.lost
}

// shelf is where this process puts bodies.
type shelf struct {
	dir   string
	files files
	// begin registers a new segment in the database and gives its number and its owner's.
	begin func() (id, owner int64, err error)
	// retire is told of a segment that is full, or failed, once no body in it is on its way
	// into the database.
	retire func(*segment)

	mu      sync.Mutex
	active  *segment
	spare   *segment // registered, but its file could not be made; nil for none
	buffers sync.Pool
	recent  *recentBodies
}

func (sh *shelf) path(id int64) string {
	return filepath.Join(sh.dir, fmt.Sprintf("%016x%s", id, segmentSuffix))
}

// reserve gives space for a body of length octets, and keeps its segment in use until release.
func (sh *shelf) reserve(length int64) (*segment, int64, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if s := sh.active; s != nil && (s.sealed || s.end > 0 && s.end+length > segmentSize) {
		sh.active = nil
		sh.seal(s)
	}
	if sh.active == nil {
		s, err := sh.create()
		if err != nil {
			return nil, 0, err
		}
		sh.active = s
	}
	s := sh.active
	start := s.end
	s.end += length
	s.users++
	return s, start, nil
}

func (sh *shelf) create() (*segment, error) {
	if sh.spare == nil {
		id, owner, err := sh.begin()
		if err != nil {
			return nil, err
		}
		sh.spare = &segment{id: id, owner: owner, path: sh.path(id)}
	}
	s := sh.spare
	f, err := sh.files.create(s.path)
	if err != nil {
		return nil, stateError("creating", s.path, err)
	}
	s.file, sh.spare = f, nil
	return s, nil
}

// seal ends a segment. Called with the lock held.
func (sh *shelf) seal(s *segment) {
	if s.users == 0 && !s.sealed {
		sh.retire(s)
	}
	s.sealed = true
}

// release says that a body is in the database, or never will be.
func (sh *shelf) release(s *segment) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s.users--
	if s.broken.Load() && !s.sealed {
		s.sealed = true
		if sh.active == s {
			sh.active = nil
		}
	}
	if s.sealed && s.users == 0 {
		sh.retire(s)
	}
}

// finish seals the segment in use: the process is about to end.
func (sh *shelf) finish() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if s := sh.active; s != nil {
		sh.active = nil
		sh.seal(s)
	}
}

// put writes a body, not yet synced, and says where it is. Its segment has to be released,
// also after a failure of writing: then the place names what may have been written.
func (sh *shelf) put(body Content) (*segment, place, error) {
	s, start, err := sh.reserve(body.Size())
	if err != nil {
		return nil, place{}, err
	}
	w, _ := sh.buffers.Get().(*bodyWriter)
	if w == nil {
		w = &bodyWriter{hash: sha256.New(), buf: make([]byte, 0, writeSize)}
	}
	defer sh.buffers.Put(w)
	w.reset(s.file, start, body.Size())
	p := place{segment: s.id, start: start, length: body.Size()}
	octets, sum, whole := wholeOf(body)
	if whole {
		err = w.write(octets)
		p.sum = sum
	} else if _, err = body.WriteTo(w); err == nil {
		if p.length <= inMemory {
			octets = bytes.Clone(w.buf)
		}
		if err = w.finish(); err == nil {
			w.hash.Sum(p.sum[:0])
		}
	}
	if err == nil && int64(len(octets)) == p.length && p.length <= inMemory {
		sh.recent.put(p, octets)
	}
	w.file = nil
	if w.failed != nil {
		s.broken.Store(true)
		err = stateError("writing", s.path, w.failed)
	} else if err != nil {
		err = fmt.Errorf("reading the message: %w", err)
	}
	return s, p, err
}

// bodyWriter gathers a body into few writes, sums it up, and never leaves its space.
type bodyWriter struct {
	hash     hash.Hash
	buf      []byte
	file     io.WriterAt
	at, left int64
	failed   error // of the file, whereas other errors are the source's
}

var errLength = errors.New("its length is not what was announced")

func (w *bodyWriter) reset(f io.WriterAt, at, length int64) {
	w.hash.Reset()
	w.buf, w.file, w.at, w.left, w.failed = w.buf[:0], f, at, length, nil
}

// wholeOf is a body that is in memory as it has to be written, with its SHA-256.
func wholeOf(body Content) (octets []byte, sum [sha256.Size]byte, ok bool) {
	b, ok := body.(interface {
		Whole() ([]byte, [sha256.Size]byte, bool)
	})
	if ok {
		octets, sum, ok = b.Whole()
	}
	return octets, sum, ok && int64(len(octets)) == body.Size()
}

// Write takes a part of the body.
func (w *bodyWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > w.left {
		return 0, errLength
	}
	w.left -= int64(len(p))
	total := len(p)
	for len(p) > 0 {
		n := copy(w.buf[len(w.buf):cap(w.buf)], p)
		w.buf, p = w.buf[:len(w.buf)+n], p[n:]
		if len(w.buf) == cap(w.buf) {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	return total, nil
}

func (w *bodyWriter) flush() error {
	w.hash.Write(w.buf)
	err := w.write(w.buf)
	w.buf = w.buf[:0]
	return err
}

// write puts octets into the file as they are.
func (w *bodyWriter) write(octets []byte) error {
	n, err := w.file.WriteAt(octets, w.at)
	w.at += int64(n)
	w.failed = err
	return err
}

func (w *bodyWriter) finish() error {
	if w.left > 0 {
		return errLength
	}
	return w.flush()
}
