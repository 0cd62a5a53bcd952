package architecture

import (
	"fmt"
	"go/ast"
	"slices"
)

// pure are the packages that get time, chance and the world as arguments, each with the doors that it may open after
// all: the simulation makes its chances from a seed, and the rules' loader reads the files that it is given and
// embeds its reference.
func pure() map[string][]string {
	return map[string][]string{
		"internal/alert":             nil,
		"internal/engine":            nil,
		"internal/engine/simulation": {"math/rand/v2"},
		"internal/explain":           nil,
		"internal/ledger":            nil,
		"rules":                      {"os", "io/fs", "path/filepath", "embed"},
		"internal/engine/rehearsal":  nil,
	}
}

// The standard library's doors to the world. Package net/url is none.
func doors() []string {
	return []string{
		"net", "net/http/...", "net/rpc/...", "net/smtp", "os", "os/...", "io/fs", "io/ioutil", "syscall", "log", "log/...", "math/rand", "math/rand/...",
		"crypto/rand", "database/sql/...", "plugin", "runtime", "runtime/...", "unsafe", "embed", "path/filepath", "time/tzdata",
	}
}

// clocks are the names of package time that read or wait for the time of day.
func clocks() []string {
	return []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Local", "LoadLocation"}
}

// pureIsPure checks the pure packages. Their tests may read files.
func pureIsPure(t *tree) []string {
	var findings []string
	for _, f := range t.files {
		open, ok := pure()[f.folder()]
		if f.isTest() || !ok {
			continue
		}
		for _, imported := range f.imports() {
			if !slices.Contains(open, imported) && slices.ContainsFunc(doors(), func(door string) bool { return within(imported, door) }) {
				findings = append(findings, fmt.Sprintf("%s: imports %s: the package is pure: take what it gives as an argument", f.path, imported))
			}
		}
		f.uses("time", clocks(), func(s *ast.SelectorExpr) {
			findings = append(findings, fmt.Sprintf("%s: time.%s: the package is pure: take the time as an argument", f.at(s), s.Sel.Name))
		})
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				findings = append(findings, f.at(g)+": a goroutine: the package is pure")
			}
			return true
		})
	}
	return findings
}

// nobodySleeps refuses time.Sleep everywhere: in a test it makes it slow and still unreliable, elsewhere it cannot be
// interrupted.
func nobodySleeps(t *tree) []string {
	var findings []string
	for _, f := range t.files {
		f.uses("time", []string{"Sleep"}, func(s *ast.SelectorExpr) {
			findings = append(findings, f.at(s)+": time.Sleep: wait for what you wait for, or use testing/synctest")
		})
	}
	return findings
}
