package mail

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
)

// A sound header without its empty line, and a message, with the line ends of the wire.
const (
	soundHeader = "From: a@example.com\r\nTo: b@example.net\r\nSubject: x\r\n" +
		"Date: Fri, 02 Jan 2026 03:04:05 +0000\r\nMessage-ID: <1@example.com>\r\n"
	sound = soundHeader + "\r\nbody\r\n"
)

func parseString(s string) (*Message, error) {
	return Parse(strings.NewReader(s), int64(len(s)))
}

func mustParse(t testing.TB, s string) *Message {
	t.Helper()
	m, err := parseString(s)
	if err != nil {
		t.Fatalf("Parse(%.200q): %v", s, err)
	}
	return m
}

// wireOf is the whole wire form of m, checked against Size.
func wireOf(t testing.TB, m *Message, st Stamp) string {
	t.Helper()
	var b bytes.Buffer
	c := m.Wire(st)
	n, err := c.WriteTo(&b)
	if err != nil {
		t.Fatalf("WriteTo: %v", err)
	}
	if n != int64(b.Len()) || n != c.Size() {
		t.Fatalf("WriteTo said %d, Size %d, written %d octets", n, c.Size(), b.Len())
	}
	return b.String()
}

// wantRefusal fails unless s is refused at the line with the words in its text.
func wantRefusal(t *testing.T, s string, line int, words string) {
	t.Helper()
	m, err := parseString(s)
	if m != nil {
		t.Fatalf("%.200q was accepted", s)
	}
	bad, ok := errors.AsType[*ParseError](err)
	if !ok || bad.Line != line || !strings.Contains(err.Error(), words) {
		t.Fatalf("%.200q: %v; want line %d and %q", s, err, line, words)
	}
	if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
		t.Fatalf("raw control characters in %q", err)
	}
}

func TestParseLineEnds(t *testing.T) {
	t.Parallel()
	lf := strings.ReplaceAll(sound, "\r\n", "\n")
	for _, tt := range []struct{ name, in, want string }{
		{"M1 CRLF", sound, sound},
		{"M1 LF only", lf, sound},
		{"M1 mixed", strings.Replace(sound, "\r\n", "\n", 3), sound},
		{"M1 LF header, CRLF body", strings.ReplaceAll(soundHeader, "\r\n", "\n") + "\nbody\r\n", sound},
		{"M1 no final newline", strings.TrimSuffix(sound, "\r\n"), sound},
		{"M1 no final newline, LF", strings.TrimSuffix(lf, "\n"), sound},
		{"empty lines at the end stay", sound + "\r\n\n", sound + "\r\n\r\n"},
		{"no body", soundHeader + "\r\n", soundHeader + "\r\n"},
		{"no body, LF", soundHeader + "\n", soundHeader + "\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := wireOf(t, mustParse(t, tt.in), Stamp{}); got != tt.want {
				t.Errorf("on the wire %q, want %q", got, tt.want)
			}
		})
	}
}

func TestParseRefusesOctets(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 998)
	for _, tt := range []struct {
		name, in string
		line     int
		words    string
	}{
		{"M1 CR only", strings.ReplaceAll(sound, "\r\n", "\r"), 1, "carriage return"},
		{"M1 CR CR LF", strings.ReplaceAll(sound, "\r\n", "\r\r\n"), 1, "carriage return"},
		{"M1 CR CR LF in the body", sound + "x\r\r\n", 8, "carriage return"},
		{"M1 CR in the header", "From: a@example.com\r\nSubject: a\rBcc: c@d.com\r\n\r\n", 2, "carriage return"},
		{"M1 CR in the body", sound + "a\rb\r\n", 8, "carriage return"},
		{"M1 CR at the end", sound + "a\r", 8, "carriage return"},
		{"CR at the end of a cut header", soundHeader + "\r", 6, "carriage return"},
		{"M3 NUL in the header", "From: a@example.com\nSubject: \x00\n\n", 2, "NUL"},
		{"M3 NUL in the body", sound + "\x00\r\n", 8, "NUL"},
		{"M3 8-bit and no UTF-8 in the header", "From: a@example.com\nSubject: caf\xe9\n\nx\n", 2, "neither ASCII nor UTF-8"},
		{"M3 UTF-8 in a field name", "From: a@example.com\nSübject: x\n\nx\n", 2, "character that none may have"},
		{"M4 line of 999 in the body", sound + long + "x\r\n", 8, "998"},
		{"M4 line of 999 in the header", "X: " + long[:996] + "\r\n" + sound, 1, "998"},
		{"M4 line of 999 at the end", sound + long + "x", 8, "998"},
		{"M4 line of 1 MB", sound + strings.Repeat("x", 1<<20), 8, "998"},
		{"M4 a file of one line", strings.Repeat("x", 100_000), 1, "998"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantRefusal(t, tt.in, tt.line, tt.words)
		})
	}
	for name, s := range map[string]string{
		"LF": sound + long + "\n", "CRLF": sound + long + "\r\n", "no end": sound + long, "header": "X: " + long[:995] + "\r\n" + sound,
	} {
		if _, err := parseString(s); err != nil {
			t.Errorf("M4: a line of 998 (%s): %v", name, err)
		}
	}
}

// TestParseChunkBorders moves every fault and line end across the border of the chunks
// that are read.
func TestParseChunkBorders(t *testing.T) {
	t.Parallel()
	lines := strings.Repeat(strings.Repeat("y", 62)+"\r\n", chunkSize/64+2)
	for shift := range 70 {
		fill := sound + lines[:chunkSize-len(sound)-shift]
		fill = strings.TrimRight(fill, "\r\n")
		for _, tt := range []struct {
			tail, wire string // wire "" is a refusal
		}{
			{"\r\n.\r\nz\r\n", "\r\n.\r\nz\r\n"}, {"\nz", "\r\nz\r\n"}, {"\r\r\n", ""}, {"\rz", ""}, {"\r", ""}, {"\x00\n", ""},
		} {
			m, err := parseString(fill + tt.tail)
			if tt.wire == "" {
				if err == nil {
					t.Fatalf("shift %d: %q was accepted", shift, tt.tail)
				}
				continue
			}
			if err != nil {
				t.Fatalf("shift %d: %q: %v", shift, tt.tail, err)
			}
			if got := wireOf(t, m, Stamp{}); got != fill+tt.wire {
				t.Fatalf("shift %d: the tail %q came out as %q", shift, tt.tail, got[max(0, len(got)-40):])
			}
		}
	}
}

func TestParseKinds(t *testing.T) {
	t.Parallel()
	utf16le := func(s string, bom bool) string {
		var b []byte
		if bom {
			b = append(b, 0xff, 0xfe)
		}
		for _, u := range utf16.Encode([]rune(s)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return string(b)
	}
	for _, tt := range []struct {
		name, in string
		line     int
		words    string
	}{
		{"M5 empty file", "", 1, "empty"},
		{"only a byte order mark", byteOrderMark, 1, "empty"},
		{"M5 only headers", soundHeader, 5, "cut off"},
		{"M5 cut within a header line", strings.TrimSuffix(soundHeader, "\r\n"), 5, "cut off"},
		{"M5 only body", "Hello,\n\nhow are you?\n", 1, "without a colon"},
		{"M5 empty first line", "\r\n" + sound, 1, "no header"},
		{"M5 empty first line, LF", "\n" + sound, 1, "no header"},
		{"M5 mbox", "From a@example.com Fri Jan  2 03:04:05 2026\n" + sound, 1, "mbox"},
		{"M5 Outlook", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00\x00", 1, "Outlook"},
		{"M5 PDF", "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", 1, "PDF"},
		{"ZIP", "PK\x03\x04\x14\x00", 1, "ZIP"},
		{"gzip", "\x1f\x8b\x08\x00", 1, "gzip"},
		{"PNG", "\x89PNG\r\n\x1a\n", 1, "image"},
		{"TNEF", "\x78\x9f\x3e\x22\x00", 1, "winmail.dat"},
		{"HTML", "<!DOCTYPE html>\n", 1, "HTML"},
		{"RTF", `{\rtf1\ansi}`, 1, "RTF"},
		{"emlx", "1234      \n" + sound, 1, "Apple Mail"},
		{"base64", base64.StdEncoding.EncodeToString([]byte(sound)), 1, "without a colon"},
		{"M3 UTF-16 with a mark", utf16le(sound, true), 1, "UTF-16"},
		{"M3 UTF-16 without a mark", utf16le(sound, false), 1, "UTF-16"},
		{"UTF-16, big end first", "\xfe\xff\x00F\x00r", 1, "UTF-16"},
		{"UTF-16, big end first, without a mark", "\x00F\x00r\x00o\x00m", 1, "UTF-16"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantRefusal(t, tt.in, tt.line, tt.words)
		})
	}
}

// TestParseByteOrderMark is FAULTS M3: left out with a note, and the recipients are found.
func TestParseByteOrderMark(t *testing.T) {
	t.Parallel()
	m := mustParse(t, byteOrderMark+sound)
	if got := wireOf(t, m, Stamp{}); got != sound {
		t.Errorf("on the wire %q", got)
	}
	if len(m.Notes()) != 1 || !strings.Contains(m.Notes()[0], "byte order mark") {
		t.Errorf("notes %q", m.Notes())
	}
	wantRefusal(t, byteOrderMark+byteOrderMark+sound, 1, "character that none may have")
}

// TestParseHeaderGrammar is FAULTS M10 and M8's `bCc :`.
func TestParseHeaderGrammar(t *testing.T) {
	t.Parallel()
	const from = "From: a@example.com\nTo: b@example.net\n"
	for _, tt := range []struct {
		name, in string
		line     int
		words    string
	}{
		{"M10 space before the colon", from + "Subject : x\n\n", 3, "white space before the colon"},
		{"M8 bCc with a space", from + "bCc : c@example.org\n\n", 3, "white space before the colon"},
		{"M10 tab before the colon", from + "Bcc\t: c@example.org\n\n", 3, "white space before the colon"},
		{"M10 space in the name", from + "Sub ject: x\n\n", 3, "character that none may have"},
		{"M10 no name", from + ": x\n\n", 3, "without a name"},
		{"M10 no colon", from + "Subject x\n\n", 3, "without a colon"},
		{"M10 control in the name", from + "Sub\x1bject: x\n\n", 3, "character that none may have"},
		{"first line is a continuation", " x\n" + from + "\n", 1, "continuation"},
		{"From with a space before the colon is no mbox", "From : a@example.com\n\n", 1, "white space before the colon"},
		{"mbox line in the header", from + "From a@example.com Fri Jan  2 03:04:05 2026\n\n", 3, "character that none may have"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantRefusal(t, tt.in, tt.line, tt.words)
		})
	}
	t.Run("M10 encoded line ends stay encoded", func(t *testing.T) {
		t.Parallel()
		in := from + "Subject: =?utf-8?q?x=0D=0ABcc:_evil@example.org?=\n\nx\n"
		m := mustParse(t, in)
		if len(m.Recipients()) != 1 {
			t.Errorf("recipients %v", m.Recipients())
		}
		if got, want := wireOf(t, m, Stamp{}), strings.ReplaceAll(in, "\n", "\r\n"); got != want {
			t.Errorf("on the wire %q, want %q", got, want)
		}
	})
	t.Run("M10 a templated Bcc is a Bcc", func(t *testing.T) {
		t.Parallel()
		m := mustParse(t, from+"Subject: x\r\nBcc: evil@example.org\n\nx\n")
		if len(m.Recipients()) != 2 || strings.Contains(wireOf(t, m, Stamp{}), "evil") {
			t.Errorf("recipients %v", m.Recipients())
		}
	})
}

// TestParseReadFailure: what is not the message's fault is no ParseError.
func TestParseReadFailure(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		src  io.ReaderAt
		size int64
		want error
	}{
		{"shorter than its size", strings.NewReader(sound), int64(len(sound)) + 1, ErrChanged},
		{"longer than its size", strings.NewReader(sound), int64(len(sound)) - 1, ErrChanged},
		{"gone", strings.NewReader(""), 10, ErrChanged},
		{"cannot be read", brokenReader{}, 100, iotest.ErrTimeout},
	} {
		m, err := Parse(tt.src, tt.size)
		if _, refused := errors.AsType[*ParseError](err); m != nil || refused || !errors.Is(err, tt.want) {
			t.Errorf("%s: %v; want %v", tt.name, err, tt.want)
		}
	}
}

type brokenReader struct{}

func (brokenReader) ReadAt([]byte, int64) (int, error) { return 0, iotest.ErrTimeout }

// The line named is that on which the bad address begins, even where the reader notices only
// at the end of the field.
func TestBadAddressNamesItsLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		header string
		line   int
	}{
		{"From: a@b.example\nTo: x@y.example, nobody\nSubject: s\n", 2},
		{"From: a@b.example\nTo: x@y.example,\n nobody\nSubject: s\n", 3},
		{"From: a@b.example\nTo: x@y.example,\n nobody,\n z@y.example\n", 3},
	} {
		text := tt.header + "\nbody\n"
		_, err := Parse(strings.NewReader(text), int64(len(text)))
		var pe *ParseError
		if !errors.As(err, &pe) || pe.Line != tt.line {
			t.Errorf("%q: %v, want line %d", tt.header, err, tt.line)
		}
	}
}
