package mail

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestWireLeavesOut is FAULTS M8: what one recipient must not learn of another, and what
// is the last server's to write, does not go out; nothing else is touched.
func TestWireLeavesOut(t *testing.T) {
	t.Parallel()
	const from, to = "From: a@example.com\r\n", "To: b@x.com\r\n"
	nested := "\r\nBcc: kept@x.com\r\nReturn-Path: <kept@x.com>\r\n\r\nBcc: kept@x.com\r\n"
	for _, tt := range []struct{ name, in, want string }{
		{"nothing", from + to + nested, from + to + nested},
		{"M8 Bcc", from + "Bcc: c@x.com\r\n" + to + nested, from + to + nested},
		{"M8 Bcc folded", from + "Bcc: c@x.com,\r\n\td@x.com,\r\n \r\n e@x.com\r\n" + to + nested, from + to + nested},
		{"M8 Bcc in any case, several, first and last", "bCC:c@x.com\r\n" + from + "BCC: d@x.com\r\n" + to + "Bcc:\r\n" + nested, from + to + nested},
		{"M8 Resent-Bcc", from + to + "Resent-To: c@x.com\r\nResent-Bcc: d@x.com\r\n" + nested, from + to + "Resent-To: c@x.com\r\n" + nested},
		{"Return-Path", "Return-Path: <r@x.com>\r\n" + from + to + nested, from + to + nested},
		{"names that only begin alike stay", from + to + "Bcc-Note: x\r\nX-Bcc: y\r\n" + nested, from + to + "Bcc-Note: x\r\nX-Bcc: y\r\n" + nested},
		{"LF alone", strings.ReplaceAll(from+"Bcc: c@x.com,\r\n d@x.com\r\n"+to+nested, "\r\n", "\n"), from + to + nested},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := wireOf(t, mustParse(t, tt.in), Stamp{}); got != tt.want {
				t.Errorf("on the wire\n%q, want\n%q", got, tt.want)
			}
		})
	}
}

func TestWireStamp(t *testing.T) {
	t.Parallel()
	const from, to, id = "From: a@example.com\r\n", "To: b@x.com\r\n", "Message-ID: <1@x>\r\n"
	const date = "Date: Fri, 02 Jan 2026 03:04:05 +0100\r\n"
	st := Stamp{time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)), "<new@x>"}
	const newID = "Message-ID: <new@x>\r\n"
	for _, tt := range []struct {
		name, in, want string
		st             Stamp
	}{
		{"both missing", from + to + "\r\nx\r\n", newID + date + from + to + "\r\nx\r\n", st},
		{"both there", from + id + "date: never\r\n" + to + "\r\nx\r\n", from + id + "date: never\r\n" + to + "\r\nx\r\n", st},
		{"Message-ID missing", from + date + to + "\r\n", newID + from + date + to + "\r\n", st},
		{"blank ones are replaced", from + "Date:\r\nMessage-ID: \r\n\t\r\n" + to + "\r\n", newID + date + from + to + "\r\n", st},
		{"nothing to add", from + to + "\r\n", from + to + "\r\n", Stamp{}},
		{"LF alone", from + "To: b@x.com\n\nx\n", newID + date + from + to + "\r\nx\r\n", st},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := wireOf(t, mustParse(t, tt.in), tt.st); got != tt.want {
				t.Errorf("on the wire\n%q, want\n%q", got, tt.want)
			}
		})
	}
	for _, id := range []string{"x", "<>", "<a\r\nBcc: b>", "<a b>", "<" + strings.Repeat("a", 998) + ">"} {
		var b bytes.Buffer
		n, err := mustParse(t, from+to+"\r\n").Wire(Stamp{MessageID: id}).WriteTo(&b)
		if err == nil || n != 0 || b.Len() != 0 {
			t.Errorf("the Message-ID %q was added: %q, %v", id, b.String(), err)
		}
	}
}

// A message in memory that goes out as it came is there whole, with its digest; one that is changed
// on its way, or lies in a file, is not.
func TestWireWhole(t *testing.T) {
	t.Parallel()
	st := Stamp{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "<new@x>"}
	const full = "Date: Fri, 02 Jan 2026 03:04:05 +0000\r\nMessage-ID: <1@x>\r\nFrom: a@x.com\r\nTo: b@x.com\r\n"
	large := strings.Repeat("0123456789abcd\r\n", 3*chunkSize/16)
	for name, tt := range map[string]struct {
		in    string
		whole bool
	}{
		"as it came":           {full + "\r\nx\r\n", true},
		"as it came, large":    {full + "\r\n" + large, true},
		"Message-ID is added":  {strings.Replace(full, "Message-ID: <1@x>\r\n", "", 1) + "\r\nx\r\n", false},
		"Bcc is left out":      {full + "Bcc: c@x.com\r\n\r\nx\r\n", false},
		"LF in the header":     {strings.Replace(full, "\r\n", "\n", 1) + "\r\nx\r\n", false},
		"LF in the body":       {full + "\r\n" + large + "x\ny\r\n", false},
		"no end of the line":   {full + "\r\nx", false},
		"a mark of byte order": {byteOrderMark + full + "\r\nx\r\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if whole := checkWhole(t, tt.in, st); whole != tt.whole {
				t.Errorf("whole: %v, want %v", whole, tt.whole)
			}
			if _, _, whole := mustParse(t, tt.in).Wire(st).Whole(); whole {
				t.Error("a file is in memory")
			}
		})
	}
}

// checkWhole holds what a message in memory says it is on the wire against what it is, and tells
// whether it says so.
func checkWhole(t testing.TB, s string, st Stamp) bool {
	t.Helper()
	m, err := Parse(Bytes(s), int64(len(s)))
	if err != nil {
		t.Fatal(err)
	}
	octets, sum, whole := m.Wire(st).Whole()
	if wire := wireOf(t, m, st); whole && (string(octets) != wire || sum != sha256.Sum256(octets)) {
		t.Fatalf("%q goes out as %q, and is said to be %q", s, wire, octets)
	}
	return whole
}

// changing is a file that is rewritten while it is in use.
type changing struct {
	mu sync.Mutex
	b  []byte
}

func (c *changing) ReadAt(p []byte, off int64) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.NewReader(c.b).ReadAt(p, off)
}

func (c *changing) set(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.b = b
}

// TestWireChangedSource is FAULTS F11: what is sent is what was audited, or it is never
// completed.
func TestWireChangedSource(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 100, chunkSize - len(sound), chunkSize - len(sound) + 1, 3*chunkSize + 17} {
		for _, ending := range []string{"\r\n", "\n"} {
			before := []byte(strings.ReplaceAll(sound+strings.Repeat("0123456789abcd\r\n", size/16+1)[:size]+"\r\n", "\r\n", ending))
			if bytes.Contains(before, []byte("\r\r")) {
				continue
			}
			src := &changing{b: before}
			m, err := Parse(src, int64(len(before)))
			if err != nil {
				t.Fatal(err)
			}
			c := m.Wire(Stamp{})
			for at := 0; at < len(before); at += 1 + len(before)/50 {
				after := bytes.Clone(before)
				after[at] ^= 1
				src.set(after)
				wantChanged(t, c)
			}
			after := bytes.Clone(before)
			after[len(before)-1] ^= 1
			for _, b := range [][]byte{after, before[:len(before)-1], append(bytes.Clone(before), 'x'), nil} {
				src.set(b)
				wantChanged(t, c)
			}
			src.set(before)
			if _, err := c.WriteTo(io.Discard); err != nil {
				t.Errorf("unchanged after all: %v", err)
			}
		}
	}
}

func wantChanged(t *testing.T, c *Content) {
	t.Helper()
	var b bytes.Buffer
	n, err := c.WriteTo(&b)
	if !errors.Is(err, ErrChanged) {
		t.Fatalf("a changed source was sent: %v", err)
	}
	if n != int64(b.Len()) || n >= c.Size() {
		t.Fatalf("a changed source was sent to its end: %d of %d octets", n, c.Size())
	}
}

func TestNewContent(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 2000, chunkSize, chunkSize + 1, 5 * chunkSize} {
		want := bytes.Repeat([]byte("kept as it is.\r\n"), size/16+1)[:size]
		// A store's segment goes on behind the message.
		c := NewContent(bytes.NewReader(append(bytes.Clone(want), "more"...)), int64(size))
		var got bytes.Buffer
		n, err := c.WriteTo(&got)
		if err != nil || n != int64(size) || c.Size() != n || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("size %d: %d octets, %v", size, n, err)
		}
	}
	if _, err := NewContent(strings.NewReader("short"), 100).WriteTo(io.Discard); !errors.Is(err, ErrChanged) {
		t.Errorf("a segment cut short: %v", err)
	}
}

// TestWireKept: a store keeps the wire form and sends it again without parsing.
func TestWireKept(t *testing.T) {
	t.Parallel()
	m := mustParse(t, "Bcc: c@x.com\n"+strings.ReplaceAll(sound, "\r\n", "\n"))
	first := wireOf(t, m, Stamp{})
	var again strings.Builder
	if _, err := NewContent(strings.NewReader(first), int64(len(first))).WriteTo(&again); err != nil || again.String() != first {
		t.Errorf("sent again as %q, %v", again.String(), err)
	}
}

func TestWireWriteError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken pipe")
	for _, s := range []string{sound, strings.ReplaceAll(sound, "\r\n", "\n"), sound + strings.Repeat("x\n", 2*chunkSize)} {
		for left := range 4 {
			w := &failingWriter{left: left * 40, err: broken}
			n, err := mustParse(t, s).Wire(Stamp{}).WriteTo(w)
			if !errors.Is(err, broken) || n != int64(w.taken) {
				t.Errorf("%d octets of %d, %v", n, w.taken, err)
			}
		}
	}
}

type failingWriter struct {
	left, taken int
	err         error
}

func (w *failingWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.left -= n
	w.taken += n
	if n < len(p) {
		return n, w.err
	}
	return n, nil
}

// TestWireConcurrent: one message goes to several hosts at once.
func TestWireConcurrent(t *testing.T) {
	t.Parallel()
	m := mustParse(t, strings.ReplaceAll(sound, "\r\n", "\n")+strings.Repeat("line\n", chunkSize))
	c := m.Wire(Stamp{})
	want := wireOf(t, m, Stamp{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var b strings.Builder
			if _, err := c.WriteTo(&b); err != nil || b.String() != want {
				t.Errorf("%d octets, %v", b.Len(), err)
			}
		})
	}
	wg.Wait()
	if sum := sha256.Sum256([]byte(want)); sum == m.SHA256() {
		t.Error("SHA256 is that of the wire form, not of the file")
	}
}
