// Package smtp holds one SMTP session on one connection, from the greeting to QUIT.
//
// The order of calls: Open reads the greeting, Hello says EHLO, StartTLS secures the session
// and says EHLO again, Admit judges what the session got against a requirement and only then
// hands out a Mailer, which alone can write MAIL, RCPT and DATA. So cleartext is unreachable
// by type where encryption is required. A reply that says no is an answer, not an error; a
// *Failure means that this host is of no use for now, and says why in terms of delivery.
package smtp

import (
	"io"
	"time"
)

// Timeouts bound each step as a whole (RFC 5321 §4.5.3.2); a slow drip does not extend them.
type Timeouts struct {
	Connect   time.Duration // for whoever dials
	Greeting  time.Duration
	Handshake time.Duration
	Command   time.Duration
	DataStart time.Duration // DATA until its 354
	DataBlock time.Duration // one block of content
	DataDone  time.Duration // the end of the content until its reply
}

// Peer names the mail host at the other end.
type Peer struct {
	Host string // the MX name: SNI and certificate name
	IP   string
}

// String is "mx.example.com [192.0.2.1]".
func (p Peer) String() string { return p.Host + " [" + p.IP + "]" }

// Options are what every session of a run shares.
type Options struct {
	Timeouts Timeouts
	// Pipelining lets the commands of one transaction leave in one group where the server
	// offers it (RFC 2920).
	Pipelining bool
	// Until bounds all that happens before Admit hands out a Mailer; zero for no bound.
	Until time.Time
	// Clock is the wall clock, for certificate dates.
	Clock func() time.Time
	// Trace gets the dialogue, without content and keys; nil for none. Writes are whole lines.
	Trace io.Writer
}
