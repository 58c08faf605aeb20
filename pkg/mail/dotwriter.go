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
		if d.err = d.check(p); d.err == nil {
			d.stuff(p)
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
	if err := d.check(content); err != nil {
		return err
	}
	if content[len(content)-1] == '\r' {
		return d.refuse("a CR alone", len(content)-1)
	}
	return nil
}

// check refuses what is not canonical. It counts instead of looking at each octet.
func (d *DotWriter) check(p []byte) error {
	if d.end == endOfData {
		return errors.New("the end of data was written already")
	}
	if d.end == endsInCR && p[0] != '\n' {
		return d.refuse("a CR alone", -1)
	}
	crlf := 0
	for pos := 0; ; {
		i := bytes.IndexByte(p[pos:], '\n')
		if i < 0 {
			break
		}
		pos += i
		switch {
		case pos > 0 && p[pos-1] == '\r':
			crlf++
		case pos > 0 || d.end != endsInCR:
			return d.refuse("an LF alone", pos)
		}
		pos++
	}
	if p[len(p)-1] == '\r' {
		crlf++ // judged with the next Write
	}
	if bytes.Count(p, []byte{'\r'}) != crlf {
		return d.refuse("a CR alone", loneCR(p))
	}
	if i := bytes.IndexByte(p, 0); i >= 0 {
		return d.refuse("a NUL", i)
	}
	return nil
}

func (d *DotWriter) refuse(what string, at int) error {
	// RFC 5321 §2.3.8: CR and LF only together, never alone.
	return fmt.Errorf("the content to be sent has %s at octet %d: it must be canonical", what, d.at+int64(at))
}

// loneCR finds the first CR in p without an LF behind it.
func loneCR(p []byte) int {
	for i := range len(p) - 1 {
		if p[i] == '\r' && p[i+1] != '\n' {
			return i
		}
	}
	return len(p) - 1
}

// stuff writes p, which was checked and is not empty.
func (d *DotWriter) stuff(p []byte) {
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
	for {
		i := bytes.Index(p, []byte("\n."))
		if i < 0 {
			d.write(p)
			return
		}
		d.write(p[:i+1])
		d.put(".")
		p = p[i+1:]
	}
}

func (d *DotWriter) put(s string) { d.write(d.tiny[:copy(d.tiny[:], s)]) }

func (d *DotWriter) write(p []byte) {
	if d.err == nil && len(p) > 0 {
		_, d.err = d.w.Write(p)
	}
}
