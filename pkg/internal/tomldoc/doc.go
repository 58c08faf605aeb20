// Package tomldoc reads a TOML document together with where everything stands in it, and changes single keys without touching the rest.
//
// BurntSushi/toml decodes the values and is the judge of what is valid; go-toml's parser of
// the syntax tree adds the place of every key and value, which the former does not tell.
// Keys are kept exactly as they are spelt: a decoder into structs would take TLS for tls.
package tomldoc

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// The bounds of a document. They are far above what a person writes and keep a hostile file
// from costing memory or time: decoders note every key with the whole path to it.
const (
	MaxSize  = 1 << 20 // bytes
	MaxDepth = 8       // parts of a path, and arrays within arrays
	MaxKey   = 128     // bytes of one key
	MaxKeys  = 10_000  // keys and headers in all
)

// Position is a place in a document: line and column count from 1, columns in characters.
// The zero value means that there is no such place.
type Position struct{ Line, Column int }

// Error is a fault of a document and where it stands.
type Error struct {
	Position
	Message string
	Hint    string // what to do, may be empty
}

// Error is line, column and message.
func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// Doc is a document: its values and where they stand.
type Doc struct {
	// Tree holds the decoded values as BurntSushi/toml gives them: string, int64, float64,
	// bool, time.Time, []any, []map[string]any and map[string]any.
	Tree map[string]any

	data    []byte // without byte order mark
	bom     bool
	lines   []int // the offset of each line's first byte
	headers []header
	entries []entry
	byPath  map[string]int // into entries, by joined path
	byTable map[string]int // into headers, by joined path
}

// span is a range of bytes.
type span struct{ start, end int }

// header is a [table] or [[table]] line.
type header struct {
	path  []string
	array bool
	key   span // the last part of its name
	end   int  // the end of its brackets
}

// entry is a key and its value.
type entry struct {
	path       []string // from the root, array elements by index
	header     int      // the header that it stands under, -1 for none
	inline     int      // the entry whose inline table or array it stands in, -1 for none
	written    int      // how many parts of path are written in this place
	first, key span     // the first and the last part of the key as written; array elements have none
	value      span
	table      bool   // the value is an inline table
	elements   []span // of an array
}

// Parse reads a document. The error is an *Error.
func Parse(data []byte) (*Doc, error) {
	d := &Doc{byPath: map[string]int{}, byTable: map[string]int{}}
	// The copy's capacity is its length, since the parser tells places by capacities.
	d.data = bytes.Clone(data)[:len(data):len(data)]
	if rest, ok := bytes.CutPrefix(d.data, []byte("\xef\xbb\xbf")); ok {
		d.data, d.bom = rest[:len(rest):len(rest)], true
	}
	d.lines = []int{0}
	for i, c := range d.data {
		if c == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
	if len(data) > MaxSize {
		return nil, d.errorf(0, "", "the file is larger than %d bytes", MaxSize)
	}
	if err := d.checkUTF8(); err != nil {
		return nil, err
	}
	if err := d.scan(); err != nil {
		return nil, err
	}
	if _, err := toml.Decode(string(d.data), &d.Tree); err != nil {
		return nil, d.decodeError(err)
	}
	if d.Tree == nil {
		d.Tree = map[string]any{}
	}
	return d, nil
}

func (d *Doc) checkUTF8() error {
	for i := 0; i < len(d.data); {
		r, n := utf8.DecodeRune(d.data[i:])
		if r == utf8.RuneError && n <= 1 {
			return d.errorf(i, "save the file as UTF-8", "invalid UTF-8: byte 0x%02x", d.data[i])
		}
		i += n
	}
	return nil
}

// decodeError gives an error of BurntSushi/toml its place in our count of columns.
func (d *Doc) decodeError(err error) error {
	var pe toml.ParseError
	if !errors.As(err, &pe) {
		return d.errorf(0, "", "%s", strings.TrimPrefix(err.Error(), "toml: "))
	}
	at := Position{Line: max(pe.Position.Line, 1), Column: 1}
	if p := d.position(pe.Position.Start); p.Line == at.Line {
		at = p
	}
	return &Error{Position: at, Message: firstLower(pe.Message)}
}

func firstLower(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func (d *Doc) errorf(offset int, hint, format string, args ...any) error {
	return &Error{Position: d.position(offset), Message: fmt.Sprintf(format, args...), Hint: hint}
}

// position turns an offset into line and column.
func (d *Doc) position(offset int) Position {
	offset = min(max(offset, 0), len(d.data))
	line := sort.SearchInts(d.lines, offset+1) - 1
	return Position{line + 1, utf8.RuneCount(d.data[d.lines[line]:offset]) + 1}
}

// Key is where the key or table at path is named; the nearest enclosing one where it is not
// named itself, such as a missing key's table, and the document's start at last.
// Elements of arrays are numbered from 0.
func (d *Doc) Key(path ...string) Position {
	return d.find(path, func(e entry) int {
		if e.key.end > 0 {
			return e.key.start
		}
		return e.value.start
	})
}

// Value is where the value at path stands, as Key for what has none. Of an array or inline
// table within an array only the outer one's place is known.
func (d *Doc) Value(path ...string) Position {
	if n := len(path) - 1; n > 0 {
		if i, ok := d.byPath[join(path[:n])]; ok {
			nth, err := strconv.Atoi(path[n])
			if elements := d.entries[i].elements; err == nil && nth >= 0 && nth < len(elements) {
				return d.position(elements[nth].start)
			}
		}
	}
	return d.find(path, func(e entry) int { return e.value.start })
}

func (d *Doc) find(path []string, start func(entry) int) Position {
	for n := len(path); n > 0; n-- {
		if i, ok := d.byPath[join(path[:n])]; ok {
			return d.position(start(d.entries[i]))
		}
		if i, ok := d.byTable[join(path[:n])]; ok {
			return d.position(d.headers[i].key.start)
		}
		if i, ok := d.under(path[:n]); ok {
			return d.position(start(d.entries[i]))
		}
	}
	return d.position(0)
}

// under finds the first entry below a table that is only named by dotted keys.
func (d *Doc) under(path []string) (int, bool) {
	for i, e := range d.entries {
		if hasPrefix(e.path, path) {
			return i, true
		}
	}
	return 0, false
}

// join makes a path a map key; a NUL in a key can only
// be an escaped one, and such a key is none that anybody looks for.
func join(path []string) string { return strings.Join(path, "\x00") }

func hasPrefix(path, prefix []string) bool {
	if len(path) < len(prefix) {
		return false
	}
	for i, p := range prefix {
		if path[i] != p {
			return false
		}
	}
	return true
}
