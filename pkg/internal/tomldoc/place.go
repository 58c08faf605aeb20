package tomldoc

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// set finds where a key's value stands, or where a new key belongs.
func (d *Doc) set(path []string, literal string) (splice, error) {
	if len(path) == 0 {
		return splice{}, errors.New("no key was named")
	}
	if i, ok := d.byPath[join(path)]; ok {
		return splice{d.entries[i].value, literal}, nil
	}
	parent, key := path[:len(path)-1], path[len(path)-1:]
	if i, ok := d.byPath[join(parent)]; ok && len(parent) > 0 && d.entries[i].table {
		return d.insertInline(i, key, literal)
	}
	if h, ok := d.byTable[join(parent)]; ok && !d.headers[h].array {
		return d.insertUnder(h, key, literal)
	}
	if len(parent) == 0 {
		return d.insertUnder(-1, key, literal)
	}
	// A table that is only there by dotted keys gets one more of them, beside the last.
	for i := len(d.entries) - 1; i >= 0; i-- {
		e := d.entries[i]
		base := len(e.path) - e.written
		if e.inline < 0 && hasPrefix(e.path, parent) && base < len(parent) {
			return d.insertLine(d.lineEnd(e.value.end), i, path[base:], literal)
		}
	}
	return d.appendTable(parent, key, literal)
}

// insertInline adds a key behind the last one of an inline table.
func (d *Doc) insertInline(table int, key []string, literal string) (splice, error) {
	name, err := quoteKeys(key)
	if err != nil {
		return splice{}, err
	}
	if siblings := d.siblings(table); len(siblings) > 0 {
		end := d.entries[siblings[len(siblings)-1]].value.end
		return splice{span{end, end}, ", " + name + " = " + literal}, nil
	}
	start := d.entries[table].value.start + 1
	return splice{span{start, start}, " " + name + " = " + literal + " "}, nil
}

// insertUnder adds a line behind the last one of a header's, or of those before the first header.
func (d *Doc) insertUnder(header int, key []string, literal string) (splice, error) {
	last := -1
	for i, e := range d.entries {
		if e.header == header && e.inline < 0 {
			last = i
		}
	}
	switch {
	case last >= 0:
		return d.insertLine(d.lineEnd(d.entries[last].value.end), last, key, literal)
	case header >= 0:
		return d.insertLine(d.lineEnd(d.headers[header].end), -1, key, literal)
	}
	return d.insertLine(0, -1, key, literal)
}

// insertLine writes a key on a line of its own at offset, aligned and indented as that of
// entry like, if any.
func (d *Doc) insertLine(offset, like int, key []string, literal string) (splice, error) {
	name, err := quoteKeys(key)
	if err != nil {
		return splice{}, err
	}
	indent := ""
	if like >= 0 {
		e := d.entries[like]
		line := d.lines[d.position(e.start()).Line-1]
		indent = string(d.data[line:e.start()])
		equals := strings.IndexByte(string(d.data[e.key.end:e.value.start]), '=')
		width := utf8.RuneCount(d.data[e.start():e.key.end]) + equals - 1
		name += strings.Repeat(" ", max(0, width-utf8.RuneCountInString(name)))
	}
	text := indent + name + " = " + literal + "\n"
	if offset > 0 && d.data[offset-1] != '\n' {
		text = "\n" + text
	}
	return splice{span{offset, offset}, text}, nil
}

// appendTable adds a table with one key at the end.
func (d *Doc) appendTable(table, key []string, literal string) (splice, error) {
	name, err := quoteKeys(table)
	if err != nil {
		return splice{}, err
	}
	end := len(d.data)
	line, err := d.insertLine(end, -1, key, literal)
	if err != nil {
		return splice{}, err
	}
	text := "[" + name + "]\n" + strings.TrimPrefix(line.text, "\n")
	switch {
	case end > 0 && d.data[end-1] != '\n':
		text = "\n\n" + text
	case end > 0:
		text = "\n" + text
	}
	return splice{span{end, end}, text}, nil
}
