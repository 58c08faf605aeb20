package tomldoc

import (
	"errors"
	"strings"
	"testing"
)

// Only what was asked for changes: every comment, space and line end is in want.
func TestSet(t *testing.T) {
	t.Parallel()
	long := []string{strings.Repeat("a", 60), strings.Repeat("b", 60)}
	for _, tt := range []struct {
		name, in, path string
		value          any
		want           string
	}{
		{"replace", "a  =  1 # one\nb = 2\n", "a", 7, "a  =  7 # one\nb = 2\n"},
		{"replace under a table", "a = 1\n[t]\na = 1\n", "t.a", true, "a = 1\n[t]\na = true\n"},
		{"replace an array of lines", "a = [\n 'x', # why\n]\n# end\n", "a", []string{"y"}, "a = [\"y\"]\n# end\n"},
		{"replace in an inline table", "t = { a = 1, b = 2 }\n", "t.b", 3, "t = { a = 1, b = 3 }\n"},
		{"the same again", "a = [\n 'x', # why\n]\n", "a", []string{"x"}, "a = [\n 'x', # why\n]\n"},
		{"add, aligned", "name   = 'x'\n\n[t]\n", "pool", "p", "name   = 'x'\npool   = \"p\"\n\n[t]\n"},
		{"add, indented", "[t]\n  mode = 'x'\n[u]\n", "t.b", 1, "[t]\n  mode = 'x'\n  b    = 1\n[u]\n"},
		{"add under an empty header", "[t]   # note\n[u]\n", "t.b", 1, "[t]   # note\nb = 1\n[u]\n"},
		{"add under an empty header at the end", "[t]", "t.b", 1, "[t]\nb = 1\n"},
		{"add to the root without keys", "# head\n[t]\n", "a", 1, "a = 1\n# head\n[t]\n"},
		{"add without a final newline", "a = 1", "b", 2, "a = 1\nb = 2\n"},
		{"add to nothing", "", "a", 1, "a = 1\n"},
		{"add a table", "a = 1\n", "t.b", 2, "a = 1\n\n[t]\nb = 2\n"},
		{"add a table without a final newline", "a = 1", "t.b", 2, "a = 1\n\n[t]\nb = 2\n"},
		{"add a table to nothing", "", "t.b", 2, "[t]\nb = 2\n"},
		{"add beside dotted keys", "t.a = 1\nz = 1\n[u]\n", "t.b", 2, "t.a = 1\nt.b = 2\nz = 1\n[u]\n"},
		{"add beside dotted keys of a table", "[u]\nt.a = 1\n", "u.t.b", 2, "[u]\nt.a = 1\nt.b = 2\n"},
		{"add to an inline table", "t = { a = 1, }\n", "t.b", 2, "t = { a = 1, b = 2, }\n"},
		{"add to an empty inline table", "t = {}\n", "t.b", 2, "t = { b = 2 }\n"},
		{"CRLF", "a = 1\r\n[t]\r\n", "b", 2, "a = 1\r\nb = 2\r\n[t]\r\n"},
		{"CRLF with long arrays", "a = 1\r\n", "a", long, "a = [\r\n  \"" + long[0] + "\",\r\n  \"" + long[1] + "\",\r\n]\r\n"},
		{"byte order mark", "\xef\xbb\xbfa = 1\n", "a", 2, "\xef\xbb\xbfa = 2\n"},
		{"only a super-table is there", "[t.u]\na = 1\n", "t.b", 2, "[t.u]\na = 1\n\n[t]\nb = 2\n"},
		{"odd key", "", "a key", 2, "\"a key\" = 2\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Set([]byte(tt.in), strings.Split(tt.path, "."), tt.value)
			if err != nil || string(got) != tt.want {
				t.Errorf("%v\n got %q\nwant %q", err, got, tt.want)
			}
		})
	}
}

func TestUnset(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, path, want string }{
		{"a line", "a = 1\nb = 2 # two\nc = 3\n", "b", "a = 1\nc = 3\n"},
		{"the last line", "a = 1\nb = 2", "b", "a = 1\n"},
		{"many lines", "a = [\n1,\n] # x\nb = 2\n", "a", "b = 2\n"},
		{"of a table", "[t]\na = 1\n[u]\na = 2\n", "u.a", "[t]\na = 1\n[u]\n"},
		{"first of an inline table", "t = { a = 1, b = 2 }\n", "t.a", "t = { b = 2 }\n"},
		{"last of an inline table", "t = { a = 1, b = 2 }\n", "t.b", "t = { a = 1 }\n"},
		{"only one of an inline table", "t = { a = 1 }\n", "t.a", "t = {  }\n"},
		{"not there", "a = 1\n", "b", "a = 1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Unset([]byte(tt.in), strings.Split(tt.path, "."))
			if err != nil || string(got) != tt.want {
				t.Errorf("%v\n got %q\nwant %q", err, got, tt.want)
			}
		})
	}
}

// What cannot be done safely is refused, not tried.
func TestSetRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		path     []string
		value    any
	}{
		{"broken document", "a = ", []string{"a"}, 1},
		{"below a scalar", "a = 1\n", []string{"a", "b"}, 2},
		{"below an array", "a = [1]\n", []string{"a", "0"}, 2},
		{"a table by a scalar", "[t]\na = 1\n", []string{"t"}, 2},
		{"no path", "a = 1\n", nil, 2},
		{"no form", "a = 1\n", []string{"a"}, 1.5},
	} {
		if got, err := Set([]byte(tt.in), tt.path, tt.value); err == nil {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
	_, err := Set([]byte("a = 1\n"), []string{"a", "b"}, 2)
	if !errors.Is(err, errWrongEdit) {
		t.Errorf("below a scalar: %v", err)
	}
	if _, err := Unset([]byte("t.a = 1\n"), []string{"t", "a"}); !errors.Is(err, errWrongEdit) {
		// The table t would vanish with its only key: that is more than was asked for.
		t.Errorf("the last dotted key: %v", err)
	}
}
