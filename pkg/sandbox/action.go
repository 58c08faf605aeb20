package sandbox

import (
	"bytes"
	"slices"
	"strings"
	"time"
)

// Verbs of events that are not commands.
const (
	Connect = "CONNECT" // a connection was accepted: the greeting is due
	Dot     = "."       // a message is complete, by the final dot or by BDAT LAST: its reply is due
)

// Event is a moment at which a host is about to answer.
type Event struct {
	Host       string   // its name
	Verb       string   // the command's verb in upper case, or Connect or Dot
	Line       string   // the command line as received, without its end
	Path       string   // the address in a MAIL or RCPT command, without brackets
	Connection int      // number of the connection at this host, from 1
	Open       int      // connections open at this host now, this one included
	Nth        int      // how often the verb has come on this connection, now included
	Total      int      // how often it has come at this host, now included
	TLS        bool     // inside TLS
	MailFrom   string   // the transaction's reverse-path
	Recipients []string // the recipients accepted so far
	Size       int64    // at Dot: octets of the message
}

// Script answers an event: nil lets the host do what is right. Scripts run on the connection's goroutine,
// several at once; one that waits for its test holds up the connection, and the host's Close.
type Script func(Event) *Action

// Action is what a host does instead of what is right.
//
// The host's state follows what it says: a command whose action sends a reply that begins with 2 takes effect
// (a recipient is added, a message recorded), DATA with 354 goes on to the message, STARTTLS with 220 to the handshake.
type Action struct {
	// Send are octets, each element a write of its own (a segment, or a TLS record), of any content.
	Send [][]byte
	// Every is the pause before each write but the first.
	Every time.Duration
	// Repeat writes Send again and again until the peer or the host goes away.
	Repeat bool
	// Accept makes the command take effect whatever is sent.
	Accept bool
	// Body interrupts the message that follows DATA, or the chunk that follows BDAT.
	Body *Cut
	// End is what becomes of the connection afterwards.
	End End
}

// Cut does an action once, when After octets of a message have been read (to the line).
type Cut struct {
	After int64
	Do    *Action
}

// End is what becomes of a connection after an action.
type End int

// The ends.
const (
	Continue  End = iota // the dialogue goes on
	Close                // closed, with close_notify under TLS
	Sever                // closed, without close_notify
	Reset                // closed with RST
	HalfClose            // FIN, but still reading until the peer closes
	Stall                // no further word, but still reading until the peer closes
	Freeze               // no further word and no further read, until the host is closed
)

// Reply sends the lines as one write, each with CRLF.
func Reply(lines ...string) *Action {
	return Raw(strings.Join(lines, "\r\n") + "\r\n")
}

// Raw sends each segment as it is, in a write of its own.
func Raw(segments ...string) *Action {
	a := &Action{}
	for _, s := range segments {
		a.Send = append(a.Send, []byte(s))
	}
	return a
}

// Drip sends text one octet at a time, with a pause before each but the first.
func Drip(text string, every time.Duration) *Action {
	a := &Action{Every: every}
	for i := range len(text) {
		a.Send = append(a.Send, []byte{text[i]})
	}
	return a
}

// Late sends text after a while.
func Late(text string, after time.Duration) *Action {
	return &Action{Send: [][]byte{nil, []byte(text)}, Every: after}
}

// Endless sends text without end.
func Endless(text string) *Action {
	// Large writes, so that a reader's limit is soon reached.
	n := max(1, 32<<10/max(1, len(text)))
	return &Action{Send: [][]byte{bytes.Repeat([]byte(text), n)}, Repeat: true}
}

// Hang sends nothing and ends the connection as said; Hang(Continue) leaves a reply out.
func Hang(end End) *Action { return &Action{End: end} }

// Then is a copy of the action with that end.
func (a *Action) Then(end End) *Action {
	b := *a
	b.End = end
	return &b
}

// At is a copy of the action that does another one when after octets of the message have been read.
func (a *Action) At(after int64, do *Action) *Action {
	b := *a
	b.Body = &Cut{After: after, Do: do}
	return &b
}

// Taken is a copy of the action with which the command takes effect whatever is sent.
func (a *Action) Taken() *Action {
	b := *a
	b.Accept = true
	return &b
}

// says reports whether the action's first octets are prefix.
func (a *Action) says(prefix string) bool {
	var head []byte
	for _, s := range a.Send {
		if head = append(head, s[:min(len(s), len(prefix))]...); len(head) >= len(prefix) {
			break
		}
	}
	return bytes.HasPrefix(head, []byte(prefix))
}

// positive reports whether the command takes effect.
func (a *Action) positive() bool { return a.Accept || a.says("2") }

// On does the action at every event of that verb.
func On(verb string, a *Action) Script {
	return When(func(e Event) bool { return e.Verb == verb }, a)
}

// Nth does the action the nth time the host meets the verb, over all its connections.
func Nth(verb string, n int, a *Action) Script {
	return When(func(e Event) bool { return e.Verb == verb && e.Total == n }, a)
}

// UpTo does the action the first n times the host meets the verb, over all its connections.
func UpTo(verb string, n int, a *Action) Script {
	return When(func(e Event) bool { return e.Verb == verb && e.Total <= n }, a)
}

// To does the action at RCPT for the addresses.
func To(a *Action, addresses ...string) Script {
	return When(func(e Event) bool { return e.Verb == "RCPT" && slices.Contains(addresses, e.Path) }, a)
}

// When does the action at every event for which is holds.
func When(is func(Event) bool, a *Action) Script {
	return func(e Event) *Action {
		if is(e) {
			return a
		}
		return nil
	}
}

// First asks the scripts in turn; the first action is done.
func First(scripts ...Script) Script {
	return func(e Event) *Action {
		for _, s := range scripts {
			if a := s(e); a != nil {
				return a
			}
		}
		return nil
	}
}
