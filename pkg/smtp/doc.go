// Package smtp holds one SMTP session on one connection, from the greeting to QUIT.
//
// The order of calls: Open reads the greeting, Hello says EHLO, StartTLS secures the session
// and says EHLO again, Admit judges what the session got against a requirement and only then
// hands out a Mailer, which alone can write MAIL, RCPT and DATA. So cleartext is unreachable
// by type where encryption is required. A reply that says no is an answer, not an error; a
// *Failure means that this host is of no use for now, and says why in terms of delivery.
//
// A Mailer's Stream runs transactions at the pace that the server allows: command by command,
// a group for each (RFC 2920), the next one's commands along with the final dot of the one
// before, or whole transactions in a window of several (RFC 3030).
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
	// Pace is how far ahead of the server's answers a session talks, where the server offers
	// what that takes.
	Pace Pace
	// Window is how many transactions are in flight at once at the pace Windowed; Proven is how
	// many the server was seen to cope with, with which a session begins.
	Window, Proven int
	// Until bounds all that happens before Admit hands out a Mailer; zero for no bound.
	Until time.Time
	// Clock is the wall clock, for certificate dates.
	Clock func() time.Time
	// Trace gets the dialogue, without content and keys; nil for none. Writes are whole lines.
	Trace io.Writer
}

// Pace is how far ahead of the server's answers a session talks.
type Pace uint8

// The paces, from the humblest. Each falls back to the one before it with a server that does
// not offer what it takes, or that answered oddly.
const (
	OneByOne Pace = iota // every command waits for the answer to the one before
	Grouped              // MAIL, RCPTs and DATA of a transaction leave in one group (RFC 2920)
	Ahead                // and along with the final dot those of the next transaction
	Windowed             // several whole transactions are in flight, by BDAT (RFC 3030)
)
