package ui

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// indent stands before what belongs to the row above.
const indent = "  "

// screen writes a table to a terminal. Cells are wrapped and coloured line by line before
// tablewriter aligns them (its own wrapping lets colour bleed into the next column), and the
// lines under each row are put between its lines.
func (o *Output) screen(w page, t *Table, l layout) error {
	var drawn bytes.Buffer
	grid := o.grid(&drawn, t, l)
	heights := make([]int, len(t.rows))
	apart := false // rows of several lines are told apart by a blank one
	for r, row := range t.rows {
		cells, height := o.cells(t, l, row)
		heights[r] = height
		apart = apart || height > 1
		if err := grid.Append(cells); err != nil {
			return fmt.Errorf("laying out table %q: %w", t.Title, err)
		}
	}
	if err := grid.Render(); err != nil {
		return fmt.Errorf("laying out table %q: %w", t.Title, err)
	}
	next := lineReader(drawn.String())
	w.line(o.paint.as(Faint, next()))
	w.line(o.paint.as(Faint, next()))
	for r := range t.rows {
		if apart && r > 0 {
			w.end()
		}
		for range heights[r] {
			w.line(next())
		}
		o.under(w, t, l, r)
	}
	w.line(o.paint.as(Faint, next()))
	return nil
}

// lineReader gives the lines of a drawn table, without what stands behind their last letter.
func lineReader(drawn string) func() string {
	return func() string {
		line, rest, _ := strings.Cut(drawn, "\n")
		drawn = rest
		return trimEnd(line)
	}
}

// sgrReset ends what was coloured (ECMA-48 §8.3.117, SGR).
const sgrReset = "\x1b[0m"

// trimEnd takes spaces off the end of a line, and the second reset that tablewriter puts
// behind the padding of a coloured cell.
func trimEnd(line string) string {
	line = strings.TrimRight(line, " ")
	if rest, ok := strings.CutSuffix(line, sgrReset); ok {
		if rest = strings.TrimRight(rest, " "); strings.HasSuffix(rest, sgrReset) {
			return trimEnd(rest)
		}
	}
	return line
}

// grid is a tablewriter table with a line below the header and one at the end, sized by the layout.
func (o *Output) grid(w *bytes.Buffer, t *Table, l layout) *tablewriter.Table {
	style := tw.StyleLight
	if o.glyphs.ascii {
		style = tw.StyleASCII
	}
	rendition := tw.Rendition{
		Borders: tw.Border{Left: tw.Off, Right: tw.Off, Top: tw.Off, Bottom: tw.On},
		Symbols: tw.NewSymbols(style),
		Settings: tw.Settings{
			Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off, ShowHeader: tw.On},
			Lines:      tw.Lines{ShowTop: tw.Off, ShowBottom: tw.On, ShowHeaderLine: tw.On},
		},
	}
	titles := make([]string, len(l.beside))
	align := make([]tw.Align, len(l.beside))
	padding := make([]tw.Padding, len(l.beside))
	for n, i := range l.beside {
		titles[n] = strings.ToUpper(t.Columns[i].Title)
		align[n], padding[n] = tw.AlignLeft, tw.Padding{Right: strings.Repeat(" ", gap), Overwrite: true}
		if t.Columns[i].Right {
			align[n] = tw.AlignRight
		}
	}
	padding[len(padding)-1].Right = ""
	alignment := tw.CellAlignment{PerColumn: align}
	grid := tablewriter.NewTable(w,
		tablewriter.WithRenderer(renderer.NewBlueprint(rendition)),
		tablewriter.WithHeaderAutoFormat(tw.Off), tablewriter.WithTrimSpace(tw.Off),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone), tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithHeaderAlignmentConfig(alignment), tablewriter.WithRowAlignmentConfig(alignment),
		tablewriter.WithHeaderPaddingPerColumn(padding), tablewriter.WithRowPaddingPerColumn(padding),
		tablewriter.WithEastAsian(tw.Off), // as textWidth measures, whatever the locale
	)
	grid.Header(titles)
	return grid
}

// cells is a row wrapped and coloured for its columns, and how many lines it takes.
func (o *Output) cells(t *Table, l layout, row []string) ([]string, int) {
	cells, height := make([]string, len(l.beside)), 1
	for n, i := range l.beside {
		text := shown(row[i])
		tone := t.Columns[i].tone(text)
		lines := wrap(text, l.width[i])
		for k := range lines {
			lines[k] = o.paint.as(tone, lines[k])
		}
		height = max(height, len(lines))
		cells[n] = strings.Join(lines, "\n")
	}
	return cells, height
}

// under writes what belongs to a row and did not fit into it: the folded columns, running text
// on lines of its own, then the row's notes.
func (o *Output) under(w page, t *Table, l layout, row int) {
	var short, long []string
	for _, i := range l.folded {
		cell, c := t.rows[row][i], &t.Columns[i]
		switch {
		case cell == "":
		case c.Wrap:
			long = append(long, labelled(c.Title, cell))
		default:
			short = append(short, labelled(c.Title, cell))
		}
	}
	lines := long
	if len(short) > 0 {
		lines = append([]string{strings.Join(short, o.glyphs.separator)}, long...)
	}
	if one := strings.Join(lines, o.glyphs.separator); one != "" && textWidth(one) <= l.limit-2*len(indent) {
		lines = []string{one}
	}
	for _, line := range lines {
		o.aside(w, line, l.limit)
	}
	for _, n := range t.notes[row] {
		o.aside(w, labelled(n.label, n.text), l.limit)
	}
}

func labelled(label, text string) string { return strings.ToLower(label) + ": " + text }

func (o *Output) aside(w page, text string, limit int) {
	for n, line := range wrap(text, max(1, limit-2*len(indent))) {
		lead := indent
		if n > 0 {
			lead += indent
		}
		w.line(lead + o.paint.as(Faint, line))
	}
}
