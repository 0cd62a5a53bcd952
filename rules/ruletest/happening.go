package ruletest

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/explain"
)

// happening is something that a test can expect.
type happening struct {
	at            time.Duration
	kind, name    string
	rule, attempt string
	// target is canonical where it is known; stated is the rule's.
	target, stated string
	alert          map[string]string
	mode           string
	params         json.RawMessage
	to, reason     string
	// moment is its place in the timeline.
	moment int
}

// recorder tells happenings and the timeline from the engine's events.
type recorder struct {
	start      time.Time
	rule       func(digest, name string) (*engine.Rule, bool)
	happenings []happening
	timeline   []Moment
	reached    *reached

	runs     map[string]*story
	tasks    map[string]engine.Task
	episodes map[alert.EpisodeID]alert.Alert
}

// story is what is known of one run.
type story struct {
	started engine.RunStarted
	rule    *engine.Rule
	attempt int
	aim     engine.Aim
	acted   string // the last action
	hold    string // the guard and reason of the hold that lasts
}

func newRecorder(start time.Time, rule func(digest, name string) (*engine.Rule, bool), r *reached) *recorder {
	return &recorder{
		start: start, rule: rule, reached: r, runs: map[string]*story{}, tasks: map[string]engine.Task{},
		episodes: map[alert.EpisodeID]alert.Alert{},
	}
}

func (s *story) rung(number int) string {
	if s.rule == nil || number < 0 || number >= len(s.rule.Attempts) {
		return ""
	}
	return s.rule.Attempts[number].Name
}

// rung names the attempt of a task.
func (r *recorder) rung(t engine.Task) string {
	if s := r.runs[t.Run]; s != nil {
		return s.rung(t.Attempt)
	}
	return ""
}

// take records what the engine concluded at a time.
func (r *recorder) take(at time.Time, events []engine.Event) {
	for _, ev := range events {
		run, _ := engine.RunOf(ev)
		moment := Moment{At: written(at.Sub(r.start)), Since: at.Sub(r.start), Event: ev.Kind(), Sentence: explain.Sentence(ev)}
		var s *story
		if start, ok := ev.(engine.RunStarted); ok {
			s = &story{started: start, aim: engine.NewAim(start.Target)}
			s.rule, _ = r.rule(start.RuleSet, start.Rule)
			r.runs[run] = s
			r.reached.rules[start.Rule] = true
		} else {
			s = r.runs[run]
		}
		if s != nil {
			moment.Rule = s.started.Rule
		}
		base := happening{at: moment.Since, moment: len(r.timeline)}
		if s != nil {
			r.follow(s, ev)
			base.rule, base.attempt, base.alert = s.started.Rule, s.rung(s.attempt), s.started.Alert.Labels
			base.stated = s.started.Target.String()
			if s.aim.Known() {
				base.target = s.aim.Target().String()
			}
		}
		if s != nil {
			moment.Again = s.heldAgain(ev)
		}
		r.timeline = append(r.timeline, moment)
		if moment.Again {
			continue
		}
		r.happenings = append(r.happenings, r.tell(base, s, ev)...)
		if s != nil {
			s.move(ev)
		}
	}
}

// follow keeps what later events need.
func (r *recorder) follow(s *story, ev engine.Event) {
	s.aim.Follow(ev)
	switch e := ev.(type) {
	case engine.TaskIssued:
		r.tasks[e.Task.ID] = e.Task
		if e.Task.Kind == engine.TaskExecute || e.Task.Kind == engine.TaskUndo {
			s.acted = e.Task.Action
		}
		if e.Task.Kind == engine.TaskPlan {
			r.reached.planned[rungOf(s.started.Rule, s.rung(e.Task.Attempt))] = true
		}
	case engine.VerifyStarted:
		if e.Only {
			r.reached.acted[rungOf(s.started.Rule, s.rung(s.attempt))] = true
		}
	case engine.RunContinued:
		s.attempt = e.Attempt
	case engine.RunAllowed:
		r.reached.acted[rungOf(s.started.Rule, s.rung(e.Attempt))] = true
	case engine.RunHeld:
		r.reached.held[guardOf(s.started.Rule, e.Guard)] = true
	case engine.RunEnded:
		if e.Outcome == engine.HeldBack {
			r.reached.held[guardOf(s.started.Rule, engine.GuardFreshness)] = true
		}
	}
}

// heldAgain reports whether a run is held, and was just so before.
func (s *story) heldAgain(ev engine.Event) bool {
	hold := ""
	if e, ok := ev.(engine.RunHeld); ok {
		hold = e.Guard + " " + e.Reason
	}
	again := hold != "" && hold == s.hold
	s.hold = hold
	return again
}

// move goes on to the next rung.
func (s *story) move(ev engine.Event) {
	if e, ok := ev.(engine.AttemptFailed); ok {
		s.attempt = e.Attempt + 1
	}
}

// tell gives what a test can expect of an event.
func (r *recorder) tell(h happening, s *story, ev engine.Event) []happening {
	if s != nil {
		switch e := ev.(type) {
		case engine.RunStarted:
			h.mode = string(e.Mode)
			all := []happening{h.as(kindStarted, e.Rule, "")}
			return append(all, routed(h, kindReported, e.Report, "")...)
		case engine.TaskIssued:
			return issued(h, e.Task)
		case engine.TaskAnswered:
			return r.answered(h, e.Result)
		case engine.TaskUnanswered:
			if word := taskWords()[r.tasks[e.Task].Kind]; word == kindCheck || word == kindVerify {
				return []happening{h.as(word, answerUnknown, "no worker answered")}
			}
			return nil
		case engine.Escalated:
			return routed(h, kindEscalated, e.Routes, e.Reason)
		}
		return tellOfRun(h, s, ev)
	}
	switch e := ev.(type) {
	case engine.AlertOpened:
		r.episodes[e.Episode] = e.Alert
	case engine.AlertUnmatched:
		h.alert = r.episodes[e.Episode].Labels
		return []happening{h.as(kindUnmatched, r.episodes[e.Episode].Name, e.Reason)}
	case engine.RuleFailed:
		h.alert, h.rule = r.episodes[e.Episode].Labels, e.Rule
		return []happening{h.as(kindError, e.Rule, e.Reason)}
	case engine.CommandRefused:
		if s := r.runs[e.Command.Run]; s != nil {
			h.rule = s.started.Rule
		}
		return []happening{h.as(kindRefused, string(e.Command.Verb), e.Reason)}
	}
	return nil
}

func tellOfRun(h happening, s *story, ev engine.Event) []happening {
	one := func(kind, name, reason string) []happening { return []happening{h.as(kind, name, reason)} }
	switch e := ev.(type) {
	case engine.RunJoined:
		return one(kindJoined, h.rule, "")
	case engine.RunMerged:
		return append(one(kindMerged, h.rule, ""), h.as(kindEnded, string(engine.Merged), ""))
	case engine.RunContinued:
		return one(kindContinued, s.rung(e.Attempt), "")
	case engine.RetryScheduled:
		return one(kindRetry, taskWords()[e.Task], e.Reason)
	case engine.RunHeld:
		return one(kindHeld, e.Guard, e.Reason)
	case engine.RunAllowed:
		return one(kindAllowed, s.rung(e.Attempt), "")
	case engine.ApprovalAsked:
		return one(kindAsked, approval, "")
	case engine.ApprovalGiven:
		return one(kindApproved, e.By, "")
	case engine.RunStanding:
		return one(kindStanding, s.rung(s.attempt), e.Reason)
	case engine.AttemptFailed:
		return one(kindFailed, s.rung(e.Attempt), e.Reason)
	case engine.RunParked:
		return one(kindParked, s.acted, e.Reason)
	case engine.RunEnded:
		return one(kindEnded, string(e.Outcome), e.Reason)
	}
	return nil
}

func (h happening) as(kind, name, reason string) happening {
	h.kind, h.name, h.reason = kind, name, reason
	return h
}

// routed is one happening for each reporter; one without a name if there is none.
func routed(h happening, kind string, routes []engine.Route, reason string) []happening {
	if len(routes) == 0 {
		if kind == kindReported {
			return nil
		}
		return []happening{h.as(kind, "", reason)}
	}
	var all []happening
	for _, route := range routes {
		one := h.as(kind, route.Reporter, reason)
		one.to = route.To
		all = append(all, one)
	}
	return all
}

func issued(h happening, t engine.Task) []happening {
	h.params, h.target = t.Params, t.Target.String()
	switch t.Kind {
	case engine.TaskPlan:
		return []happening{h.as(kindPlan, t.Action, "")}
	case engine.TaskExecute, engine.TaskUndo:
		reason := ""
		if t.Plan != nil {
			reason = t.Plan.Summary
		}
		return []happening{h.as(taskWords()[t.Kind], t.Action, reason)}
	case engine.TaskCheck, engine.TaskVerify:
	}
	return nil
}

// answered tells of checks and verifications; other answers show in what follows.
func (r *recorder) answered(h happening, res engine.Result) []happening {
	kind := r.tasks[res.Task].Kind
	if kind != engine.TaskCheck && kind != engine.TaskVerify {
		return nil
	}
	word := taskWords()[kind]
	switch {
	case res.Failure != nil:
		return []happening{h.as(word, answerUnknown, res.Failure.Message)}
	case res.Verified:
		return []happening{h.as(word, answerPassed, "")}
	}
	var fails []string
	for _, c := range res.Checks {
		if !c.OK {
			fails = append(fails, c.Kind+": "+c.Detail)
		}
	}
	return []happening{h.as(word, answerFailed, strings.Join(fails, "; "))}
}
