package mail

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// receive is an SMTP server's reading of the data after 354, octet by octet (RFC 5321
// §4.1.1.4, §4.5.2): the content, and what is left behind the end of data. It knows
// nothing of the code under test and takes CRLF.CRLF alone for the end.
func receive(data string) (content, left string, ended bool) {
	var b strings.Builder
	for len(data) > 0 {
		line, rest, ok := strings.Cut(data, "\r\n")
		if !ok {
			return b.String() + data, "", false
		}
		data = rest
		if line == "." {
			return b.String(), data, true
		}
		b.WriteString(strings.TrimPrefix(line, "."))
		b.WriteString("\r\n")
	}
	return b.String(), "", false
}

// stuffed is s through a DotWriter in pieces of n octets.
func stuffed(s string, n int) (string, error) {
	var b bytes.Buffer
	d := NewDotWriter(&b)
	for len(s) > 0 {
		k := min(n, len(s))
		if _, err := d.Write([]byte(s[:k])); err != nil {
			return b.String(), err
		}
		s = s[k:]
	}
	err := d.Close()
	return b.String(), err
}

func TestDotWriter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"S14 nothing", "", ".\r\n"},
		{"line", "x\r\n", "x\r\n.\r\n"},
		{"no line end", "x", "x\r\n.\r\n"},
		{"empty line", "\r\n", "\r\n.\r\n"},
		{"dot alone", ".", "..\r\n.\r\n"},
		{"dot line", ".\r\n", "..\r\n.\r\n"},
		{"dots", "..\r\n...x\r\n.", "...\r\n....x\r\n..\r\n.\r\n"},
		{"dots within", "a.b\r\n .\r\nx.\r\n", "a.b\r\n .\r\nx.\r\n.\r\n"},
		{"M2 end of data in the content", "a\r\n.\r\nMAIL FROM:<>\r\n", "a\r\n..\r\nMAIL FROM:<>\r\n.\r\n"},
	} {
		for n := 1; n <= max(1, len(tt.in)); n++ {
			if got, err := stuffed(tt.in, n); err != nil || got != tt.want {
				t.Errorf("%s in pieces of %d: %q, %v; want %q", tt.name, n, got, err, tt.want)
			}
		}
	}
}

// TestDotWriterRefuses is FAULTS M2 at the last door: whatever a caller hands in, no CR
// or LF alone and no NUL leaves, and after it nothing at all.
func TestDotWriterRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in, words string
		at        int
	}{
		{"a\r\nb\nc", "LF alone", 4}, {"\n", "LF alone", 0}, {"a\r\n\n.\r\n", "LF alone", 3}, {"a\n.\n", "LF alone", 1},
		{"ab\rc", "CR alone", 2}, {"\r\r\n", "CR alone", 0}, {"a\r\n\r.\r\r\n", "CR alone", 3}, {"a\r\n.\rx", "CR alone", 4},
		{"a\r\n\x00", "NUL", 3},
		{"abc\r", "CR alone", 3},
	} {
		for n := 1; n <= len(tt.in); n++ {
			got, err := stuffed(tt.in, n)
			if err == nil || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("%q in pieces of %d went out as %q, %v", tt.in, n, got, err)
				continue
			}
			if tt.at >= 0 && !strings.Contains(err.Error(), fmt.Sprintf("octet %d:", tt.at)) {
				t.Errorf("%q in pieces of %d: %v; want octet %d", tt.in, n, err, tt.at)
			}
			if _, _, ended := receive(got); ended || strings.Contains(strings.ReplaceAll(got, "\r\n", ""), "\r") {
				t.Errorf("%q in pieces of %d: %q left", tt.in, n, got)
			}
		}
	}
	var b bytes.Buffer
	d := NewDotWriter(&b)
	if _, err := d.Write([]byte("a\nb")); err == nil {
		t.Fatal("no error")
	}
	if _, err := d.Write([]byte("fine\r\n")); err == nil || d.Close() == nil || b.Len() > 0 {
		t.Errorf("went on after a refusal: %q", b.String())
	}
}

func TestDotWriterClosedTwice(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	d := NewDotWriter(&b)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write([]byte("x")); err == nil || d.Close() == nil || b.String() != ".\r\n" {
		t.Errorf("wrote behind the end of data: %q", b.String())
	}
}

func TestDotWriterError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken pipe")
	for left := range 12 {
		d := NewDotWriter(&failingWriter{left: left, err: broken})
		_, err := d.Write([]byte("a\r\n.b\r\n"))
		if err == nil {
			err = d.Close()
		}
		if left < 11 && !errors.Is(err, broken) || left == 11 && err != nil {
			t.Errorf("with %d octets taken: %v", left, err)
		}
	}
}

// TestLineEndsAndDots is FAULTS M2: every string of CR, LF and dot up to six octets in a
// body is refused, or arrives at a server as exactly that one message.
func TestLineEndsAndDots(t *testing.T) {
	t.Parallel()
	frames := [][2]string{{"", ""}, {"a", "b"}, {"a\r\n", "\r\nb\r\n"}, {"a\n", "\nb"}, {"", "b\r\n"}, {"a\r\n", ""}}
	accepted, refused := 0, 0
	for n := 1; n <= 6; n++ {
		for k := range pow3(n) {
			var perm strings.Builder
			for i := 0; i < n; i, k = i+1, k/3 {
				perm.WriteByte("\r\n."[k%3])
			}
			for _, frame := range frames {
				body := frame[0] + perm.String() + frame[1]
				flat := strings.ReplaceAll(body, "\r\n", "\n")
				m, err := parseString(soundHeader + "\r\n" + body)
				if strings.Contains(flat, "\r") != (err != nil) {
					t.Fatalf("body %q: %v", body, err)
				}
				if err != nil {
					refused++
					continue
				}
				accepted++
				if flat != "" && !strings.HasSuffix(flat, "\n") {
					flat += "\n"
				}
				arrives(t, m, soundHeader+"\r\n"+strings.ReplaceAll(flat, "\n", "\r\n"))
			}
		}
	}
	if accepted == 0 || refused == 0 {
		t.Fatalf("%d accepted, %d refused", accepted, refused)
	}
}

func pow3(n int) int {
	p := 1
	for range n {
		p *= 3
	}
	return p
}

// arrives fails unless m, sent through a DotWriter, is read by a server as want.
func arrives(t *testing.T, m *Message, want string) {
	t.Helper()
	wire := wireOf(t, m, Stamp{})
	if wire != want {
		t.Fatalf("on the wire %q, want %q", wire, want)
	}
	for _, n := range []int{1, 2, 3, len(wire)} {
		data, err := stuffed(wire, n)
		if err != nil {
			t.Fatalf("%q: %v", wire, err)
		}
		const next = "MAIL FROM:<next@example.com>\r\n"
		content, left, ended := receive(data + next)
		if !ended || content != want || left != next {
			t.Fatalf("%q arrived as %q with %q left", want, content, left)
		}
	}
}
