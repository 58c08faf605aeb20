// Package dsn composes delivery status notifications: the bouncebacks and delay notices that tell a sender what became of a message.
//
// A notification is a multipart/report (RFC 6522) of plain words, a machine-readable
// message/delivery-status (RFC 3464) and three fields of the original header. Since messages
// may be health data, neither body nor Subject nor any other field of theirs is in it.
//
// Everything that is not ours (replies, names of hosts, the original's fields) is cleaned and
// bounded before it is quoted, and no line is longer than RFC 5322 allows.
package dsn

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"strings"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
)

// Action is what a notification is about (RFC 3464 §2.3.3).
type Action string

// The actions.
const (
	Failed  Action = "failed"
	Delayed Action = "delayed"
)

// Notification is everything that goes into one.
type Notification struct {
	Action       Action
	ReportingMTA string       // our EHLO name
	To           mail.Address // the original's reverse-path
	MessageID    string       // of the notification itself, with angle brackets
	Date         time.Time
	Original     Original
	Recipients   []Recipient // at least one
	// RetryUntil is when a delayed message will be given up.
	RetryUntil time.Time
}

// Original is what may be told of the message that the notification is about.
type Original struct {
	From, Date, MessageID string // the fields' values as they stand in the header; "" where missing
	EnvelopeID            string
	Arrival               time.Time
}

// Recipient is one recipient whose delivery failed or is delayed.
type Recipient struct {
	Address mail.Address
	Outcome delivery.Outcome
	Because []string // who demanded what, in words; only told where TLS stood in the way
	LogID   string   // where our own record of it is found
	Last    time.Time
}

// Compose writes the notification as a message with CRLF line ends. It goes out with the
// null reverse-path (RFC 3464 §2, RFC 5321 §4.5.5).
func Compose(n Notification) []byte {
	var b bytes.Buffer
	sum := sha256.Sum256([]byte(n.MessageID))
	boundary := "report-" + hex.EncodeToString(sum[:12])
	n.header(&b, boundary)
	part := func(contentType string, body []byte) {
		fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: %s\r\n", boundary, contentType)
		writeBody(&b, body)
	}
	part("text/plain; charset=utf-8", n.words())
	part("message/delivery-status", n.status())
	part("text/rfc822-headers; charset=utf-8", n.Original.header())
	fmt.Fprintf(&b, "\r\n--%s--\r\n", boundary)
	return b.Bytes()
}

func (n Notification) header(b *bytes.Buffer, boundary string) {
	field := func(name, value string) {
		if value != "" {
			b.WriteString(crlf(folded(name, value)))
		}
	}
	field("From", "Mail Delivery System <MAILER-DAEMON@"+n.ReportingMTA+">")
	field("To", "<"+n.To.String()+">")
	field("Subject", n.subject())
	field("Date", stamp(n.Date))
	field("Message-ID", n.MessageID)
	field("In-Reply-To", n.Original.reference())
	field("References", n.Original.reference())
	field("Auto-Submitted", "auto-replied") // RFC 3834 §5
	field("MIME-Version", "1.0")
	b.WriteString("Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"" + boundary + "\"\r\n")
}

func (n Notification) subject() string {
	what := "Not delivered: "
	if n.Action == Delayed {
		what = "Not delivered yet: "
	}
	to := fmt.Sprintf("%d recipients", len(n.Recipients))
	// An address that looks like an encoded word would be shown as something else.
	if len(n.Recipients) == 1 && !strings.Contains(n.Recipients[0].Address.Local, "=?") {
		to = n.Recipients[0].Address.String()
	} else if len(n.Recipients) == 1 {
		to = "one recipient"
	}
	return mime.QEncoding.Encode("utf-8", what+"your message to "+to)
}

// reference is the original's Message-ID where a header may carry it: one in ASCII, that is no
// list of several nor something else (RFC 5322 §3.6.4).
func (o Original) reference() string {
	id := strings.TrimSpace(o.MessageID)
	inner, opened := strings.CutPrefix(id, "<")
	inner, closed := strings.CutSuffix(inner, ">")
	if !opened || !closed || len(id) > maxToken || inner == "" || strings.ContainsFunc(inner, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || r == '<' || r == '>'
	}) {
		return ""
	}
	return id
}

// header is the third part: the only fields of the original that are told.
func (o Original) header() []byte {
	var b bytes.Buffer
	for _, f := range [][2]string{{"From", o.From}, {"Date", o.Date}, {"Message-ID", o.MessageID}} {
		if v := clean(f[1]); v != "" {
			b.WriteString(folded(f[0], v))
		}
	}
	return b.Bytes()
}

// writeBody writes the end of a part's header and its body, in the plainest encoding that
// carries it.
func writeBody(b *bytes.Buffer, body []byte) {
	if isASCII(body) {
		b.WriteString("\r\n")
		b.WriteString(crlf(string(body)))
		return
	}
	b.WriteString("Content-Transfer-Encoding: quoted-printable\r\n\r\n")
	w := quotedprintable.NewWriter(b)
	_, _ = w.Write(body) // a buffer takes everything
	_ = w.Close()
}
