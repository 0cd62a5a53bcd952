package ruletest

// The kinds of happening that a test can expect.
const (
	kindStarted   = "started"
	kindReported  = "reported"
	kindJoined    = "joined"
	kindMerged    = "merged"
	kindContinued = "continued"
	kindPlan      = "plan"
	kindCheck     = "check"
	kindDo        = "do"
	kindVerify    = "verify"
	kindUndo      = "undo"
	kindRetry     = "retry"
	kindHeld      = "held"
	kindAllowed   = "allowed"
	kindAsked     = "asked"
	kindApproved  = "approved"
	kindStanding  = "standing"
	kindFailed    = "failed"
	kindParked    = "parked"
	kindEnded     = "ended"
	kindEscalated = "escalated"
	kindUnmatched = "unmatched"
	kindError     = "error"
	kindRefused   = "refused"
)

// What a check or a verification answered.
const (
	answerPassed  = "passed"
	answerFailed  = "failed"
	answerUnknown = "unknown"
)

// approval is what is asked for.
const approval = "approval"

func kinds() []string {
	return []string{
		kindStarted, kindReported, kindJoined, kindMerged, kindContinued, kindPlan, kindCheck, kindDo, kindVerify,
		kindUndo, kindRetry, kindHeld, kindAllowed, kindAsked, kindApproved, kindStanding, kindFailed, kindParked, kindEnded,
		kindEscalated, kindUnmatched, kindError, kindRefused,
	}
}

// namesOf are the names that a kind can have; nil if it can have any, or those of
// the rules.
func namesOf(kind string, v vocabulary) []string {
	switch kind {
	case kindPlan, kindDo, kindUndo, kindParked:
		return v.actions
	case kindReported, kindEscalated:
		return v.reporters
	case kindCheck, kindVerify:
		return []string{answerPassed, answerFailed, answerUnknown}
	case kindRetry:
		return []string{kindPlan, kindCheck, kindDo, kindVerify, kindUndo}
	case kindHeld:
		return holds()
	case kindAsked:
		return []string{approval}
	case kindEnded:
		return outcomes()
	case kindRefused:
		return []string{eventApprove, eventDeny, eventCancel, eventPause, eventResume}
	}
	return nil
}

// expectFields are those of a line of expect, or, not in order, of never.
func expectFields(v vocabulary, ordered bool) []field {
	var all []field
	for _, k := range kinds() {
		f := field{name: k, schema: text()}
		if values := namesOf(k, v); values != nil {
			f.schema = orAny(values)
		}
		all = append(all, f)
	}
	all = append(all,
		field{name: "at", doc: "exactly then", schema: duration()},
		field{name: "after", doc: "no earlier", schema: duration()},
		field{name: "before", doc: "no later", schema: duration()},
	)
	if ordered {
		all = append(all, field{name: "within", doc: "no later than so long after the line before", schema: duration()})
	}
	return append(all,
		field{name: "rule", doc: "of the run", schema: text()},
		field{name: "attempt", doc: "that the run is on", schema: text()},
		field{name: "target", doc: "of the run; * stands for any characters", schema: text()},
		field{name: "alert", doc: "the first alert of the run has these labels", schema: labels()},
		field{name: "mode", doc: "of the run", schema: enum(modes())},
		field{name: "params", doc: "the action's parameters have these", schema: map[string]any{"type": "object"}},
		field{name: "to", doc: "where in the reporter", schema: text()},
		field{name: "reason", doc: "has this text in it", schema: text()},
	)
}
