package cmd

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// checkVariables holds that no package has mutable state: a package variable is an assertion (_), an error, a
// compiled pattern, an embedded file or a table, and after its declaration nobody writes to it, tests included.
// Whatever else changes from call to call belongs into a value that its user makes.
func checkVariables(h *house) []breach {
	var out []breach
	for _, room := range h.names() {
		var vars []*ast.Ident
		for _, f := range h.rooms[room] {
			if f.test {
				continue
			}
			for _, decl := range f.syntax.Decls {
				if d, ok := decl.(*ast.GenDecl); ok && d.Tok == token.VAR {
					names, bad := declaredVariables(h, f, d)
					vars = append(vars, names...)
					out = append(out, bad...)
				}
			}
		}
		for _, f := range h.rooms[room] {
			out = append(out, writes(h, f, vars)...)
		}
	}
	return out
}

// declaredVariables returns the variables of one declaration, and what is wrong with how they are declared.
func declaredVariables(h *house, f *houseFile, d *ast.GenDecl) (names []*ast.Ident, bad []breach) {
	for _, spec := range d.Specs {
		s := spec.(*ast.ValueSpec)
		if isEmbedded(d.Doc) || isEmbedded(s.Doc) {
			continue
		}
		for i, name := range s.Names {
			if name.Name == "_" {
				continue
			}
			names = append(names, name)
			var value ast.Expr
			if len(s.Values) == len(s.Names) {
				value = s.Values[i]
			} else if len(s.Values) == 1 {
				value = s.Values[0]
			}
			if why := mutable(f, value); why != "" {
				bad = append(bad, h.breach(name.Pos(), "package variable %s %s", name.Name, why))
			}
		}
	}
	return names, bad
}

// isEmbedded says whether a comment group holds a go:embed directive.
func isEmbedded(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// mutable says why a variable with this initial value is no read-only table, "" where it may be one.
func mutable(f *houseFile, value ast.Expr) string {
	var made ast.Expr // what is made: a literal's type, or a call's function
	switch v := value.(type) {
	case nil:
		return "has no initial value, so that somebody has to write to it; make it a field of the value that needs it"
	case *ast.BasicLit, *ast.BinaryExpr:
		return "is a constant in disguise; write const, or let the caller pass it"
	case *ast.CompositeLit:
		made = v.Type
	case *ast.CallExpr:
		made = v.Fun
	default:
		return "is a " + describe(value) + ", which can be replaced or shared behind the reader's back; make it a function, a constant or a field"
	}
	switch m := made.(type) {
	case *ast.Ident:
		if m.Name == "new" || m.Name == "make" {
			return "is made to be written to; make it a field of the value that needs it"
		}
	case *ast.SelectorExpr:
		if id, ok := m.X.(*ast.Ident); ok {
			p := f.importOf(id)
			if p == "sync/atomic" || p == "sync" && !strings.HasPrefix(m.Sel.Name, "Once") || p == "sync" && m.Sel.Name == "Once" {
				return "is shared state under a lock; make it a field of the value that needs it"
			}
		}
	}
	return ""
}

// writes finds the places in a file that assign to one of the package's variables or to a part of it, take its
// address, or hand it to a function that is known to change its argument.
func writes(h *house, f *houseFile, vars []*ast.Ident) []breach {
	var out []breach
	check := func(e ast.Expr, how string) {
		id := root(e)
		if id == nil {
			return
		}
		if p := f.importOf(id); within(p, houseModule) && e != ast.Expr(id) {
			out = append(out, h.breach(e.Pos(), "%s a variable of %s; a package's variables are for reading", how, p))
		}
		if isOneOf(id, vars) {
			out = append(out, h.breach(e.Pos(), "%s the package variable %s; make it a field of the value that needs it", how, id.Name))
		}
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.AssignStmt:
			for _, e := range x.Lhs {
				if x.Tok != token.DEFINE {
					check(e, "assigns to")
				}
			}
		case *ast.IncDecStmt:
			check(x.X, "counts in")
		case *ast.RangeStmt:
			if x.Tok == token.ASSIGN {
				check(x.Key, "ranges into")
				check(x.Value, "ranges into")
			}
		case *ast.UnaryExpr:
			if _, literal := x.X.(*ast.CompositeLit); x.Op == token.AND && !literal {
				check(x.X, "takes the address of")
			}
		case *ast.CallExpr:
			if len(x.Args) > 0 && changesArgument(f, x.Fun) {
				check(x.Args[0], "changes")
			}
		}
		return true
	})
	return out
}

// root returns the identifier at the bottom of x, x.f, x[i], x[i:j], *x and (x); nil for anything else.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// isOneOf says whether an identifier stands for one of the package's variables: either it was resolved to the
// declaration itself, or it is not declared in this file at all and has the name of one.
func isOneOf(id *ast.Ident, vars []*ast.Ident) bool {
	return slices.ContainsFunc(vars, func(v *ast.Ident) bool {
		return id.Name == v.Name && (id.Obj == nil || id.Obj == v.Obj)
	})
}

// changesArgument says whether a function changes what its first argument refers to.
func changesArgument(f *houseFile, fun ast.Expr) bool {
	switch x := fun.(type) {
	case *ast.Ident:
		return x.Obj == nil && (x.Name == "clear" || x.Name == "delete" || x.Name == "copy")
	case *ast.SelectorExpr:
		id, ok := x.X.(*ast.Ident)
		if !ok {
			return false
		}
		switch f.importOf(id) {
		case "sort":
			return !strings.HasPrefix(x.Sel.Name, "Search") && !strings.HasSuffix(x.Sel.Name, "AreSorted")
		case "slices":
			return slices.Contains([]string{"Sort", "SortFunc", "SortStableFunc", "Reverse"}, x.Sel.Name)
		case "maps":
			return x.Sel.Name == "Copy" || x.Sel.Name == "DeleteFunc"
		}
	}
	return false
}
