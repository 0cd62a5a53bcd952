package architecture

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
)

// noState refuses package-level variables and init functions. A package-level variable may be
//   - a sentinel error: Err or err and more, set by errors.New
//   - a regular expression set by regexp.MustCompile, which never changes
//   - a file that go:embed puts in
//   - _, which asserts that a type implements an interface
//   - version in package main, which the linker sets
func noState(t *tree) []string {
	var findings []string
	for _, f := range t.files {
		for _, decl := range f.ast.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.Name == "init" && d.Recv == nil {
					findings = append(findings, f.at(d)+": init: say what is to be done where it is used")
				}
			case *ast.GenDecl:
				if d.Tok == token.VAR && !f.isTest() {
					findings = append(findings, f.variables(d)...)
				}
			}
		}
	}
	return findings
}

func (f *file) variables(d *ast.GenDecl) []string {
	var findings []string
	for _, s := range d.Specs {
		spec, ok := s.(*ast.ValueSpec)
		if !ok || embedded(d.Doc) || embedded(spec.Doc) {
			continue
		}
		for i, name := range spec.Names {
			if !f.constant(name.Name, spec, i) {
				findings = append(findings, fmt.Sprintf("%s: variable %s: package-level state: make it a field, an argument or a function", f.at(name), name.Name))
			}
		}
	}
	return findings
}

func embedded(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	for _, c := range doc.List {
		if strings.HasPrefix(c.Text, "//go:embed ") {
			return true
		}
	}
	return false
}

// constant reports variables that are never assigned by what they are.
func (f *file) constant(name string, spec *ast.ValueSpec, i int) bool {
	if name == "_" || (name == "version" && f.ast.Name.Name == "main") {
		return true
	}
	if i >= len(spec.Values) {
		return false
	}
	call, ok := spec.Values[i].(*ast.CallExpr)
	if !ok {
		return false
	}
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	from, ok := fun.X.(*ast.Ident)
	if !ok {
		return false
	}
	switch from.Name + "." + fun.Sel.Name {
	case f.name("errors") + ".New":
		return strings.HasPrefix(strings.ToLower(name), "err")
	case f.name("regexp") + ".MustCompile":
		return true
	}
	return false
}
