package rules

import (
	"math"
	"strconv"

	"go.yaml.in/yaml/v3"
)

func rolloutShape() shape {
	return shape{
		what: "on.rollout", fields: []string{"cluster", "namespace", "kind", "name", "phase", "labels"},
		required: []string{"cluster", "namespace", "phase"},
	}
}

func (f *file) rolloutTrigger(n *yaml.Node, t *Trigger) object {
	r := &RolloutTrigger{}
	t.Rollout = r
	o, _ := f.object(n, rolloutShape())
	f.constantText(o.get("cluster"), "cluster", &r.Cluster)
	f.constantText(o.get("namespace"), "namespace", &r.Namespace)
	f.constantText(o.get("name"), "name", &r.Name)
	if v := o.get("kind"); v != nil {
		r.Kind, _ = f.oneOf(v, "kind", []string{"Deployment", "StatefulSet", "DaemonSet"})
	}
	if v := o.get("phase"); v != nil {
		phase, _ := f.oneOf(v, "phase", []string{string(RolloutStarted), string(RolloutComplete), string(RolloutStuck)})
		r.Phase = RolloutPhase(phase)
	}
	return o
}

// What holds for a cost trigger that says nothing else.
const (
	builtinWarning  = 80
	builtinCritical = 100
	maxShare        = 1000
)

func costShape() shape {
	return shape{
		what: "on.cost", fields: []string{"account", "by", "budget", "warning", "critical", "labels"},
		required: []string{"account", "budget"},
	}
}

func (f *file) costTrigger(n *yaml.Node, t *Trigger) object {
	c := &CostTrigger{Warning: builtinWarning, Critical: builtinCritical}
	t.Cost = c
	before := len(*f.found)
	o, _ := f.object(n, costShape())
	f.constantText(o.get("account"), "account", &c.Account)
	f.constantText(o.get("by"), "by", &c.By)
	if v := o.get("budget"); v != nil {
		amount, err := strconv.ParseFloat(v.Value, 64)
		if v.Kind != yaml.ScalarNode || err != nil || amount <= 0 || math.IsInf(amount, 0) {
			f.errorf(v, "budget is an amount of money above 0 in the account's currency, as 1000 or 99.50, not %s", describe(v))
		}
		c.Budget = amount
	}
	if v := o.get("warning"); v != nil {
		c.Warning = f.percent(v, "warning", maxShare)
	}
	if v := o.get("critical"); v != nil {
		c.Critical = f.percent(v, "critical", maxShare)
	}
	if !f.failedSince(before) && c.Warning >= c.Critical {
		f.errorf(n, "warning is %d%% and critical %d%%: a warning must come first", c.Warning, c.Critical)
	}
	return o
}

func manualShape() shape { return shape{what: "on.manual", fields: []string{"inputs", "labels"}} }

func (f *file) manualTrigger(n *yaml.Node, t *Trigger) object {
	t.Manual = &ManualTrigger{}
	o, _ := f.object(n, manualShape())
	if v := o.get("inputs"); v != nil {
		t.Manual.Inputs = f.labelNames(v, "inputs")
	}
	for _, name := range t.Manual.Inputs {
		if labels := o.get("labels"); labels != nil && hasKey(labels, name) {
			f.errorf(labels, "the label %s is asked for in inputs, and cannot be given in labels too", name)
		}
		if name == labelAlertName {
			f.errorf(o.get("inputs"), "the label alertname is the rule's name: nobody gives another")
		}
	}
	return o
}
