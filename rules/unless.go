package rules

import (
	"strings"

	"github.com/prometheus/alertmanager/pkg/labels"
	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

func unlessShape() shape {
	return shape{what: "unless", fields: []string{"alerts", "equal", "rule"}}
}

// unless reads what holds a rule's runs while it is so.
func (c *compiler) unless(f *file, n *yaml.Node, r *rule) {
	items, _ := f.list(n, "unless")
	for _, item := range items {
		before := len(*f.found)
		o, ok := f.object(item, unlessShape())
		if !ok || f.failedSince(before) {
			continue
		}
		alerts, other := o.get("alerts"), o.get("rule")
		switch {
		case (alerts == nil) == (other == nil):
			f.errorf(item, "what holds a rule is either alerts or a rule, exactly one of them")
		case other != nil && o.get("equal") != nil:
			f.errorf(o.keys["equal"], "equal compares the labels of two alerts: beside a rule there is none")
		case other != nil:
			if name, ok := f.name(other, "the name of a rule"); ok {
				c.refer(reference{file: f, node: other, name: name, from: r, waits: true})
				r.rule.Unless = append(r.rule.Unless, engine.Inhibitor{Text: "rule " + name, Rule: name})
			}
		default:
			if i, ok := f.inhibitor(alerts, o.get("equal")); ok {
				r.rule.Unless = append(r.rule.Unless, i)
			}
		}
	}
}

// inhibitor compiles matchers and the labels that must be equal. As in
// Alertmanager, a missing label equals an empty one, and what itself fits the
// matchers is not held by them: of two such alerts each would hold the other.
// Source: the Alertmanager documentation, "Configuration", "inhibit_rule".
func (f *file) inhibitor(alerts, equal *yaml.Node) (engine.Inhibitor, bool) {
	ms, ok := f.matchers(alerts, "unless.alerts")
	var same []string
	if equal != nil {
		before := len(*f.found)
		same = f.labelNames(equal, "equal")
		ok = ok && !f.failedSince(before)
	}
	if !ok {
		return engine.Inhibitor{}, false
	}
	texts := make([]string, len(ms))
	name := ""
	for i, m := range ms {
		texts[i] = m.String()
		if m.Name == labelAlertName && m.Type == labels.MatchEqual {
			name = m.Value
		}
	}
	text := "an alert with " + strings.Join(texts, ", ")
	if len(same) > 0 {
		text += " and the same " + enumerate(same, "and")
	}
	return engine.Inhibitor{Text: text, AlertName: name, Alert: func(own, other alert.Alert) bool {
		if !fitsAll(ms, other) || fitsAll(ms, own) {
			return false
		}
		for _, label := range same {
			if own.Labels[label] != other.Labels[label] {
				return false
			}
		}
		return true
	}}, true
}
