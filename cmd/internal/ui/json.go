package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// encoder turns values into lines of JSON, one after the other in the same buffer.
type encoder struct {
	buffer bytes.Buffer
	json   *json.Encoder
}

func newEncoder() *encoder {
	e := new(encoder)
	e.json = json.NewEncoder(&e.buffer)
	e.json.SetEscapeHTML(false)
	return e
}

// line is v as one line of JSON without a line end, good until the next call. Angle brackets
// stay as they are (message IDs have them), and whatever could steer a terminal is escaped, so
// that text from strangers can be kept whole.
func (e *encoder) line(v any) ([]byte, error) {
	e.buffer.Reset()
	if err := e.json.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding JSON: %w", err)
	}
	return escapeControls(bytes.TrimRight(e.buffer.Bytes(), "\n")), nil
}

// encode is a single line.
func encode(v any) ([]byte, error) { return newEncoder().line(v) }

// escapeControls escapes control, format and bidirectional characters. encoding/json escapes
// what is below U+0020 only; what this finds can stand in a string only, where \u may.
func escapeControls(line []byte) []byte {
	if isASCII(line) && bytes.IndexByte(line, 0x7f) < 0 || !bytes.ContainsFunc(line, steers) {
		return line // as nearly every line is
	}
	out := make([]byte, 0, len(line)+16)
	for len(line) > 0 {
		r, n := utf8.DecodeRune(line)
		switch {
		case steers(r) && r > 0xffff:
			hi, lo := utf16.EncodeRune(r) // RFC 8259 §7
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		case steers(r):
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = append(out, line[:n]...)
		}
		line = line[n:]
	}
	return out
}

func steers(r rune) bool {
	return r >= 0x7f && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// object writes v as one JSON object: indented on a terminal, in one line in a pipe.
func (o *Output) object(w page, v any) error {
	line, err := encode(v)
	if err != nil {
		return err
	}
	return o.indented(w, line)
}

func (o *Output) indented(w page, line []byte) error {
	if o.out.Terminal {
		var b bytes.Buffer
		if err := json.Indent(&b, line, "", indent); err != nil {
			return fmt.Errorf("indenting JSON: %w", err)
		}
		line = b.Bytes()
	}
	w.raw(line)
	w.end()
	return nil
}

// jsonLine writes v as one line.
func jsonLine(w page, v any) error {
	line, err := encode(v)
	if err != nil {
		return err
	}
	w.raw(line)
	w.end()
	return nil
}
