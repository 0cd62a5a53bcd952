package simulation

import (
	"slices"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// rewrite has the events of every decision changed before they are folded.
func rewrite(change func(at time.Time, events []engine.Event) []engine.Event) func(*shell) {
	return func(s *shell) {
		s.advance = advanceBy(func(sets engine.Sets, st *engine.State, at time.Time, step engine.Step) []engine.Event {
			return change(at, engine.Decide(sets, st, at, step))
		})
	}
}

// forgetHolds has held runs wait for nothing but the time.
func forgetHolds(at time.Time, events []engine.Event) []engine.Event {
	for i, ev := range events {
		if e, ok := ev.(engine.RunHeld); ok {
			e.Waits, e.Until = "never", at.Add(3*time.Minute)
			events[i] = e
		}
	}
	return events
}

// forgetAlerts has runs that an alert holds not wait for its end.
func forgetAlerts(_ time.Time, events []engine.Event) []engine.Event {
	for i, ev := range events {
		if e, ok := ev.(engine.RunHeld); ok && strings.HasPrefix(e.Waits, "alerts") {
			e.Waits = ""
			events[i] = e
		}
	}
	return events
}

// startLate lets tasks start that have lain in WORK while a window opened.
func startLate(at time.Time, events []engine.Event) []engine.Event {
	for i, ev := range events {
		if e, ok := ev.(engine.TaskIssued); ok && e.Task.Kind == engine.TaskExecute {
			e.Task.NotAfter = at.Add(2 * time.Minute)
			events[i] = e
		}
	}
	return events
}

// holdSilently tells nobody of a hold.
func holdSilently(_ time.Time, events []engine.Event) []engine.Event {
	return slices.DeleteFunc(events, func(ev engine.Event) bool {
		e, ok := ev.(engine.Escalated)
		return ok && strings.HasPrefix(e.Reason, "held by ")
	})
}

func noGuard(_ time.Time, events []engine.Event) []engine.Event {
	for i, ev := range events {
		if e, ok := ev.(engine.RunHeld); ok {
			e.Guard = ""
			events[i] = e
		}
	}
	return events
}

// executed is an action that was done and can be put back.
type executed struct {
	engine.TaskIssued
	outcome *engine.Outcome
}

// redirectUndo has undo tasks put something else back: of all that was done so
// far, what the choice says.
func redirectUndo(choose func(all []executed, undo engine.Task) (executed, bool)) func(*shell) {
	var all []executed
	issued := map[string]engine.TaskIssued{}
	take := func(res engine.Result) {
		is, known := issued[res.Task]
		again := slices.ContainsFunc(all, func(e executed) bool { return e.Task.ID == res.Task })
		if known && !again && is.Task.Kind == engine.TaskExecute && is.Task.Action == resize && res.Outcome != nil {
			all = append(all, executed{is, res.Outcome})
		}
	}
	return rewrite(func(_ time.Time, events []engine.Event) []engine.Event {
		for i, ev := range events {
			switch e := ev.(type) {
			case engine.TaskAnswered:
				take(e.Result)
			case engine.TaskIssued:
				issued[e.Task.ID] = e
				if e.Task.Kind != engine.TaskUndo {
					continue
				}
				if other, ok := choose(all, e.Task); ok {
					e.Task.Undoes, e.Task.Plan, e.Task.Outcome = other.Task.ID, other.Task.Plan, other.outcome
					e.Action = other.Action
					events[i] = e
				}
			}
		}
		return events
	})
}

// undoForwards has the first action put back first.
func undoForwards(s *shell) {
	redirectUndo(func(all []executed, undo engine.Task) (executed, bool) {
		all = slices.DeleteFunc(slices.Clone(all), func(e executed) bool { return e.Task.Run != undo.Run || e.Task.Attempt != undo.Attempt })
		at := slices.IndexFunc(all, func(e executed) bool { return e.Task.ID == undo.Undoes })
		if at < 0 {
			return executed{}, false
		}
		return all[len(all)-1-at], true
	})(s)
}

func undoAnothers(s *shell) {
	redirectUndo(func(all []executed, undo engine.Task) (executed, bool) {
		for _, e := range slices.Backward(all) {
			if e.Task.Run != undo.Run && e.Task.Target == undo.Target {
				return e, true
			}
		}
		return executed{}, false
	})(s)
}

// skipWork leaves out what an attempt is to do after its first action.
func skipWork(_ time.Time, events []engine.Event) []engine.Event {
	for i, ev := range events {
		if e, ok := ev.(engine.TaskIssued); ok && e.Task.Kind == engine.TaskExecute && e.Action > 0 {
			events[i] = engine.ActionSkipped{Run: e.Run, Action: e.Action, Reason: "no time"}
		}
	}
	return events
}

func undoBlindly(_ time.Time, events []engine.Event) []engine.Event {
	for i, ev := range events {
		if e, ok := ev.(engine.TaskIssued); ok && e.Task.Kind == engine.TaskUndo {
			e.Task.Outcome = nil
			events[i] = e
		}
	}
	return events
}

func tellElsewhere(_ time.Time, events []engine.Event) []engine.Event {
	for i, ev := range events {
		if e, ok := ev.(engine.Escalated); ok {
			e.Routes = nil
			events[i] = e
		}
	}
	return events
}

func neverMerge(at time.Time, events []engine.Event) []engine.Event {
	for i, ev := range events {
		if e, ok := ev.(engine.RunMerged); ok {
			events[i] = engine.RunHeld{Run: e.Run, Guard: engine.GuardBusy, Reason: "busy", Until: at.Add(time.Minute)}
		}
	}
	return events
}

func without(kind string) func(time.Time, []engine.Event) []engine.Event {
	return func(_ time.Time, events []engine.Event) []engine.Event {
		var kept []engine.Event
		for _, ev := range events {
			if ev.Kind() != kind {
				kept = append(kept, ev)
			}
		}
		return kept
	}
}

func noReason(_ time.Time, events []engine.Event) []engine.Event {
	for i, ev := range events {
		if e, ok := ev.(engine.RunHeld); ok {
			e.Reason = ""
			events[i] = e
		}
	}
	return events
}
