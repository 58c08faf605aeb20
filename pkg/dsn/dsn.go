// Package dsn composes delivery status notifications: the bouncebacks and delay notices that tell a sender what became of a message.
//
// A notification is a multipart/report (RFC 6522) of plain words, a machine-readable
// message/delivery-status (RFC 3464) and three fields of the original header. Since messages
// may be health data, neither body nor Subject nor any other field of theirs is in it.
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
		fmt.Fprintf(&b, "--%s\r\nContent-Type: %s\r\n", boundary, contentType)
		writeBody(&b, body)
	}
	part("text/plain; charset=utf-8", n.words())
	part("message/delivery-status", n.status())
	part("text/rfc822-headers; charset=utf-8", n.Original.header())
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	return b.Bytes()
}

func (n Notification) header(b *bytes.Buffer, boundary string) {
	field := func(name, value string) {
		if value != "" {
			b.WriteString(name + ": " + value + "\r\n")
		}
	}
	field("From", "Mail Delivery System <MAILER-DAEMON@"+n.ReportingMTA+">")
	field("To", "<"+n.To.String()+">")
	field("Subject", mime.QEncoding.Encode("utf-8", n.subject()))
	field("Date", n.Date.Format(time.RFC1123Z))
	field("Message-ID", n.MessageID)
	field("In-Reply-To", oneLine(n.Original.MessageID))
	field("References", oneLine(n.Original.MessageID))
	field("Auto-Submitted", "auto-replied") // RFC 3834 §5
	field("MIME-Version", "1.0")
	field("Content-Type", "multipart/report; report-type=delivery-status;\r\n\tboundary=\""+boundary+"\"")
	b.WriteString("\r\n")
}

func (n Notification) subject() string {
	what := "Not delivered"
	if n.Action == Delayed {
		what = "Not delivered yet"
	}
	if len(n.Recipients) == 1 {
		return what + ": your message to " + n.Recipients[0].Address.String()
	}
	return fmt.Sprintf("%s: your message to %d recipients", what, len(n.Recipients))
}

// writeBody writes a part's body in the plainest encoding that carries it.
func writeBody(b *bytes.Buffer, body []byte) {
	if isASCII(body) {
		b.WriteString("\r\n")
		b.Write(bytes.ReplaceAll(body, []byte("\n"), []byte("\r\n")))
		return
	}
	b.WriteString("Content-Transfer-Encoding: quoted-printable\r\n\r\n")
	w := quotedprintable.NewWriter(b)
	_, _ = w.Write(body) // a buffer takes everything
	_ = w.Close()
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// header is the third part: the only fields of the original that are told.
func (o Original) header() []byte {
	var b bytes.Buffer
	for _, f := range [][2]string{{"From", o.From}, {"Date", o.Date}, {"Message-ID", o.MessageID}} {
		if v := oneLine(f[1]); v != "" {
			b.WriteString(f[0] + ": " + v + "\n")
		}
	}
	return b.Bytes()
}

// status is the second part (RFC 3464 §2): a group of fields for the message, then one for
// each recipient.
func (n Notification) status() []byte {
	var b bytes.Buffer
	field := func(name, value string) {
		if value != "" {
			b.WriteString(name + ": " + ascii(value) + "\n")
		}
	}
	field("Reporting-MTA", "dns; "+n.ReportingMTA)
	field("Original-Envelope-Id", n.Original.EnvelopeID)
	field("Arrival-Date", stamp(n.Original.Arrival))
	for _, r := range n.Recipients {
		b.WriteString("\n")
		field("Final-Recipient", addressType(r.Address))
		field("Action", string(n.Action))
		field("Status", r.status(n.Action))
		field("Remote-MTA", r.remote())
		field("Diagnostic-Code", r.diagnostic())
		field("Last-Attempt-Date", stamp(r.Last))
		field("Final-Log-ID", r.LogID)
		if n.Action == Delayed {
			field("Will-Retry-Until", stamp(n.RetryUntil))
		}
	}
	return b.Bytes()
}

// addressType writes an address with its type; one in UTF-8 in the ASCII form of RFC 6533 §3.
func addressType(a mail.Address) string {
	if !a.NeedsSMTPUTF8() {
		return "rfc822; " + a.String()
	}
	var b strings.Builder
	for _, r := range a.String() {
		if r < 0x80 && r != '\\' && r != '+' && r != '=' {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\x{%X}`, r)
		}
	}
	return "utf-8; " + b.String()
}

// status is the enhanced status with the class that the action demands (RFC 3464 §2.3.4): a
// server that defers with a 5.x.x, or says none, must not make a delay look final.
func (r Recipient) status(a Action) string {
	s, class := r.Outcome.Enhanced, 5
	if a == Delayed {
		class = 4
	}
	s.Class = class
	return s.String()
}

// remote is the host that decided, where one did.
func (r Recipient) remote() string {
	if s := r.Outcome.Session; s != nil {
		return "dns; " + s.MX + " (" + s.IP + ")"
	}
	for _, a := range r.Outcome.Attempts {
		if a.Reason == r.Outcome.Reason && a.MX != "" {
			if a.IP == "" {
				return "dns; " + a.MX
			}
			return "dns; " + a.MX + " (" + a.IP + ")"
		}
	}
	return ""
}

// diagnostic quotes the server (smtp) only for what it really said; what we decided ourselves
// is marked as ours (RFC 3464 §2.3.6).
func (r Recipient) diagnostic() string {
	o := r.Outcome
	if !o.Reply.IsZero() {
		return "smtp; " + shortened(o.Reply.String())
	}
	return fmt.Sprintf("x-sendctl; %d %s %s (%s)", o.Code, o.Enhanced, shortened(o.Text), o.Reason)
}

// shortened bounds what is quoted of a stranger.
func shortened(s string) string {
	const most = 512
	r := []rune(mail.Clean(s))
	if len(r) > most {
		return string(r[:most]) + "…"
	}
	return string(r)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC1123Z)
}

// oneLine makes a header field's value fit to be quoted in ours.
func oneLine(s string) string {
	return strings.TrimSpace(mail.Clean(strings.NewReplacer("\r\n", "", "\n", "").Replace(s)))
}

// ascii replaces what a message/delivery-status cannot carry (RFC 3464 §2.1.3: 7-bit).
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '…':
			return '.'
		case r >= 0x80 || r < ' ':
			return '?'
		}
		return r
	}, s)
}
