package ui

import (
	"strings"
)

// widestAligned bounds what a column is padded to in a pipe: a single enormous cell shifts
// its own row and does not widen a hundred thousand others.
const widestAligned = 64

// plain writes a table for a pipe: a header, then one row a line. Linear in time, and without
// tablewriter, which takes 20 times as long (100,000 rows must not).
func plain(w page, t *Table) {
	width := naturalWidths(t)
	titles := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		titles[i] = strings.ToUpper(c.Title)
		width[i] = max(width[i], len(missing))
		if width[i] > widestAligned {
			width[i] = min(width[i], alignedWidth(t, i))
		}
	}
	plainRow(w, t, titles, width)
	for _, row := range t.rows {
		plainRow(w, t, row, width)
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

func plainRow(w page, t *Table, row []string, width []int) {
	for i, cell := range row {
		cell = shown(cell)
		last := i == len(row)-1
		pad := max(0, width[i]-textWidth(cell))
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
