package ui

import (
	"bufio"
	"strings"
)

// widestAligned bounds what a column is padded to in a pipe: a single enormous cell shifts
// its own row and does not widen a hundred thousand others.
const widestAligned = 64

// plain writes a table for a pipe: a header, then one row a line. Linear in time, and without
// tablewriter, which takes 20 times as long (100,000 rows must not).
func plain(w *bufio.Writer, t *Table) {
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

func plainRow(w *bufio.Writer, t *Table, row []string, width []int) {
	for i, cell := range row {
		cell = shown(cell)
		last := i == len(row)-1
		pad := max(0, width[i]-textWidth(cell))
		if t.Columns[i].Right {
			spaces(w, pad)
			pad = 0
		}
		w.WriteString(cell)
		if !last {
			spaces(w, pad+gap)
		}
	}
	w.WriteByte('\n')
}

func spaces(w *bufio.Writer, n int) {
	for range n {
		w.WriteByte(' ')
	}
}
