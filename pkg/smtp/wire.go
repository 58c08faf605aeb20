package smtp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/sendctl/sendctl/pkg/mail"
)

// Limits against hostile servers (SPEC §4).
const (
	maxLine       = 4 << 10
	maxReply      = 64 << 10
	maxReplyLines = 128
)

// maxUsual is how many replies of one line a session remembers: most servers say the same words
// to every MAIL, RCPT and DATA.
const maxUsual = 16

// protocolError means that what came is no SMTP reply, or none that may come here.
type protocolError struct {
	what  string
	reply mail.Reply
}

func (e *protocolError) Error() string { return e.what }

func malformed(format string, args ...any) error {
	return &protocolError{what: fmt.Sprintf(format, args...)}
}

// outOfStep means that an answer came that no command of ours asked for.
func outOfStep(reply mail.Reply) error {
	return &protocolError{"an answer out of step: " + reply.String(), reply}
}

// readReply reads one whole reply, within a deadline for all of it.
func (s *Session) readReply(timeout time.Duration) (mail.Reply, error) {
	var reply mail.Reply
	total, awaited := 0, false
	for n := 1; ; n++ {
		raw, err := s.awaitLine(timeout, &awaited)
		if err != nil {
			return mail.Reply{}, err
		}
		if known, ok := s.usual[string(raw)]; ok && n == 1 {
			s.trace.heard(raw)
			return known, nil
		}
		text := string(raw)
		total += len(text)
		if n > maxReplyLines || total > maxReply {
			return mail.Reply{}, malformed("a reply of more than %d lines or %d octets", maxReplyLines, maxReply)
		}
		s.trace.heard(raw)
		line, err := mail.ParseReplyLine(text)
		if err != nil {
			return mail.Reply{}, malformed("%s", mail.Clean(err.Error()))
		}
		// RFC 5321 §4.2.1: all lines of a multiline reply carry the same code.
		if n > 1 && line.Code != reply.Code {
			return mail.Reply{}, malformed("a multiline reply with codes %d and %d", reply.Code, line.Code)
		}
		reply.Code = line.Code
		if reply.Status.IsZero() {
			reply.Status = line.Status
		}
		reply.Lines = append(reply.Lines, line.Text)
		if !line.More {
			s.remember(text, n, reply)
			return reply, nil
		}
	}
}

// remember keeps a reply that is one line, while there are few.
func (s *Session) remember(text string, lines int, reply mail.Reply) {
	if lines == 1 && len(s.usual) < maxUsual {
		s.usual[text] = reply
	}
}

// awaitLine reads a line of a reply. The deadline begins when the reply is first waited for: what
// came with another one needs none.
func (s *Session) awaitLine(timeout time.Duration, awaited *bool) ([]byte, error) {
	here, err := s.in.Peek(s.in.Buffered())
	if err == nil && !*awaited && bytes.IndexByte(here, '\n') < 0 {
		*awaited = true
		err = s.conn.SetReadDeadline(s.deadline(timeout))
	}
	if err != nil {
		return nil, err
	}
	return s.readLine()
}

// readLine reads up to CRLF and returns the line without it, which is good until the next one.
func (s *Session) readLine() ([]byte, error) {
	raw, err := s.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, malformed("a line of more than %d octets", maxLine)
	}
	if err == io.EOF && len(raw) > 0 {
		// What breaks off is no reply, and often no SMTP at all: a TLS alert, another protocol.
		return nil, malformed("a line that breaks off: %s", excerpt(raw))
	}
	if err != nil {
		return nil, err
	}
	if len(raw) < 2 || raw[len(raw)-2] != '\r' {
		return nil, malformed("a line that does not end in CRLF: %s", excerpt(raw[:len(raw)-1]))
	}
	return raw[:len(raw)-2], nil
}

// excerpt quotes the beginning of what a stranger sent.
func excerpt(raw []byte) string {
	const enough = 80
	return strconv.Quote(mail.Clean(string(raw[:min(len(raw), enough)])))
}

// say puts command lines into the write buffer.
func (s *Session) say(line string) {
	s.trace.line("C", line)
	s.out.WriteString(line)
	s.out.WriteString("\r\n")
}

// flush writes what was said.
func (s *Session) flush() error { return s.out.Flush() }

// gate is where a session's words leave: each block has a deadline of its own.
type gate struct{ s *Session }

func (g gate) Write(p []byte) (int, error) {
	s := g.s
	s.begun += int64(len(p))
	if err := s.conn.SetWriteDeadline(s.deadline(s.writing)); err != nil {
		return 0, err
	}
	return s.conn.Write(p)
}

// position is how many octets will have been said when all that was said so far has left.
func (s *Session) position() int64 { return s.begun + int64(s.out.Buffered()) }

// ask says one command and reads its reply.
func (s *Session) ask(line string) (mail.Reply, error) {
	if s.in.Buffered() > 0 {
		return mail.Reply{}, s.unasked()
	}
	s.say(line)
	if err := s.flush(); err != nil {
		return mail.Reply{}, s.lastWords(err)
	}
	return s.readReply(s.opts.Timeouts.Command)
}

// unasked reads what the server said before the next command, and says why that is wrong:
// it would be taken for the answer to it (S21). Only a server that closes may (RFC 5321 §3.8).
func (s *Session) unasked() error {
	reply, err := s.readReply(s.opts.Timeouts.Command)
	switch {
	case err != nil:
		return err
	case reply.Code == 421:
		return &saidBeforeClosing{reply, io.EOF}
	}
	return outOfStep(reply)
}

// lastWords prefers, after a write failed, the cause that the reader knows: a server that
// closes often said why before (421, or a TLS alert), which is worth more than "broken pipe".
func (s *Session) lastWords(err error) error {
	reply, rerr := s.readReply(time.Second)
	if rerr == nil && (reply.Transient() || reply.Permanent()) {
		return &saidBeforeClosing{reply, err}
	}
	if _, ok := remoteAlert(rerr); ok {
		return rerr
	}
	return err
}

// saidBeforeClosing is a write error together with a reply that had come before.
type saidBeforeClosing struct {
	reply mail.Reply
	err   error
}

func (e *saidBeforeClosing) Error() string { return e.err.Error() }
func (e *saidBeforeClosing) Unwrap() error { return e.err }

// deadline is when a step that starts now must be over; the past once the session was cut off.
func (s *Session) deadline(timeout time.Duration) time.Time {
	if s.ctx.Err() != nil && !s.busy.Load() {
		return time.Unix(1, 0)
	}
	at := time.Now().Add(timeout)
	if until := s.opts.Until; !until.IsZero() && until.Before(at) {
		return until
	}
	return at
}
