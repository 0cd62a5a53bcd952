package rules

import (
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/prometheus/alertmanager/pkg/labels"
	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// rule is one compiled rule, and what is needed to match it.
type rule struct {
	rule engine.Rule
	// matchers are of on.alerts; a rule with a trigger has none.
	matchers labels.Matchers
	trigger  *Trigger
	// when is nil if the rule has no condition; condition is its text.
	when      *expression
	condition string
	target    target
	group     grouping
	// windowsOff says that no window holds the rule.
	windowsOff bool
	file       *file
	node       *yaml.Node
}

func ruleShape() shape {
	return shape{
		what:     "a rule",
		fields:   []string{"name", "on", "when", "unless", "groupBy", "target", "mode", "guards", "try", "otherwise", "report"},
		required: []string{"name", "on", "target"},
	}
}

// rule reads one rule under its file's defaults.
func (c *compiler) rule(f *file, n *yaml.Node, d defaults) {
	before := len(*f.found)
	r := &rule{file: f, node: n, rule: engine.Rule{
		Mode: d.mode, Report: d.report, Otherwise: d.otherwise, GroupOf: c.catalog.groupOf,
	}}
	o, _ := f.object(n, ruleShape())
	if n.Kind != yaml.MappingNode {
		return
	}
	if v := o.get("name"); v != nil {
		name, ok := f.name(v, "the rule's name")
		if ok && !c.taken(c.ruleNames, f, v, "rule", name) {
			r.rule.Name = name
		}
	}
	if v := o.get("on"); v != nil {
		c.on(f, v, r)
	}
	if v := o.get("when"); v != nil {
		c.when(f, v, r)
	}
	if v := o.get("unless"); v != nil {
		c.unless(f, v, r)
	}
	if v := o.get("groupBy"); v != nil {
		c.groupBy(f, v, r)
	}
	if v := o.get("target"); v != nil {
		r.target, _ = c.target(f, c.places.target, v)
	}
	c.conduct(f, o, d, r)
	if !f.failedSince(before) {
		c.rules = append(c.rules, r)
	}
}

// conduct reads what a rule does about an alert that it matched.
func (c *compiler) conduct(f *file, o object, d defaults, r *rule) {
	if v := o.get("mode"); v != nil {
		if m, ok := f.mode(v); ok {
			r.rule.Mode = m
		}
	}
	r.rule.Guards = f.guards(o.get("guards"), r.usual(d.guards))
	c.requires(f, o.get("guards"), r)
	r.windowsOff = value(o.get("guards"), "windows") != nil
	switch v := o.get("try"); {
	case v != nil:
		c.attempts(f, v, r)
	case !hasKey(o.node, "try") && r.rule.Mode != engine.ModeObserve:
		f.errorf(o.node, "a rule needs the field \"try\" unless its mode is %s", engine.ModeObserve)
	}
	if v := o.get("otherwise"); v != nil {
		r.rule.Otherwise = c.routes(f, v, "otherwise")
	}
	if v := o.get("report"); v != nil {
		r.rule.Report = c.routes(f, v, "report")
	}
}

func (c *compiler) when(f *file, n *yaml.Node, r *rule) {
	if n.Kind != yaml.ScalarNode {
		f.errorf(n, "when is an expression, not %s", describe(n))
		return
	}
	if strings.HasPrefix(strings.TrimSpace(n.Value), "${") {
		f.errorf(n, "when is an expression as a whole: write it without ${ and }")
		return
	}
	if strings.TrimSpace(n.Value) == "" {
		f.errorf(n, "when is empty: write a condition, or leave it out")
		return
	}
	s := f.scalar(n)
	code, ok := c.places.when.expression(s, 0, len(s.value))
	if !ok {
		return
	}
	if !code.out.IsExactType(cel.BoolType) {
		f.errorf(n, "when must be true or false, and this is of the type %s", typeName(code.out))
		return
	}
	r.when, r.condition = code, n.Value
}
