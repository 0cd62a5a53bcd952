package ruletest

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

// testSuffix is of rule tests.
const testSuffix = "_test.yaml"

// loader reads and compiles rule files, by their paths.
type loader func(paths []string) (*ruleFiles, rules.Findings, error)

// parser reads one file of tests.
type parser struct {
	y    *rules.YAMLFile
	v    vocabulary
	path string
	load loader
	// known are all rule files that the file names, by their paths.
	known []*ruleFiles
	// uses are the rules and attempts that the file names.
	uses []use
	// broken are the findings in the rule files.
	broken rules.Findings
}

// use is a place that names a rule, an attempt of it, or an attempt of any rule.
type use struct {
	rule, attempt *yaml.Node
}

// parse reads a file of tests and compiles the rules that it is for. The file is
// nil if there is an error among the findings.
func parse(path, text string, v vocabulary, load loader) (*file, rules.Findings) {
	p := &parser{y: rules.NewYAMLFile(path, text), v: v, path: path, load: load}
	f := p.file()
	p.resolve()
	found := append(p.y.Findings(), p.broken...)
	if found.Failed() {
		return nil, found
	}
	return f, found
}

func (p *parser) file() *file {
	f := &file{path: p.path}
	root, ok := p.y.Root("a rule test file", Kind)
	if !ok {
		return f
	}
	f.name = fieldText(root.Get("metadata"), "name")
	spec, ok := p.object(root.Get("spec"), "spec", specFields(p.v))
	if !ok {
		return f
	}
	f.rules = p.ruleFiles(spec.Get("rules"))
	start := p.start(spec, defaultStart())
	mode := engine.Mode(p.y.OneOf(spec.Get("mode"), "mode", modes()))
	world := p.world(spec.Get("world"))
	seen := map[string]int{}
	for _, n := range p.y.List(spec.Get("tests"), "tests") {
		t := p.test(n, start, mode)
		if t.name != "" && seen[t.name] > 0 {
			p.y.Errorf(n, "there is already a test %q, in line %d", t.name, seen[t.name])
		}
		seen[t.name] = n.Line
		t.world = append(t.world, world...)
		f.tests = append(f.tests, t)
	}
	return f
}

// fieldText is a text field of a mapping that was checked before.
func fieldText(n *yaml.Node, name string) string {
	if n == nil {
		return ""
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1].Value
		}
	}
	return ""
}

func (p *parser) object(n *yaml.Node, what string, fields []field) (rules.YAMLObject, bool) {
	if n == nil {
		return rules.YAMLObject{}, false
	}
	all, required := names(fields)
	return p.y.Object(n, what, all, required)
}

// start reads when tests begin.
func (p *parser) start(o rules.YAMLObject, otherwise time.Time) time.Time {
	n := o.Get("start")
	if n == nil {
		return otherwise
	}
	at, err := time.Parse(time.RFC3339, n.Value)
	if err != nil || at.Year() < 1970 || at.Year() > 2200 {
		p.y.Errorf(n, "start is a time such as %s, not %q", defaultStart().Format(time.RFC3339), n.Value)
		return otherwise
	}
	return at.UTC()
}

func (p *parser) test(n *yaml.Node, start time.Time, mode engine.Mode) *test {
	t := &test{line: n.Line, mode: mode}
	o, ok := p.object(n, "a test", testFields(p.v))
	if !ok {
		return t
	}
	t.name = strings.TrimSpace(p.y.Text(o.Get("name"), "the test's name"))
	if m := o.Get("mode"); m != nil {
		t.mode = engine.Mode(p.y.OneOf(m, "mode", modes()))
	}
	t.start = p.start(o, start)
	t.world = p.world(o.Get("world"))
	p.events(o.Get("events"), t)
	for _, line := range p.y.List(o.Get("expect"), "expect") {
		t.expect = append(t.expect, p.expectation(line, true))
	}
	for _, line := range p.y.List(o.Get("never"), "never") {
		t.never = append(t.never, p.expectation(line, false))
	}
	t.only = p.only(o.Get("only"))
	t.until = p.duration(o, "until")
	if o.Get("expect") == nil && o.Get("never") == nil && o.Get("only") == nil {
		p.y.Errorf(n, "this test has no expect, only or never, and so proves nothing")
	}
	return t
}

func (p *parser) only(n *yaml.Node) map[string]bool {
	if n == nil {
		return nil
	}
	all := map[string]bool{}
	if isTrue(n) {
		for _, k := range kinds() {
			all[k] = true
		}
		return all
	}
	for _, item := range p.y.List(n, "only") {
		all[p.y.OneOf(item, "only", kinds())] = true
	}
	return all
}

// duration reads a field that is a time; nil if it is not written.
func (p *parser) duration(o rules.YAMLObject, name string) *time.Duration {
	n := o.Get(name)
	if n == nil {
		return nil
	}
	d := p.y.Duration(n, name, 0, longest)
	return &d
}

func isTrue(n *yaml.Node) bool {
	return n != nil && n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" && n.Value == "true"
}

// yes reads a field that can only be true.
func (p *parser) yes(o rules.YAMLObject, name string) bool {
	n := o.Get(name)
	if n != nil && !isTrue(n) {
		p.y.Errorf(n, "%s is true, or not written, and not %s", name, rules.Describe(n))
	}
	return n != nil
}

// exactlyOne finds which of some fields an object has.
func (p *parser) exactlyOne(o rules.YAMLObject, what string, of []string) (string, *yaml.Node) {
	var has []string
	misspelt := o.Len() < len(o.Node().Content)/2
	for _, name := range of {
		if o.Get(name) != nil {
			has = append(has, name)
		}
	}
	switch len(has) {
	case 1:
		return has[0], o.Get(has[0])
	case 0:
		if misspelt {
			break // which was said
		}
		p.y.Errorf(o.Node(), "%s has exactly one of %s, and this has none of them", what, strings.Join(of, ", "))
	default:
		p.y.Errorf(o.Node(), "%s has exactly one of these, and this has %s", what, strings.Join(has, " and "))
	}
	return "", nil
}

// known reads a name, which must be one of some or *.
func (p *parser) nameOf(n *yaml.Node, what string, valid []string) string {
	s := p.y.Text(n, what)
	if s != "" && s != anyName && !slices.Contains(valid, s) {
		p.y.Errorf(n, "there is no %s %q%s", what, s, rules.Hint(s, valid))
	}
	return s
}

// labels reads a mapping of texts.
func (p *parser) labels(n *yaml.Node, what string) map[string]string {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		p.y.Errorf(n, "%s is a mapping of names and texts, not %s", what, rules.Describe(n))
		return nil
	}
	all := map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		all[n.Content[i].Value] = p.y.Text(n.Content[i+1], what+"."+n.Content[i].Value)
	}
	return all
}

// ruleFiles reads which rule files are meant, and compiles them. Without a node it
// is the one beside the test.
func (p *parser) ruleFiles(n *yaml.Node) *ruleFiles {
	var paths []string
	folder, base := filepath.Split(p.path)
	if n == nil {
		rest, ok := strings.CutSuffix(base, testSuffix)
		if !ok {
			p.y.Errorf(nil, "which rules this is for cannot be told from its name, which does not end in %s: name them in spec.rules", testSuffix)
			return nil
		}
		paths = []string{folder + rest + ".yaml"}
	}
	for _, item := range p.y.List(n, "rules") {
		if s := p.y.Text(item, "a rule file"); s != "" {
			if !filepath.IsAbs(s) {
				s = filepath.Join(folder, filepath.FromSlash(s))
			}
			paths = append(paths, s)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	files, findings, err := p.load(paths)
	switch {
	case err != nil:
		p.y.Errorf(n, "%v", err)
		return nil
	case findings.Failed():
		for _, f := range findings {
			if f.Severity == rules.SeverityError && !slices.Contains(p.broken, f) {
				p.broken = append(p.broken, f)
			}
		}
		return nil
	}
	p.known = append(p.known, files)
	return files
}
