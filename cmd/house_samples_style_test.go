package cmd

import "strings"

// repeated is a function of n lines in all.
func repeated(n int) string {
	return "func f() {\n" + strings.Repeat("\t_ = 0\n", n-2) + "}\n"
}

func styleSamples() map[string][]houseSample {
	return map[string][]houseSample{
		"package comments": {
			one("there", "pkg/mail/a.go", "// Package mail has words.\npackage mail\n"),
			one("not there", "pkg/mail/a.go", "// Copyright\n\npackage mail\n", "pkg/mail/a.go:3"),
			one("wrong start", "pkg/mail/a.go", "// This package has words.\npackage mail\n", "pkg/mail/a.go:1"),
			one("another package's", "pkg/mail/a.go", "// Package mailbox has words.\npackage mail\n", "pkg/mail/a.go:1"),
			one("a command", "main.go", "// Sendctl sends mail.\npackage main\n"),
			one("tests only", "pkg/mail/a_test.go", "package mail\n"),
			{"twice", map[string]string{
				"pkg/mail/a.go": "// Package mail has words.\npackage mail\n",
				"pkg/mail/b.go": "// Package mail has more words.\npackage mail\n",
			}, []string{"pkg/mail/b.go:1"}},
			{"once in two files", map[string]string{
				"pkg/mail/a.go": "package mail\n",
				"pkg/mail/b.go": "// Package mail has words.\npackage mail\n",
			}, nil},
		},
		"doc comments": {
			one("all there", "pkg/mail/a.go", `package mail

// Reply is what a server said.
type Reply struct{ Code int }

// String is the reply in one line.
func (r *Reply) String() string { return "" }

// ErrSyntax means that a reply cannot be read.
var ErrSyntax = f()

// Codes of RFC 5321 §4.2.
const (
	OK    = 250
	Ready = 220
)

const (
	Maybe = 1 // perhaps
	// Never is not at all.
	Never
)

// Low, High are bounds.
const Low, High = 1, 2

type inner struct{}

func (inner) Len() int { return 0 }

func f() error { return nil }
`),
			one("missing", "pkg/mail/a.go", `package mail

type Reply struct{}

func (r *Reply) String() string { return "" }

func (l *List[T]) Add(t T) {}

func New() Reply { return Reply{} }

var ErrSyntax = f()

const (
	OK = 250
)
`, "pkg/mail/a.go:3", "pkg/mail/a.go:5", "pkg/mail/a.go:7", "pkg/mail/a.go:9", "pkg/mail/a.go:11", "pkg/mail/a.go:14"),
			one("wrong name", "pkg/mail/a.go", "package mail\n\n// Replies are many.\ntype Reply struct{}\n", "pkg/mail/a.go:4"),
			one("in a test", "pkg/mail/a_test.go", "package mail\n\ntype Reply struct{}\n"),
		},
		"sizes": {
			one("60 lines", "pkg/mail/a.go", "package mail\n"+repeated(60)),
			one("61 lines", "pkg/mail/a.go", "package mail\n"+repeated(61), "pkg/mail/a.go:2"),
			one("61 lines of literal", "pkg/mail/a.go", "package mail\nvar _ = "+strings.Replace(repeated(61), " f", "", 1), "pkg/mail/a.go:2"),
			one("61 lines in a test", "pkg/mail/a_test.go", "package mail\n"+repeated(61)),
			one("400 lines of file", "pkg/mail/a.go", "package mail\n"+strings.Repeat("// x\n", 399)),
			one("401 lines of file", "pkg/mail/a.go", "package mail\n"+strings.Repeat("// x\n", 400), "pkg/mail/a.go:1"),
			one("signature", "pkg/mail/a.go", "package mail\nfunc f(a, b, c, d, e int) (x, y, z int) { return }\nfunc (t T) g(int, int, int, int, int) {}\n"),
			one("parameters", "pkg/mail/a.go", "package mail\nfunc f(a, b, c int, d, e, g string) {}\n", "pkg/mail/a.go:2"),
			one("results", "pkg/mail/a.go", "package mail\ntype F func() (int, int, int, error)\n", "pkg/mail/a.go:2"),
		},
		"control flow": {
			one("plain", "pkg/mail/a.go", "package mail\nfunc (t T) init() {\nouter:\n\tfor {\n\t\tbreak outer\n\t}\n}\n"),
			one("goto", "pkg/mail/a.go", "package mail\nfunc f() {\nagain:\n\tgoto again\n}\n", "pkg/mail/a.go:4"),
			one("init", "cmd/a.go", "package cmd\nfunc init() {}\n", "cmd/a.go:2"),
			one("panic", "pkg/mail/a.go", "package mail\nfunc f() {\n\tpanic(`no`)\n}\n", "pkg/mail/a.go:3"),
			one("panic in the garden", "pkg/sandbox/a.go", "package sandbox\nfunc f() { panic(`no`) }\n", "pkg/sandbox/a.go:2"),
			one("panic in a test", "pkg/mail/a_test.go", "package mail\nfunc f() { panic(`no`) }\n"),
		},
	}
}

func variableSamples() map[string][]houseSample {
	return map[string][]houseSample{"package variables": {
		one("read-only", "pkg/mail/a.go", `package mail

import (
	"embed"
	"errors"
	"fmt"
	"regexp"
	"sync"
)

var _ fmt.Stringer = Reply{}

var (
	errSyntax = errors.New("mail: syntax")
	errDate   = fmt.Errorf("mail: date: %w", errSyntax)
	word      = regexp.MustCompile("^a$")
	names     = map[int]string{1: "one"}
	reverse   = turn(names)
	once      = sync.OnceValue(f)
	bytes     = []byte("CRLF")
)

//go:embed *.toml
var files embed.FS

var (
	//go:embed a.txt
	text string
)

func f() string {
	names := map[int]string{}
	names[1] = "local"
	for i, errSyntax := range names {
		_, _ = i, errSyntax
	}
	x := &Reply{}
	x.names = nil
	return word.String() + bytes
}
`),
		one("declared wrongly", "pkg/mail/a.go", `package mail

import (
	"sync"
	"sync/atomic"
	"time"
)

var count int
var timeout = 5 * time.Second
var name = "x"
var now = time.Now
var hook = func() {}
var shared = &Reply{}
var lock = sync.Mutex{}
var flag = atomic.Bool{}
var table = make(map[string]int)
var box = new(Reply)
var one = sync.Once{}
`, "pkg/mail/a.go:9", "pkg/mail/a.go:10", "pkg/mail/a.go:11", "pkg/mail/a.go:12", "pkg/mail/a.go:13", "pkg/mail/a.go:14",
			"pkg/mail/a.go:15", "pkg/mail/a.go:16", "pkg/mail/a.go:17", "pkg/mail/a.go:18", "pkg/mail/a.go:19"),
		one("written to", "pkg/mail/a.go", `package mail

import ("maps"; "slices"; "sort")

var m = map[string]int{}
var s = []int{1}

func f() {
	m = nil
	m["a"] = 1
	m["a"]++
	s[0], _ = 1, 2
	p := &s[0]
	_ = p
	delete(m, "a")
	clear(m)
	copy(s[1:], s)
	slices.Sort(s)
	sort.Ints(s)
	maps.Copy(m, nil)
	for s[0] = range 3 {
	}
	_ = slices.Sorted(maps.Keys(m))
	_ = append(s, 1)
}
`, "pkg/mail/a.go:9", "pkg/mail/a.go:10", "pkg/mail/a.go:11", "pkg/mail/a.go:12", "pkg/mail/a.go:13", "pkg/mail/a.go:15",
			"pkg/mail/a.go:16", "pkg/mail/a.go:17", "pkg/mail/a.go:18", "pkg/mail/a.go:19", "pkg/mail/a.go:20", "pkg/mail/a.go:21"),
		{"written to in another file, and by a test", map[string]string{
			"pkg/mail/a.go":      "package mail\n\nvar waits = []int{1}\n",
			"pkg/mail/b.go":      "package mail\n\nfunc f() { waits[0] = 2 }\n\nfunc g(waits []int) { waits[0] = 2 }\n",
			"pkg/mail/b_test.go": "package mail\n\nvar own int\n\nfunc h() { waits = nil; own = 1 }\n",
		}, []string{"pkg/mail/b.go:3", "pkg/mail/b_test.go:5"}},
		one("another room's", "pkg/policy/a.go", `package policy

import "`+houseModule+`/pkg/mail"

func f() {
	mail.Table["a"] = 1
	p := &mail.Table
	q := &mail.Reply{}
	r := mail.Table["a"]
	_, _, _ = p, q, r
}
`, "pkg/policy/a.go:6", "pkg/policy/a.go:7"),
	}}
}
