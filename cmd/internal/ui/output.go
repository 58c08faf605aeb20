package ui

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// Format is how results are written to stdout.
type Format string

// The formats.
const (
	FormatTable Format = "table"
	FormatJSON  Format = "json"  // one object
	FormatJSONL Format = "jsonl" // one object a line
	FormatCSV   Format = "csv"   // RFC 4180, with a header
)

// Formats lists the formats, the default first.
func Formats() []Format { return []Format{FormatTable, FormatJSON, FormatJSONL, FormatCSV} }

// ParseFormat reads the name of a format; the error lists the accepted ones.
func ParseFormat(s string) (Format, error) {
	names := make([]string, 0, 4)
	for _, f := range Formats() {
		if string(f) == s {
			return f, nil
		}
		names = append(names, string(f))
	}
	return "", fmt.Errorf("unknown output format %q: it is one of %s", s, strings.Join(names, ", "))
}

// JSON reports whether the format is one for programs that read JSON.
func (f Format) JSON() bool { return f == FormatJSON || f == FormatJSONL }

// Stream is where something is written to, and what stands at its other end.
type Stream struct {
	W        io.Writer
	Terminal bool
	// Columns gives the terminal's width, asked anew at each use since windows are resized;
	// nil or a result below 1 means that the width is unknown.
	Columns func() int
}

// NewStream looks at what w is: a terminal, where w is an *os.File that is one, else a pipe.
func NewStream(w io.Writer) Stream {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return Stream{W: w}
	}
	return Stream{W: w, Terminal: true, Columns: func() int {
		columns, _, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 0
		}
		return columns
	}}
}

// defaultColumns is the width of a terminal that does not tell.
const defaultColumns = 80

// columns is how wide a line may be: 0, which means unlimited, where s is no terminal.
func (s Stream) columns() int {
	if !s.Terminal {
		return 0
	}
	if s.Columns != nil {
		if n := s.Columns(); n > 0 {
			return n
		}
	}
	return defaultColumns
}

// Options is what an Output is made from.
type Options struct {
	Stdout, Stderr Stream
	Format         Format              // "" is FormatTable
	NoColor        bool                // --no-color
	Quiet          bool                // -q: nothing on success, no progress, warnings or hints
	Verbose        bool                // -v: every attempt, and who demanded what
	Getenv         func(string) string // nil: an empty environment
	Now            func() time.Time    // nil: time.Now
}

// Output is the two streams of one process and all that was decided about them. Make one
// with New; all its methods may be called at the same time from several goroutines.
type Output struct {
	format         Format
	quiet, verbose bool
	getenv         func(string) string
	now            func() time.Time
	glyphs         glyphs

	mu           sync.Mutex // held while anything is written
	out, err     Stream
	page         page    // of stdout, empty between writes
	paint, shade painter // of stdout and of stderr
	progress     *Progress
	stream       stream
}

// New makes the process's Output: colour, width and glyphs are decided here, once.
func New(o Options) *Output {
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Format == "" {
		o.Format = FormatTable
	}
	return &Output{
		format: o.Format, quiet: o.Quiet, verbose: o.Verbose, getenv: o.Getenv, now: o.Now,
		glyphs: glyphsFor(o.Getenv), out: o.Stdout, err: o.Stderr, page: newPage(o.Stdout.W),
		paint: newPainter(o.Stdout, o), shade: newPainter(o.Stderr, o),
	}
}

// Format is the format that results are written in.
func (o *Output) Format() Format { return o.format }

// Verbose reports whether more is to be said (-v).
func (o *Output) Verbose() bool { return o.verbose }

// write gives f a buffered stdout, with the progress bar out of the way.
func (o *Output) write(f func(w page) error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.out.Terminal {
		o.wipe()
	}
	w := o.page
	w.w.Reset(o.out.W) // and forget an earlier failure
	if err := f(w); err != nil {
		return fmt.Errorf("writing results: %w", err)
	}
	if err := w.flush(); err != nil {
		return fmt.Errorf("writing results: %w", err)
	}
	return nil
}
