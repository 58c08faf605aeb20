package mail

import "bytes"

// blockLines is what a block of content, which may begin and end anywhere, shows of its lines.
type blockLines struct {
	crlf, lf int  // the line ends in it, by their kind; an LF in front is of the latter
	first    int  // octets before the first of them, a CR that belongs to it not counted
	longest  int  // octets of the longest line that it ends, as far as that is in it
	open     int  // octets behind the last line end, all of the block where it has none
	dotted   bool // a dot is behind a line end
	sound    bool // it has no NUL, and no CR but before an LF or as its last octet
}

// linesIn looks at every octet of p, though not at each by itself: it counts, which machines
// do many octets at a time, and walks from line end to line end. Its answer is exact.
func linesIn(p []byte) blockLines {
	var l blockLines
	l.walk(p, true)
	if l.crlf+l.lf != bytes.Count(p, []byte{'\n'}) {
		l = blockLines{}
		l.walk(p, false)
	}
	crs := l.crlf
	if len(p) > 0 && p[len(p)-1] == '\r' {
		crs++
	}
	// As many CRs as belong to LFs: there are no others.
	l.sound = bytes.Count(p, []byte{'\r'}) == crs && bytes.IndexByte(p, 0) < 0
	return l
}

// walk goes over p from line end to line end. It may leap where two lines in a row were of
// one length, as all are in base64: where the next would end in the same way is an LF then.
// That is many times faster than to search, but may leap over a shorter line; only where as
// many line ends are found as there are LFs was none left out.
func (l *blockLines) walk(p []byte, leap bool) {
	begin, width, alike := 0, -1, false
	for {
		end := begin + width
		if !leap || !alike || end >= len(p) || p[end] != '\n' {
			n := bytes.IndexByte(p[begin:], '\n')
			if n < 0 {
				break
			}
			alike = n == width
			end, width = begin+n, n
		}
		n := width
		if end > 0 && p[end-1] == '\r' {
			l.crlf++
			n--
		} else {
			l.lf++
		}
		if begin == 0 {
			l.first = n
		}
		l.longest = max(l.longest, n)
		begin = end + 1
		if begin < len(p) && p[begin] == '.' {
			l.dotted = true
		}
	}
	l.open = len(p) - begin
}
