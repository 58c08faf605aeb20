package sandbox

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
)

const (
	maxCommand = 4096     // octets of a command line, CRLF included; RFC 5321 §4.5.3.1.4 asks for 512 and what extensions add
	readAhead  = 32 << 10 // octets
)

// session is one SMTP dialogue, on its own goroutine.
type session struct {
	server *Server
	wire   *wire
	tls    *tls.Conn // nil outside TLS
	r      *bufio.Reader
	w      *bufio.Writer
	seen   *Connection
	nth    map[string]int

	refused  bool   // the greeting was no 220
	ehlo     string // the client's name; empty: no EHLO or HELO yet
	extended bool   // it said EHLO
	messages int    // transactions that came to their end
	tx       transaction
}

func newSession(s *Server, conn net.Conn, seen *Connection) *session {
	w := &wire{Conn: conn, server: s, seen: seen}
	return &session{
		server: s, wire: w, seen: seen,
		r:   bufio.NewReaderSize(w, readAhead),
		w:   bufio.NewWriter(w),
		nth: map[string]int{},
	}
}

// run talks until one side ends the connection.
func (c *session) run() {
	if !c.greet() {
		return
	}
	for {
		line, ok := c.readCommand()
		if !ok || !c.command(line) {
			return
		}
	}
}

// offer are the keywords that hold now.
func (c *session) offer() map[string]string {
	if c.tls != nil {
		return c.server.offers[1]
	}
	return c.server.offers[0]
}

func (c *session) offers(keyword string) bool {
	_, ok := c.offer()[keyword]
	return ok
}

// ask makes the event and asks the script.
func (c *session) ask(verb, line string) *Action {
	total, open := c.server.record.count(verb)
	c.nth[verb]++
	if c.server.host.Script == nil {
		return nil
	}
	e := Event{
		Host: c.server.host.Name, Verb: verb, Line: line,
		Connection: c.seen.Number, Open: open, Nth: c.nth[verb], Total: total,
		TLS: c.tls != nil, MailFrom: c.tx.from, Recipients: slices.Clip(c.tx.addresses), Size: c.tx.body.size,
	}
	if verb == "MAIL" || verb == "RCPT" {
		e.Path, _, _ = parsePath(line)
	}
	return c.server.host.Script(e)
}

// violation records what the client should not have done.
func (c *session) violation(what string) {
	if c.server.record.keep == KeepCounts {
		return
	}
	c.server.record.note(func() { c.seen.Violations = append(c.seen.Violations, what) })
}

// greet opens the dialogue (RFC 5321 §3.1).
func (c *session) greet() bool {
	a := c.ask(Connect, "")
	if a == nil {
		limit := c.server.host.MaxConnections
		if limit > 0 && c.server.record.opened() > limit {
			a = Reply("421 4.7.0 " + c.server.host.Name + " too many connections").Then(Close)
		} else {
			a = Reply("220 " + c.server.host.Name + " ESMTP sandbox")
		}
	}
	c.refused = !a.says("220")
	return c.play(a)
}

// readCommand reads a line; before it waits for one it sends the replies that are due, so that a pipelined
// batch is answered in one write (RFC 2920 §3.2).
func (c *session) readCommand() (string, bool) {
	if c.r.Buffered() == 0 && c.w.Flush() != nil {
		return "", false
	}
	var line []byte
	for {
		part, err := c.r.ReadSlice('\n')
		if len(line) <= maxCommand {
			line = append(line, part...)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", false
		}
	}
	text, crlf := bytes.CutSuffix(line, []byte("\r\n"))
	if !crlf {
		// RFC 5321 §2.3.8: only CRLF ends a line.
		c.violation("a command line not ended by CRLF")
		text = bytes.TrimSuffix(line, []byte("\n"))
	}
	if len(line) > maxCommand {
		c.violation("a command line too long")
		text = text[:0]
	}
	if bytes.ContainsAny(text, "\r\x00") {
		c.violation("a bare CR or NUL in a command line")
	}
	if c.server.record.keep == KeepAll {
		c.server.record.note(func() { c.seen.Commands = append(c.seen.Commands, string(text)) })
	}
	return string(text), true
}

// command does one command and reports whether the dialogue goes on.
func (c *session) command(line string) bool {
	verb, arg, _ := strings.Cut(line, " ")
	verb = strings.ToUpper(verb) // RFC 5321 §2.4: verbs are case-insensitive
	c.checkPipelining(verb)
	a := c.ask(verb, line)
	if a == nil && c.refused && verb != "QUIT" {
		// RFC 5321 §3.1: after a 554 greeting everything but QUIT is answered so.
		a = Reply(c.text(503, "5.5.1", "no mail service here"))
	}
	switch verb {
	case "STARTTLS":
		return c.startTLS(arg, a)
	case "DATA":
		return c.data(arg, a)
	case "BDAT":
		return c.bdat(arg, a)
	case "QUIT":
		if a == nil {
			a = Reply(c.text(221, "2.0.0", "bye")).Then(Close)
		}
		return c.play(a)
	}
	var r reply
	var effect func()
	switch verb {
	case "EHLO", "HELO":
		return c.hello(verb, arg, a)
	case "MAIL":
		r, effect = c.mail(arg)
	case "RCPT":
		r, effect = c.rcpt(arg)
	case "RSET":
		r, effect = reply{250, "2.0.0", "ok"}, c.reset
	case "NOOP":
		r = reply{250, "2.0.0", "ok"}
	case "VRFY":
		r = reply{252, "2.5.2", "send some mail, I will do my best"}
	case "HELP":
		r = reply{214, "2.0.0", "see RFC 5321"}
	case "EXPN", "AUTH":
		r = reply{502, "5.5.1", "not implemented"}
	default:
		r = reply{500, "5.5.2", "command not recognised"}
	}
	return c.answer(a, r, effect)
}

// reply is an answer with its enhanced status code (RFC 3463).
type reply struct {
	code         int
	status, text string
}

// answer gives the reply or plays the action instead; effect is done if the answer is positive.
func (c *session) answer(a *Action, r reply, effect func()) bool {
	if a == nil {
		if r.code/100 == 2 && effect != nil {
			effect()
		}
		return c.say(c.text(r.code, r.status, r.text))
	}
	if a.positive() && effect != nil {
		effect()
	}
	return c.play(a)
}

// text is a reply line without its end; RFC 2034 §4: the enhanced code only where it is offered.
func (c *session) text(code int, status, text string) string {
	s := strconv.Itoa(code) + " "
	if c.offers("ENHANCEDSTATUSCODES") && status != "" {
		s += status + " "
	}
	return s + text
}

// say queues reply lines; they go out before the session next waits.
func (c *session) say(lines ...string) bool {
	for _, l := range lines {
		if _, err := c.w.WriteString(l + "\r\n"); err != nil {
			return false
		}
	}
	return true
}

// play does an action and reports whether the dialogue goes on.
func (c *session) play(a *Action) bool {
	if !c.sendAll(a) {
		return false
	}
	if a.End == Continue {
		return true
	}
	if c.w.Flush() != nil {
		return false
	}
	if a.End == Close && c.tls != nil {
		_ = c.tls.CloseWrite() // close_notify
	}
	c.wire.end(a.End, c.r)
	return false
}

// sendAll writes what the action sends. A single write is queued like any reply, so that it shares a segment
// with its neighbours in a batch.
func (c *session) sendAll(a *Action) bool {
	if len(a.Send) == 1 && !a.Repeat {
		_, err := c.w.Write(a.Send[0])
		return err == nil
	}
	for {
		for i, s := range a.Send {
			if i > 0 && !c.server.pause(a.Every) {
				return false
			}
			if _, err := c.w.Write(s); err != nil || c.w.Flush() != nil {
				return false
			}
		}
		if !a.Repeat {
			return true
		}
		if !c.server.pause(a.Every) {
			return false
		}
	}
}

// checkPipelining notes batches that RFC 2920 forbids.
func (c *session) checkPipelining(verb string) {
	if c.r.Buffered() == 0 || verb == "BDAT" {
		return // the octets behind BDAT are its chunk
	}
	switch verb {
	case "EHLO", "HELO", "STARTTLS", "DATA", "VRFY", "EXPN", "NOOP", "QUIT", "AUTH":
		// RFC 2920 §3.1: these can only be the last command of a group.
		c.violation(verb + " not the last command of its group")
		return
	}
	if !c.offers("PIPELINING") {
		c.violation(verb + " pipelined, though PIPELINING was not offered")
	}
}

// hello is EHLO or HELO (RFC 5321 §4.1.1.1).
func (c *session) hello(verb, name string, a *Action) bool {
	name = strings.TrimSpace(name)
	effect := func() {
		c.ehlo, c.extended = name, verb == "EHLO"
		c.reset()
	}
	if name == "" {
		return c.answer(a, reply{501, "", verb + " needs a name"}, nil)
	}
	if a != nil || verb == "HELO" {
		return c.answer(a, reply{250, "", c.server.host.Name}, effect)
	}
	effect()
	lines := []string{c.server.host.Name + " greets " + name}
	lines = append(lines, c.server.host.keywords(c.tls != nil)...)
	// RFC 3207 §4.2: STARTTLS must not be offered inside TLS.
	if c.tls == nil && !c.server.host.NoSTARTTLS {
		lines = append(lines, "STARTTLS")
	}
	for i, l := range lines {
		sep := "250-"
		if i == len(lines)-1 {
			sep = "250 "
		}
		if !c.say(sep + l) {
			return false
		}
	}
	return true
}

// discard reads n octets that have no use.
func (c *session) discard(n int64) bool {
	_, err := io.CopyN(io.Discard, c.r, n)
	return err == nil
}
