package ui

import (
	"encoding/csv"
	"strings"

	"github.com/sendctl/sendctl/pkg/mail"
)

// csvGuard keeps control characters out of a cell, and a spreadsheet from taking text from
// strangers for a formula: such a cell gets an apostrophe in front. A lone "-" (the null
// profile) is none and stays.
func csvGuard(raw string) string {
	cell := mail.Clean(raw)
	if cell != missing && startsFormula(strings.TrimLeft(cell, " ")) {
		return "'" + cell
	}
	return cell
}

// startsFormula knows the full-width forms too, which some programs take for the others.
func startsFormula(cell string) bool {
	for _, sign := range []string{"=", "+", "-", "@", "＝", "＋", "－", "＠"} {
		if strings.HasPrefix(cell, sign) {
			return true
		}
	}
	return false
}

// csvWriter writes RFC 4180 rows of guarded cells.
type csvWriter struct {
	w   *csv.Writer
	row []string
}

func newCSV(w page) *csvWriter { return &csvWriter{w: csv.NewWriter(w.w)} }

// write writes a row; an error shows at flush at the latest.
func (c *csvWriter) write(cells ...string) error {
	c.row = c.row[:0]
	for _, cell := range cells {
		c.row = append(c.row, csvGuard(cell))
	}
	return c.w.Write(c.row)
}

func (c *csvWriter) flush() error {
	c.w.Flush()
	return c.w.Error()
}

// csvTable writes a table as CSV, without its title and notes.
func csvTable(w page, t *Table) error {
	c := newCSV(w)
	names := make([]string, len(t.Columns))
	for i := range t.Columns {
		names[i] = t.Columns[i].csvName()
	}
	if err := c.write(names...); err != nil {
		return err
	}
	for _, row := range t.rows {
		if err := c.write(row...); err != nil {
			return err
		}
	}
	return c.flush()
}
