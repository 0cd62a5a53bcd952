package rules

import (
	"slices"

	"github.com/prometheus/alertmanager/pkg/labels"
)

// shadowed warns of rules that come after one which acts on all of their alerts.
// It claims that only where it is certain: where every matcher of the earlier
// rule follows from those of the later one, and its condition is the same or
// none.
func (c *compiler) shadowed() {
	acting := newIndex(c.rules)
	for i, r := range c.rules {
		if r.trigger != nil {
			continue
		}
		values, possible := possibleValues(r.matchers)
		if !possible {
			continue
		}
		for _, j := range acting.candidates(first(values)) {
			if j < i && c.rules[j].shadows(r, values) {
				earlier := c.rules[j]
				r.file.lintf(CodeShadowed, r.node, "every alert of rule %q also sets off rule %q (%s:%d), which comes first and acts: this one will not", r.rule.Name, earlier.rule.Name, earlier.file.path, earlier.node.Line)
				break
			}
		}
	}
}

// shadows reports whether r, which comes first, takes every alert of later,
// whose labels can only have the given values.
func (r *rule) shadows(later *rule, values map[string][]string) bool {
	if !r.rule.Mode.Acts() || r.trigger != nil || r.condition != "" && r.condition != later.condition {
		return false
	}
	for _, m := range r.matchers {
		if !implied(m, later.matchers, values) {
			return false
		}
	}
	return true
}

// implied reports whether whatever fits all matchers of ms fits m.
func implied(m *labels.Matcher, ms labels.Matchers, values map[string][]string) bool {
	if all, finite := values[m.Name]; finite {
		return !slices.ContainsFunc(all, func(v string) bool { return !m.Matches(v) })
	}
	return slices.ContainsFunc(ms, func(other *labels.Matcher) bool {
		if other.Name != m.Name {
			return false
		}
		nonEmpty := m.Type == labels.MatchNotEqual && m.Value == ""
		return nonEmpty && !other.Matches("") || other.Type == m.Type && other.Value == m.Value
	})
}

// possibleValues are, for each label that can only have a few, these; possible
// is false if there is a label that can have none, so that nothing matches.
func possibleValues(ms labels.Matchers) (values map[string][]string, possible bool) {
	values = map[string][]string{}
	for _, d := range demandsOf(ms) {
		values[d.label] = d.values
	}
	for name, all := range values {
		all = slices.DeleteFunc(slices.Clone(all), func(v string) bool {
			return slices.ContainsFunc(ms, func(m *labels.Matcher) bool { return m.Name == name && !m.Matches(v) })
		})
		if len(all) == 0 {
			return nil, false
		}
		values[name] = all
	}
	return values, true
}

// first is an alert that the values fit.
func first(values map[string][]string) map[string]string {
	one := make(map[string]string, len(values))
	for name, all := range values {
		one[name] = all[0]
	}
	return one
}
