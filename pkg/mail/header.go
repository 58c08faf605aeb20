package mail

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of our own: no honest message has so large a header, and it is the one part of
// a message that is held in memory.
const (
	maxHeaderOctets = 1 << 20
	maxHeaderFields = 10_000
)

// fieldKind names the header fields that mean something to a sender.
type fieldKind uint8

const (
	fieldOther fieldKind = iota
	fieldFrom
	fieldSender
	fieldReplyTo
	fieldTo
	fieldCc
	fieldBcc
	fieldResentTo
	fieldResentCc
	fieldResentBcc
	fieldReturnPath
	fieldSubject
	fieldDate
	fieldMessageID
	fieldReceived
	fieldAutoSubmitted
	fieldContentType
	fieldSignature
)

// field is one header field: where it begins, where its value begins and where it ends,
// the line end included, as offsets in the header. Nothing is copied or decoded.
type field struct {
	kind              fieldKind
	start, value, end int
}

// fieldKinds has the known fields by their names in lower case.
var fieldKinds = map[string]fieldKind{
	"from":           fieldFrom,
	"sender":         fieldSender,
	"reply-to":       fieldReplyTo,
	"to":             fieldTo,
	"cc":             fieldCc,
	"bcc":            fieldBcc,
	"resent-to":      fieldResentTo,
	"resent-cc":      fieldResentCc,
	"resent-bcc":     fieldResentBcc,
	"return-path":    fieldReturnPath,
	"subject":        fieldSubject,
	"date":           fieldDate,
	"message-id":     fieldMessageID,
	"received":       fieldReceived,
	"auto-submitted": fieldAutoSubmitted,
	"content-type":   fieldContentType,
	"dkim-signature": fieldSignature,
}

// kindOf recognises a field name in any case, without allocating.
func kindOf(name []byte) fieldKind {
	var low [len("dkim-signature")]byte
	if len(name) > len(low) {
		return fieldOther
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		low[i] = c
	}
	return fieldKinds[string(low[:len(name)])]
}

// headerEnd finds the end of the header, its empty line included, in b; -1 where it is
// not in b. What lies before from was searched already.
func headerEnd(b []byte, from int) int {
	if from == 0 {
		if n := emptyLine(b); n > 0 {
			return n
		}
	}
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return -1
		}
		from += i + 1
		if n := emptyLine(b[from:]); n > 0 {
			return from + n
		}
	}
}

// emptyLine is the length of the empty line that b begins with, 0 for none.
func emptyLine(b []byte) int {
	switch {
	case len(b) > 0 && b[0] == '\n':
		return 1
	case len(b) > 1 && b[0] == '\r' && b[1] == '\n':
		return 2
	}
	return 0
}

// splitHeader finds the fields of header h (RFC 5322 §2.2), whose lines were checked,
// and keeps those that mean something. The grammar is strict: what one reader takes for
// a field and the next one does not is how header fields are smuggled.
func (m *Message) splitHeader(h []byte) *ParseError {
	if emptyLine(h) > 0 {
		return &ParseError{1, "the message has no header", "the file begins with an empty line: remove it"}
	}
	m.fields = make([]field, 0, 12)
	count := 0
	for pos := 0; pos < len(h) && emptyLine(h[pos:]) == 0; count++ {
		colon, fault := nameEnd(h[pos:])
		if fault != nil {
			fault.Line = lineAt(h, pos)
			return fault
		}
		if count == maxHeaderFields {
			return &ParseError{lineAt(h, pos), fmt.Sprintf("more than %d header fields", maxHeaderFields), ""}
		}
		f := field{kind: kindOf(h[pos : pos+colon]), start: pos, value: pos + colon + 1, end: fieldEnd(h, pos)}
		m.keep(f)
		pos = f.end
	}
	return checkUTF8(h)
}

// keep notes what is known of a field and remembers those that are looked at again.
func (m *Message) keep(f field) {
	switch f.kind {
	case fieldOther:
	case fieldReceived:
		m.received++
	case fieldSignature:
		m.signed = true
	default:
		m.fields = append(m.fields, f)
	}
}

// nameEnd is the place of the colon behind the field name that b begins with.
func nameEnd(b []byte) (int, *ParseError) {
	const hint = "a header field is Name: value, and an empty line stands between header and body"
	if b[0] == ' ' || b[0] == '\t' {
		return 0, &ParseError{Reason: "the header begins with a continuation line", Hint: hint}
	}
	line := b
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		line = b[:i]
	}
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return 0, &ParseError{Reason: "a header line without a colon: " + excerpt(string(line)), Hint: hint}
	}
	name := line[:colon]
	n := ftext(name)
	switch {
	case colon == 0:
		return 0, &ParseError{Reason: "a header line without a name before the colon", Hint: hint}
	case n == colon:
		return colon, nil
	case n > 0 && len(bytes.TrimRight(name, " \t")) == n:
		return 0, &ParseError{Reason: "white space before the colon of the header field " + excerpt(string(name)),
			Hint: "remove the white space"}
	}
	return 0, &ParseError{Reason: "a header field name with a character that none may have: " + excerpt(string(name)),
		Hint: hint}
}

// ftext is how many octets of b may stand in a field name: printable ASCII but for the
// colon, which b does not have (RFC 5322 §3.6.8).
func ftext(b []byte) int {
	for i, c := range b {
		if c <= ' ' || c > '~' {
			return i
		}
	}
	return len(b)
}

// fieldEnd is the offset behind the field at pos, its folded lines included (RFC 5322 §2.2.3).
func fieldEnd(h []byte, pos int) int {
	for {
		i := bytes.IndexByte(h[pos:], '\n')
		if i < 0 {
			return len(h)
		}
		pos += i + 1
		if pos == len(h) || h[pos] != ' ' && h[pos] != '\t' {
			return pos
		}
	}
}

// checkUTF8 refuses octets above 127 that are no UTF-8 (RFC 6532 §3.2).
func checkUTF8(h []byte) *ParseError {
	if utf8.Valid(h) {
		return nil
	}
	for pos := 0; ; {
		r, n := utf8.DecodeRune(h[pos:])
		if r == utf8.RuneError && n <= 1 {
			return &ParseError{lineAt(h, pos), "the header has octets that are neither ASCII nor UTF-8",
				"encode the field after RFC 2047, or convert the header to UTF-8"}
		}
		pos += n
	}
}

// lineAt is the line number of offset pos in header h.
func lineAt(h []byte, pos int) int { return 1 + bytes.Count(h[:pos], []byte{'\n'}) }

// unfold is a field's value without its line ends (RFC 5322 §2.2.3) and outer white space.
func unfold(value []byte) string {
	s := string(bytes.Trim(value, " \t\r\n"))
	if strings.IndexByte(s, '\n') < 0 {
		return s
	}
	return strings.NewReplacer("\r", "", "\n", "").Replace(s)
}
