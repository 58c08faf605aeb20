package cmd

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// These tests keep the house in order: which room stands on which floor, who may import what, and how long a
// function may be. They read the syntax of every Go file of the module and nothing else: no build, no network.
// The rules are checked against small samples, good and bad, in house_samples_test.go.

const houseModule = "github.com/sendctl/sendctl"

const (
	houseRoof    = "."           // main.go
	houseGarden  = "pkg/sandbox" // beside the house: imports the ground, is imported by cmd and by tests
	houseHelpers = "pkg/internal/"
)

// houseFloors says on which floor each room stands. A room that is not here does not exist: whoever builds one
// decides its floor first.
func houseFloors() map[string]int {
	return map[string]int{
		"pkg/mail": 0, "pkg/tlsnames": 0, "profiles": 0,
		"pkg/policy": 1, "pkg/hello": 1,
		"pkg/tlsauth": 2, "pkg/delivery": 2,
		"pkg/dsn": 3, "pkg/tlsrpt": 3,
		// Below: no clock, no files, no sockets, no randomness, no environment (see checkPurity).
		"pkg/config": 4, "pkg/route": 4, "pkg/mtasts": 4, "pkg/smtp": 4, "pkg/spool": 4, "pkg/ledger": 4,
		"pkg/courier": 5,
		"pkg/send":    6, "pkg/probe": 6,
		"cmd/internal/ui": 7,
		"cmd":             8,
		houseRoof:         9,
	}
}

// housePureFloor is the highest floor whose rooms know nothing of the world outside their arguments.
const housePureFloor = 3

func isHelper(room string) bool { return strings.HasPrefix(room, houseHelpers) }

// breach is one place where a rule is broken: what is wrong there, and what to do about it.
type breach struct {
	at   token.Position
	text string
}

func (b breach) String() string { return fmt.Sprintf("%s:%d: %s", b.at.Filename, b.at.Line, b.text) }

// houseRule is one rule of the house, checked over all rooms at once.
type houseRule struct {
	name  string
	check func(*house) []breach
}

func houseRules() []houseRule {
	return []houseRule{
		{"floors", checkFloors},
		{"roof", checkRoof},
		{"purity", checkPurity},
		{"exclusive imports", checkExclusive},
		{"surroundings", checkSurroundings},
		{"package comments", checkPackageComments},
		{"doc comments", checkDocComments},
		{"sizes", checkSizes},
		{"control flow", checkControlFlow},
		{"package variables", checkVariables},
	}
}

func TestHouse(t *testing.T) {
	t.Parallel()
	h := newHouse()
	if err := h.addTree(os.DirFS("..")); err != nil {
		t.Fatal(err)
	}
	if len(h.rooms) == 0 {
		t.Fatal("no Go files found above this package: the test looks at the wrong folder")
	}
	for _, rule := range houseRules() {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			for _, b := range rule.check(h) {
				t.Errorf("%v (rule: %s)", b, rule.name)
			}
		})
	}
}

func TestHouseTopLevel(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	ignored, err := os.ReadFile("../.gitignore")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	for _, problem := range checkTop(names, strings.Fields(string(ignored))) {
		t.Error(problem)
	}
}

// checkTop compares the names in the top folder with the house's plan. Names that git ignores by a pattern
// are build results, and no part of the house.
func checkTop(names, ignored []string) []string {
	plan := strings.Fields(`cmd pkg profiles examples go.mod go.sum main.go README.md
		LICENSE CHANGELOG.md docs .ci .gitignore .golangci.yml`)
	var problems []string
	for _, name := range names {
		built := slices.ContainsFunc(ignored, func(pattern string) bool {
			ok, err := path.Match(strings.Trim(pattern, "/"), name)
			return err == nil && ok
		})
		if !built && !slices.Contains(plan, name) && !strings.HasPrefix(name, ".git") {
			problems = append(problems, name+": not in the plan of the top folder; put it into cmd, pkg, docs or examples, or have git ignore it if it is built")
		}
	}
	for _, name := range plan {
		if !slices.Contains(names, name) {
			problems = append(problems, name+": missing from the top folder; the plan has it")
		}
	}
	return problems
}

// house is the module as the rules see it: rooms (folders with Go files) and their files.
type house struct {
	fset  *token.FileSet
	rooms map[string][]*houseFile
}

// houseFile is one Go file. Its positions carry the path from the module's root, with slashes.
type houseFile struct {
	path, room string
	test       bool
	lines      int
	syntax     *ast.File
	imports    []houseImport
}

// houseImport is one import: the path, and the name by which the file speaks of the package.
type houseImport struct {
	path, name string
	pos        token.Pos
}

func newHouse() *house {
	return &house{fset: token.NewFileSet(), rooms: map[string][]*houseFile{}}
}

// addTree adds every Go file that the go command would consider part of the module.
func (h *house) addTree(root fs.FS) error {
	return fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); p != "." && (base == "testdata" || base[0] == '.' || base[0] == '_') {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(p) != ".go" {
			return nil
		}
		src, err := fs.ReadFile(root, p)
		if err != nil {
			return err
		}
		return h.add(p, src)
	})
}

// add parses one file. The parser resolves names within a file, which tells local variables from those of the package.
func (h *house) add(name string, src []byte) error {
	syntax, err := parser.ParseFile(h.fset, name, src, parser.ParseComments)
	if err != nil {
		return err
	}
	f := &houseFile{path: name, room: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), syntax: syntax}
	for s := bufio.NewScanner(bytes.NewReader(src)); s.Scan(); {
		f.lines++
	}
	for _, spec := range syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return fmt.Errorf("%s: import %s: %w", name, spec.Path.Value, err)
		}
		imp := houseImport{path: p, name: importedName(p), pos: spec.Pos()}
		if spec.Name != nil {
			imp.name = spec.Name.Name
		}
		f.imports = append(f.imports, imp)
	}
	h.rooms[f.room] = append(h.rooms[f.room], f)
	return nil
}

// importedName guesses the name of a package from its path: the last element that is no major version.
func importedName(p string) string {
	dir, base := path.Split(p)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" {
		base = path.Base(dir)
	}
	return base
}

// names returns the rooms in order, so that messages come in order.
func (h *house) names() []string { return slices.Sorted(maps.Keys(h.rooms)) }

// files returns the files of all rooms in order; with tests or without.
func (h *house) files(tests bool) []*houseFile {
	var all []*houseFile
	for _, room := range h.names() {
		for _, f := range h.rooms[room] {
			if tests || !f.test {
				all = append(all, f)
			}
		}
	}
	return all
}

func (h *house) breach(pos token.Pos, format string, args ...any) breach {
	return breach{h.fset.Position(pos), fmt.Sprintf(format, args...)}
}

// mentions calls visit for every package.Name in the file, called or passed on as a value, where package is
// an import and not a variable of the same name.
func (f *houseFile) mentions(visit func(path, name string, pos token.Pos)) {
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok {
			if p := f.importOf(id); p != "" {
				visit(p, sel.Sel.Name, sel.Pos())
			}
		}
		return true
	})
}

// importOf returns the path of the package that the identifier stands for, "" where it stands for something else.
func (f *houseFile) importOf(id *ast.Ident) string {
	if id.Obj != nil { // declared in this file: it shadows the import
		return ""
	}
	for _, imp := range f.imports {
		if imp.name == id.Name {
			return imp.path
		}
	}
	return ""
}
