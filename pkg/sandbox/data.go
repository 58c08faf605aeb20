package sandbox

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// body reads a message, strictly, and notices what is odd about it.
type body struct {
	data  []byte // as far as it is kept
	keep  bool
	limit int64 // octets; zero: none
	size  int64
	form  Form

	mid  bool // the last octets were not at a line's end
	cr   bool // the last octet was a CR
	line int  // octets of the current line so far
}

// add takes octets of the message, dot-stuffing already undone.
func (b *body) add(p []byte) {
	b.size += int64(len(p))
	if b.keep && (b.limit == 0 || b.size <= b.limit) {
		b.data = append(b.data, p...)
	}
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			b.text(p)
			return
		}
		b.text(p[:i])
		b.newline()
		p = p[i+1:]
	}
}

// text notices octets that hold no LF.
func (b *body) text(p []byte) {
	if len(p) == 0 {
		return
	}
	last := len(p) - 1
	if b.cr || bytes.IndexByte(p[:last], '\r') >= 0 {
		b.form.BareCR = true
	}
	if bytes.IndexByte(p, 0) >= 0 {
		b.form.NUL = true
	}
	var bits byte
	for _, x := range p {
		bits |= x
	}
	b.form.EightBit = b.form.EightBit || bits >= 0x80
	b.cr, b.mid = p[last] == '\r', true
	b.line += len(p)
}

// newline notices an LF.
func (b *body) newline() {
	if !b.cr {
		b.form.BareLF, b.mid = true, true
		b.line++
		return
	}
	b.form.LongestLine = max(b.form.LongestLine, b.line-1)
	b.line, b.cr, b.mid = 0, false, false
}

// end notes how the message ended.
func (b *body) end() {
	b.form.Unended = b.mid
	b.form.BareCR = b.form.BareCR || b.cr
	b.form.LongestLine = max(b.form.LongestLine, b.line)
}

// begin readies the transaction for its first octets.
func (c *session) begin() {
	c.tx.body = body{
		keep:  c.server.host.Keep == KeepAll || c.server.host.OnDelivery != nil,
		limit: c.sizeLimit(),
	}
}

// data is the DATA command (RFC 5321 §4.1.1.4).
func (c *session) data(arg string, a *Action) bool {
	r := reply{354, "", "end with a line that is a dot"}
	switch {
	case arg != "":
		r = reply{501, "5.5.4", "DATA takes no argument"}
	case !c.tx.open, c.tx.chunked, c.tx.binary:
		// RFC 3030 §2, §3: DATA and BDAT do not mix, nor do DATA and BINARYMIME.
		r = reply{503, "5.5.1", "bad sequence of commands"}
	case len(c.tx.recipients) == 0:
		r = reply{554, "5.5.1", "no valid recipients"}
	}
	var cut *Cut
	if a == nil {
		if !c.say(c.text(r.code, r.status, r.text)) || r.code != 354 {
			return r.code != 354
		}
	} else {
		if !c.play(a) {
			return false
		}
		if !a.says("354") {
			return true
		}
		cut = a.Body
	}
	if c.w.Flush() != nil {
		return false
	}
	c.begin()
	return c.readDotted(cut) && c.finish(nil)
}

// readDotted reads to the line that is a dot and undoes dot-stuffing (RFC 5321 §4.5.2). Strictly: only CRLF
// ends a line, so that CRLF.LF, LF.CRLF and the like are text.
func (c *session) readDotted(cut *Cut) bool {
	b, wire := &c.tx.body, int64(0)
	for {
		if !c.cut(&cut, wire) {
			return false
		}
		p, err := c.r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return false
		}
		wire += int64(len(p))
		if !b.mid && p[0] == '.' {
			if bytes.Equal(p, []byte(".\r\n")) {
				b.end()
				if c.r.Buffered() > 0 && !c.offers("PIPELINING") {
					c.violation("octets behind the final dot, though PIPELINING was not offered")
				}
				return true
			}
			p = p[1:]
		}
		b.add(p)
	}
}

// cut does the action once enough octets were read, and reports whether the dialogue goes on.
func (c *session) cut(cut **Cut, read int64) bool {
	if *cut == nil || read < (*cut).After {
		return true
	}
	do := (*cut).Do
	*cut = nil
	return c.play(do) && c.w.Flush() == nil
}

// bdat is the BDAT command (RFC 3030 §2) and the octets behind it.
func (c *session) bdat(arg string, a *Action) bool {
	count, last, _ := strings.Cut(arg, " ")
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 0 || (last != "" && !strings.EqualFold(last, "LAST")) {
		// Where the chunk ends nobody knows, so the dialogue cannot go on.
		return c.play(Reply(c.text(501, "5.5.4", "syntax: BDAT octets [LAST]")).Then(Close))
	}
	if a != nil && a.End != Continue {
		return c.play(a)
	}
	r := reply{250, "2.0.0", count + " octets received"}
	switch {
	case !c.offers("CHUNKING"):
		r = reply{502, "5.5.1", "not implemented"}
	case !c.tx.open:
		r = reply{503, "5.5.1", "bad sequence of commands"}
	case len(c.tx.recipients) == 0:
		r = reply{554, "5.5.1", "no valid recipients"}
	}
	if r.code != 250 {
		// RFC 3030 §4.1: the octets of a refused chunk come nevertheless.
		return c.discard(n) && c.answer(a, r, nil)
	}
	if !c.tx.chunked {
		c.begin()
		c.tx.chunked = true
	}
	var cut *Cut
	if a != nil {
		cut = a.Body
		if cut != nil && len(a.Send) == 0 {
			a = nil // it cuts the chunk; the reply is the host's own
		}
	}
	return c.readChunk(n, cut) && c.endChunk(r, last != "", a)
}

// endChunk answers a chunk; an action replaces the reply, for the last chunk that of the message too.
func (c *session) endChunk(r reply, last bool, a *Action) bool {
	if a != nil && !a.positive() {
		c.reset() // RFC 3030 §2: after a failed chunk the transaction is over
		return c.play(a)
	}
	if last {
		c.tx.body.end()
		return c.finish(a)
	}
	return c.answer(a, r, nil)
}

// readChunk reads exactly n octets.
func (c *session) readChunk(n int64, cut *Cut) bool {
	for read := int64(0); ; {
		if !c.cut(&cut, read) {
			return false
		}
		if read == n {
			return true
		}
		if c.r.Buffered() == 0 && c.w.Flush() != nil {
			return false
		}
		if _, err := c.r.Peek(1); err != nil {
			return false
		}
		p, _ := c.r.Peek(int(min(n-read, int64(c.r.Buffered()))))
		c.tx.body.add(p)
		read += int64(len(p))
		_, _ = c.r.Discard(len(p))
	}
}

// finish answers a complete message (RFC 5321 §4.2.5: 250 takes the responsibility for it).
// An action given replaces the reply, else the script is asked.
func (c *session) finish(a *Action) bool {
	d := c.delivery()
	c.checkForm(d)
	if a == nil {
		a = c.ask(Dot, "")
	}
	r := reply{250, "2.0.0", fmt.Sprintf("queued as %d-%d", c.seen.Number, c.messages+1)}
	b := &c.tx.body
	switch {
	case len(d.Recipients) == 0:
		r = reply{554, "5.5.1", "no valid recipients"}
	case b.limit > 0 && b.size > b.limit:
		r = reply{552, "5.3.4", "message exceeds the size limit"}
	case a == nil || a.positive():
		if err := c.deliver(d); err != nil {
			a, r = nil, reply{451, "4.3.0", "cannot keep the message"}
		}
	}
	c.messages++
	c.reset()
	return c.answer(a, r, nil)
}

// checkForm notes what the message's octets may not be.
func (c *session) checkForm(d Delivery) {
	if c.tx.binary {
		return // RFC 3030 §3: anything goes
	}
	f := d.Form
	declared := slices.ContainsFunc(d.MailParams, func(p string) bool { return strings.EqualFold(p, "BODY=8BITMIME") })
	for _, v := range []struct {
		is   bool
		what string
	}{
		{f.BareLF, "a bare LF in a message"},                            // RFC 5321 §2.3.8
		{f.BareCR, "a bare CR in a message"},                            // RFC 5321 §2.3.8
		{f.NUL, "a NUL in a message"},                                   // RFC 5322 §2.2
		{f.LongestLine > 998, "a line of more than 998 octets"},         // RFC 5321 §4.5.3.1.6
		{f.Unended, "a message that does not end in CRLF"},              // RFC 5321 §2.3.8
		{f.EightBit && !declared, "8-bit octets without BODY=8BITMIME"}, // RFC 6152 §3
	} {
		if v.is {
			c.violation(v.what)
		}
	}
}

// delivery is the message with what is known of it.
func (c *session) delivery() Delivery {
	b := &c.tx.body
	d := Delivery{
		Host:       c.server.host.Name,
		Connection: c.seen.Number,
		Time:       time.Now(),
		RemoteAddr: c.seen.RemoteAddr,
		Ehlo:       c.ehlo,
		MailFrom:   c.tx.from,
		MailParams: c.tx.params,
		Recipients: c.tx.recipients,
		Data:       b.data,
		Size:       b.size,
		Chunked:    c.tx.chunked,
		Form:       b.form,
	}
	if c.tls != nil {
		d.TLS = c.seen.TLS
	}
	return d
}

// deliver hands the message over and records it.
func (c *session) deliver(d Delivery) error {
	if f := c.server.host.OnDelivery; f != nil {
		if err := f(d); err != nil {
			return err
		}
	}
	c.server.record.deliver(d)
	return nil
}
