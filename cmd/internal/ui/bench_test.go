package ui

import (
	"io"
	"testing"
)

// C12: 1e5 rows to a pipe, in every format, take well below 2 s.
func BenchmarkReport100000(b *testing.B) {
	r := many(100_000)
	for _, f := range Formats() {
		b.Run(string(f), func(b *testing.B) {
			for b.Loop() {
				o := New(Options{Stdout: Stream{W: io.Discard}, Stderr: Stream{W: io.Discard}, Format: f})
				if f == FormatJSONL {
					for i := range r.Rows {
						if err := o.Recipients(r.Rows[i]); err != nil {
							b.Fatal(err)
						}
					}
				}
				if err := o.Report(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("terminal", func(b *testing.B) {
		for b.Loop() {
			o := New(Options{Stdout: Stream{W: io.Discard, Terminal: true}, Stderr: Stream{W: io.Discard}, Getenv: environ()})
			o.All(true)
			if err := o.Report(r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
