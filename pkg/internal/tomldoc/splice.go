package tomldoc

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Set gives the key at path the value (see Literal), adding the key, and its table, where it
// is not there. Comments, order, spacing and line ends stay as they are. What comes out is
// read again: unless exactly that key changed, there is an error instead.
// Elements of arrays cannot be addressed.
func Set(data []byte, path []string, value any) ([]byte, error) {
	d, err := Parse(data)
	if err != nil {
		return nil, err
	}
	literal, err := Literal(value)
	if err != nil {
		return nil, err
	}
	want, err := Parse([]byte("v = " + literal))
	if err != nil {
		return nil, fmt.Errorf("setting %s: %w", strings.Join(path, "."), err)
	}
	if _, ok := d.byPath[join(path)]; ok && d.holds(path, want.Tree["v"]) {
		return data, nil // as it stands, with the comments that an array may hold
	}
	edit, err := d.set(path, literal)
	if err != nil {
		return nil, fmt.Errorf("setting %s: %w", strings.Join(path, "."), err)
	}
	return d.apply(edit, path, func(table map[string]any, key string) { table[key] = want.Tree["v"] })
}

// holds tells whether the key at path has the value already.
func (d *Doc) holds(path []string, value any) bool {
	var at any = d.Tree
	for _, part := range path {
		table, ok := at.(map[string]any)
		if !ok {
			return false
		}
		at = table[part]
	}
	return reflect.DeepEqual(at, value)
}

// Unset removes the key at path together with a comment on its line; a key that is not there
// is no error. The result is verified as that of Set.
func Unset(data []byte, path []string) ([]byte, error) {
	d, err := Parse(data)
	if err != nil {
		return nil, err
	}
	i, ok := d.byPath[join(path)]
	if !ok || len(path) == 0 {
		return data, nil
	}
	return d.apply(splice{d.extent(i), ""}, path, func(table map[string]any, key string) { delete(table, key) })
}

// splice replaces a span by text.
type splice struct {
	at   span
	text string
}

// errWrongEdit means that the splice did something else than it should have.
var errWrongEdit = errors.New("the file is written in a way that cannot be edited safely: change it by hand")

// apply makes the edit and verifies that it changed in the values what change does, and no more.
func (d *Doc) apply(e splice, path []string, change func(map[string]any, string)) ([]byte, error) {
	text := e.text
	if d.crlf() {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	data := slices.Concat(d.data[:e.at.start], []byte(text), d.data[e.at.end:])
	after, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", errWrongEdit, err)
	}
	before, err := Parse(d.data)
	if err != nil {
		return nil, err
	}
	table := before.Tree
	for _, part := range path[:len(path)-1] {
		next, ok := table[part].(map[string]any)
		if !ok {
			if table[part] != nil {
				return nil, errWrongEdit
			}
			next = map[string]any{}
			table[part] = next
		}
		table = next
	}
	change(table, path[len(path)-1])
	if !reflect.DeepEqual(before.Tree, after.Tree) {
		return nil, errWrongEdit
	}
	if d.bom {
		data = append([]byte("\xef\xbb\xbf"), data...)
	}
	return data, nil
}

// crlf tells whether the document's first line ends in CRLF.
func (d *Doc) crlf() bool {
	i := bytes.IndexByte(d.data, '\n')
	return i > 0 && d.data[i-1] == '\r'
}

// extent is what goes with an entry: its line, or its part of an inline table.
func (d *Doc) extent(i int) span {
	e := d.entries[i]
	if e.inline < 0 {
		return span{d.lines[d.position(e.start()).Line-1], d.lineEnd(e.value.end)}
	}
	siblings := d.siblings(e.inline)
	n := slices.Index(siblings, i)
	switch {
	case n+1 < len(siblings):
		return span{e.start(), d.entries[siblings[n+1]].start()}
	case n > 0:
		return span{d.entries[siblings[n-1]].value.end, e.value.end}
	}
	return span{e.start(), e.value.end}
}

// start is where the entry's dotted key begins; for one of a single part that is the key.
func (e entry) start() int {
	if e.first.end > 0 {
		return e.first.start
	}
	return e.value.start
}

// siblings is the entries written directly in an inline table, in their order.
func (d *Doc) siblings(inline int) []int {
	var out []int
	for i, e := range d.entries {
		if e.inline == inline {
			out = append(out, i)
		}
	}
	return out
}

// lineEnd is the offset behind the line end that follows offset, or the document's end.
func (d *Doc) lineEnd(offset int) int {
	if i := bytes.IndexByte(d.data[offset:], '\n'); i >= 0 {
		return offset + i + 1
	}
	return len(d.data)
}
