package app

import (
	"encoding/json"
	"fmt"
	"slices"

	"sigs.k8s.io/yaml"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/rules"
)

// ClusterRole is, as YAML, the smallest ClusterRole with which everything works that
// rules have in Kubernetes: actions, probes and watches of rollouts. It is an error
// if they have nothing there.
func ClusterRole(name string, set *rules.Set, t Tools) ([]byte, error) {
	var needs []kubernetes.Ruled
	for _, used := range t.usedBy(set) {
		if ruled, ok := used.tool.(kubernetes.Ruled); ok {
			needs = append(needs, kubernetes.For(ruled, used.kind))
		}
	}
	for _, trigger := range set.Triggers() {
		if trigger.Kind == rules.TriggerRollout {
			needs = append(needs, kubernetes.WatchOptions{Kind: trigger.Rollout.Kind})
		}
	}
	if len(needs) == 0 {
		return nil, fmt.Errorf("the rules have no action, probe or trigger in Kubernetes: they need no rights there")
	}
	text, err := json.Marshal(kubernetes.ClusterRole(name, needs...))
	if err == nil {
		text, err = yaml.JSONToYAML(text)
	}
	if err != nil {
		return nil, fmt.Errorf("encode the ClusterRole: %w", err)
	}
	return text, nil
}

// use is an action or a probe that a rule calls on targets of a kind.
type use struct {
	tool any
	kind string
}

// usedBy are the actions and probes that the rules call.
func (t Tools) usedBy(set *rules.Set) []use {
	var used []use
	for _, d := range set.Provenance() {
		rule, ok := set.Rule(d.Rule)
		if !ok {
			continue
		}
		kind := set.TargetKind(d.Rule)
		for _, a := range rule.Attempts {
			for _, do := range a.Do {
				if m, ok := t.Remediators.Get(do.Name); ok {
					used = append(used, use{m, kindOf(do.Target, kind)})
				}
			}
			for _, p := range slices.Concat(a.Check, a.Verify.Probes) {
				if m, ok := t.Probers.Get(p.Kind); ok {
					used = append(used, use{m, kindOf(p.Target, kind)})
				}
			}
		}
	}
	return used
}

// kindOf is the kind of what an action or a probe is about: its rule's target, or one
// of its own, which may be of any kind.
func kindOf(own func(engine.Scope) (engine.Target, error), rule string) string {
	if own != nil {
		return ""
	}
	return rule
}
