package smtp

import (
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
)

// Content is a message as it goes on the wire: CRLF line ends, not dot-stuffed.
type Content interface {
	io.WriterTo
	// Size is the exact number of octets that WriteTo writes.
	Size() int64
}

// Transaction is one MAIL, its RCPTs and the content.
type Transaction struct {
	From       mail.Address
	Recipients []mail.Address // at least one
	Content    Content
	EightBit   bool   // needs 8BITMIME
	UTF8       bool   // the header needs SMTPUTF8
	EnvelopeID string // ENVID where DSN is offered; "" for none
	// Commit is called before the last octet of the content leaves: from then on the server may
	// have taken the message. When it fails, the content is not sent to its end. It may be called
	// although no recipient is accepted in the end. nil for nothing to do.
	Commit func() error
	// Done is called once, with an answer for each recipient in their order.
	Done func([]Answer)
}

// Answer is what one recipient of a transaction got: the reply that decided, or the failure
// because of which none came.
type Answer struct {
	Stage   delivery.Stage
	Reply   mail.Reply
	Failure *Failure
	// Doubt: the whole message was sent and its acknowledgement did not come. The server may
	// or may not have taken it.
	Doubt bool
	// Unsent: the session ended before anything was said of the message that the server took
	// notice of, so that it may be sent over another session as though nothing had been.
	Unsent bool
}

// Delivered reports that the server took responsibility for the message (RFC 5321 §4.2.5).
func (a Answer) Delivered() bool {
	return a.Failure == nil && !a.Doubt && a.Stage == delivery.StageFinal && a.Reply.Positive()
}

// Send runs one transaction and gives an answer for each recipient, in order. Afterwards
// Usable says whether the session can serve another one. The transaction's Done is not called.
// Over a session that has ended all answers say Unsent.
func (m *Mailer) Send(tx *Transaction) []Answer {
	var answers []Answer
	one := *tx
	one.Done = func(a []Answer) { answers = a }
	next := &one
	m.Stream(func() *Transaction {
		tx := next
		next = nil
		return tx
	})
	if next != nil { // nobody asked for it
		return slices.Repeat([]Answer{m.s.unsaid()}, len(tx.Recipients))
	}
	return answers
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func octets(n int64) string { return decimal(n) + " octets" }

// xtext encodes a parameter value (RFC 3461 §4).
func xtext(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c < '!' || c > '~' || c == '+' || c == '=' {
			b.WriteByte('+')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
