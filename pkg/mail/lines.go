package mail

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// maxLineOctets is the longest line without its CRLF (RFC 5321 §4.5.3.1.6, RFC 5322 §2.1.1).
const maxLineOctets = 998

// lineScan checks the lines of a message that comes in pieces, and counts what their
// canonical form needs. Line ends are CRLF or LF; a CR elsewhere, a NUL or a line over
// 998 octets is a fault.
type lineScan struct {
	done     int   // lines ended so far
	crlf, lf int64 // of these by their end
	open     int   // octets so far of the line that has not ended
	cr       bool  // the last octet was a CR
	eightBit bool  // an octet above 127 was seen
}

// add takes the next piece and reports false where it has a fault, which lineFault then
// finds: looking at all at once is what makes sound messages cheap. After a fault, the scan is
// of no more use.
func (s *lineScan) add(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if s.cr {
		if b[0] != '\n' {
			return false
		}
		s.crlf++
		s.done++
		s.open, s.cr = 0, false
		b = b[1:]
	}
	lines := linesIn(b)
	if ended := lines.crlf + lines.lf; ended > 0 {
		if max(s.open+lines.first, lines.longest) > maxLineOctets {
			return false
		}
		s.crlf += int64(lines.crlf)
		s.lf += int64(lines.lf)
		s.done += ended
		s.open = 0
	}
	s.open += lines.open
	s.cr = len(b) > 0 && b[len(b)-1] == '\r'
	if s.open > maxLineOctets+1 || s.open == maxLineOctets+1 && !s.cr {
		return false
	}
	s.eightBit = s.eightBit || !asciiOnly(b)
	return lines.sound
}

// ends reports false where the message may not end here: behind a bare CR.
func (s *lineScan) ends() bool { return !s.cr }

// lineFault names the fault that add or ends saw in b, before which the scan stood at s.
// It is slow and only for refusals.
func (s lineScan) lineFault(b []byte) *ParseError {
	for _, c := range b {
		if s.cr && c != '\n' {
			break
		}
		s.cr = c == '\r'
		switch c {
		case 0:
			return &ParseError{s.done + 1, "a NUL octet", "binary data must be encoded, for example in base64"}
		case '\n':
			s.done++
			s.open = 0
		case '\r':
		default:
			s.open++
		}
		if s.open > maxLineOctets && !s.cr {
			return &ParseError{s.done + 1, "a line over 998 octets",
				"fold the header field, or encode the body in quoted-printable or base64 (RFC 5322 section 2.1.1)"}
		}
	}
	return &ParseError{s.done + 1, "a carriage return (CR) without a line feed (LF)",
		"lines must end in CRLF or LF: convert the file, for example with dos2unix or mac2unix"}
}

// asciiOnly looks at 32 octets at a time, for most mail is ASCII to its end.
func asciiOnly(b []byte) bool {
	const high = 0x8080808080808080
	for len(b) >= 32 {
		p := (*[32]byte)(b)
		if (word(p[0:8])|word(p[8:16])|word(p[16:24])|word(p[24:32]))&high != 0 {
			return false
		}
		b = b[32:]
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// word is a function of its own because the compiler inlines it, but no variable that holds one.
func word(p []byte) uint64 { return binary.LittleEndian.Uint64(p) }

// appendCRLF appends b to dst with every LF that no CR precedes made CRLF; cr says that
// the octet before b was a CR.
func appendCRLF(dst, b []byte, cr bool) []byte {
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return append(dst, b...)
		}
		dst = append(dst, b[:i]...)
		if i > 0 {
			cr = b[i-1] == '\r'
		}
		if !cr {
			dst = append(dst, '\r')
		}
		dst = append(dst, '\n')
		cr = false
		b = b[i+1:]
	}
}
