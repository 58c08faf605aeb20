package send

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sync/semaphore"

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
	messageID  string // that the message has or gets
	queued     time.Time
	rows       []*Row
	wanted     []*Row // those that are not left out
}

// source is the bytes of an input. What is small is in memory as soon as it is open; else its
// file stays open until it is closed. One that is being written to is longer or shorter than its
// size, which the parser finds.
type source struct {
	io.ReaderAt
	size int64
	file *os.File
	room *semaphore.Weighted // what it took of it
}

// inMemory is up to how many octets an input is read at once.
const inMemory = 64 << 10

// open opens an input, once there is room for it.
func (b *batch) open(in Input) (*source, error) {
	if in.Data != nil {
		return &source{ReaderAt: mail.Bytes(in.Data), size: int64(len(in.Data))}, nil
	}
	// As for the largest, until its size is known: nobody waits for room with an open file in hand.
	_ = b.room.Acquire(context.Background(), inMemory) // others give theirs back, whatever becomes of them
	s, err := patiently(&b.short, func() (*source, error) { return openFile(in.Name) })
	if err != nil {
		b.room.Release(inMemory)
		return nil, err
	}
	s.room = b.room
	b.room.Release(inMemory - s.weight())
	return s, nil
}

// checkRegular says why a file cannot be read like one, without opening it.
func checkRegular(name string) error {
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = irregular(name)
	}
	return err
}

func irregular(name string) error { return fmt.Errorf("%s is not a regular file", name) }

// weight is how many octets it has in memory at once.
func (s *source) weight() int64 { return min(s.size, inMemory) }

// close closes the file, if it is open, and makes room for another.
func (s *source) close() {
	if s.file != nil {
		_ = s.file.Close() // it was only read
		s.file = nil
	}
	if s.room != nil {
		s.room.Release(s.weight())
		s.room = nil
	}
}

// read parses an input and makes it ready for acceptance: reverse-path, recipients, what
// rules look at, and the fields that it lacks. Its source is open until it is closed.
func (b *batch) read(in Input) (*draft, error) {
	src, err := b.open(in)
	if err != nil {
		return nil, err
	}
	parsed, err := mail.ParseFor(src.ReaderAt, src.size, b.opts.To)
	if err != nil {
		src.close()
		return nil, err
	}
	m := &draft{input: in, parsed: parsed, source: src, queued: b.cfg.Clock(), id: newID()}
	m.reverse = parsed.ReversePath()
	if b.opts.From != nil {
		m.reverse = *b.opts.From
	}
	m.recipients = parsed.Recipients()
	m.facts = policy.Facts{ReversePath: m.reverse, Authors: parsed.Authors(), Subjects: parsed.Subjects()}
	m.stamp.Date = m.queued
	if m.messageID = parsed.MessageID(); m.messageID == "" {
		m.messageID = "<" + m.id + "@" + b.cfg.Hostname + ">"
		m.stamp.MessageID = m.messageID
	}
	return m, nil
}

// newID makes an identifier that is unique without coordination. It begins with the time, so
// that those of a batch stand together wherever they are sorted.
func newID() string {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:8], uint64(time.Now().UnixMilli())<<16)
	_, _ = rand.Read(b[6:]) // never fails (crypto/rand)
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
