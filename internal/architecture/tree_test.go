package architecture

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const module = "github.com/tripgen/paramedic/"

// tree is a repository, parsed.
type tree struct {
	root  string
	files []*file
	// paths are all files, slash-separated and relative, of any kind.
	paths []string
}

// file is one Go file.
type file struct {
	path  string // relative, with slashes
	ast   *ast.File
	set   *token.FileSet
	lines int
}

func (f *file) folder() string { return path.Dir(f.path) }
func (f *file) isTest() bool   { return strings.HasSuffix(f.path, "_test.go") }

// at is where a node begins.
func (f *file) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.path, f.set.Position(n.Pos()).Line)
}

// imports are the paths that the file imports.
func (f *file) imports() []string {
	list := make([]string, len(f.ast.Imports))
	for i, spec := range f.ast.Imports {
		list[i] = strings.Trim(spec.Path.Value, `"`)
	}
	return list
}

// name is what the file calls an imported package, or "".
func (f *file) name(imported string) string {
	for i, p := range f.imports() {
		if p != imported {
			continue
		}
		if name := f.ast.Imports[i].Name; name != nil {
			return name.Name
		}
		return path.Base(p)
	}
	return ""
}

// uses calls found for every mention of one of the names of an imported package.
func (f *file) uses(imported string, names []string, found func(*ast.SelectorExpr)) {
	local := f.name(imported)
	if local == "" {
		return
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains(names, s.Sel.Name) {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == local && x.Obj == nil {
				found(s)
			}
		}
		return true
	})
}

// load parses what is below root, but for what .gitignore names, folders that begin with a dot, the insides of testdata
// and modules of their own.
func load(root string) (*tree, error) {
	ignored, err := ignoredPaths(root)
	if err != nil {
		return nil, err
	}
	t := &tree{root: root}
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel != "." && (slices.Contains(ignored, rel) || d.Name() == ".git") {
				return fs.SkipDir
			}
			return nil
		}
		if slices.Contains(ignored, rel) {
			return nil
		}
		t.paths = append(t.paths, rel)
		if !strings.HasSuffix(rel, ".go") || foreign(root, rel) {
			return nil
		}
		f, err := parse(p, rel)
		t.files = append(t.files, f)
		return err
	})
	return t, err
}

// foreign reports files that are no part of the module.
func foreign(root, rel string) bool {
	for dir := path.Dir(rel); dir != "."; dir = path.Dir(dir) {
		if base := path.Base(dir); base == "testdata" || strings.HasPrefix(base, ".") {
			return true
		}
		if _, err := os.Stat(filepath.Join(root, dir, "go.mod")); err == nil {
			return true
		}
	}
	return false
}

func parse(p, rel string) (*file, error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, p, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	return &file{path: rel, ast: parsed, set: set, lines: set.File(parsed.FileStart).LineCount()}, nil
}

// ignoredPaths are those that .gitignore anchors at the root, such as /bin/.
func ignoredPaths(root string) ([]string, error) {
	content, err := os.ReadFile(filepath.Join(root, ".gitignore"))
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "/") {
			list = append(list, strings.Trim(line, "/"))
		}
	}
	return list, nil
}
