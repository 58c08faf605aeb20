package ui

import (
	"cmp"
	"slices"
)

const (
	gap         = 2  // columns between columns
	textColumns = 28 // what running text needs at least to read well beside other columns
	fewest      = 8  // no column is made narrower than that
)

// layout is where the columns of a table go on a terminal.
type layout struct {
	limit  int   // the terminal's width
	beside []int // columns side by side, by index
	width  []int // of every column, by index
	folded []int // columns in the line under each row
	blocks bool  // nothing fits: blocks instead
}

// fit finds a layout of at most limit columns: as wide as the content if that fits, else
// running text wraps, else columns are folded (or blocks made, if that is the table's shape),
// else what is left is broken inside words. A column that may fold and has nothing but empty
// cells is not shown.
func fit(t *Table, limit int) layout {
	l := layout{limit: limit, width: naturalWidths(t), blocks: t.Shape == Record}
	for i, c := range t.Columns {
		if i == 0 || c.Fold == 0 || !t.vacant(i) {
			l.beside = append(l.beside, i)
		}
	}
	for !l.blocks && l.excess() > 0 {
		if l.squeeze(t, textColumns, func(c *Column) bool { return c.Wrap }) {
			break
		}
		if t.Shape == Blocks {
			l.blocks = true
			break
		}
		if !l.fold(t) {
			l.blocks = !l.squeeze(t, fewest, func(*Column) bool { return true })
			break
		}
	}
	return l
}

// vacant reports whether there are rows and all of them are empty in a column.
func (t *Table) vacant(column int) bool {
	return len(t.rows) > 0 && !slices.ContainsFunc(t.rows, func(row []string) bool { return row[column] != "" })
}

// naturalWidths is what each column takes if nothing wraps.
func naturalWidths(t *Table) []int {
	width := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		width[i] = textWidth(c.Title)
	}
	for _, row := range t.rows {
		for i, cell := range row {
			width[i] = max(width[i], textWidth(cell))
		}
	}
	return width
}

// excess is by how much the columns side by side are wider than the terminal.
func (l *layout) excess() int {
	sum := gap * (len(l.beside) - 1)
	for _, i := range l.beside {
		sum += l.width[i]
	}
	return sum - l.limit
}

// fold takes the least important column out of the row; the first one stays.
func (l *layout) fold(t *Table) bool {
	least := -1
	for _, i := range l.beside {
		if f := t.Columns[i].Fold; i > 0 && f > 0 && (least < 0 || f > t.Columns[least].Fold) {
			least = i
		}
	}
	if least < 0 {
		return false
	}
	l.beside = slices.DeleteFunc(l.beside, func(i int) bool { return i == least })
	l.folded = append(l.folded, least)
	slices.Sort(l.folded)
	return true
}

// squeeze narrows those of the columns that may be, the widest first, none below floor or its
// title, until all fit; where that is not enough it changes nothing and returns false.
func (l *layout) squeeze(t *Table, floor int, may func(*Column) bool) bool {
	type squeezable struct{ index, least int }
	var list []squeezable
	room := 0
	for _, i := range l.beside {
		if c := &t.Columns[i]; may(c) {
			least := min(l.width[i], max(floor, textWidth(c.Title)))
			list = append(list, squeezable{i, least})
			room += l.width[i] - least
		}
	}
	excess := l.excess()
	if room < excess {
		return false
	}
	for ; excess > 0; excess-- {
		widest := slices.MaxFunc(list, func(a, b squeezable) int {
			return cmp.Compare(l.slack(a.index, a.least), l.slack(b.index, b.least))
		})
		l.width[widest.index]--
	}
	return true
}

// slack is the width of a column that may still shrink, 0 for one that may not.
func (l *layout) slack(index, least int) int {
	if l.width[index] <= least {
		return 0
	}
	return l.width[index]
}
