package ui

import (
	"strings"
)

// widestAligned bounds what a column is padded to in a pipe: a single enormous cell shifts
// its own row and does not widen a hundred thousand others.
const widestAligned = 64

// plain writes a table for a pipe: a header, then one row a line. Linear in time, and without
// tablewriter, which takes 20 times as long (100,000 rows must not).
func plain(w page, t *Table) { newAligned(t).table(w, t) }

// aligned is how wide the columns of a table are in a pipe.
type aligned struct{ width []int }

// newAligned takes the widths from the rows that a table has.
func newAligned(t *Table) *aligned {
	width := naturalWidths(t)
	for i := range t.Columns {
		width[i] = max(width[i], len(missing))
		if width[i] > widestAligned {
			width[i] = min(width[i], alignedWidth(t, i))
		}
	}
	return &aligned{width}
}

// table writes header and rows.
func (a *aligned) table(w page, t *Table) {
	titles := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		titles[i] = strings.ToUpper(c.Title)
	}
	a.row(w, t, titles)
	a.rows(w, t)
}

// rows writes rows without a header.
func (a *aligned) rows(w page, t *Table) {
	for _, row := range t.rows {
		a.row(w, t, row)
	}
}

// alignedWidth is the widest cell of a column among those that are not enormous.
func alignedWidth(t *Table, column int) int {
	width := textWidth(t.Columns[column].Title)
	for _, row := range t.rows {
		if n := textWidth(row[column]); n <= widestAligned {
			width = max(width, n)
		}
	}
	return width
}

// row writes one row; cells wider than their column shift the rest of it.
func (a *aligned) row(w page, t *Table, row []string) {
	for i, cell := range row {
		cell = shown(cell)
		last := i == len(row)-1
		pad := max(0, a.width[i]-textWidth(cell))
		if t.Columns[i].Right {
			w.spaces(pad)
			pad = 0
		}
		w.text(cell)
		if !last {
			w.spaces(pad + gap)
		}
	}
	w.end()
}
