package tomldoc

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// Parse never panics, and every place that it gives lies within the document.
func FuzzParse(f *testing.F) {
	for _, s := range []string{sample, "", "a = 1", "\xef\xbb\xbf[a]\r\n", "a.b = {c = [[{d = 1}]]}", "[[a]]\n[[a.b]]\n", "a = '''\n'''"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Message == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		for _, e := range d.entries {
			if e.value.start < 0 || e.value.start > e.value.end || e.value.end > len(d.data) || e.start() > e.value.start {
				t.Fatalf("%q: entry %+v of %d bytes", data, e, len(d.data))
			}
			if p := d.Value(e.path...); p.Line < 1 || p.Column < 1 {
				t.Fatalf("%q: %v at %v", data, e.path, p)
			}
		}
	})
}

// Whatever the document, a key that was set has its value, every other key the one it had,
// and taking it away again leaves what was there before.
func FuzzSplice(f *testing.F) {
	f.Add([]byte(sample), "tls.mode", "opportunistic")
	f.Add([]byte("t = {a = 1}"), "t.b", "\x1b\"")
	f.Add([]byte("t.a = 1\r\n# x"), "t.b", "")
	f.Add([]byte("[a]\n[[b]]\n"), "b.c", "x")
	f.Fuzz(func(t *testing.T, data []byte, dotted, value string) {
		path := strings.Split(dotted, ".")
		before, err := Parse(data)
		if err != nil {
			return
		}
		out, err := Set(data, path, value)
		if err != nil {
			return
		}
		after, err := Parse(out)
		if err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if got, ok := lookup(after.Tree, path); !ok || got != value {
			t.Fatalf("%q has %v, not %q", out, got, value)
		}
		if _, had := lookup(before.Tree, path); had {
			return
		}
		back, err := Unset(out, path)
		if err != nil {
			return
		}
		again, err := Parse(back)
		if err != nil {
			t.Fatalf("%q: %v", back, err)
		}
		if _, still := lookup(again.Tree, path); still {
			t.Fatalf("%q still has %v", back, path)
		}
		if len(path) == 1 && !reflect.DeepEqual(before.Tree, again.Tree) {
			t.Fatalf("%q became %q", data, back)
		}
	})
}

func lookup(tree map[string]any, path []string) (any, bool) {
	for _, part := range path[:len(path)-1] {
		next, ok := tree[part].(map[string]any)
		if !ok {
			return nil, false
		}
		tree = next
	}
	v, ok := tree[path[len(path)-1]]
	return v, ok
}
