package ui

import (
	"bufio"
	"io"
)

// page is stdout while something is written to it. Its methods return no errors, for bufio
// keeps the first one and flush tells it.
type page struct{ w *bufio.Writer }

func newPage(w io.Writer) page { return page{bufio.NewWriterSize(w, 64<<10)} }

// text writes text as it is.
func (p page) text(s string) { _, _ = p.w.WriteString(s) }

// line writes text and ends the line.
func (p page) line(s string) {
	p.text(s)
	p.end()
}

// end ends the line.
func (p page) end() { _ = p.w.WriteByte('\n') }

// raw writes bytes as they are.
func (p page) raw(b []byte) { _, _ = p.w.Write(b) }

// spaces writes n spaces.
func (p page) spaces(n int) {
	for range n {
		_ = p.w.WriteByte(' ')
	}
}

// flush writes out what is buffered and returns the first error of all writes.
func (p page) flush() error { return p.w.Flush() }
