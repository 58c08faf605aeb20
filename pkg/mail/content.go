package mail

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"time"
)

// Stamp is what a message is given where it lacks it (RFC 5322 §3.6.1, §3.6.4).
type Stamp struct {
	Date      time.Time // the zero time adds no Date
	MessageID string    // with its angle brackets; "" adds no Message-ID
}

// Content is a message as it goes over the wire, but for dot-stuffing and the end of
// data: canonical CRLF line ends, without Bcc, Resent-Bcc and Return-Path. It is safe for
// use by several goroutines.
type Content struct {
	src    io.ReaderAt
	size   int64  // of src
	bodyAt int64  // what lies before in src is not sent
	head   []byte // but this instead
	wire   int64  // octets of the whole
	parsed *Message
	err    error
}

// NewContent is the content that the size octets of src hold already in canonical form,
// such as a store keeps. It is sent as it is and never looked at.
func NewContent(src io.ReaderAt, size int64) *Content {
	return &Content{src: src, size: size, wire: size}
}

// Wire is the message as it goes out, with the fields of st in front where the message
// has none of its own or blank ones.
func (m *Message) Wire(st Stamp) *Content {
	c := &Content{src: m.src, size: m.size, bodyAt: m.bodyAt, parsed: m}
	var add []byte
	if !m.has(fieldMessageID) && st.MessageID != "" {
		if !soundMessageID(st.MessageID) {
			c.err = fmt.Errorf("the Message-ID %s to be added is none", excerpt(st.MessageID))
		}
		add = append(append(append(add, "Message-ID: "...), st.MessageID...), "\r\n"...)
	}
	if !m.has(fieldDate) && !st.Date.IsZero() {
		add = append(st.Date.AppendFormat(append(add, "Date: "...), dateFormat), "\r\n"...)
	}
	c.head = m.wireHeader(add)
	c.wire = int64(len(c.head)) + m.size - m.bodyAt + m.bodyLF
	if m.openEnd {
		c.wire += int64(len("\r\n"))
	}
	return c
}

// wireHeader is the header as it goes out, behind what is added: the very octets of the
// file where nothing changes.
func (m *Message) wireHeader(add []byte) []byte {
	changes := len(add) > 0 || m.headerLF > 0
	for i := 0; i < len(m.fields) && !changes; i++ {
		changes = m.dropped(m.fields[i])
	}
	if !changes {
		return m.header
	}
	head := append(make([]byte, 0, len(add)+len(m.header)+int(m.headerLF)), add...)
	m.eachKept(func(part []byte) { head = appendCRLF(head, part, false) })
	return head
}

// soundMessageID keeps a caller's mistake from becoming a header of its own.
func soundMessageID(id string) bool {
	return len(id) > len("<>") && len(id) < maxLineOctets/2 && id[0] == '<' && id[len(id)-1] == '>' &&
		ftext([]byte(id)) == len(id)
}

// Size is the exact number of octets that WriteTo writes, as SIZE counts them
// (RFC 1870 §5).
func (c *Content) Size() int64 { return c.wire }

// Whole is what WriteTo writes and its SHA-256, where a message in memory goes out as it came;
// false where it does not. It is for reading, and good for as long as the Bytes are.
func (c *Content) Whole() (octets []byte, sum [sha256.Size]byte, ok bool) {
	whole := inMemory(c.src, c.size)
	if whole == nil || c.parsed == nil || c.err != nil || c.parsed.bodyLF > 0 || c.parsed.openEnd || !bytes.Equal(c.head, whole[:c.bodyAt]) {
		return nil, sum, false
	}
	return whole, c.parsed.sum, true
}

// WriteTo writes the content to w in pieces. What Parse read from a file is proved by its digest
// before the last octets are handed out: where the source changed since, the error is
// ErrChanged and w never got the whole, so that no end of data may follow.
func (c *Content) WriteTo(w io.Writer) (int64, error) {
	if c.err != nil {
		return 0, c.err
	}
	in := openSource(c.src, c.size, c.parsed != nil && inMemory(c.src, c.size) == nil)
	out := contentWriter{w: w}
	if c.parsed != nil && c.parsed.bodyLF > 0 {
		out.buf = make([]byte, 0, min(chunkSize, 2*c.size)) // at worst all of it is LFs
	}
	headSent := len(c.head) == 0
	for at := int64(0); !in.done(); at = in.off {
		chunk, err := in.next()
		if err != nil {
			return out.n, fmt.Errorf("sending a message: %w", err)
		}
		if in.done() && in.hashed && in.digest() != c.parsed.sum {
			return out.n, fmt.Errorf("sending a message: its digest is another one: %w", ErrChanged)
		}
		body := chunk[min(int64(len(chunk)), max(0, c.bodyAt-at)):]
		if !headSent && (len(body) > 0 || in.done()) {
			out.write(c.head)
			headSent = true
		}
		out.body(body)
		if in.done() && c.parsed != nil && c.parsed.openEnd {
			out.write([]byte("\r\n"))
		}
		if out.err != nil {
			return out.n, out.err
		}
	}
	return out.n, nil
}

// contentWriter counts what it writes and keeps the first error.
type contentWriter struct {
	w   io.Writer
	n   int64
	buf []byte // where line ends are made CRLF, nil where all are
	cr  bool   // the last octet of the body was a CR
	err error
}

func (o *contentWriter) write(p []byte) {
	if o.err != nil || len(p) == 0 {
		return
	}
	n, err := o.w.Write(p)
	o.n += int64(n)
	o.err = err
}

// body writes p with its line ends made CRLF.
func (o *contentWriter) body(p []byte) {
	if o.buf == nil {
		o.write(p)
		return
	}
	for len(p) > 0 {
		part := p[:min(len(p), cap(o.buf)/2)]
		o.write(appendCRLF(o.buf, part, o.cr))
		o.cr = part[len(part)-1] == '\r'
		p = p[len(part):]
	}
}

var _ io.WriterTo = (*Content)(nil)
