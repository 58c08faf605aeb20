package bench

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"strings"
)

// Replies that are said most often.
const (
	replyReady     = "220 mx.test ESMTP\r\n"
	replyBye       = "221 2.0.0 bye\r\n"
	replyOK        = "250 2.0.0 ok\r\n"
	replyStartTLS  = "220 2.0.0 go ahead\r\n"
	replyGo        = "354 go ahead\r\n"
	replyUnknown   = "500 5.5.1 unknown command\r\n"
	replySyntax    = "501 5.5.4 syntax error\r\n"
	replyOrder     = "503 5.5.1 bad sequence of commands\r\n"
	replyEncrypt   = "530 5.7.0 must issue a STARTTLS command first\r\n"
	replyNoContent = "554 5.6.0 not a message of lines that end with CR LF\r\n"
	replyParameter = "555 5.5.4 unknown parameter\r\n"
)

// lineLimit is the longest line of content, without CR LF, RFC 5321 §4.5.3.1.6.
const lineLimit = 998

// errOver means that the session has come to its end.
var errOver = errors.New("session over")

// session is one connection's. Replies are gathered and leave in one write when there is nothing left to read, so
// that a pipelined group of commands is answered by one segment (RFC 2920 §3.2).
type session struct {
	sink    *sink
	conn    net.Conn
	in      *bufio.Reader
	out     []byte
	hello   string // EHLO's reply in the present state
	greeted bool
	secure  bool

	// The transaction.
	mail    bool
	to      []int // the recipients' numbers
	chunked int   // octets in chunks so far; -1: no BDAT yet
}

func newSession(s *sink, conn net.Conn) *session {
	x := &session{sink: s, conn: conn, chunked: -1}
	x.in = bufio.NewReaderSize(flusher{x}, 64<<10)
	x.hello = x.keywords()
	return x
}

// flusher writes the replies before it waits for more commands.
type flusher struct{ x *session }

func (f flusher) Read(b []byte) (int, error) {
	if err := f.x.flush(); err != nil {
		return 0, err
	}
	return f.x.conn.Read(b)
}

func (x *session) flush() error {
	if len(x.out) == 0 {
		return nil
	}
	_, err := x.conn.Write(x.out)
	x.out = x.out[:0]
	return err
}

func (x *session) reply(text string) { x.out = append(x.out, text...) }

// refuse replies to something that a correct sender would not have said.
func (x *session) refuse(text string, line []byte) {
	x.sink.fault("%q after %q", strings.TrimSpace(text), line)
	x.reply(text)
}

// run holds the session until QUIT, or until the connection is lost.
func (x *session) run() {
	x.reply(replyReady)
	for {
		line, err := x.line()
		if err == nil {
			err = x.command(line)
		}
		if err != nil {
			_ = x.flush() // the last reply, if the peer still listens
			return
		}
	}
}

// line is the next command without its CR LF.
func (x *session) line() ([]byte, error) {
	line, err := x.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	command, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok {
		x.refuse(replySyntax, line)
		return nil, errOver
	}
	return command, nil
}

func (x *session) command(line []byte) error {
	verb, rest, _ := bytes.Cut(line, []byte(" "))
	switch strings.ToUpper(string(verb)) { // does not allocate in the common case: upper already
	case "EHLO":
		x.greeted = true
		x.reset()
		x.reply(x.hello)
	case "STARTTLS":
		return x.startTLS(line)
	case "MAIL":
		x.mailFrom(line, rest)
	case "RCPT":
		x.rcptTo(line, rest)
	case "DATA":
		return x.data(line)
	case "BDAT":
		return x.bdat(line, rest)
	case "RSET":
		x.reset()
		x.reply(replyOK)
	case "NOOP":
		x.reply(replyOK)
	case "QUIT":
		x.reply(replyBye)
		return errOver
	default:
		x.refuse(replyUnknown, line)
	}
	return nil
}

func (x *session) reset() {
	x.mail, x.to, x.chunked = false, x.to[:0], -1
}

// keywords is the reply to EHLO.
func (x *session) keywords() string {
	words := []string{"mx.test", "PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES"}
	if x.sink.offer.chunking {
		words = append(words, "CHUNKING")
	}
	if x.sink.offer.limits != "" {
		words = append(words, "LIMITS "+x.sink.offer.limits)
	}
	if !x.secure {
		words = append(words, "STARTTLS")
	}
	last := len(words) - 1
	return "250-" + strings.Join(words[:last], "\r\n250-") + "\r\n250 " + words[last] + "\r\n"
}

func (x *session) startTLS(line []byte) error {
	if x.secure || !x.greeted || x.mail {
		x.refuse(replyOrder, line)
		return nil
	}
	if x.in.Buffered() > 0 {
		x.sink.fault("commands behind STARTTLS") // RFC 2920 §3.1: it is the last of a group
		return errOver
	}
	x.reply(replyStartTLS)
	if err := x.flush(); err != nil {
		return err
	}
	secured := tls.Server(x.conn, x.sink.config)
	if err := secured.Handshake(); err != nil {
		return err
	}
	x.sink.handshake(secured.ConnectionState().DidResume)
	x.conn, x.secure, x.greeted = secured, true, false // RFC 3207 §4.2: all that was said before is forgotten
	x.hello = x.keywords()
	return nil
}

func (x *session) mailFrom(line, rest []byte) {
	_, parameters, ok := path(rest, "FROM:<")
	switch {
	case !ok:
		x.refuse(replySyntax, line)
	case !x.greeted || x.mail:
		x.refuse(replyOrder, line)
	case !x.secure && !x.sink.offer.clear:
		x.refuse(replyEncrypt, line)
	default:
		for p := range bytes.FieldsSeq(parameters) {
			if key, _, _ := bytes.Cut(p, []byte("=")); string(key) != "SIZE" && string(key) != "BODY" {
				x.refuse(replyParameter, line)
				return
			}
		}
		x.mail = true
		x.reply(replyOK)
	}
}

func (x *session) rcptTo(line, rest []byte) {
	to, parameters, ok := path(rest, "TO:<")
	switch {
	case !ok:
		x.refuse(replySyntax, line)
	case !x.mail || x.chunked >= 0:
		x.refuse(replyOrder, line)
	case len(parameters) > 0:
		x.refuse(replyParameter, line)
	default:
		x.to = append(x.to, numberOf(to))
		x.reply(replyOK)
	}
}

// path reads "FROM:<a@b.test> parameters" as of RFC 5321 §4.1.1.2.
func path(s []byte, before string) (address, parameters []byte, ok bool) {
	if len(s) < len(before) || !bytes.EqualFold(s[:len(before)], []byte(before)) {
		return nil, nil, false
	}
	address, parameters, ok = bytes.Cut(s[len(before):], []byte(">"))
	return address, parameters, ok && (len(parameters) == 0 || parameters[0] == ' ')
}

// data takes the content of a message after DATA, RFC 5321 §4.1.1.4.
func (x *session) data(line []byte) error {
	if !x.mail || len(x.to) == 0 || x.chunked >= 0 {
		x.refuse(replyOrder, line)
		return nil
	}
	x.reply(replyGo)
	octets, good, err := content(x.in)
	if err != nil {
		return err
	}
	if good {
		x.accept(octets)
	} else {
		x.refuse(replyNoContent, []byte("DATA")) // line is overwritten by now
	}
	x.reset()
	return nil
}

// content reads lines up to the one that is a dot alone, RFC 5321 §4.5.2, and says how many octets there were without
// the dots that transparency added. It is not good if a line has no CR LF, has another CR, or is too long.
func content(in *bufio.Reader) (octets int, good bool, err error) {
	good = true
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			good = false
			continue
		}
		if err != nil {
			return 0, false, err
		}
		text, ended := bytes.CutSuffix(line, []byte("\r\n"))
		if !ended || len(text) > lineLimit+1 || bytes.IndexByte(text, '\r') >= 0 {
			good = false
		}
		if len(text) > 0 && text[0] == '.' {
			if ended && len(text) == 1 {
				return octets, good, nil
			}
			octets--
		}
		octets += len(line)
	}
}

// bdat takes one chunk, RFC 3030 §2: its octets follow whatever the reply will be.
func (x *session) bdat(line, rest []byte) error {
	if !x.sink.offer.chunking {
		x.refuse(replyUnknown, line)
		return nil
	}
	size, last, _ := bytes.Cut(rest, []byte(" "))
	n, err := strconv.ParseUint(string(size), 10, 31)
	if err != nil || len(last) > 0 && !bytes.EqualFold(last, []byte("LAST")) {
		x.refuse(replySyntax, line)
		return errOver // where the next command begins is not known
	}
	orderly, said := x.mail && len(x.to) > 0, ""
	if !orderly {
		said = string(line) // line is overwritten by what follows
	}
	if _, err := x.in.Discard(int(n)); err != nil {
		return err
	}
	if !orderly {
		x.refuse(replyOrder, []byte(said))
		return nil
	}
	x.chunked = max(x.chunked, 0) + int(n)
	if len(last) == 0 {
		x.reply(replyOK)
		return nil
	}
	x.accept(x.chunked)
	x.reset()
	return nil
}

func (x *session) accept(octets int) {
	x.sink.accepted(octets, x.to)
	x.reply(replyOK)
}
