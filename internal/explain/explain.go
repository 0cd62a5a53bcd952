// Package explain says in plain words what the ledger holds: one sentence for
// each event, and the topic that it belongs to.
//
// # Use
//
// [Sentence] and [Topic] are pure functions of an event, shared by the API, the
// commands and the demo, so that all of them tell the same story. A sentence is
// one line that is safe to print on a terminal: alerts, plans and people's
// reasons come from outside, so control characters are replaced and long texts
// are cut.
//
// # Concurrency
//
// There is no state.
//
// # Testing
//
// The tests find every event in the engine's source, so that a new one without
// a sentence fails them; a fuzz target holds every sentence to one clean line.
package explain

import (
	"strings"

	"github.com/tripgen/paramedic/internal/engine"
)

// The topics, in the order in which a run comes to them.
const (
	TopicAlert  = "alert"
	TopicRule   = "rule"
	TopicPlan   = "plan"
	TopicGuard  = "guard"
	TopicPerson = "person"
	TopicAction = "action"
	TopicVerify = "verify"
	TopicEnd    = "end"
	TopicSystem = "system"
)

// statement is what is to be said of an event.
type statement struct {
	topic string
	words string
}

// Sentence is one line about an event, for a person.
func Sentence(ev engine.Event) string { return sentence(about(ev).words) }

// Topic is what an event is about: one of the constants above.
func Topic(ev engine.Event) string { return about(ev).topic }

func about(ev engine.Event) statement {
	for _, say := range []func(engine.Event) statement{ofAlert, ofRun, ofTask, ofVerdict, ofPerson} {
		if s := say(ev); s.words != "" {
			return s
		}
	}
	return statement{TopicSystem, "Event " + ev.Kind()}
}

// sentence makes words one clean line with an end.
func sentence(words string) string {
	s := clean(words, mostRunes)
	if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "…") && !strings.HasSuffix(s, "?") {
		s += "."
	}
	return s
}
