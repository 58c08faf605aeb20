package ui

import (
	"strings"
)

// fewestBeside is how wide a terminal must be for a label and its text to stand side by side.
const fewestBeside = 50

// blocks writes each row as a block: the first cell as its heading, then every other one that
// is not empty, labelled, and the notes. A limit of 0 is no limit: nothing wraps.
func (o *Output) blocks(w page, t *Table, limit int) {
	labels := labelWidth(t)
	for r, row := range t.rows {
		if r > 0 {
			w.end()
		}
		if len(row) == 0 {
			continue
		}
		for _, line := range wrapWithin(shown(row[0]), limit, 0) {
			w.line(o.paint.as(Strong, line))
		}
		for i := 1; i < len(row); i++ {
			if c := &t.Columns[i]; row[i] != "" {
				o.property(w, property{c.Title, row[i], c.tone(row[i])}, labels, limit)
			}
		}
		last := ""
		for _, n := range t.notes[r] {
			label := n.label
			if label == last {
				label = "" // one of several under the same label
			}
			last = n.label
			o.property(w, property{label, n.text, Plain}, labels, limit)
		}
	}
}

// property is one labelled line of a block.
type property struct {
	label, text string
	tone        Tone
}

func labelWidth(t *Table) int {
	width := 0
	for i := 1; i < len(t.Columns); i++ {
		width = max(width, textWidth(t.Columns[i].Title))
	}
	for _, notes := range t.notes {
		for _, n := range notes {
			width = max(width, textWidth(n.label))
		}
	}
	return width
}

func (o *Output) property(w page, p property, labels, limit int) {
	column := len(indent) + labels + gap
	beside := limit == 0 || limit >= fewestBeside
	if !beside {
		column = 2 * len(indent)
		if p.label != "" {
			w.line(indent + o.paint.as(Faint, p.label))
		}
	}
	for n, line := range wrapWithin(p.text, limit, column) {
		if n == 0 && beside {
			label := p.label + strings.Repeat(" ", labels-textWidth(p.label)+gap)
			w.text(indent + o.paint.as(Faint, label))
		} else {
			w.spaces(column)
		}
		w.line(o.paint.as(p.tone, line))
	}
}

// wrapWithin wraps text that starts at a column; a limit of 0 is no limit.
func wrapWithin(text string, limit, column int) []string {
	if limit == 0 {
		return []string{text}
	}
	return wrap(text, max(1, limit-column))
}
