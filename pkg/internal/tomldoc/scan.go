package tomldoc

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// scanner walks the syntax tree and notes where everything stands.
type scanner struct {
	*Doc
	parser unstable.Parser
	counts map[string]int // tables so far of each array of tables
	keys   int
}

// scan fills the index and holds the document to its bounds, before anything decodes it.
func (d *Doc) scan() error {
	s := &scanner{Doc: d, counts: map[string]int{}}
	s.parser.Reset(d.data)
	for s.parser.NextExpression() {
		node := s.parser.Expression()
		var err error
		if node.Kind == unstable.KeyValue {
			err = s.keyValue(node, s.section(), -1)
		} else {
			err = s.header(node)
		}
		if err != nil {
			return err
		}
	}
	return s.syntaxError()
}

// section is the path of the header in force.
func (s *scanner) section() []string {
	if len(s.headers) == 0 {
		return nil
	}
	return s.headers[len(s.headers)-1].path
}

func (s *scanner) syntaxError() error {
	err := s.parser.Error()
	if err == nil {
		return nil
	}
	var pe *unstable.ParserError
	if !errors.As(err, &pe) {
		return s.errorf(0, "", "%s", err)
	}
	// What is highlighted is a slice of the data, unless the parser had none at hand.
	offset := cap(s.data) - cap(pe.Highlight)
	if pe.Highlight == nil || offset < 0 {
		offset = len(s.data)
	}
	return s.errorf(offset, "", "%s", strings.ReplaceAll(pe.Message, "U+000A", "end of line"))
}

// header notes a [table] or [[table]] line.
func (s *scanner) header(node *unstable.Node) error {
	key, err := s.key(node.Key())
	if err != nil {
		return err
	}
	h := header{array: node.Kind == unstable.ArrayTable, key: key.last}
	// Parts that name an array of tables mean its latest element.
	for i, part := range key.parts {
		h.path = append(h.path, part)
		name := join(h.path)
		if h.array && i == len(key.parts)-1 {
			s.counts[name]++
		}
		if n := s.counts[name]; n > 0 {
			h.path = append(h.path, strconv.Itoa(n-1))
		}
	}
	h.end = key.last.end
	for h.end < len(s.data) && s.data[h.end] != ']' {
		h.end++
	}
	h.end++
	if h.array {
		h.end++
	}
	s.headers = append(s.headers, h)
	for _, name := range []string{join(h.path), join(key.parts)} {
		if _, taken := s.byTable[name]; !taken {
			s.byTable[name] = len(s.headers) - 1
		}
	}
	return nil
}

// dotted is a dotted key: its parts, and where the first and the last of them stand.
type dotted struct {
	parts       []string
	first, last span
}

// key reads a dotted key.
func (s *scanner) key(it unstable.Iterator) (dotted, error) {
	var k dotted
	for it.Next() {
		n := it.Node()
		k.last = spanOf(n.Raw)
		if len(k.parts) == 0 {
			k.first = k.last
		}
		if len(n.Data) > MaxKey {
			return k, s.errorf(k.last.start, "", "a key is longer than %d bytes", MaxKey)
		}
		k.parts = append(k.parts, string(n.Data))
		if len(k.parts) > MaxDepth {
			return k, s.errorf(k.last.start, "", "a key has more than %d parts", MaxDepth)
		}
	}
	if s.keys++; s.keys > MaxKeys {
		return k, s.errorf(k.last.start, "", "the file has more than %d keys", MaxKeys)
	}
	return k, nil
}

func spanOf(r unstable.Range) span { return span{int(r.Offset), int(r.Offset + r.Length)} }

// keyValue notes a key and its value, and what stands inside the value.
func (s *scanner) keyValue(node *unstable.Node, base []string, inline int) error {
	key, err := s.key(node.Key())
	if err != nil {
		return err
	}
	e := entry{
		path: slices.Concat(base, key.parts), header: len(s.headers) - 1, inline: inline,
		written: len(key.parts), first: key.first, key: key.last,
		value: span{s.afterEquals(key.last.end), spanOf(node.Raw).end},
	}
	return s.value(node.Value(), e)
}

// afterEquals is where the value begins behind a key that ends at offset.
func (s *scanner) afterEquals(offset int) int {
	for offset < len(s.data) && (s.data[offset] == ' ' || s.data[offset] == '\t' || s.data[offset] == '=') {
		offset++
	}
	return offset
}

// value notes an entry and descends into arrays and inline tables.
func (s *scanner) value(node *unstable.Node, e entry) error {
	if len(e.path) > MaxDepth {
		return s.errorf(e.value.start, "", "the file nests more than %d levels deep", MaxDepth)
	}
	e.table = node.Kind == unstable.InlineTable
	s.entries = append(s.entries, e)
	self := len(s.entries) - 1
	if _, taken := s.byPath[join(e.path)]; !taken {
		s.byPath[join(e.path)] = self
	}
	if node.Kind != unstable.Array && !e.table {
		return nil
	}
	it := node.Children()
	for i := 0; it.Next(); i++ {
		var err error
		if e.table {
			err = s.keyValue(it.Node(), e.path, self)
		} else {
			err = s.element(it.Node(), self, i)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// element notes an array's element: scalars, of which there may be many, only by their place.
func (s *scanner) element(node *unstable.Node, array, i int) error {
	parent := &s.entries[array]
	place := spanOf(node.Raw)
	if node.Kind != unstable.Array && node.Kind != unstable.InlineTable {
		parent.elements = append(parent.elements, place)
		return nil
	}
	// The parser gives arrays and inline tables no place of their own: the outer one is near enough.
	place = parent.value
	parent.elements = append(parent.elements, place)
	if s.keys++; s.keys > MaxKeys {
		return s.errorf(place.start, "", "the file has more than %d keys", MaxKeys)
	}
	path := slices.Concat(parent.path, []string{strconv.Itoa(i)})
	return s.value(node, entry{path: path, header: parent.header, inline: array, value: place})
}
