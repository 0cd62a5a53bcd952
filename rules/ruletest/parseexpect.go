package ruletest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

// expectation reads one line of expect, or, not ordered, of never.
func (p *parser) expectation(n *yaml.Node, ordered bool) expectation {
	e := expectation{position: rules.Position{Line: n.Line, Column: n.Column}, text: inline(n)}
	o, ok := p.object(n, "an expectation", expectFields(p.v, ordered))
	if !ok {
		return e
	}
	var value *yaml.Node
	if e.kind, value = p.exactlyOne(o, "an expectation", kinds()); value == nil {
		return e
	}
	e.name = p.kindName(e.kind, value)
	e.at, e.after, e.before = p.duration(o, "at"), p.duration(o, "after"), p.duration(o, "before")
	e.within = p.duration(o, "within")
	e.rule, e.attempt = p.rung(o)
	e.target = p.y.Text(o.Get("target"), "target")
	e.alert = p.labels(o.Get("alert"), "alert")
	e.mode = p.y.OneOf(o.Get("mode"), "mode", modes())
	e.to, e.reason = p.y.Text(o.Get("to"), "to"), p.y.Text(o.Get("reason"), "reason")
	e.params = p.params(o.Get("params"))
	p.meaningful(o, e)
	return e
}

// kindName reads what stands behind a kind.
func (p *parser) kindName(kind string, n *yaml.Node) string {
	if valid := namesOf(kind, p.v); valid != nil {
		s := p.y.Text(n, kind)
		if kind == kindHeld && s == engine.GuardFreshness {
			p.y.Errorf(n, "the guard freshness does not hold a run, it ends it: write ended: %s", engine.HeldBack)
			return s
		}
		if s != "" && s != anyName && !slices.Contains(valid, s) {
			p.y.Errorf(n, "%s has no %q%s", kind, s, rules.Hint(s, valid))
		}
		return s
	}
	switch kind {
	case kindStarted, kindJoined, kindMerged, kindError:
		return p.ruleName(n)
	case kindContinued, kindAllowed, kindStanding, kindFailed:
		p.uses = append(p.uses, use{attempt: n})
	}
	return p.y.Text(n, kind)
}

// meaningful refuses fields that the kind never has, so that nobody waits for them.
func (p *parser) meaningful(o rules.YAMLObject, e expectation) {
	only := map[string][]string{
		"params": {kindPlan, kindDo, kindUndo},
		"to":     {kindReported, kindEscalated},
		"mode":   {kindStarted},
		"reason": {
			kindDo, kindUndo, kindHeld, kindCheck, kindVerify, kindRetry, kindStanding, kindFailed, kindParked, kindEnded, kindEscalated,
			kindUnmatched, kindError, kindRefused,
		},
	}
	for _, field := range []string{"params", "to", "mode", "reason"} {
		if n := o.Get(field); n != nil && !slices.Contains(only[field], e.kind) {
			p.y.Errorf(n, "%s has no %s: only %s have", e.kind, field, strings.Join(only[field], ", "))
		}
	}
	if n := o.Get("at"); n != nil && (o.Get("after") != nil || o.Get("before") != nil || o.Get("within") != nil) {
		p.y.Errorf(n, "at is exact: write it alone, or after, before and within")
	}
	if e.kind == kindUnmatched {
		for _, field := range []string{"rule", "attempt", "target"} {
			if n := o.Get(field); n != nil {
				p.y.Errorf(n, "an alert that no rule is for has no %s", field)
			}
		}
	}
}

// params reads parameters, as JSON has them.
func (p *parser) params(n *yaml.Node) any {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		p.y.Errorf(n, "params is a mapping, not %s", rules.Describe(n))
		return nil
	}
	var value any
	if err := n.Decode(&value); err != nil {
		p.y.Errorf(n, "params: %v", err)
		return nil
	}
	// Through JSON, so that numbers are those of the task.
	b, err := json.Marshal(value)
	if err != nil {
		p.y.Errorf(n, "params: %v", err)
		return nil
	}
	var plain any
	if err := json.Unmarshal(b, &plain); err != nil {
		p.y.Errorf(n, "params: %v", err)
		return nil
	}
	return plain
}

// inline writes a node in one line, as a person would.
func inline(n *yaml.Node) string {
	var parts []string
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, n.Content[i].Value+": "+inline(n.Content[i+1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case yaml.SequenceNode:
		for _, c := range n.Content {
			parts = append(parts, inline(c))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yaml.ScalarNode:
		if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			return fmt.Sprintf("%q", n.Value)
		}
		return n.Value
	case yaml.AliasNode, yaml.DocumentNode:
	}
	return ""
}
