package rules

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// The one version and kind of file that is read.
const (
	APIVersion = "paramedic.dev/v1"
	Kind       = "RuleSet"
)

// compiler collects one rule set out of its files.
type compiler struct {
	catalog     Catalog
	places      places
	schemas     map[string]*jsonschema.Schema
	found       Findings
	rules       []*rule
	budgets     []budget
	windows     []window
	references  []reference
	ruleNames   map[string]string
	budgetNames map[string]string
	windowNames map[string]string
}

// Parse compiles files into one set. They are taken in the order of their
// names, so that the set does not depend on how they were listed. The set is
// nil if there is an error among the findings.
func Parse(files []engine.Source, catalog Catalog) (*Set, Findings) {
	c := &compiler{
		catalog: catalog, schemas: map[string]*jsonschema.Schema{},
		ruleNames: map[string]string{}, budgetNames: map[string]string{}, windowNames: map[string]string{},
	}
	var err error
	if c.places, err = newPlaces(); err != nil {
		return nil, Findings{{Severity: SeverityError, Code: CodeInternal, Message: err.Error()}}
	}
	sources := canonical(files)
	for i, s := range sources {
		f := newFile(s.Name, s.Text, &c.found)
		if i > 0 && sources[i-1].Name == s.Name {
			f.errorAt(Position{}, "the file is given twice")
			continue
		}
		c.file(f)
	}
	if len(c.rules) == 0 && !c.found.Failed() {
		c.found = append(c.found, Finding{Severity: SeverityError, Code: CodeEmpty, Message: fmt.Sprintf("there is no rule in the %s given: a rule set without rules would answer no alert", count(len(files), "file"))})
	}
	c.resolve()
	c.applyWindows()
	c.lint()
	c.found.sort()
	if c.found.Failed() {
		return nil, c.found
	}
	return newSet(sources, c.rules, c.allBudgets()), c.found
}

// canonical is a sorted copy under clean names.
func canonical(files []engine.Source) []engine.Source {
	sources := slices.Clone(files)
	for i := range sources {
		sources[i].Name = path.Clean(filepath.ToSlash(sources[i].Name))
	}
	slices.SortStableFunc(sources, func(a, b engine.Source) int { return cmp.Compare(a.Name, b.Name) })
	return sources
}

func fileShape() shape {
	all := []string{"apiVersion", "kind", "metadata", "spec"}
	return shape{what: "a rule file", fields: all, required: all}
}

func metadataShape() shape {
	return shape{what: "metadata", fields: []string{"name"}, required: []string{"name"}}
}

func specShape() shape {
	return shape{
		what: "spec", fields: []string{"defaults", "budgets", "windows", "rules"}, required: []string{"rules"},
	}
}

func defaultsShape() shape {
	return shape{what: "defaults", fields: []string{"mode", "report", "otherwise", "guards"}}
}

// defaults hold for the rules of one file that say nothing else.
type defaults struct {
	mode              engine.Mode
	report, otherwise []engine.Routing
	guards            engine.Guards
}

func (c *compiler) file(f *file) {
	root, ok := f.root()
	if !ok {
		return
	}
	f.doc = root
	o, ok := f.object(root, fileShape())
	if !ok {
		return
	}
	if _, ok := f.oneOf(o.get("apiVersion"), "apiVersion", []string{APIVersion}); !ok {
		return
	}
	if _, ok := f.oneOf(o.get("kind"), "kind", []string{Kind}); !ok {
		return
	}
	if m, ok := f.object(o.get("metadata"), metadataShape()); ok {
		f.name(m.get("name"), "metadata.name")
	}
	spec, _ := f.object(o.get("spec"), specShape())
	d := c.defaults(f, spec.get("defaults"))
	if n := spec.get("budgets"); n != nil {
		items, _ := f.list(n, "budgets")
		for _, item := range items {
			c.budget(f, item)
		}
	}
	if n := spec.get("windows"); n != nil {
		items, _ := f.list(n, "windows")
		for _, item := range items {
			c.window(f, item)
		}
	}
	if n := spec.get("rules"); n != nil {
		items, _ := f.list(n, "rules")
		for _, item := range items {
			c.rule(f, item, d)
		}
	}
}

func (c *compiler) defaults(f *file, n *yaml.Node) defaults {
	d := defaults{mode: engine.ModeShadow, guards: builtinGuards()}
	if n == nil {
		return d
	}
	o, _ := f.object(n, defaultsShape())
	if v := o.get("mode"); v != nil {
		if m, ok := f.mode(v); ok {
			d.mode = m
		}
	}
	if v := o.get("report"); v != nil {
		d.report = c.routes(f, v, "report")
	}
	if v := o.get("otherwise"); v != nil {
		d.otherwise = c.routes(f, v, "otherwise")
	}
	d.guards = f.guards(o.get("guards"), d.guards)
	c.referRequired(f, o.get("guards"), nil)
	if v := value(o.get("guards"), "windows"); v != nil {
		f.errorf(v, "windows: off is written at each rule that it is for, not in defaults")
	}
	return d
}

// callee looks up, once, what a rule calls.
func (c *compiler) callee(f *file, n *yaml.Node, what, system string, schema json.RawMessage) (callee, bool) {
	compiled, known := c.schemas[what]
	if !known {
		var err error
		if compiled, err = compileSchema(what, schema); err != nil {
			f.errorf(n, "%s", err)
			return callee{}, false
		}
		c.schemas[what] = compiled
	}
	return callee{what: what, system: system, schema: compiled}, true
}

// taken reports a name that is used twice in the set, and else takes it.
func (c *compiler) taken(names map[string]string, f *file, n *yaml.Node, what, name string) bool {
	if first, twice := names[name]; twice {
		f.errorf(n, "there is already a %s %q, at %s: names are unique in a rule set", what, name, first)
		return true
	}
	names[name] = fmt.Sprintf("%s:%d", f.path, n.Line)
	return false
}

// failedSince reports whether there is an error among the findings from before
// on.
func (f *file) failedSince(before int) bool { return (*f.found)[before:].Failed() }
