package mail

import (
	"bytes"
	"strings"
)

// addressReader reads address-lists (RFC 5322 §3.4) straight from the octets of a header
// field, folding included. Go's net/mail would do most of it, but it opens the network
// packages to this room, fails on encoded words in charsets that it does not know, takes
// address literals and cannot say where in the field the fault is.
type addressReader struct {
	b     []byte
	pos   int
	begin int // where the element that is being read begins
}

// list appends the addresses of an address-list to dst, those in groups too. RFC 5322
// §4.4: empty elements between commas are tolerated.
func (r *addressReader) list(dst []Address) ([]Address, *syntaxError) {
	inGroup, needComma := false, false
	for {
		if bad := r.skipCFWS(); bad != nil {
			return dst, bad
		}
		if r.atEnd() {
			if inGroup {
				return dst, r.fault("the group has no closing ;", "")
			}
			return dst, nil
		}
		switch c := r.b[r.pos]; {
		case c == ',':
			r.pos++
			needComma = false
		case c == ';' && inGroup:
			r.pos++
			inGroup, needComma = false, true
		case needComma:
			return dst, r.unexpected()
		default:
			r.begin = r.pos
			a, isGroup, bad := r.element(inGroup)
			if bad != nil {
				return dst, bad
			}
			if isGroup {
				inGroup = true
				continue
			}
			dst = append(dst, a)
			needComma = true
		}
	}
}

// element reads one mailbox, or the head of a group up to its colon.
func (r *addressReader) element(inGroup bool) (a Address, isGroup bool, bad *syntaxError) {
	for words := 0; ; words++ {
		if bad = r.skipCFWS(); bad != nil {
			return a, false, bad
		}
		start := r.pos
		switch c := r.peek(); {
		case c == '<':
			a, bad = r.angleAddr()
			return a, false, bad
		case c == ':' && words > 0 && !inGroup:
			r.pos++
			return a, true, nil
		case beginsWord(c):
			if bad = r.word(); bad != nil {
				return a, false, bad
			}
		case c == '@' && words > 0:
			return a, false, r.fault("white space or several words stand before the @",
				`put the display name in quotes and the address in <>: "J. Doe" <j@example.com>`)
		case r.atEnd() || c == ',' || c == ';':
			return a, false, r.fault("there is no @", "write name@domain")
		default:
			return a, false, r.unexpected()
		}
		if r.peek() == '@' && words == 0 {
			r.pos = start
			a, bad = r.addrSpec()
			return a, false, bad
		}
	}
}

// angleAddr reads <addr-spec>.
func (r *addressReader) angleAddr() (Address, *syntaxError) {
	r.pos++
	if bad := r.skipCFWS(); bad != nil {
		return Address{}, bad
	}
	a, bad := r.addrSpec()
	if bad == nil {
		bad = r.skipCFWS()
	}
	if bad != nil {
		return Address{}, bad
	}
	if r.peek() != '>' {
		return Address{}, r.unexpected()
	}
	r.pos++
	return a, nil
}

// addrSpec reads local-part@domain without white space or comments in it.
func (r *addressReader) addrSpec() (Address, *syntaxError) {
	start := r.pos
	switch c := r.peek(); {
	case c == '@':
		if bytes.IndexByte(r.b[r.pos:], ':') >= 0 {
			// RFC 5321 Appendix C: source routes are deprecated and SHOULD NOT be sent.
			return Address{}, r.fault("source routes are not accepted", "write name@domain without the route")
		}
		return Address{}, r.fault("the local part is empty", "write name@domain")
	case c == '>':
		return Address{}, r.fault("the address is empty", "write name@domain")
	case beginsWord(c):
		if bad := r.word(); bad != nil {
			return Address{}, bad
		}
	default:
		return Address{}, r.unexpected()
	}
	if c := r.peek(); c != '@' {
		if r.atEnd() || c == '>' || c == ',' {
			return Address{}, r.fault("there is no @", "write name@domain")
		}
		return Address{}, r.unexpected()
	}
	at := r.pos
	r.pos++
	if r.peek() == '[' {
		return Address{}, r.fault("address literals are not accepted", "write a domain instead of the IP address")
	}
	for c := r.peek(); c == '.' || isAtext(c); c = r.peek() {
		r.pos++
	}
	if c := r.peek(); !r.atEnd() && strings.IndexByte(">,; \t\r\n(", c) < 0 {
		return Address{}, r.unexpected()
	}
	a, bad := newAddress(r.b[start:r.pos], at-start)
	if bad != nil {
		bad.at = start
	}
	return a, bad
}

// beginsWord reports an octet that a quoted-string or a run of atoms and dots begins with.
func beginsWord(c byte) bool { return c == '"' || c == '.' || isAtext(c) }

// word skips a quoted-string, or a run of atoms and dots.
func (r *addressReader) word() *syntaxError {
	if r.b[r.pos] != '"' {
		for c := r.peek(); c == '.' || isAtext(c); c = r.peek() {
			r.pos++
		}
		return nil
	}
	for i := r.pos + 1; i < len(r.b); i++ {
		switch r.b[i] {
		case '\\':
			i++
		case '"':
			r.pos = i + 1
			return nil
		}
	}
	return r.fault(`a quote (") is not closed`, "")
}

// skipCFWS skips white space, folds and comments, which nest (RFC 5322 §3.2.2).
func (r *addressReader) skipCFWS() *syntaxError {
	depth, open := 0, 0
	for ; r.pos < len(r.b); r.pos++ {
		switch c := r.b[r.pos]; {
		case c == '(':
			if depth == 0 {
				open = r.pos
			}
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == '\\' && depth > 0:
			r.pos++
		case depth > 0, c == ' ', c == '\t', c == '\r', c == '\n':
		default:
			return nil
		}
	}
	r.pos = len(r.b) // a comment may end in a lone backslash
	if depth > 0 {
		r.pos = open
		return r.fault("a comment, begun with (, is not closed", "")
	}
	return nil
}

func (r *addressReader) atEnd() bool { return r.pos == len(r.b) }

// peek is the next octet, 0 at the end: no part of any word.
func (r *addressReader) peek() byte {
	if r.atEnd() {
		return 0
	}
	return r.b[r.pos]
}

func (r *addressReader) fault(reason, hint string) *syntaxError {
	return &syntaxError{at: r.pos, reason: reason, hint: hint}
}

// unexpected names the octet that stands where none such may.
func (r *addressReader) unexpected() *syntaxError {
	if r.atEnd() {
		return r.fault("the address ends too early", "write name@domain")
	}
	switch c := r.b[r.pos]; c {
	case ';':
		return r.fault("a ; stands between addresses", "separate addresses with commas")
	case '@':
		return r.fault("there is more than one @", "quote a local part that has an @ of its own")
	case '\r', '\n', 0:
		return r.fault("a line end or NUL stands in the address", "")
	default:
		return r.fault("the character "+excerpt(string(r.b[r.pos:r.pos+1]))+" cannot stand here",
			`put a display name with special characters in quotes, and separate addresses with commas`)
	}
}
