package mail

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The plain… types do octet by octet, as the RFCs tell it, what the code under test does to
// whole blocks at once. Both must always say the same.

// plainLines is linesIn.
func plainLines(p []byte) blockLines {
	l := blockLines{sound: true}
	for i, c := range p {
		afterCR := i > 0 && p[i-1] == '\r'
		if afterCR && c != '\n' || c == 0 {
			l.sound = false
		}
		if i > 0 && p[i-1] == '\n' && c == '.' {
			l.dotted = true
		}
		l.open++
		if c != '\n' {
			continue
		}
		width := l.open - 1
		if afterCR {
			width--
		}
		if l.crlf+l.lf == 0 {
			l.first = width
		}
		if afterCR {
			l.crlf++
		} else {
			l.lf++
		}
		l.longest = max(l.longest, width)
		l.open = 0
	}
	return l
}

// plainDots is DotWriter.
type plainDots struct {
	out    []byte
	at     int
	cr     bool // a CR is held back
	inLine bool
	err    string
}

func (d *plainDots) write(p []byte) {
	faults := [3]int{-1, -1, -1} // where the first LF alone, CR alone and NUL is
	seen := func(kind, at int) {
		if faults[kind] < 0 {
			faults[kind] = at
		}
	}
	cr := d.cr
	for i, c := range p {
		if cr && c != '\n' {
			seen(1, d.at+i-1)
			if i == 0 {
				break // not even looked at
			}
		}
		if !cr && c == '\n' {
			seen(0, d.at+i)
		}
		if c == 0 {
			seen(2, d.at+i)
		}
		cr = c == '\r'
	}
	for kind, at := range faults {
		if at >= 0 && d.err == "" {
			d.refuse([]string{"an LF alone", "a CR alone", "a NUL"}[kind], at)
		}
	}
	if d.err != "" {
		return
	}
	d.at += len(p)
	for _, c := range p {
		switch d.cr = c == '\r'; {
		case d.cr:
		case c == '\n':
			d.out = append(d.out, "\r\n"...)
			d.inLine = false
		default:
			if c == '.' && !d.inLine {
				d.out = append(d.out, '.')
			}
			d.out = append(d.out, c)
			d.inLine = true
		}
	}
}

func (d *plainDots) close() {
	if d.err == "" && d.cr {
		d.refuse("a CR alone", d.at-1)
	}
	if d.err == "" && d.inLine {
		d.out = append(d.out, "\r\n"...)
	}
	if d.err == "" {
		d.out = append(d.out, ".\r\n"...)
	}
}

func (d *plainDots) refuse(what string, at int) {
	d.err = fmt.Sprintf("the content to be sent has %s at octet %d: it must be canonical", what, at)
}

// plainAdd is lineScan.add.
func plainAdd(s *lineScan, b []byte) bool {
	for _, c := range b {
		if s.cr && c != '\n' || c == 0 {
			return false
		}
		s.eightBit = s.eightBit || c > 127
		s.open++
		switch {
		case c == '\n' && s.cr:
			s.crlf++
		case c == '\n':
			s.lf++
		case c != '\r' && s.open > 998:
			return false
		}
		s.cr = c == '\r'
		if c == '\n' {
			s.done++
			s.open = 0
		}
	}
	return true
}

// sameDots fails unless a DotWriter does to the pieces what plainDots does.
func sameDots(t rapid.TB, pieces ...[]byte) {
	t.Helper()
	var got bytes.Buffer
	d, want := NewDotWriter(&got), &plainDots{}
	for i, p := range pieces {
		_, err := d.Write(p)
		if want.write(p); text(err) != want.err || !bytes.HasPrefix(want.out, got.Bytes()) {
			t.Fatalf("%q up to piece %d: %q, %v; want %q, %s", pieces, i, got.Bytes(), err, want.out, want.err)
		}
	}
	err := d.Close()
	if want.close(); text(err) != want.err || !bytes.Equal(got.Bytes(), want.out) {
		t.Fatalf("%q: %q, %v; want %q, %s", pieces, got.Bytes(), err, want.out, want.err)
	}
	all := bytes.Join(pieces, nil)
	whole := &plainDots{}
	whole.write(all)
	whole.close()
	if err := CheckCanonical(all); text(err) != whole.err {
		t.Fatalf("%q: %v, want %s", all, err, whole.err)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// sameScan fails unless a lineScan says of the pieces what plainAdd says.
func sameScan(t rapid.TB, pieces ...[]byte) {
	t.Helper()
	var got, want lineScan
	for i, p := range pieces {
		ok := got.add(p)
		if ok != plainAdd(&want, p) || ok && got != want {
			t.Fatalf("%q up to piece %d: %v, %+v; want %+v", pieces, i, ok, got, want)
		}
		if !ok {
			return
		}
	}
}

// eachString yields all strings of up to n of the octets.
func eachString(octets string, n int, yield func(s []byte)) {
	s := make([]byte, 0, n)
	var longer func()
	longer = func() {
		yield(s)
		if len(s) == n {
			return
		}
		for _, c := range []byte(octets) {
			s = append(s, c)
			longer()
			s = s[:len(s)-1]
		}
	}
	longer()
}

const lineOctets = "\r\n.\x00a\x80"

// TestLinesInExhaustively has every short block, among them all those that could be misread
// by leaping from line to line.
func TestLinesInExhaustively(t *testing.T) {
	t.Parallel()
	same := func(s []byte) {
		if got, want := linesIn(s), plainLines(s); got != want {
			t.Fatalf("%q: %+v, want %+v", s, got, want)
		}
	}
	eachString(lineOctets, 5, same)
	eachString("\r\n.", 9, same)
	eachString("\na", 14, same)
}

// TestLinesSplitExhaustively is FAULTS M2: every short string, over three calls in every way.
func TestLinesSplitExhaustively(t *testing.T) {
	t.Parallel()
	eachString(lineOctets, 5, func(s []byte) {
		for i := range len(s) + 1 {
			for j := i; j <= len(s); j++ {
				sameDots(t, s[:i], s[i:j], s[j:])
				sameScan(t, s[:i], s[i:j], s[j:])
			}
		}
	})
}

// TestLinesWithinBlocks has every short string at every place of a block that is long enough
// to be looked at in words, among lines of one length and among none.
func TestLinesWithinBlocks(t *testing.T) {
	t.Parallel()
	for _, frame := range []string{strings.Repeat("x", 81), strings.Repeat("123456\r\n", 10)} {
		eachString(lineOctets, 3, func(s []byte) {
			for at := range 41 {
				block := []byte(frame[:at] + string(s) + frame[at:])
				sameDots(t, block)
				sameScan(t, block)
			}
		})
	}
}

// TestLineLengths has lines about as long as may be, over two calls.
func TestLineLengths(t *testing.T) {
	t.Parallel()
	for n := maxLineOctets - 3; n <= maxLineOctets+3; n++ {
		for _, end := range []string{"", "\n", "\r\n", "\r", "\r\nx\r\n", "\ny"} {
			for _, before := range []string{"", "\n", "a\r\n", "\r\n\r\n\n"} {
				s := []byte(before + strings.Repeat("x", n) + end)
				sameScan(t, s)
				for cut := 1; cut < len(s); cut += 1 + max(0, min(100, len(s)-cut-8)) {
					sameScan(t, s[:cut], s[cut:])
				}
			}
		}
	}
}

// TestLinesDrawn draws contents that are nearly sound: lines, many in a row of one length,
// with a fault here and there.
func TestLinesDrawn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.Custom(func(t *rapid.T) string {
			width := rapid.SampledFrom([]int{0, 1, 7, 35, 36, 74, 76, 997, 998, 999}).Draw(t, "width")
			start := rapid.SampledFrom([]string{"", "", "", ".", "..", "ü"}).Draw(t, "start")
			end := rapid.SampledFrom([]string{"\r\n", "\r\n", "\r\n", "\n"}).Draw(t, "end")
			times := rapid.SampledFrom([]int{1, 1, 2, 3, 20}).Draw(t, "times")
			return strings.Repeat(start+strings.Repeat("x", max(0, width-len(start)))+end, times)
		})
		s := []byte(strings.Join(rapid.SliceOfN(line, 0, 8).Draw(t, "lines"), ""))
		for range rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "faults") {
			if len(s) > 0 {
				s[rapid.IntRange(0, len(s)-1).Draw(t, "at")] = rapid.SampledFrom([]byte(lineOctets)).Draw(t, "octet")
			}
		}
		i := rapid.IntRange(0, len(s)).Draw(t, "i")
		j := rapid.IntRange(i, len(s)).Draw(t, "j")
		sameDots(t, s[:i], s[i:j], s[j:])
		sameScan(t, s[:i], s[i:j], s[j:])
		lf := bytes.ReplaceAll(s, []byte("\r\n"), []byte("\n"))
		sameScan(t, lf)
		sameDots(t, bytes.ReplaceAll(lf, []byte("\n"), []byte("\r\n")))
	})
}

// inPieces is the first octets of s over and over, and then the rest of it, in three pieces.
// Short inputs that say much keep the fuzzer from spending its time on making them shorter.
func inPieces(s []byte, unit uint8, times, i, j uint16) [][]byte {
	n := min(int(unit), len(s))
	s = append(bytes.Repeat(s[:n], min(int(times), 2*maxLineOctets/(n+1))), s[n:]...)
	at, to := int(i)%(len(s)+1), int(j)%(len(s)+1)
	at, to = min(at, to), max(at, to)
	return [][]byte{s[:at], s[at:to], s[to:]}
}

func addPieces(f *testing.F) {
	for _, unit := range []string{"", "\r\n", "a\r\n", ".\r\n", "sixteen letters \r\n", "\n", "a\r", "\xc3\xbc\n", "\x00", "x"} {
		for _, rest := range []string{"", ".", "\r\n.\r\n", "\r", "b\n.", "\r\r\n", "x\x00"} {
			for _, times := range []uint16{5, maxLineOctets} {
				f.Add([]byte(unit+rest), uint8(len(unit)), times, uint16(3), uint16(9))
			}
		}
	}
}

// FuzzDotWriter: DotWriter and plainDots never differ.
func FuzzDotWriter(f *testing.F) {
	addPieces(f)
	f.Fuzz(func(t *testing.T, s []byte, unit uint8, times, i, j uint16) {
		sameDots(t, inPieces(s, unit, times, i, j)...)
	})
}

// FuzzLineScan: lineScan.add and plainAdd never differ, nor do linesIn and plainLines.
func FuzzLineScan(f *testing.F) {
	addPieces(f)
	f.Fuzz(func(t *testing.T, s []byte, unit uint8, times, i, j uint16) {
		pieces := inPieces(s, unit, times, i, j)
		sameScan(t, pieces...)
		all := bytes.Join(pieces, nil)
		if got, want := linesIn(all), plainLines(all); got != want {
			t.Fatalf("%q: %+v, want %+v", all, got, want)
		}
	})
}
