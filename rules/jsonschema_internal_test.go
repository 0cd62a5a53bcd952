package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
)

// TestEveryShapeIsDescribed: the schema's properties are the shapes' fields, in
// both directions, and no shape is forgotten.
func TestEveryShapeIsDescribed(t *testing.T) {
	t.Parallel()
	functions := shapeFunctions(t)
	for _, d := range describedObjects(Catalog{Probes: map[string]ProbeSpec{"http": {}}}) {
		if !slices.Contains(functions, d.from) {
			t.Errorf("%s: there is no function %s that gives a shape", d.def, d.from)
		}
		functions = slices.DeleteFunc(functions, func(f string) bool { return f == d.from })
		described, fields := slices.Sorted(maps.Keys(d.fields)), slices.Sorted(slices.Values(d.shape.fields))
		if !slices.Equal(described, fields) {
			t.Errorf("%s: the schema describes %v, and the shape has %v", d.def, described, fields)
		}
		for name, s := range d.fields {
			if s["$ref"] == nil && s["description"] == nil {
				t.Errorf("%s: an editor has no help for %s", d.def, name)
			}
		}
		if d.title == "" || d.about == "" {
			t.Errorf("%s has no title, or no description", d.def)
		}
	}
	if len(functions) > 0 {
		t.Errorf("the schema does not describe what these give: %v", functions)
	}
}

// shapeFunctions are the functions of this package that give a shape.
func shapeFunctions(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var functions []string
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Type.Results == nil || len(f.Type.Results.List) != 1 {
				continue
			}
			if result, ok := f.Type.Results.List[0].Type.(*ast.Ident); ok && result.Name == "shape" {
				functions = append(functions, f.Name.Name)
			}
		}
	}
	if len(functions) < 10 {
		t.Fatalf("found only %v", functions)
	}
	return functions
}

// TestProvenanceIsWhole: every guard and every setting of an attempt that can be
// written has a line.
func TestProvenanceIsWhole(t *testing.T) {
	t.Parallel()
	const text = `apiVersion: paramedic.dev/v1
kind: RuleSet
metadata: {name: whole}
spec:
  rules:
    - name: one
      on: {alerts: ['alertname="A"']}
      target: {http: x}
      try: [{name: go, do: [{http.request: {}}]}]
`
	catalog := Catalog{Actions: map[string]ActionSpec{"http.request": {Schema: []byte(`{}`)}}}
	set, findings := Parse([]engine.Source{{Name: "whole.yaml", Text: text}}, catalog)
	if set == nil {
		t.Fatal(findings.Format())
	}
	var have []string
	for _, s := range set.Provenance()[0].Settings {
		have = append(have, s.Name)
	}
	want := []string{"budget.fleet.limit"}
	for _, f := range guardsShape().fields {
		want = append(want, "guards."+f)
	}
	for _, f := range attemptShape().fields {
		switch f {
		case "name":
		case "retry":
			for _, r := range retryShape().fields {
				want = append(want, "try.go.retry."+r)
			}
		default:
			want = append(want, "try.go."+f)
		}
	}
	for _, f := range ruleShape().fields {
		// What a rule is for and what it is about are no settings.
		if !slices.Contains([]string{"name", "on", "when", "target", "guards", "try"}, f) {
			want = append(want, f)
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("there is a line for\n%v\nwant\n%v", have, want)
	}
}
