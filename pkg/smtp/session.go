package smtp

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// Session is one SMTP session up to the point where mail may flow. It is used by one
// goroutine at a time.
type Session struct {
	ctx   context.Context
	stop  func() bool
	raw   net.Conn // the connection as dialled
	conn  net.Conn // raw, or TLS over it
	peek  *peeker  // at raw
	in    *bufio.Reader
	out   *bufio.Writer // over a gate
	peer  Peer
	opts  Options
	trace tracer
	usual map[string]mail.Reply // replies of one line that came before

	helloName  string
	extensions map[string]string // upper-case keyword -> parameters, of the last EHLO only
	protection policy.Protection
	// askedForOurs: in the handshake the server asked for a client certificate.
	askedForOurs bool
	dead         bool
	// writing is how long one block may take to leave.
	writing time.Duration
	// begun counts the octets that the connection was asked to take, whether it did or not.
	begun int64
	// busy is set while a transaction runs: it is finished even when ctx ends, so that an
	// interrupt leaves no recipient in doubt.
	busy atomic.Bool
}

// Open takes over a fresh connection and reads the greeting (RFC 5321 §4.3.1). The connection
// is closed when Open fails. When ctx ends the session is cut off, but a transaction that has
// begun is finished first.
func Open(ctx context.Context, conn net.Conn, peer Peer, opts Options) (*Session, *Failure) {
	s := &Session{
		ctx: ctx, raw: conn, conn: conn, peek: newPeeker(conn), peer: peer, opts: opts, usual: map[string]mail.Reply{},
		in:    bufio.NewReaderSize(conn, maxLine),
		trace: tracer{opts.Trace, peer.String()}, writing: cmp.Or(opts.Timeouts.DataBlock, opts.Timeouts.Command),
	}
	s.out = bufio.NewWriterSize(gate{s}, 16<<10)
	s.stop = context.AfterFunc(ctx, func() {
		if !s.busy.Load() {
			_ = conn.SetDeadline(time.Unix(1, 0))
		}
	})
	reply, err := s.readReply(opts.Timeouts.Greeting)
	if err != nil {
		s.Close()
		return nil, s.broken(delivery.StageGreeting, err)
	}
	if reply.Code != 220 {
		s.Quit()
		return nil, s.refused(delivery.StageGreeting, reply)
	}
	return s, nil
}

// Hello says EHLO with our name, and HELO where the server does not know EHLO
// (RFC 5321 §4.1.1.1: only after 500 to 504).
func (s *Session) Hello(name string) *Failure {
	s.helloName, s.extensions = name, nil
	reply, err := s.ask("EHLO " + name)
	if err == nil && reply.Code >= 500 && reply.Code <= 504 {
		reply, err = s.ask("HELO " + name)
		if err == nil {
			reply.Lines = reply.Lines[:min(1, len(reply.Lines))] // HELO announces nothing
		}
	}
	if err != nil {
		return s.lost(delivery.StageEHLO, err)
	}
	if reply.Code != 250 {
		return s.no(delivery.StageEHLO, reply)
	}
	s.extensions = parseExtensions(reply.Lines)
	return nil
}

// maxExtensions bounds what one EHLO reply may announce; the reply's own limits bind earlier.
const maxExtensions = maxReplyLines

// parseExtensions reads the keywords of an EHLO reply, its first line left out. Keywords are
// case-insensitive (RFC 5321 §2.4); of a keyword said twice the first counts.
func parseExtensions(lines []string) map[string]string {
	ext := map[string]string{}
	for _, l := range lines[min(1, len(lines)):] {
		keyword, params, _ := strings.Cut(strings.TrimSpace(l), " ")
		keyword = strings.ToUpper(keyword)
		if _, twice := ext[keyword]; keyword != "" && !twice && len(ext) < maxExtensions {
			ext[keyword] = strings.TrimSpace(params)
		}
	}
	return ext
}

// Offers reports whether the last EHLO announced an extension.
func (s *Session) Offers(keyword string) bool {
	_, ok := s.extensions[keyword]
	return ok
}

// sizeLimit is the server's limit on message octets (RFC 1870 §3), 0 for none or unknown.
func (s *Session) sizeLimit() int64 {
	n, err := strconv.ParseInt(s.extensions["SIZE"], 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Protection is what the session got so far.
func (s *Session) Protection() policy.Protection { return s.protection }

// Peer is the host at the other end.
func (s *Session) Peer() Peer { return s.peer }

func (s *Session) version() string { return s.protection.Version.String() }

// Ready reports whether a session that was idle can still be used: the server has neither
// closed it nor said something unasked, such as a 421 before it closes. One that cannot is ended.
func (s *Session) Ready() bool {
	if s.dead {
		return false
	}
	if s.in.Buffered() > 0 || s.peek.pending() {
		s.Quit()
		return false
	}
	return true
}

// lost ends a session whose talk broke; a reply that had come before tells more.
func (s *Session) lost(stage delivery.Stage, err error) *Failure {
	s.Close()
	var said *saidBeforeClosing
	if errors.As(err, &said) {
		return s.refused(stage, said.reply)
	}
	return s.broken(stage, err)
}

// no ends a session politely after the server refused it.
func (s *Session) no(stage delivery.Stage, reply mail.Reply) *Failure {
	s.Quit()
	return s.refused(stage, reply)
}

// Quit says QUIT, waits briefly for the answer, which changes nothing (RFC 5321 §4.1.1.10:
// what was acknowledged stays so), and closes.
func (s *Session) Quit() {
	const patience = 2 * time.Second
	if !s.dead {
		s.say("QUIT")
		if s.writing = min(patience, s.opts.Timeouts.Command); s.flush() == nil {
			_, _ = s.readReply(min(patience, s.opts.Timeouts.Command))
		}
	}
	s.Close()
}

// Close ends the session without a word. It may be called again.
func (s *Session) Close() {
	if s.dead {
		return
	}
	s.dead = true
	s.stop()
	// Without waiting for the peer's close_notify: some never send one (T15).
	_ = s.raw.Close()
}
