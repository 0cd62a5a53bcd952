package rules

import "go.yaml.in/yaml/v3"

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
