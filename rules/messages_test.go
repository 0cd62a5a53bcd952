package rules_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// message is a text that findings are made of, as the source has it.
type message struct{ at, format string }

// passedOn are formats that only hand on another text, which is collected, or
// comes from elsewhere, by itself.
func passedOn() map[string]string {
	return map[string]string{
		"%s":                 "hands on what an expression's compiler complains of, or what is wrong with a schema",
		"%s: %s":             "hands on what is wrong with a duration, a cron expression or a parameter",
		"%s needs %s":        "names a parameter and what it lacks: any words",
		"%s is %s, not %s":   "names a parameter and its types: any words",
		"not YAML: %s":       "hands on what the YAML parser says",
		"not an expression:": "hands on what CEL's parser says",
	}
}

// unreached are formats that no rule file can bring about, and why. They stand
// where a library can return an error that it does not return for what it is
// given, and where the file would have to be too large to be kept.
func unreached() map[string]string {
	return map[string]string{
		"the file has %d bytes, more than the %d that are read: divide it": "needs 8 MiB: TestTooLargeAFile",
		"the file is given twice":                                                          "not about one file's text: TestSetAcrossFiles",
		"the cost of this expression cannot be bounded: %v":                                "CEL bounds every expression that it has checked",
		"the parameter schema of %s: %w":                                                   "the catalogue's fault: TestSchemasThatAreNone",
		"there is no rule in the %s given: a rule set without rules would answer no alert": "a file without rules has an error already: TestSetAcrossFiles",
	}
}

// TestEveryMessageHasAFixture: for every text that the compiler can report there
// is a file that brings it about, and a golden file with it.
func TestEveryMessageHasAFixture(t *testing.T) {
	t.Parallel()
	var golden []string
	for _, pattern := range []string{"testdata/*.golden"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(names), err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				if _, said, ok := cutAny(strings.TrimSpace(line), ": error: ", ": warning: "); ok {
					golden = append(golden, said)
				}
			}
		}
	}
	all := messages(t)
	if len(all) < 100 {
		t.Fatalf("only %d messages were found in the source", len(all))
	}
	excepted := unreached()
	for _, m := range all {
		if _, ok := passedOn()[m.format]; ok {
			continue
		}
		if _, ok := unreached()[m.format]; ok {
			delete(excepted, m.format)
			continue
		}
		if !matchesAny(m.format, golden) {
			t.Errorf("%s: no fixture brings about %q", m.at, m.format)
		}
	}
	for format := range excepted {
		t.Errorf("%q is listed as unreached, and is not in the source", format)
	}
}

func cutAny(s string, separators ...string) (before, after string, ok bool) {
	for _, separator := range separators {
		if before, after, ok = strings.Cut(s, separator); ok {
			return before, after, true
		}
	}
	return s, "", false
}

// matchesAny reports whether a line is, or has in it, what a format makes.
func matchesAny(format string, lines []string) bool {
	var pattern strings.Builder
	verb := regexp.MustCompile(`%[#+]?[a-zA-Z]`)
	rest := strings.ReplaceAll(format, "%%", "\x00")
	for {
		at := verb.FindStringIndex(rest)
		if at == nil {
			break
		}
		pattern.WriteString(regexp.QuoteMeta(rest[:at[0]]) + ".*")
		rest = rest[at[1]:]
	}
	pattern.WriteString(regexp.QuoteMeta(rest))
	re := regexp.MustCompile(strings.ReplaceAll(pattern.String(), "\x00", "%"))
	return slices.ContainsFunc(lines, re.MatchString)
}

// messages collects the texts of findings from the source of the package and of
// the calendar: what is given to errorf, errorAt, warnf and lintf, what CEL's
// complaints are put into, and the errors of readers.
func messages(t *testing.T) []message {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	var all []message
	for _, name := range append(names, "../internal/calendar/parse.go") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declared := range file.Decls {
			function, ok := declared.(*ast.FuncDecl)
			if !ok {
				continue
			}
			// In these every text that is made becomes a finding, or a part of one.
			whole := map[string]bool{"parseDuration": true, "compileSchema": true, "read": true, "location": true, "Parse": true}[function.Name.Name] ||
				name == "complaint.go"
			ast.Inspect(function, func(n ast.Node) bool {
				for _, e := range texts(n, whole) {
					if format, ok := literal(e); ok {
						all = append(all, message{files.Position(e.Pos()).String(), format})
					}
				}
				return true
			})
		}
	}
	return all
}

// texts are the messages that a piece of source has.
func texts(n ast.Node, whole bool) []ast.Expr {
	switch n := n.(type) {
	case *ast.CallExpr:
		if i, ok := formatOf(n, whole); ok && i < len(n.Args) {
			return n.Args[i : i+1]
		}
	case *ast.CompositeLit:
		if array, ok := n.Type.(*ast.ArrayType); ok && isNamed(array.Elt, "complaint") {
			var all []ast.Expr
			for _, e := range n.Elts {
				if c, ok := e.(*ast.CompositeLit); ok && len(c.Elts) == 2 {
					all = append(all, c.Elts[1])
				}
			}
			return all
		}
		if isNamed(n.Type, "complaint") && len(n.Elts) == 2 {
			return n.Elts[1:]
		}
	case *ast.KeyValueExpr:
		if isNamed(n.Key, "Message") {
			return []ast.Expr{n.Value}
		}
	}
	return nil
}

func isNamed(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// formatOf says which argument of a call is a message's text.
func formatOf(call *ast.CallExpr, whole bool) (int, bool) {
	name := ""
	switch fun := call.Fun.(type) {
	case *ast.SelectorExpr:
		name = fun.Sel.Name
	case *ast.Ident:
		name = fun.Name
	}
	switch name {
	case "errorf", "errorAt", "warnf", "add":
		return 1, true
	case "lintf":
		return 2, true
	case "Errorf", "Sprintf":
		return 0, whole
	default:
		return 0, false
	}
}

// literal is the text of a string literal, of several that are added, or of the
// format of a call.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		left, one := literal(e.X)
		right, other := literal(e.Y)
		return left + right, one && other
	case *ast.CallExpr:
		if len(e.Args) > 0 {
			return literal(e.Args[0])
		}
	}
	return "", false
}
