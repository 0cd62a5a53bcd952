package rules

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

func onShape() shape {
	return shape{
		what: "on",
		fields: []string{
			"alerts", string(TriggerSchedule), string(TriggerProbe), string(TriggerRollout), string(TriggerCost), string(TriggerManual),
		},
	}
}

// on reads what sets a rule off.
func (c *compiler) on(f *file, n *yaml.Node, r *rule) {
	before := len(*f.found)
	o, ok := f.object(n, onShape())
	if !ok || f.failedSince(before) {
		return
	}
	if len(o.fields) != 1 {
		f.errorf(n, "on names exactly one of %s, not %d of them", enumerate(onShape().fields, "and"), len(o.fields))
		return
	}
	for kind, v := range o.fields {
		if kind == "alerts" {
			r.matchers, _ = f.selector(v)
			continue
		}
		c.trigger(f, o.keys[kind], v, TriggerKind(kind), r)
	}
}

// trigger reads the settings of one trigger.
func (c *compiler) trigger(f *file, key, n *yaml.Node, kind TriggerKind, r *rule) {
	t := Trigger{Rule: r.rule.Name, Kind: kind, Labels: map[string]string{}}
	var o object
	switch kind {
	case TriggerSchedule:
		o = f.scheduleTrigger(n, &t)
	case TriggerProbe:
		o = c.probeTrigger(f, n, &t)
	case TriggerRollout:
		o = f.rolloutTrigger(n, &t)
	case TriggerCost:
		o = f.costTrigger(n, &t)
	case TriggerManual:
		o = f.manualTrigger(n, &t)
	}
	f.triggerLabels(o.get("labels"), &t)
	r.trigger = &t
	r.rule.Asked = t.Asked()
	r.rule.Restore = t.Schedule != nil && t.Schedule.Restore != ""
	if !slices.Contains(c.catalog.Triggers, string(kind)) {
		f.warnf(key, "this build cannot run on.%s: this rule can be checked and tested, and serve will refuse the set", kind)
	}
}
