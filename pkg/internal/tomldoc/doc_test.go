package tomldoc

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const sample = `# the medical one
name        = "medical" # required
"quoted key" = 1

[tls]   # transport
mode      = "forced"
protocols = [
  "TLSv1.2", # still needed
  "TLSv1.3",
]
a.b.c = 1

[pools.x]
sources = [{ address = "192.0.2.1", ehlo = "é" }, { address = "bad" }]

[[list]]
n = 1
[[list]]
n = 2
sub.m = 3
`

func TestPositions(t *testing.T) {
	t.Parallel()
	d, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path       string
		key, value Position
	}{
		{"name", Position{2, 1}, Position{2, 15}},
		{"quoted key", Position{3, 1}, Position{3, 16}},
		{"tls", Position{5, 2}, Position{5, 2}},
		{"tls/mode", Position{6, 1}, Position{6, 13}},
		{"tls/protocols", Position{7, 1}, Position{7, 13}},
		{"tls/protocols/1", Position{7, 1}, Position{9, 3}},
		{"tls/protocols/7", Position{7, 1}, Position{7, 13}},
		{"tls/a", Position{11, 5}, Position{11, 9}},
		{"tls/a/b/c", Position{11, 5}, Position{11, 9}},
		{"tls/missing", Position{5, 2}, Position{5, 2}},
		{"missing", Position{1, 1}, Position{1, 1}},
		{"pools/x/sources/0/ehlo", Position{14, 37}, Position{14, 44}},
		{"pools/x/sources/1/address", Position{14, 53}, Position{14, 63}},
		{"list/0/n", Position{17, 1}, Position{17, 5}},
		{"list/1/n", Position{19, 1}, Position{19, 5}},
		{"list/1/sub/m", Position{20, 5}, Position{20, 9}},
	} {
		path := strings.Split(tt.path, "/")
		if k, v := d.Key(path...), d.Value(path...); k != tt.key || v != tt.value {
			t.Errorf("%s: key %v, value %v; want %v, %v", tt.path, k, v, tt.key, tt.value)
		}
	}
}

// C8: what is not TOML, and what costs more than it may, is refused with its place.
func TestParseErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in, want string
		at             Position
	}{
		{"no value", "a =\n", "value", Position{1, 4}},
		{"end of input", "a = [1,", "array is incomplete", Position{1, 7}},
		{"duplicate key", "a = 1\n  a = 2\n", "already been defined", Position{2, 3}},
		{"duplicate table", "[t]\n[t]\n", "already been defined", Position{2, 2}},
		{"key and table", "t = 1\n[t]\n", "already been defined", Position{2, 2}},
		{"date", "x = 1\na = 1979-13-45", "invalid datetime", Position{2, 5}},
		{"number", "a = 99999999999999999999", "out of range", Position{1, 5}},
		{"column in characters", "é = \"x\"", "invalid character", Position{1, 1}},
		{"after umlauts", "a = \"öäü\" x", "expected newline", Position{1, 11}},
		{"bare CR", "a = 1\rb = 2", "newline", Position{1, 6}},
		{"NUL", "a = '\x00'", "control", Position{1, 6}},
		{"UTF-8", "a = 1\nb = \"x\xff\"", "invalid UTF-8: byte 0xff", Position{2, 7}},
		{"UTF-16", "\xff\xfea\x00", "invalid UTF-8: byte 0xff", Position{1, 1}},
		{"too large", strings.Repeat("#", MaxSize+1), "larger than", Position{1, 1}},
		{"deep arrays", "a = " + strings.Repeat("[", 100_000), "nested more than", Position{1, 10005}},
		{"deep arrays, closed", "a = " + strings.Repeat("[", 50) + strings.Repeat("]", 50), "nests more than", Position{1, 5}},
		{"deep tables", "a = " + strings.Repeat("{a=", 100_000), "nested more than", Position{1, 30005}},
		{"deep key", strings.Repeat("a.", 100_000) + "a = 1", "more than 8 parts", Position{1, 17}},
		{"deep header", "[" + strings.Repeat("a.", 100_000) + "a]", "more than 8 parts", Position{1, 18}},
		{"long key", strings.Repeat("a", 1000) + " = 1", "longer than 128", Position{1, 1}},
		{"many keys", strings.Repeat("[[a]]\n", MaxKeys+1), "more than 10000 keys", Position{10001, 3}},
		{"many inner arrays", "a = [" + strings.Repeat("[],", MaxKeys+1) + "]", "more than 10000 keys", Position{1, 5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(tt.in))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v", err)
			}
			if e.Position != tt.at || !strings.Contains(e.Message, tt.want) {
				t.Errorf("%v, want %q at %v", e, tt.want, tt.at)
			}
		})
	}
}

// What other programs write is read: a byte order mark, CRLF, no final newline, nothing at all.
func TestParseTolerates(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "\xef\xbb\xbfa = 1", "a = 1\r\nb = 2\r\n", "a = {\n  b = 1, # TOML 1.1\n}\n", "# only a comment"} {
		if _, err := Parse([]byte(in)); err != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
	d, err := Parse([]byte("\xef\xbb\xbfa = 1\r\nb = 2"))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Value("b"); got != (Position{2, 5}) {
		t.Errorf("b's value is at %v", got)
	}
	if got := d.Value("a"); got != (Position{1, 5}) {
		t.Errorf("a's value is at %v", got)
	}
}

// A key in another spelling must not pass for the real one.
func TestKeysAreExact(t *testing.T) {
	t.Parallel()
	d, err := Parse([]byte("tls = 'forced'\nTLS = 'opportunistic'\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"tls": "forced", "TLS": "opportunistic"}, d.Tree); diff != "" {
		t.Error(diff)
	}
}

func TestLiteral(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		in   any
		want string
	}{
		{"a\"b\\c\n\t\x1b\x7fé", `"a\"b\\c\n\t\u001B\u007Fé"`},
		{true, "true"},
		{25, "25"},
		{int64(-1), "-1"},
		{day, "2026-01-31T09:00:00Z"},
		{[]string{}, "[]"},
		{[]string{"a", "b"}, `["a", "b"]`},
	} {
		got, err := Literal(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("%#v: %s, %v; want %s", tt.in, got, err, tt.want)
		}
	}
	for _, bad := range []any{"\xff", []string{"a", "\xff"}, 1.5, nil, struct{}{}} {
		if got, err := Literal(bad); err == nil {
			t.Errorf("%#v became %s", bad, got)
		}
	}
}
