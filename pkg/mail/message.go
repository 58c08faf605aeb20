package mail

import (
	"crypto/sha256"
	"io"
	"time"
)

// Message is a message that was read and found fit to be sent (RFC 5322). It is safe for
// use by several goroutines, and what its methods return must not be changed.
type Message struct {
	src    io.ReaderAt
	size   int64
	sum    [sha256.Size]byte
	header []byte // as in the file, its empty line included
	bodyAt int64  // where in the file the body begins

	headerLF, bodyLF int64 // lines that end in LF alone
	openEnd          bool  // the last line has no end

	fields      []field
	recipients  []Address
	authors     []Address
	reversePath Address
	received    int
	notes       []string

	signed, eightBit, utf8Header bool
}

// Recipients are the envelope's: every address of every To, Cc and Bcc field in their
// order, each once, or of every Resent-To, Resent-Cc and Resent-Bcc field alone where
// there is one. There is at least one.
func (m *Message) Recipients() []Address { return m.recipients }

// ReversePath is where bounces go: Return-Path, else Sender, else the first address of
// From. It is the null address only where Return-Path is <>.
func (m *Message) ReversePath() Address { return m.reversePath }

// Authors are the addresses of From and Sender, each once.
func (m *Message) Authors() []Address { return m.authors }

// MessageID is the Message-ID field as it stands, "" where it is missing or blank.
func (m *Message) MessageID() string { return m.value(fieldMessageID) }

// DateField is the Date field as it stands, "" where it is missing or blank.
func (m *Message) DateField() string { return m.value(fieldDate) }

// FromField is the From field as it stands, unfolded: raw and the author's.
func (m *Message) FromField() string { return m.value(fieldFrom) }

// Date is the time in the Date field, false where there is none that RFC 5322 §3.3 and
// §4.3 would know.
func (m *Message) Date() (time.Time, bool) { return parseDate(m.DateField()) }

// EightBit reports octets above 127 in what goes out, for which the server must offer
// 8BITMIME (RFC 6152).
func (m *Message) EightBit() bool { return m.eightBit }

// NeedsSMTPUTF8 reports raw UTF-8 in the header that goes out, for which the server must
// offer SMTPUTF8 (RFC 6531 §3.4). For the envelope see Address.NeedsSMTPUTF8.
func (m *Message) NeedsSMTPUTF8() bool { return m.utf8Header }

// Notes are sentences on what is odd about the message but no reason to refuse it.
func (m *Message) Notes() []string { return m.notes }

// ReceivedCount is the number of Received fields, by which a mail loop is known
// (RFC 5321 §6.3).
func (m *Message) ReceivedCount() int { return m.received }

// SHA256 is the digest of the source exactly as in the file.
func (m *Message) SHA256() [sha256.Size]byte { return m.sum }

// HasSignature reports a DKIM-Signature field (RFC 6376 §3.5).
func (m *Message) HasSignature() bool { return m.signed }

// AutoSubmitted reports mail that a program sent on its own account, Auto-Submitted other
// than "no" (RFC 3834 §5), or a report (see IsReport).
func (m *Message) AutoSubmitted() bool {
	for _, f := range m.fields {
		if f.kind == fieldAutoSubmitted {
			if v := m.token(f); v != "" && v != "no" {
				return true
			}
		}
	}
	return m.IsReport()
}

// IsReport reports a multipart/report (RFC 6522): a bounce or its like, about which no
// bounce is ever sent.
func (m *Message) IsReport() bool {
	for _, f := range m.fields {
		if f.kind == fieldContentType && m.token(f) == "multipart/report" {
			return true
		}
	}
	return false
}

// dropped reports a field that does not go out: those that would tell one recipient of
// another or are the last server's to write (RFC 5321 §4.4), and blank ones that Stamp
// replaces.
func (m *Message) dropped(f field) bool {
	switch f.kind {
	case fieldBcc, fieldResentBcc, fieldReturnPath:
		return true
	case fieldMessageID, fieldDate:
		return m.blank(f)
	}
	return false
}

// keptIsASCII reports whether the header is ASCII but for the fields that do not go out.
func (m *Message) keptIsASCII() bool {
	ascii := true
	m.eachKept(func(part []byte) { ascii = ascii && asciiOnly(part) })
	return ascii
}

// eachKept yields the parts of the header that go out, in their order.
func (m *Message) eachKept(yield func(part []byte)) {
	pos := 0
	for _, f := range m.fields {
		if m.dropped(f) {
			yield(m.header[pos:f.start])
			pos = f.end
		}
	}
	yield(m.header[pos:])
}

func (m *Message) note(s string) { m.notes = append(m.notes, s) }
