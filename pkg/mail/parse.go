package mail

import (
	"bytes"
	"fmt"
	"io"
)

// ParseError says why a file is refused as a message, and where. It is final: the same
// file is refused again.
type ParseError struct {
	Line   int    // 1-based line of the source file; where something is missing, the line that ends the header
	Reason string // what is wrong, with the offending text cleaned for people
	Hint   string // what to do about it; may be empty
}

// Error is "line 3: reason (hint)".
func (e *ParseError) Error() string {
	s := fmt.Sprintf("line %d: %s", e.Line, e.Reason)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Parse reads the message in the size octets of src (RFC 5322), strictly: what is
// accepted goes out as it is, so what a receiver could read in two ways is refused. Of
// the message only the header stays in memory; src is read again by Content.WriteTo and
// must stay open and unchanged until then.
//
// A refusal is a *ParseError. Any other error is a failure to read, or ErrChanged where
// src does not hold exactly size octets.
func Parse(src io.ReaderAt, size int64) (*Message, error) {
	return ParseFor(src, size, nil)
}

// ParseFor is Parse with the recipients given apart from the message: unless to is empty,
// they replace those of the header, which then may name none. The header's addresses
// must be sound all the same.
func ParseFor(src io.ReaderAt, size int64, to []Address) (*Message, error) {
	m := &Message{src: src, size: size}
	in := openSource(src, size, true)
	var lines lineScan
	rest, err := m.readHeader(&in, &lines)
	if err != nil {
		return nil, err
	}
	m.headerLF = lines.lf
	if fault := m.readFields(to, lines.done); fault != nil {
		return nil, fault
	}
	m.utf8Header = lines.eightBit && !m.keptIsASCII()
	lines.eightBit = m.utf8Header
	if err := m.readBody(&in, &lines, rest); err != nil {
		return nil, err
	}
	m.eightBit = lines.eightBit
	m.sum = in.digest()
	if m.signed && lines.crlf > 0 && lines.lf > 0 {
		m.note("the message is DKIM-signed and has mixed line ends: the signature will break")
	}
	return m, nil
}

// readHeader reads and checks the header and returns what of the body was read with it.
func (m *Message) readHeader(in *source, lines *lineScan) ([]byte, error) {
	chunk, err := in.next()
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(chunk, []byte(byteOrderMark)) {
		chunk = chunk[len(byteOrderMark):]
		m.bodyAt = int64(len(byteOrderMark))
		m.note("a UTF-8 byte order mark before the header was left out")
	}
	if len(chunk) == 0 {
		return nil, &ParseError{1, "the file is empty", ""}
	}
	if fault := wrongKind(chunk); fault != nil {
		return nil, fault
	}
	h, end := chunk, headerEnd(chunk, 0)
	if end < 0 {
		h = bytes.Clone(h)
	}
	for end < 0 && !in.done() && len(h) <= maxHeaderOctets {
		if chunk, err = in.next(); err != nil {
			return nil, err
		}
		from := len(h) - 2 // the empty line may lie across two chunks
		h = append(h, chunk...)
		end = headerEnd(h, from)
	}
	if end < 0 || end > maxHeaderOctets {
		return nil, m.headless(h, lines)
	}
	rest := chunk[len(chunk)-(len(h)-end):]
	m.header = bytes.Clone(h[:end])
	m.bodyAt += int64(end)
	if !lines.add(m.header) {
		return nil, lineScan{}.lineFault(m.header)
	}
	if fault := m.splitHeader(m.header); fault != nil {
		return nil, fault
	}
	return rest, nil
}

// headless says what is wrong with a file whose header does not end: the first fault of
// its lines, for that is why, else that it is cut off or too long.
func (m *Message) headless(h []byte, lines *lineScan) *ParseError {
	if !lines.add(h) || len(h) <= maxHeaderOctets && !lines.ends() {
		return lineScan{}.lineFault(h)
	}
	whole := h
	if len(h) > maxHeaderOctets { // the last line may not have been read to its end
		whole = h[:bytes.LastIndexByte(h, '\n')+1]
	}
	if fault := m.splitHeader(whole); fault != nil {
		return fault
	}
	if len(h) > maxHeaderOctets {
		return &ParseError{lineAt(h, maxHeaderOctets), fmt.Sprintf("the header has more than %d octets", maxHeaderOctets), ""}
	}
	return &ParseError{lines.done + min(lines.open, 1), "the file ends within the header, as if it had been cut off",
		"an empty line must end the header, even where no body follows"}
}

// readBody scans the body, of which chunk was read already, and sums up its wire form.
func (m *Message) readBody(in *source, lines *lineScan, chunk []byte) error {
	lf := lines.lf
	for {
		before := *lines
		if !lines.add(chunk) || in.done() && !lines.ends() {
			return before.lineFault(chunk)
		}
		if in.done() {
			break
		}
		var err error
		if chunk, err = in.next(); err != nil {
			return err
		}
	}
	m.bodyLF = lines.lf - lf
	m.openEnd = lines.open > 0
	return nil
}
