package spool

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// inMemory is up to which length a body is read at once and kept while it is sent.
const inMemory = 64 << 10

// Body gives what was accepted as the body of a claimed message, checked against its SHA-256.
// A body that is damaged gives a *CorruptError; then those of its recipients that this owner
// has claimed are put on hold. Content of more than 64 KiB is read again, and checked again,
// by every WriteTo, which fails rather than end early: what it wrote is then not to be sent.
func (s *Spool) Body(ctx context.Context, m *Message) (Content, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if m.body.segment == 0 {
		return nil, fmt.Errorf("reading the body of %s: it comes from a listing; claim it first", m.QueueID)
	}
	c := &content{s: s, place: m.body}
	if c.data = s.recent.take(m.body); c.data != nil {
		return c, nil
	}
	err := c.verify()
	var bad *damaged
	if !errors.As(err, &bad) {
		if err != nil {
			return nil, err
		}
		return c, nil
	}
	corrupt := &CorruptError{QueueID: m.QueueID, Err: bad}
	if err := s.quarantine(m.ID, corrupt.Error()); err != nil {
		return nil, errors.Join(corrupt, err)
	}
	return nil, corrupt
}

// Ease waits while so many bodies that this process accepted are in memory, for whoever sends them,
// that others would not be kept and had to be read again; but no longer than most, for they may be
// for a host that does not answer.
func (s *Spool) Ease(most time.Duration) {
	crowded := s.recent.crowded()
	if crowded == nil {
		return
	}
	enough := time.NewTimer(most)
	defer enough.Stop()
	select {
	case <-crowded:
	case <-enough.C:
	}
}

// content is a body at rest.
type content struct {
	s     *Spool
	place place
	data  []byte // where it is short
}

// Size is the number of octets.
func (c *content) Size() int64 { return c.place.length }

// WriteTo writes the body, or fails where it is not what was accepted.
func (c *content) WriteTo(w io.Writer) (int64, error) {
	if c.place.length <= inMemory {
		n, err := w.Write(c.data)
		return int64(n), err
	}
	return c.stream(w, c.block())
}

// verify reads the body and keeps it where it is short.
func (c *content) verify() error {
	block := c.block()
	_, err := c.stream(io.Discard, block)
	if err == nil && c.place.length <= inMemory {
		c.data = block // was the only one
	}
	return err
}

// block is room for as much of the body as is in memory at a time.
func (c *content) block() []byte { return make([]byte, min(c.place.length, inMemory)) }

// stream copies the body block by block, all of it but the last one before its sum is known:
// whoever reads along does not get the whole of a body that is not right.
func (c *content) stream(w io.Writer, block []byte) (int64, error) {
	path := c.s.shelf.path(c.place.segment)
	f, err := c.s.shelf.files.open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, errDamaged("the file %s is missing", path)
	}
	if err != nil {
		return 0, stateError("reading", path, err)
	}
	n, err := c.copy(w, f, block)
	return n, errors.Join(err, f.Close())
}

func (c *content) copy(w io.Writer, f io.ReaderAt, block []byte) (written int64, err error) {
	h := sha256.New()
	r := io.NewSectionReader(f, c.place.start, c.place.length)
	for left := c.place.length; left > 0; {
		part := block[:min(left, int64(len(block)))]
		n, err := io.ReadFull(r, part)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return written, errDamaged("%d octets of %d are missing", left-int64(n), c.place.length)
		}
		if err != nil {
			return written, stateError("reading", c.s.shelf.path(c.place.segment), err)
		}
		h.Write(part)
		left -= int64(n)
		if left == 0 && [sha256.Size]byte(h.Sum(nil)) != c.place.sum {
			return written, errDamaged("it is not what was accepted (SHA-256 differs)")
		}
		m, err := w.Write(part)
		written += int64(m)
		if err != nil {
			return written, fmt.Errorf("sending the body: %w", err)
		}
	}
	return written, nil
}
