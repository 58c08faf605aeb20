package mail

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// maxRecipients bounds what one message may ask for.
const maxRecipients = 100_000

// value is the unfolded value of the first field of a kind, "" where there is none.
func (m *Message) value(kind fieldKind) string {
	for _, f := range m.fields {
		if f.kind == kind {
			return unfold(m.header[f.value:f.end])
		}
	}
	return ""
}

// has reports a field of a kind that is not blank.
func (m *Message) has(kind fieldKind) bool {
	return slices.ContainsFunc(m.fields, func(f field) bool { return f.kind == kind && !m.blank(f) })
}

// token is the first word of a field's value in lower case, comments skipped
// (RFC 2045 §5.1).
func (m *Message) token(f field) string {
	r := addressReader{b: m.header[f.value:f.end]}
	if r.skipCFWS() != nil {
		return ""
	}
	rest := r.b[r.pos:]
	if i := bytes.IndexAny(rest, " \t\r\n;("); i >= 0 {
		rest = rest[:i]
	}
	return strings.ToLower(string(rest))
}

func (m *Message) blank(f field) bool {
	return len(bytes.Trim(m.header[f.value:f.end], " \t\r\n")) == 0
}

// readFields takes from the fields what the envelope needs. end is the line that ends
// the header.
func (m *Message) readFields(to []Address, end int) *ParseError {
	resent, fault := m.countFields()
	if fault != nil {
		return fault
	}
	var from, sender, path []Address
	for _, f := range m.fields {
		switch {
		case f.kind == fieldFrom:
			from, fault = m.addresses(f, from)
		case f.kind == fieldSender:
			sender, fault = m.single(f)
		case f.kind == fieldReturnPath && path == nil:
			path, fault = m.returnPath(f)
		case isRecipientField(f.kind, resent):
			m.recipients, fault = m.addresses(f, m.recipients)
			if fault == nil && len(m.recipients) > maxRecipients {
				fault = m.fault(f, 0, fmt.Sprintf("more than %d recipients", maxRecipients), "split the message")
			}
		}
		if fault != nil {
			return fault
		}
	}
	if len(to) > 0 {
		m.recipients = slices.Clone(to)
	}
	if len(m.recipients) == 0 {
		return &ParseError{end, "the message has no recipients", "add a To, Cc or Bcc field, or give the recipients apart from the message"}
	}
	m.recipients = unique(m.recipients)
	return m.originator(path, sender, from, end)
}

// originator settles the reverse-path and the authors (RFC 5322 §3.6.2).
func (m *Message) originator(path, sender, from []Address, end int) *ParseError {
	switch {
	case !m.has(fieldFrom):
		return &ParseError{end, "the message has no From", "RFC 5322 section 3.6 demands one"}
	case len(path) > 0:
		m.reversePath = path[0]
	case len(sender) > 0:
		m.reversePath = sender[0]
	case len(from) > 0:
		m.reversePath = from[0]
	default:
		return &ParseError{end, "neither From nor Sender has an address", "bounces must go somewhere"}
	}
	if len(from) > 1 && len(sender) == 0 {
		m.note("From has several addresses and there is no Sender: the first one is taken as the sender")
	}
	m.authors = unique(append(from, sender...))
	return nil
}

// countFields refuses doubled fields of which receivers may each see another one, notes
// those that do no harm, and reports whether Resent- recipients are there.
func (m *Message) countFields() (resent bool, fault *ParseError) {
	var seen [fieldSignature + 1]bool
	for _, f := range m.fields {
		switch f.kind {
		case fieldFrom, fieldSender, fieldDate, fieldMessageID:
			if seen[f.kind] {
				// RFC 5322 §3.6: at most one.
				return false, m.fault(f, 0, "a second field of a kind that may occur once", "remove one of them")
			}
		case fieldSubject, fieldReplyTo, fieldReturnPath:
			if seen[f.kind] {
				m.note("there is more than one " + m.name(f) + " field")
			}
		case fieldResentTo, fieldResentCc, fieldResentBcc:
			resent = true
		}
		seen[f.kind] = true
	}
	return resent, nil
}

// isRecipientField: where a message was resent, only to whom counts (as sendmail -t).
func isRecipientField(kind fieldKind, resent bool) bool {
	switch kind {
	case fieldTo, fieldCc, fieldBcc:
		return !resent
	case fieldResentTo, fieldResentCc, fieldResentBcc:
		return true
	}
	return false
}

// addresses appends a field's addresses to dst.
func (m *Message) addresses(f field, dst []Address) ([]Address, *ParseError) {
	r := addressReader{b: m.header[f.value:f.end]}
	dst, bad := r.list(dst)
	if bad == nil {
		return dst, nil
	}
	element := r.b[r.begin:]
	if i := bytes.IndexByte(element[max(0, bad.at-r.begin):], ','); i >= 0 {
		element = element[:max(0, bad.at-r.begin)+i]
	}
	text := excerpt(string(bytes.Trim(element, " \t\r\n")))
	// The line is that on which the address begins: the reader may have stopped behind the
	// line end that follows it.
	begin := len(r.b) - len(bytes.TrimLeft(r.b[r.begin:], " \t\r\n"))
	return nil, m.fault(f, min(begin, bad.at), "address "+text+": "+bad.reason, bad.hint)
}

// single reads a field that holds exactly one address.
func (m *Message) single(f field) ([]Address, *ParseError) {
	list, fault := m.addresses(f, nil)
	if fault == nil && len(list) != 1 {
		fault = m.fault(f, 0, fmt.Sprintf("%d addresses where there must be one", len(list)), "")
	}
	return list, fault
}

// returnPath reads Return-Path, which alone may be <>, the null reverse-path
// (RFC 5321 §4.4).
func (m *Message) returnPath(f field) ([]Address, *ParseError) {
	r := addressReader{b: m.header[f.value:f.end]}
	if r.skipCFWS() == nil && r.peek() == '<' {
		r.pos++
		if r.skipCFWS() == nil && r.peek() == '>' {
			r.pos++
			if r.skipCFWS() == nil && r.atEnd() {
				return []Address{{}}, nil
			}
		}
	}
	return m.single(f)
}

// fault is a ParseError about octet at of a field's value.
func (m *Message) fault(f field, at int, reason, hint string) *ParseError {
	return &ParseError{lineAt(m.header, f.value+at), m.name(f) + ": " + reason, hint}
}

func (m *Message) name(f field) string { return string(m.header[f.start : f.value-1]) }

// unique removes what was there before, in place, and keeps the order.
func unique(list []Address) []Address {
	const few = 8
	if len(list) <= few {
		kept := list[:0]
		for _, a := range list {
			if !slices.Contains(kept, a) {
				kept = append(kept, a)
			}
		}
		return kept
	}
	seen := make(map[Address]struct{}, len(list))
	return slices.DeleteFunc(list, func(a Address) bool {
		_, twice := seen[a]
		seen[a] = struct{}{}
		return twice
	})
}
