package rules

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// stateGuards reads the guards that look at the target's and other rules' state.
func (f *file) stateGuards(o object, g *engine.Guards) {
	if v := o.get("minHealthy"); v != nil {
		g.MinHealthy = engine.Share{}
		if !isOff(v) {
			g.MinHealthy = f.share(v, "minHealthy")
		}
	}
	if v := o.get("concurrent"); v != nil {
		g.Concurrent = 0
		if !isOff(v) {
			g.Concurrent = f.number(v, "concurrent", 1, maxCount)
		}
	}
	if v := o.get("requires"); v != nil {
		g.Requires = nil
		if !isOff(v) {
			g.Requires = f.requirements(v)
		}
	}
	if v := o.get("windows"); v != nil && !isOff(v) {
		f.errorf(v, "windows can only be off here, which frees the rule from all of them: name the rules that a window is for in spec.windows")
	}
}

// share reads so many, or so many of a hundred.
func (f *file) share(n *yaml.Node, what string) engine.Share {
	if n.Kind == yaml.ScalarNode && strings.HasSuffix(n.Value, "%") {
		return engine.Share{Percent: f.percent(n, what, 100)}
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" {
		f.errorf(n, "%s is a number of instances, as 2, or a share of them, as 50%%, not %s", what, describe(n))
		return engine.Share{}
	}
	return engine.Share{Count: f.number(n, what, 1, maxCount)}
}

// percent reads so many of a hundred; 0 if there is none.
func (f *file) percent(n *yaml.Node, what string, most int) int {
	text, isPercent := strings.CutSuffix(n.Value, "%")
	v, err := strconv.Atoi(text)
	switch {
	case n.Kind != yaml.ScalarNode || !isPercent || err != nil || text != strconv.Itoa(v):
		f.errorf(n, "%s is a whole number of percent, as 80%%, not %s", what, describe(n))
	case v < 1 || v > most:
		f.errorf(n, "%s is %d%%, and must be from 1%% to %d%%", what, v, most)
	default:
		return v
	}
	return 0
}

// requirements reads {rule: state}, in the order written.
func (f *file) requirements(n *yaml.Node) []engine.Requirement {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		f.errorf(n, "requires is a mapping of rules and how they must stand, as {region-failover: idle}, not %s", describe(n))
		return nil
	}
	var all []engine.Requirement
	states := []string{string(engine.RuleIdle), string(engine.RuleCured), string(engine.RuleTrusted)}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if state, ok := f.oneOf(value, "what is required of a rule", states); ok {
			all = append(all, engine.Requirement{Rule: key.Value, State: engine.RuleState(state)})
		}
	}
	return all
}

// requires refers to the rules that a rule's guards name. What is required by
// default does not bind the rule that is required.
func (c *compiler) requires(f *file, guards *yaml.Node, r *rule) {
	g := &r.rule.Guards
	if value(guards, "requires") == nil {
		g.Requires = slices.DeleteFunc(slices.Clone(g.Requires), func(q engine.Requirement) bool { return q.Rule == r.rule.Name })
	}
	c.referRequired(f, guards, r)
}

func (c *compiler) referRequired(f *file, guards *yaml.Node, from *rule) {
	n := value(guards, "requires")
	if n == nil || n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i < len(n.Content); i += 2 {
		// A breaker does not turn a rule back up by what others do.
		waits := n.Content[i+1].Value != string(engine.RuleTrusted)
		c.refer(reference{file: f, node: n.Content[i], name: n.Content[i].Value, from: from, waits: waits})
	}
}
