package send

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// Input is one message to send: a file, or the bytes of standard input.
type Input struct {
	Name string // as shown: the path, or "-"
	Data []byte // nil: the file Name
}

// draft is a message that was read and found fit to be sent, before it is accepted.
type draft struct {
	input      Input
	parsed     *mail.Message
	stamp      mail.Stamp
	source     *source
	reverse    mail.Address
	recipients []mail.Address
	facts      policy.Facts
	id         string // queue id, and ENVID
	queued     time.Time
	rows       []*Row
	wanted     []*Row // those that are not left out
}

// source is the bytes of an input as an io.ReaderAt. Its file is open only while somebody
// holds it, and may be held by several transactions at once.
type source struct {
	input Input
	size  int64

	mu      sync.Mutex
	holders int
	file    *os.File
}

func newSource(in Input) (*source, error) {
	s := &source{input: in, size: int64(len(in.Data))}
	if in.Data != nil {
		return s, nil
	}
	info, err := os.Stat(in.Name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", in.Name)
	}
	s.size = info.Size()
	return s, nil
}

// hold opens the file, unless it is open already. short is told whether descriptors are.
func (s *source) hold(short *shortage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holders == 0 && s.input.Data == nil {
		f, err := openPatiently(s.input.Name, short)
		if err != nil {
			return err
		}
		s.file = f
	}
	s.holders++
	return nil
}

// release closes the file when nobody holds it any more.
func (s *source) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holders--
	if s.holders == 0 && s.file != nil {
		_ = s.file.Close() // it was only read
		s.file = nil
	}
}

// ReadAt reads from a source that is held.
func (s *source) ReadAt(p []byte, off int64) (int, error) {
	if s.input.Data != nil {
		return bytes.NewReader(s.input.Data).ReadAt(p, off)
	}
	s.mu.Lock()
	f := s.file
	s.mu.Unlock()
	if f == nil {
		return 0, os.ErrClosed
	}
	return f.ReadAt(p, off)
}

// read parses an input and makes it ready for acceptance: reverse-path, recipients, what
// rules look at, and the fields that it lacks.
func (b *batch) read(in Input) (*draft, error) {
	src, err := newSource(in)
	if err != nil {
		return nil, err
	}
	if err := src.hold(&b.short); err != nil {
		return nil, err
	}
	defer src.release()
	parsed, err := mail.ParseFor(src, src.size, b.opts.To)
	if err != nil {
		return nil, err
	}
	m := &draft{input: in, parsed: parsed, source: src, queued: b.cfg.Clock(), id: newID()}
	m.reverse = parsed.ReversePath()
	if b.opts.From != nil {
		m.reverse = *b.opts.From
	}
	m.recipients = parsed.Recipients()
	m.facts = policy.Facts{ReversePath: m.reverse, Authors: parsed.Authors(), Subjects: parsed.Subjects()}
	m.stamp = mail.Stamp{Date: m.queued, MessageID: "<" + m.id + "@" + b.cfg.Hostname + ">"}
	return m, nil
}

// messageID is the Message-ID that the message has or gets.
func (m *draft) messageID() string {
	if id := m.parsed.MessageID(); id != "" {
		return id
	}
	return m.stamp.MessageID
}

// newID makes an identifier that is unique without coordination.
func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// ReadInput reads one message from a stream, such as standard input, whole.
func ReadInput(name string, r io.Reader, limit int64) (Input, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return Input{}, fmt.Errorf("reading %s: %w", name, err)
	}
	if int64(len(data)) > limit {
		return Input{}, fmt.Errorf("reading %s: more than %d octets; put the message into a file", name, limit)
	}
	return Input{Name: name, Data: append([]byte{}, data...)}, nil
}
