package rules

import (
	"maps"
	"strings"

	"github.com/tripgen/paramedic/internal/engine"
)

// to refers to a part of the schema.
func to(def string) node {
	return node{"$ref": pointer(def)}
}

// pointer is where a part stands. Source: RFC 6901, section 6.
func pointer(def string) string {
	return "#/$defs/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(def)
}

// about describes a part at the place where it is used.
func about(n node, what string) node {
	n = maps.Clone(n)
	n["description"] = what
	return n
}

func text(what string) node {
	return node{"type": "string", "minLength": 1, "description": what}
}

// nameOf is as the function name reads it.
func nameOf(what string) node {
	return node{"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63, "description": what}
}

func constant(v, what string) node { return node{"const": v, "description": what} }

func choice(what string, values ...string) node {
	return node{"enum": values, "description": what}
}

func modeNode(what string, modes []string) node {
	meaning := map[string]string{
		string(engine.ModeObserve): "records the match",
		string(engine.ModeShadow):  "also plans and judges the guards, and says what it would have done (the default)",
		string(engine.ModeApprove): "waits for a person before it acts",
		string(engine.ModeAuto):    "acts",
	}
	parts := make([]string, len(modes))
	for i, m := range modes {
		parts[i] = m + ": " + meaning[m]
	}
	return choice(what+" "+strings.Join(parts, ". ")+".", modes...)
}

func listOf(items node, what string) node {
	return node{"type": "array", "minItems": 1, "items": items, "description": what}
}

func numberNode(least, most int, what string) node {
	return node{"type": "integer", "minimum": least, "maximum": most, "description": what}
}

// durationPattern is what the function duration reads: at least one whole number
// with a unit, each unit once, the greatest first.
func durationPattern() string {
	units := []string{"y", "w", "d", "h", "m", "s", "ms"}
	var from []string
	for i, u := range units {
		var s strings.Builder
		s.WriteString("[0-9]+" + u)
		for _, rest := range units[i+1:] {
			s.WriteString("([0-9]+" + rest + ")?")
		}
		from = append(from, s.String())
	}
	return "(" + strings.Join(from, "|") + ")"
}

func durationNode(what string) node {
	return node{"type": "string", "pattern": "^" + durationPattern() + "$", "description": what}
}

func rateNode(what string) node {
	return node{"type": "string", "pattern": "^[0-9]+/" + durationPattern() + "$", "description": what}
}

// orOffNode is a guard that can be turned off.
func orOffNode(n node) node {
	what := n["description"]
	n = maps.Clone(n)
	delete(n, "description")
	return node{"anyOf": []node{n, {"const": off}}, "description": what}
}

func cronNode(what string) node {
	return text(what + " A cron expression: minute, hour, day in the month, month and day in the week.")
}

func zoneNode() node {
	return text("An IANA time zone, as Asia/Seoul; UTC by default.")
}

func matchersNode(what string) node {
	return listOf(text("Matchers in Alertmanager's syntax, as severity=\"critical\" or job=~\"a|b\"."), what)
}

const labelPattern = "^[a-zA-Z_][a-zA-Z0-9_]*$"

func labelNamesNode(what string) node {
	return node{
		"type": "array", "minItems": 1, "uniqueItems": true, "description": what,
		"items": node{"type": "string", "pattern": labelPattern},
	}
}

func labelsNode() node {
	return node{
		"type": "object", "propertyNames": node{"pattern": labelPattern}, "additionalProperties": node{"type": "string", "minLength": 1},
		"description": "Labels of the alert that it raises.",
	}
}

func percentNode(what string) node {
	return node{"type": "string", "pattern": "^[0-9]+%$", "description": what}
}

func ruleDescribed() described {
	return described{
		def: "rule", from: "ruleShape", shape: ruleShape(), title: "A rule", about: "Which alerts it is for, what they are about, what to try, under which guards, and whom to tell.",
		fields: map[string]node{
			"name": nameOf("Unique in the set."), "on": to("on"),
			"when":    {"type": []string{"string", "boolean"}, "description": "A condition (CEL) for what matchers cannot say, as alert.severity == \"critical\"."},
			"unless":  listOf(to("unless"), "What holds the rule's runs while it is so."),
			"groupBy": listOf(text("A label's name, or a text with ${...}."), "Alerts of this rule with equal values join one run, whatever their targets."),
			"target":  to("target"), "mode": to("mode"), "guards": to("guards"),
			"try":       listOf(to("attempt"), "A ladder of attempts. The next is tried only if the one before did not cure."),
			"otherwise": about(to("routes"), "Whom to ask when nothing cured, or nothing may be done."),
			"report":    about(to("routes"), "Whom to tell of every run."),
		},
		more: node{"anyOf": []node{
			{"required": []string{"try"}},
			{"required": []string{"mode"}, "properties": node{"mode": node{"const": engine.ModeObserve}}},
			// The mode may stand in the defaults.
			{"not": node{"required": []string{"mode"}}},
		}},
	}
}

func guardsDescribed() described {
	limit := rateNode("So many attempts in so long, as 3/1h.")
	return described{
		def: "guards", from: "guardsShape", shape: guardsShape(), title: "Guards", about: "What holds runs back. Those that are built in are on unless they are written to be off.",
		fields: map[string]node{
			"cooldown": orOffNode(durationNode("The least time between actions of the rule on a target in different runs; 10m is built in, but not for on.schedule.")),
			"limit": {
				"description": "So many attempts of the rule on a target in so long; 3/1h is built in, but not for on.schedule. A list bounds all of its windows.",
				"anyOf":       []node{limit, listOf(limit, "Several bounds."), {"const": off}},
			},
			"freshness": orOffNode(durationNode("The greatest age of the newest sign that the alert fires; 15m is built in.")),
			"flap":      orOffNode(rateNode("Holds while the alert began so many times in so long; 4/30m is built in, but not for on.schedule and on.manual.")),
			"breaker":   orOffNode(numberNode(1, maxCount, "After so many uncured runs in a row, auto becomes approve; 3 is built in.")),
			"relapse":   orOffNode(durationNode("How long after a run an alert goes on with its ladder; 1h is built in, but not for on.schedule and on.manual.")),
			"approval":  durationNode("How long a person's answer is waited for; 30m is built in."),
			"minHealthy": {
				"description": "What an action must leave of the target's healthy instances: a share such as 50%, or a number. Off by default.",
				"anyOf":       []node{percentNode("A share."), numberNode(1, maxCount, "A number."), {"const": off}},
			},
			"holdDown":   orOffNode(durationNode("The least time since another run, of whatever rule, did anything to a target of this run. Off by default.")),
			"concurrent": orOffNode(numberNode(1, maxCount, "How many targets the rule may have under repair at once. Off by default.")),
			"requires": {
				"description": "Other rules of the set, and how they must stand. Off by default.",
				"anyOf": []node{
					{
						"type": "object", "minProperties": 1, "propertyNames": nameOf("A rule of the set."),
						"additionalProperties": choice("idle: it has no run that may act, but for those that stand. cured: it is idle, and its last run that acted cured, stands or was restored. trusted: its breaker has not turned it down.",
							string(engine.RuleIdle), string(engine.RuleCured), string(engine.RuleTrusted)),
					},
					{"const": off},
				},
			},
			"windows": constant(off, "Takes the rule out of the set's windows."),
		},
	}
}

func targetDescribed() described {
	fields := map[string]node{
		"cluster": text("The cluster's name in the configuration."), "namespace": text("The namespace."),
		fieldAzure: text("The Azure account's name in the configuration."),
		"resource": text("The resource's id, /subscriptions/..., in any spelling, which may have ${...} in it."),
	}
	s := targetShape()
	for _, f := range s.fields {
		if fields[f] == nil {
			fields[f] = text("The name of the " + f + ", which may have ${...} in it.")
		}
	}
	return described{
		def: "target", from: "targetShape", shape: s, title: "A target", about: "The one thing that the rule mends. An empty name is an error, never all.",
		fields: fields, more: node{"oneOf": targetForms()},
	}
}

// targetForms are the ways to name a target, each with the fields that it needs
// and none of another's.
func targetForms() []node {
	var forms []node
	for _, k := range targetKinds() {
		needs, excludes := []string{k.field}, []string{}
		for _, other := range targetKinds() {
			if other.field != k.field && other.field != fieldNamespace {
				excludes = append(excludes, other.field)
			}
		}
		inCluster := k.system == engine.SystemKubernetes
		switch {
		case k.system == engine.SystemHTTP: // it may be in a cluster
			excludes = append(excludes, fieldNamespace)
		case !inCluster:
			excludes = append(excludes, "cluster", fieldNamespace)
		case k.field == fieldNamespace:
		case k.clusterWide:
			excludes = append(excludes, fieldNamespace)
		default:
			needs = append(needs, fieldNamespace)
		}
		if inCluster {
			needs = append(needs, "cluster")
		}
		if k.system == engine.SystemAzure {
			needs = append(needs, fieldAzure)
		} else {
			excludes = append(excludes, fieldAzure)
		}
		forms = append(forms, node{"required": needs, "not": node{"anyOf": having(excludes...)}})
	}
	return forms
}

func attemptDescribed() described {
	return described{
		def: "attempt", from: "attemptShape", shape: attemptShape(), title: "An attempt", about: "One rung of the ladder: check, do, verify, undo.",
		fields: map[string]node{
			"name":  nameOf("Unique in the rule."),
			"mode":  modeNode("Can lower the rule's mode for this rung, never raise it.", modeNames(ladder()[1:])),
			"from":  nameOf("The worker group whose workers take the probes, to look from where they are; that of the first action by default."),
			"check": listOf(to("probe"), "Looked at once, right before the first action: all must hold, else the next attempt is tried."),
			"do":    listOf(to("action"), "The actions, in order. Without them the attempt only looks: if verify does not hold, the next one is tried."), "verify": listOf(to("probe"), "What must hold together for it to count as a cure. By default that the alert resolves, or nothing where it does not resolve by being dealt with: on.schedule, on.cost, on.manual, and on.rollout but for stuck."),
			"within": durationNode("By when the cure must show; 5m by default, 10m without verify where the alert's resolve is waited for."),
			"stable": {
				"anyOf":       []node{durationNode("How long."), {"const": 0}},
				"description": "For how long all of verify must hold; 30s by default where there are probes.",
			},
			"undo":    {"enum": []string{"on-failure", off}, "description": "on-failure: if the attempt fails, what was done is put back. Off by default, and always on where on.schedule has restore."},
			"retry":   to("retry"),
			"timeout": durationNode("How long one call of an action may take; 1m by default."),
		},
		more: node{"anyOf": []node{
			{"required": []string{"do"}},
			{"required": []string{"verify"}, "not": node{"anyOf": having("check", "undo", "retry", "timeout", "mode")}},
		}},
	}
}
