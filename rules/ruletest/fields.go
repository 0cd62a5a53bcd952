package ruletest

import "github.com/tripgen/paramedic/rules"

// field is one field of an object of the file: for the parser its name, for
// editors what may stand there.
type field struct {
	name     string
	doc      string
	schema   map[string]any
	required bool
}

func names(fields []field) (all, required []string) {
	for _, f := range fields {
		all = append(all, f.name)
		if f.required {
			required = append(required, f.name)
		}
	}
	return all, required
}

// What may stand behind a field.

func text() map[string]any { return map[string]any{"type": "string", "minLength": 1} }

func yes() map[string]any { return map[string]any{"const": true} }

func duration() map[string]any {
	return map[string]any{"type": "string", "pattern": "^(0|([0-9]+(ms|s|m|h|d|w|y))+)$"}
}

func count() map[string]any { return map[string]any{"type": "integer", "minimum": 0} }

func enum(values []string) map[string]any { return map[string]any{"enum": values} }

func orAny(values []string) map[string]any {
	return enum(append([]string{anyName}, values...))
}

func texts() map[string]any {
	return map[string]any{"type": "array", "minItems": 1, "items": text()}
}

func labels() map[string]any {
	return map[string]any{"type": "object", "minProperties": 1, "additionalProperties": map[string]any{"type": "string"}}
}

func listOf(item map[string]any) map[string]any {
	return map[string]any{"type": "array", "minItems": 1, "items": item}
}

func fileFields(v vocabulary) []field {
	return []field{
		{name: "apiVersion", schema: map[string]any{"const": rules.APIVersion}, required: true},
		{name: "kind", schema: map[string]any{"const": Kind}, required: true},
		{name: "metadata", schema: objectSchema([]field{{name: "name", doc: "the name of the tests", schema: text(), required: true}}), required: true},
		{name: "spec", schema: objectSchema(specFields(v)), required: true},
	}
}

func specFields(v vocabulary) []field {
	return []field{
		{name: "rules", doc: "the rule files, or patterns, as seen from this file; by default the one with this file's name without _test", schema: texts()},
		{name: "start", doc: "the virtual time at which every test begins", schema: map[string]any{"type": "string", "format": "date-time"}},
		{name: "mode", doc: "play all rules as if they said this mode", schema: enum(modes())},
		{name: "world", doc: "what workers answer in all tests, behind each test's own", schema: listOf(answerSchema(v))},
		{name: "tests", schema: listOf(objectSchema(testFields(v))), required: true},
	}
}

func testFields(v vocabulary) []field {
	return []field{
		{name: "name", doc: "unique in the file", schema: text(), required: true},
		{name: "start", doc: "the virtual time at which the test begins", schema: map[string]any{"type": "string", "format": "date-time"}},
		{name: "mode", doc: "play all rules as if they said this mode", schema: enum(modes())},
		{name: "world", doc: "what workers answer: the first entry that fits", schema: listOf(answerSchema(v))},
		{name: "events", doc: "what happens, in the order of time", schema: listOf(oneOf(eventFields(), eventKinds()))},
		{name: "expect", doc: "what must follow, in this order", schema: listOf(oneOf(expectFields(v, true), kinds()))},
		{name: "only", doc: "nothing of these kinds may follow but what expect has", schema: map[string]any{"anyOf": []any{yes(), listOf(enum(kinds()))}}},
		{name: "never", doc: "what must not follow", schema: listOf(oneOf(expectFields(v, false), kinds()))},
		{name: "until", doc: "when the test is over", schema: duration()},
	}
}

// The kinds of question of a world's entry.
const (
	asksPlan   = "plan"
	asksAction = "action"
	asksUndo   = "undo"
	asksProbe  = "probe"
)

func asks() []string { return []string{asksPlan, asksAction, asksUndo, asksProbe} }

func answerFields(v vocabulary) []field {
	return []field{
		{name: asksPlan, doc: "the action that is planned, or *", schema: orAny(v.actions)},
		{name: asksAction, doc: "the action that is done, or *", schema: orAny(v.actions)},
		{name: asksUndo, doc: "the action that is put back, or *", schema: orAny(v.actions)},
		{name: asksProbe, doc: "the probe, or *", schema: orAny(v.probes)},
		{name: "rule", doc: "only for this rule", schema: text()},
		{name: "attempt", doc: "only for this attempt", schema: text()},
		{name: "on", doc: "only for this target; * stands for any characters", schema: text()},
		{name: "in", doc: "only where this asks for the probe", schema: enum([]string{kindCheck, kindVerify})},
		{name: "from", doc: "only from this time on", schema: duration()},
		{name: "until", doc: "only before this time", schema: duration()},
		{name: "times", doc: "only the first so many", schema: map[string]any{"type": "integer", "minimum": 1}},
		{name: "takes", doc: "how long the answer takes (1s)", schema: duration()},
		{name: "hangs", doc: "no worker ever answers", schema: yes()},
		{name: "fails", doc: "it fails, and says this", schema: text()},
		{name: "for", doc: "a probe fails so long after the verification began", schema: duration()},
		{name: "class", doc: "of the failure", schema: enum(classes())},
		{name: "retryAfter", doc: "what a retryable failure asks for", schema: duration()},
		{name: "target", doc: "the canonical target of the plan", schema: text()},
		{name: "summary", doc: "what the plan says it would change", schema: text()},
		{name: "noop", doc: "nothing needs to change", schema: yes()},
		{name: "health", doc: "how the target's instances are", schema: objectSchema(healthFields())},
	}
}

func healthFields() []field {
	return []field{
		{name: "total", schema: count(), required: true},
		{name: "healthy", schema: count(), required: true},
		{name: "disrupts", schema: count()},
	}
}

func answerSchema(v vocabulary) map[string]any { return oneOf(answerFields(v), asks()) }

// The kinds of event.
const (
	eventFires    = "fires"
	eventResolves = "resolves"
	eventTriggers = "triggers"
	eventApprove  = "approve"
	eventDeny     = "deny"
	eventCancel   = "cancel"
	eventPause    = "pause"
	eventResume   = "resume"
	eventRules    = "rules"
	eventRestart  = "restart"
)

func eventKinds() []string {
	return []string{
		eventFires, eventResolves, eventTriggers, eventApprove, eventDeny, eventCancel, eventPause, eventResume,
		eventRules, eventRestart,
	}
}

func eventFields() []field {
	return []field{
		{name: "at", doc: "since the start; by default that of the event before", schema: duration()},
		{name: eventFires, doc: "an alert with these labels fires", schema: labels()},
		{name: eventResolves, doc: "the alert with these labels resolves", schema: labels()},
		{name: eventTriggers, doc: "what the trigger of this rule would raise", schema: text()},
		{name: eventApprove, doc: "the plan of this rule that waits", schema: text()},
		{name: eventDeny, doc: "the plan of this rule that waits", schema: text()},
		{name: eventCancel, doc: "the active run of this rule", schema: text()},
		{name: eventPause, doc: "all, rule/NAME, cluster/NAME or target/TARGET", schema: text()},
		{name: eventResume, doc: "all, rule/NAME, cluster/NAME or target/TARGET", schema: text()},
		{name: eventRules, doc: "these files are in force from here on", schema: texts()},
		{name: eventRestart, doc: "the engine stops and starts", schema: yes()},
		{name: "severity", doc: "short for the label of that name", schema: text()},
		{name: "annotations", schema: labels()},
		{name: "source", doc: "by default alertmanager", schema: text()},
		{name: "url", schema: text()},
		{name: "labels", doc: "beside those of the trigger", schema: labels()},
		{name: "repeat", doc: "notify again and again until it resolves", schema: duration()},
		{name: "for", doc: "it resolves after so long", schema: duration()},
		{name: "by", doc: "who says it", schema: text()},
		{name: "reason", doc: "why, in their words", schema: text()},
		{name: "on", doc: "the run's target; * stands for any characters", schema: text()},
	}
}
