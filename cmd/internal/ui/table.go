package ui

import (
	"strings"
)

// Shape is how rows are shown where not all columns fit side by side. In a pipe every table
// but a Record is one row a line, whatever its shape.
type Shape uint8

// The shapes.
const (
	Folding Shape = iota // less important columns go to a line of their own under each row
	Blocks               // each row becomes a block: its first cell as heading, the others labelled below
	Record               // always a block, in a pipe too: for a few things shown with all their properties
)

// Column is one column of a Table.
type Column struct {
	Title string // as in "Next attempt"; in capitals above a column, as it is in a block
	Name  string // above the column in CSV; "" is the title in lower case with underscores
	Right bool   // for numbers
	Wrap  bool   // running text, which may wrap at words; other cells stay on one line if at all possible
	// Fold says when the column leaves its place for the line below the row: the highest
	// first, 0 never.
	Fold int
	// Tone colours a cell by its text; nil is Plain. Not for columns that wrap.
	Tone func(cell string) Tone
}

func (c *Column) csvName() string {
	if c.Name != "" {
		return c.Name
	}
	return strings.ReplaceAll(strings.ToLower(c.Title), " ", "_")
}

func (c *Column) tone(cell string) Tone {
	if c.Tone == nil {
		return Plain
	}
	return c.Tone(cell)
}

// note is a remark under a row.
type note struct{ label, text string }

// Table is rows under columns, to be shown by Output. Its cells may hold text from strangers.
type Table struct {
	Title   string // above the table; "" for none; not in CSV
	Columns []Column
	Shape   Shape
	rows    [][]string
	notes   map[int][]note // by row
}

// Add appends a row; missing cells are empty, and cells beyond the columns are left out.
func (t *Table) Add(cells ...string) {
	row := make([]string, len(t.Columns))
	for i := range min(len(cells), len(row)) {
		row[i] = cleanCell(cells[i])
	}
	t.rows = append(t.rows, row)
}

// Note puts a remark under the row that was added last, for people only: on a terminal and in
// a Record, not in a pipe, where a row is one line, nor in CSV.
func (t *Table) Note(label, text string) {
	if len(t.rows) == 0 {
		return
	}
	if t.notes == nil {
		t.notes = make(map[int][]note)
	}
	last := len(t.rows) - 1
	t.notes[last] = append(t.notes[last], note{label, cleanCell(text)})
}

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// missing is what an empty cell shows, so that every line has as many cells as columns.
const missing = "-"

func shown(cell string) string {
	if cell == "" {
		return missing
	}
	return cell
}

// tables writes tables one below the other, a blank line between them.
func (o *Output) tables(w page, list []Table) error {
	for i := range list {
		t := &list[i]
		if i > 0 {
			w.end()
		}
		if t.Title != "" {
			w.line(o.paint.as(Strong, cleanCell(t.Title)))
		}
		if err := o.table(w, t); err != nil {
			return err
		}
	}
	return nil
}

func (o *Output) table(w page, t *Table) error {
	if len(t.Columns) == 0 {
		return nil
	}
	limit := o.out.columns()
	if limit == 0 {
		if t.Shape == Record {
			o.blocks(w, t, 0)
			return nil
		}
		plain(w, t)
		return nil
	}
	l := fit(t, limit)
	if l.blocks {
		o.blocks(w, t, limit)
		return nil
	}
	return o.screen(w, t, l)
}
