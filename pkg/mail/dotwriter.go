package mail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// DotWriter writes the data of one DATA command: content with its dots stuffed (RFC 5321
// §4.5.2), ended by Close. What it is given must be canonical; a CR or LF alone or a NUL
// is refused before any octet of that Write goes out, for it could end the message early
// at one server and not at another (SMTP smuggling).
type DotWriter struct {
	w    io.Writer
	at   int64 // octets of content taken so far
	end  dotEnd
	err  error
	tiny [5]byte // what is written besides the content, without allocating
}

// dotEnd is how the content written so far ends.
type dotEnd uint8

const (
	endsInCRLF dotEnd = iota // or nothing was written: a line begins here
	endsInCR                 // and the CR was not handed on yet
	endsInLine
	endOfData // nothing may follow
)

// NewDotWriter returns a DotWriter to w, which should be buffered.
func NewDotWriter(w io.Writer) *DotWriter { return &DotWriter{w: w} }

// Write sends p with its dots stuffed; lines may be split over calls anywhere. After an
// error nothing more is written, and the connection must be closed without an end of data.
func (d *DotWriter) Write(p []byte) (int, error) {
	if d.err == nil && len(p) > 0 {
		var dotted bool
		if dotted, d.err = d.check(p); d.err == nil {
			d.stuff(p, dotted)
		}
	}
	if d.err != nil {
		return 0, d.err
	}
	d.at += int64(len(p))
	return len(p), nil
}

// Close writes the end of data, CRLF.CRLF, of which the first CRLF may be the content's
// own (RFC 5321 §4.1.1.4). It does not close or flush the writer beneath.
func (d *DotWriter) Close() error {
	if d.err != nil {
		return d.err
	}
	switch d.end {
	case endsInCRLF:
		d.put(".\r\n")
	case endsInLine:
		d.put("\r\n.\r\n")
	case endsInCR:
		d.err = d.refuse("a CR alone", -1)
	case endOfData:
		d.err = errors.New("the end of data was written already")
	}
	d.end = endOfData
	return d.err
}

// CheckCanonical refuses content that has a CR or LF alone or a NUL, as a DotWriter would.
func CheckCanonical(content []byte) error {
	if len(content) == 0 {
		return nil
	}
	var d DotWriter
	if _, err := d.check(content); err != nil {
		return err
	}
	if content[len(content)-1] == '\r' {
		return d.refuse("a CR alone", len(content)-1)
	}
	return nil
}

// check refuses what is not canonical, and says whether a line end in p has a dot behind it.
func (d *DotWriter) check(p []byte) (dotted bool, err error) {
	if d.end == endOfData {
		return false, errors.New("the end of data was written already")
	}
	rest := p
	if d.end == endsInCR {
		if p[0] != '\n' {
			return false, d.refuse("a CR alone", -1)
		}
		rest = p[1:]
	}
	lines := linesIn(rest)
	if !lines.sound || lines.lf > 0 {
		return false, d.fault(p, len(p)-len(rest))
	}
	return lines.dotted, nil
}

// fault names what check saw in p from octet i on: the first LF alone, else the first CR alone,
// else the first NUL. It is slow and only for refusals.
func (d *DotWriter) fault(p []byte, i int) error {
	for ; i < len(p); i++ {
		if p[i] == '\n' && (i == 0 || p[i-1] != '\r') {
			return d.refuse("an LF alone", i)
		}
	}
	for i := range len(p) - 1 {
		if p[i] == '\r' && p[i+1] != '\n' {
			return d.refuse("a CR alone", i)
		}
	}
	return d.refuse("a NUL", bytes.IndexByte(p, 0))
}

func (d *DotWriter) refuse(what string, at int) error {
	// RFC 5321 §2.3.8: CR and LF only together, never alone.
	return fmt.Errorf("the content to be sent has %s at octet %d: it must be canonical", what, d.at+int64(at))
}

// stuff writes p, which was checked and is not empty, in one piece unless it is dotted.
func (d *DotWriter) stuff(p []byte, dotted bool) {
	if d.end == endsInCR {
		d.put("\r\n")
		p, d.end = p[1:], endsInCRLF
	}
	if len(p) == 0 {
		return
	}
	if d.end == endsInCRLF && p[0] == '.' {
		d.put(".")
	}
	switch p[len(p)-1] {
	case '\n':
		d.end = endsInCRLF
	case '\r':
		p, d.end = p[:len(p)-1], endsInCR
	default:
		d.end = endsInLine
	}
	for dotted {
		i := bytes.Index(p, []byte("\n."))
		if i < 0 {
			break
		}
		d.write(p[:i+1])
		d.put(".")
		p = p[i+1:]
	}
	d.write(p)
}

func (d *DotWriter) put(s string) { d.write(d.tiny[:copy(d.tiny[:], s)]) }

func (d *DotWriter) write(p []byte) {
	if d.err == nil && len(p) > 0 {
		_, d.err = d.w.Write(p)
	}
}
