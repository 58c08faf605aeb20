package mail

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// vast is a file of any size that takes no memory: head, and then unit over and over.
type vast struct {
	head, unit string
	size       int64
	read       int64 // the furthest octet that was asked for
	tiles      string
}

// tile is the unit repeated, so that any n octets of it can be had.
func (v *vast) tile(n int) string {
	if len(v.tiles) < n+len(v.unit) {
		v.tiles = strings.Repeat(v.unit, n/len(v.unit)+2)
	}
	return v.tiles
}

func (v *vast) ReadAt(p []byte, off int64) (int, error) {
	n := copy(p, v.head[min(off, int64(len(v.head))):])
	body := v.tile(1 + len(p))
	n += copy(p[n:], body[max(0, off-int64(len(v.head)))%int64(len(v.unit)):])
	n = int(max(0, min(int64(n), v.size-off)))
	v.read = max(v.read, off+int64(n))
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// TestParseLimits is FAULTS M4: what is too much is refused soon, not read to its end.
func TestParseLimits(t *testing.T) {
	t.Parallel()
	const giga = 1 << 30
	for _, tt := range []struct {
		name  string
		file  vast
		words string
		most  int64 // octets that may be read
	}{
		{"line of 1 GB", vast{head: sound, unit: "x", size: giga}, "998", 2 * chunkSize},
		{"file of one line of 1 GB", vast{unit: "x", size: giga}, "998", maxHeaderOctets + 2*chunkSize},
		{"header of 50 MB", vast{unit: "X-Field: " + strings.Repeat("y", 900) + "\r\n", size: 50 << 20}, "more than 1048576 octets", maxHeaderOctets + 2*chunkSize},
		{"one field of 50 MB", vast{head: "Subject:\n", unit: " " + strings.Repeat("y", 900) + "\n", size: 50 << 20}, "more than 1048576 octets", maxHeaderOctets + 2*chunkSize},
		{"a million fields", vast{unit: "A:b\n", size: 4_000_000}, "more than 10000 header fields", maxHeaderOctets + 2*chunkSize},
		{"a million recipients", vast{head: "To: a@b.com", unit: ",\r\n a@b.com", size: 11_000_000}, "more than 1048576 octets", maxHeaderOctets + 2*chunkSize},
		{"NULs", vast{unit: "\x00", size: giga}, "NUL", maxHeaderOctets + 2*chunkSize},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(&tt.file, tt.file.size)
			if _, ok := errors.AsType[*ParseError](err); !ok || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("%v; want %q", err, tt.words)
			}
			if tt.file.read > tt.most {
				t.Errorf("%d octets were read, want at most %d", tt.file.read, tt.most)
			}
		})
	}
	full := strings.Repeat("X: y\n", maxHeaderFields-5) + sound
	if _, err := parseString(full); err != nil {
		t.Errorf("%d header fields: %v", maxHeaderFields, err)
	}
	wantRefusal(t, "X: y\n"+full, maxHeaderFields+1, "more than 10000 header fields")
	fill := strings.Repeat("X: "+strings.Repeat("y", 995)+"\n", maxHeaderOctets/999)
	fill += "Y:" + strings.Repeat("z", maxHeaderOctets-len(fill)-len("Y:\n")-len(soundHeader+"\r\n")) + "\n"
	m := mustParse(t, fill+sound)
	if got := wireOf(t, m, Stamp{}); got != strings.ReplaceAll(fill, "\n", "\r\n")+sound {
		t.Error("a header of the greatest size came out differently")
	}
	wantRefusal(t, "Z:\n"+fill+sound, 1+strings.Count(fill+soundHeader, "\n"), "more than 1048576 octets")
}

// TestHeaderChunkBorders moves the end of the header across the border of two chunks.
func TestHeaderChunkBorders(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"\r\n", "\n"} {
		for shift := -6; shift <= 6; shift++ {
			fill := strings.Repeat("X: 89abcdef012345"[:14]+"\r\n", (chunkSize-1000)/16)
			fill += "Y: " + strings.Repeat("y", chunkSize+shift-len(fill)-len(soundHeader)-len("Y: \r\n")) + "\r\n"
			if len(fill+soundHeader) != chunkSize+shift {
				t.Fatal("the filling is of the wrong size")
			}
			m := mustParse(t, fill+soundHeader+end+"body\r\n")
			if got := wireOf(t, m, Stamp{}); got != fill+sound {
				t.Errorf("shift %d, end %q: %q", shift, end, got[max(0, len(got)-40):])
			}
			m = mustParse(t, fill+soundHeader+end)
			if got := wireOf(t, m, Stamp{}); got != fill+soundHeader+"\r\n" {
				t.Errorf("shift %d, end %q, no body: %q", shift, end, got[max(0, len(got)-40):])
			}
		}
	}
}

// TestMemory: of 50 MB no more than a few hundred kilobytes are ever held, and they go
// through unharmed. It is not parallel, for it counts what the process allocates.
func TestMemory(t *testing.T) {
	for _, end := range []string{"\r\n", "\n"} {
		file := &vast{head: strings.ReplaceAll(soundHeader, "\r\n", end) + end, unit: strings.Repeat("x", 70) + end, size: 50 << 20}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := Parse(file, file.size)
		if err != nil {
			t.Fatal(err)
		}
		c := m.Wire(Stamp{})
		d := NewDotWriter(io.Discard)
		n, err := c.WriteTo(d)
		if err != nil || n != c.Size() || d.Close() != nil {
			t.Fatalf("%d of %d octets, %v", n, c.Size(), err)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 400<<10 {
			t.Errorf("50 MB took %d KB", used>>10)
		}
	}
}

// TestMIMEIsNotParsed is FAULTS M14: depth and boundaries of a body are bytes like any
// others; ten thousand levels cost no more allocations than plain text.
func TestMIMEIsNotParsed(t *testing.T) {
	var deep strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&deep, "--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n", i, i+1)
	}
	head := strings.Replace(soundHeader, "Subject", "Content-Type: multipart/mixed; boundary=b0\r\nSubject", 1) + "\r\n"
	plain := head + strings.Repeat("plain text, line by line\r\n", deep.Len()/26)
	allocs := func(s string) float64 {
		src := strings.NewReader(s)
		return testing.AllocsPerRun(5, func() {
			if _, err := Parse(src, int64(len(s))); err != nil {
				t.Fatal(err)
			}
		})
	}
	// A pool may have to be filled anew; a parser of MIME would need thousands more.
	if deep, plain := allocs(head+deep.String()), allocs(plain); deep > plain+10 {
		t.Errorf("%v allocations for a deep message, %v for a plain one", deep, plain)
	}
	if got := wireOf(t, mustParse(t, head+deep.String()), Stamp{}); got != head+deep.String() {
		t.Error("the deep message was changed")
	}
}
