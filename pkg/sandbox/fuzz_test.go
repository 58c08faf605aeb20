package sandbox

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

// FuzzPath: a path is a part of its line, and reading is total.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"FROM:<a@b.test> SIZE=1", "TO:<\"a>b\"@c>", "FROM:<>", "FROM:<a", `TO:<"\">`, ":<>x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		path, params, err := parsePath(line)
		if err != nil {
			return
		}
		if !strings.Contains(line, "<"+path+">") {
			t.Errorf("%q: path %q", line, path)
		}
		for _, p := range params {
			if p == "" || strings.ContainsAny(p, " \t\r\n") {
				t.Errorf("%q: parameter %q", line, p)
			}
		}
	})
}

// unstuffed is the plain way to read a dotted message: RFC 5321 §4.5.2 over lines that only CRLF ends.
func unstuffed(wire string) (string, bool) {
	var all strings.Builder
	for {
		line, rest, found := strings.Cut(wire, "\r\n")
		if !found {
			return "", false
		}
		if line == "." {
			return all.String(), true
		}
		all.WriteString(strings.TrimPrefix(line, ".") + "\r\n")
		wire = rest
	}
}

// FuzzDotted: the reader agrees with the plain way, for lines longer than its buffer too.
func FuzzDotted(f *testing.F) {
	for _, s := range []string{"a\r\n.\r\n", ".\r\n", "..\r\n.\r\n", "\n.\r\n.\r\n", "\r.\r\n.\r\n", "\r\r\n.\r\n", "a\r\n.", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, wire string) {
		want, whole := unstuffed(wire)
		h := Host{}
		c := &session{
			server: &Server{host: h, record: newRecord(KeepAll), offers: [2]map[string]string{offer(h.keywords(false)), nil}},
			seen:   &Connection{},
			r:      bufio.NewReaderSize(strings.NewReader(wire), 16),
			w:      bufio.NewWriter(io.Discard),
			nth:    map[string]int{},
		}
		c.begin()
		if got := c.readDotted(nil); got != whole {
			t.Fatalf("%q: whole %v, want %v", wire, got, whole)
		}
		b := &c.tx.body
		if !whole {
			return
		}
		bare := strings.ReplaceAll(want, "\r\n", "")
		if string(b.data) != want || b.form.Unended ||
			b.form.BareLF != strings.Contains(bare, "\n") || b.form.BareCR != strings.Contains(bare, "\r") {
			t.Errorf("%q: %q, want %q, %+v", wire, b.data, want, b.form)
		}
	})
}

// FuzzSession: whatever a client sends, a session ends when the client does, and the server closes.
func FuzzSession(f *testing.F) {
	f.Add([]byte("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"))
	f.Add([]byte("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 3 LAST\r\nabc"))
	f.Add([]byte("STARTTLS\r\n\x16\x03\x01\x00\x02\x01\x00"))
	authority, err := NewAuthority(time.Now())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, talk []byte) {
		s, err := Serve(Host{Name: "mx.fuzz.test"}, authority)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := s.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(talk)
		_ = conn.CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
		if err := s.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if c := s.Connections()[0]; !bytes.HasPrefix(talk, c.Plaintext) {
			t.Errorf("recorded %q of %q", c.Plaintext, talk)
		}
	})
}
