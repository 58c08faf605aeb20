package cmd

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
)

// checkPackageComments holds that each room says, once and in one place, what it is for.
func checkPackageComments(h *house) []breach {
	var out []breach
	for _, room := range h.names() {
		var first *houseFile
		comments := 0
		for _, f := range h.rooms[room] {
			if f.test {
				continue
			}
			if first == nil {
				first = f
			}
			if f.syntax.Doc == nil {
				continue
			}
			comments++
			name := f.syntax.Name.Name
			if want := "Package " + name; name != "main" && !startsWith(f.syntax.Doc.Text(), want) {
				out = append(out, h.breach(f.syntax.Doc.Pos(), "the package comment has to start with %q", want))
			}
			if comments > 1 {
				out = append(out, h.breach(f.syntax.Doc.Pos(), "%s has a second package comment; godoc would join them: keep one", room))
			}
		}
		if first != nil && comments == 0 {
			out = append(out, h.breach(first.syntax.Package, "%s has no package comment; say its one purpose in one sentence above the package clause", room))
		}
	}
	return out
}

// startsWith says whether a comment starts with the word, and not with a longer word.
func startsWith(text, word string) bool {
	rest, ok := strings.CutPrefix(text, word)
	return ok && (rest == "" || strings.ContainsRune(" ,.:;\n'(", rune(rest[0])))
}

// checkDocComments holds that every exported name is explained, under its own name.
func checkDocComments(h *house) []breach {
	var out []breach
	report := func(pos token.Pos, name string, doc *ast.CommentGroup) {
		if doc == nil {
			out = append(out, h.breach(pos, "%s is exported without a doc comment; say what goes in, what comes out, units, errors and source", name))
		} else if !startsWith(doc.Text(), name) {
			out = append(out, h.breach(pos, "the doc comment of %s has to start with %q", name, name))
		}
	}
	for _, f := range h.files(false) {
		for _, decl := range f.syntax.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d))) {
					report(d.Pos(), d.Name.Name, d.Doc)
				}
			case *ast.GenDecl:
				docsOfGroup(d, report)
			}
		}
	}
	return out
}

// docsOfGroup reports the exported names of a const, var or type declaration. In a parenthesised group of
// constants or variables the comment above the group, or one at the end of the line, serves as well.
func docsOfGroup(d *ast.GenDecl, report func(token.Pos, string, *ast.CommentGroup)) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			doc := s.Doc
			if doc == nil && !d.Lparen.IsValid() {
				doc = d.Doc
			}
			if s.Name.IsExported() {
				report(s.Pos(), s.Name.Name, doc)
			}
		case *ast.ValueSpec:
			grouped := d.Lparen.IsValid() && (d.Doc != nil || s.Comment != nil || s.Doc != nil)
			for i, name := range s.Names {
				switch {
				case !name.IsExported() || grouped:
				case i > 0 && s.Doc != nil || i > 0 && d.Doc != nil: // var A, B: the comment starts with the first
				default:
					report(s.Pos(), name.Name, d.Doc)
				}
			}
		}
	}
}

// receiver returns the type name that a method belongs to.
func receiver(d *ast.FuncDecl) string {
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.ParenExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// Sizes that a reader can hold in mind.
const (
	houseFunctionLines = 60
	houseFileLines     = 400
	houseParameters    = 5
	houseResults       = 3
)

// checkSizes holds that functions and files stay small, tests aside.
func checkSizes(h *house) []breach {
	var out []breach
	for _, f := range h.files(false) {
		if f.lines > houseFileLines {
			out = append(out, h.breach(f.syntax.Package, "%d lines in a file, at most %d; split it by purpose", f.lines, houseFileLines))
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			var name string
			switch x := n.(type) {
			case *ast.FuncDecl:
				name = x.Name.Name
			case *ast.FuncLit:
				name = "a function literal"
			case *ast.FuncType:
				out = append(out, h.signature(x)...)
				return true
			default:
				return true
			}
			lines := h.fset.Position(n.End()).Line - h.fset.Position(n.Pos()).Line + 1
			if lines > houseFunctionLines {
				out = append(out, h.breach(n.Pos(), "%s has %d lines, at most %d; name its steps and make them functions", name, lines, houseFunctionLines))
			}
			return true
		})
	}
	return out
}

// signature reports too many parameters or results, of functions, methods, literals and function types alike.
func (h *house) signature(t *ast.FuncType) []breach {
	var out []breach
	if n := t.Params.NumFields(); n > houseParameters {
		out = append(out, h.breach(t.Pos(), "%d parameters, at most %d; what belongs together makes a struct", n, houseParameters))
	}
	if n := t.Results.NumFields(); n > houseResults {
		out = append(out, h.breach(t.Pos(), "%d results, at most %d; return a struct with names", n, houseResults))
	}
	return out
}

// checkControlFlow holds that the flow of control can be read where it happens.
func checkControlFlow(h *house) []breach {
	var out []breach
	for _, f := range h.files(false) {
		library := within(f.room, "pkg") || f.room == "profiles"
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.BranchStmt:
				if x.Tok == token.GOTO {
					out = append(out, h.breach(x.Pos(), "goto; use a loop, a labelled break or a function"))
				}
			case *ast.FuncDecl:
				if x.Recv == nil && x.Name.Name == "init" {
					out = append(out, h.breach(x.Pos(), "init() runs behind the reader's back; let a constructor or a table do it"))
				}
			case *ast.CallExpr:
				if id, ok := x.Fun.(*ast.Ident); ok && id.Name == "panic" && id.Obj == nil && library {
					out = append(out, h.breach(x.Pos(), "panic in a library room; return an error"))
				}
			}
			return true
		})
	}
	return out
}

// describe names an expression's kind in messages about package variables.
func describe(e ast.Expr) string {
	return strings.TrimPrefix(fmt.Sprintf("%T", e), "*ast.")
}
