package simulation

import (
	"slices"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// forgetNights has no schedule's alert fire any more once a run has done something
// for it.
func forgetNights(st *engine.State, at time.Time) func() {
	was := map[*engine.Episode]time.Time{}
	for _, r := range st.Runs {
		for _, id := range r.Episodes {
			if ep := st.Episodes[id]; ep.Alert.Name == night && r.Done > 0 && ep.Firing() {
				was[ep], ep.ResolvedAt = ep.ResolvedAt, at
			}
		}
	}
	return func() {
		for ep, resolved := range was {
			ep.ResolvedAt = resolved
		}
	}
}

// forgetPutBack has nothing known of what was put back.
func forgetPutBack(st *engine.State, _ time.Time) func() {
	var was []*bool
	for _, r := range st.Runs {
		for i := range r.Actions {
			if r.Actions[i].PutBack {
				was = append(was, &r.Actions[i].PutBack)
				r.Actions[i].PutBack = false
			}
		}
	}
	return func() {
		for _, put := range was {
			*put = true
		}
	}
}

// holdStanding has runs that stand keep their targets.
func holdStanding(st *engine.State, _ time.Time) func() {
	var was []*engine.Run
	for _, r := range st.Runs {
		if r.Standing {
			r.Standing = false
			was = append(was, r)
		}
	}
	st.Reindex()
	return func() {
		for _, r := range was {
			r.Standing = true
		}
		st.Reindex()
	}
}

// forgetLeaving has runs that end when all is put back be found by new alerts.
func forgetLeaving(st *engine.State, _ time.Time) func() {
	was := map[*engine.Undoing]engine.RunFinal{}
	for _, r := range st.Runs {
		if u := r.Undoing; u != nil && u.Ends != "" && r.Active() {
			was[u], u.Ends = u.Ends, ""
		}
	}
	st.Reindex()
	return func() {
		for u, ends := range was {
			u.Ends = ends
		}
		st.Reindex()
	}
}

// standOn has runs whose time is over go on to stand.
func standOn(_ time.Time, events []engine.Event) []engine.Event {
	for i, ev := range events {
		if e, ok := ev.(engine.UndoStarted); ok && e.Ends == engine.Restored {
			events[i] = engine.RunStanding{Run: e.Run, Reason: "it does"}
			return withoutUndo(events, e.Run)
		}
	}
	return events
}

// sayRestored ends a run as one that put back what it did, and does not.
func sayRestored(_ time.Time, events []engine.Event) []engine.Event {
	for _, ev := range events {
		if e, ok := ev.(engine.UndoStarted); ok && e.Ends == engine.Restored {
			return append(withoutUndo(events, e.Run), engine.RunEnded{Run: e.Run, Outcome: engine.Restored, Reason: "it says so"})
		}
	}
	return events
}

// restoreOne has a run put back one action and no more.
func restoreOne(_ time.Time, events []engine.Event) []engine.Event {
	answered := slices.ContainsFunc(events, func(ev engine.Event) bool {
		e, ok := ev.(engine.TaskAnswered)
		return ok && e.Task == engine.TaskUndo && e.Result.Outcome != nil
	})
	for i, ev := range events {
		if e, ok := ev.(engine.TaskIssued); ok && answered && e.Task.Kind == engine.TaskUndo {
			events[i] = engine.RunEnded{Run: e.Run, Outcome: engine.Restored, Reason: "that is enough"}
		}
	}
	return events
}

func withoutUndo(events []engine.Event, run string) []engine.Event {
	return slices.DeleteFunc(events, func(ev engine.Event) bool {
		e, ok := ev.(engine.TaskIssued)
		return ok && e.Run == run && e.Task.Kind == engine.TaskUndo
	})
}
