package rules

func triggersDescribed(catalog Catalog) []described {
	c := &compiler{catalog: catalog}
	probes := c.probeTriggerShape()
	probe := map[string]node{
		"every": durationNode("How often; 30s by default."), "timeout": durationNode("How long one may take; 5s by default."),
		"failures":  numberNode(1, maxInARow, "How many failures in a row raise the alert; 3 by default."),
		"successes": numberNode(1, maxInARow, "How many successes in a row resolve it; 1 by default."), "labels": labelsNode(),
	}
	var kinds []string
	for _, f := range probes.fields {
		if probe[f] == nil {
			probe[f] = to("probe." + f)
			kinds = append(kinds, f)
		}
	}
	on := map[string]node{
		"alerts": matchersNode("An alert on which all of these agree."), string(TriggerSchedule): to("schedule"), string(TriggerProbe): to("probe-trigger"),
		string(TriggerRollout): to("rollout"), string(TriggerCost): to("cost"), string(TriggerManual): to("manual"),
	}
	return []described{
		{
			def: "on", from: "onShape", shape: onShape(), title: "On", about: "What sets the rule off: exactly one of these.",
			fields: on, more: node{"minProperties": 1, "maxProperties": 1},
		},
		{
			def: "schedule", from: "scheduleShape", shape: scheduleShape(), title: "A schedule", about: "A time of day.",
			fields: map[string]node{
				"cron": cronNode("When it raises an alert."), "timezone": zoneNode(), "labels": labelsNode(),
				"missed":  choice("What becomes of times at which Paramedic was not there; skip by default.", "skip", "once"),
				"restore": cronNode("When the alert resolves, and what was done is put back: all actions must be such that can be."),
			},
		},
		{
			def: "probe-trigger", from: "probeTriggerShape", shape: probes, title: "A probe", about: "A probe that Paramedic makes by itself. There can be no ${...} in it.",
			fields: probe, more: node{"oneOf": having(kinds...)},
		},
		{
			def: "rollout", from: "rolloutShape", shape: rolloutShape(), title: "A rollout", about: "A workload whose rollout starts, completes or is stuck.",
			fields: map[string]node{
				"cluster": text("The cluster's name in the configuration."), "namespace": text("The namespace."),
				"kind": choice("Only of this kind.", "Deployment", "StatefulSet", "DaemonSet"), "name": text("Only the one of this name."),
				"phase": choice("When.", string(RolloutStarted), string(RolloutComplete), string(RolloutStuck)), "labels": labelsNode(),
			},
		},
		{
			def: "cost", from: "costShape", shape: costShape(), title: "Cost", about: "Spending that crosses a share of a budget.",
			fields: map[string]node{
				"account": text("The account's name in the configuration."), "by": text("What is counted separately, as service."),
				"budget": {"type": "number", "exclusiveMinimum": 0, "description": "An amount of money in the account's currency; with by, of each value."},
				"budgets": {
					"type": "object", "minProperties": 1, "description": "With by: the amounts of some of its values; of the others nothing is said.",
					"additionalProperties": node{"type": "number", "exclusiveMinimum": 0},
				},
				"warning":  percentNode("The share that warns; 80% by default."),
				"critical": percentNode("The share that is critical; 100% by default, with by 90%."),
				"labels":   labelsNode(),
			},
			more: node{"oneOf": having("budget", "budgets")},
		},
		{
			def: "manual", from: "manualShape", shape: manualShape(), title: "Manual", about: "A person sets the rule off.",
			fields: map[string]node{"inputs": labelNamesNode("Labels that the person must give."), "labels": labelsNode()},
		},
	}
}
