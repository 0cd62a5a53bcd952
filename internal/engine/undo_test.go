package engine_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

func undoable(name string) engine.Action {
	a := action(name)
	a.Undoable = true
	return a
}

// tidy is a rule whose first rung puts back what it did, when it fails.
func tidy(actions ...engine.Action) *fakeRule {
	r := down()
	r.Guards.Freshness = time.Hour
	r.Attempts[0] = rung("first", actions...)
	r.Attempts[0].Undo = true
	r.Attempts[0].Verify.Probes = []engine.Probe{{Kind: "http", Params: params}}
	r.Attempts[0].Verify.AlertResolved = false
	return r
}

// failing brings a tidy rule's first rung to where it is seen not to have cured.
func failing(t *testing.T, r *fakeRule) *world {
	t.Helper()
	w := newWorld(t, r)
	w.send(firing("a"))
	for range r.Attempts[0].Do {
		w.plan()
	}
	for range r.Attempts[0].Do {
		task := w.task(engine.TaskExecute)
		before, _ := json.Marshal(task.Action)
		w.answer(task, engine.Result{Outcome: &engine.Outcome{Summary: "did " + task.Action, Before: before}})
	}
	w.answer(w.task(engine.TaskVerify), engine.Result{Checks: []engine.Check{{Kind: "http", Detail: "503"}}})
	return w
}

// putBack answers the one undo task, which must be for that action.
func (w *world) putBack(name string) {
	w.t.Helper()
	task := w.task(engine.TaskUndo)
	if task.Action != name {
		w.t.Fatalf("puts back %s, want %s", task.Action, name)
	}
	w.answer(task, engine.Result{Outcome: &engine.Outcome{Summary: "put back " + name}})
}

func TestUndo(t *testing.T) {
	t.Run("the last one first, and then the next rung", func(t *testing.T) {
		w := failing(t, tidy(undoable("scale"), action("restart"), undoable("label")))
		w.says("task.answered", "undo.started", "task.issued")
		if e := lastEvent[engine.UndoStarted](w); !e.Seen || e.Attempt != 0 || e.Reason != "not cured: http: 503" {
			t.Errorf("%+v", e)
		}
		run := w.run(engine.PhaseUndoing)
		if !run.Holds() || !run.Evidence.Equal(w.now) {
			t.Errorf("holds its target: %v, evidence of %s", run.Holds(), run.Evidence)
		}
		w.putBack("label")
		w.says("task.answered", "task.issued")
		w.putBack("scale")
		w.says("task.answered", "attempt.failed", "task.issued")
		e := lastEvent[engine.AttemptFailed](w)
		if want := "not cured: http: 503; put back: label, scale; done, and cannot be put back: restart"; e.Reason != want || !e.Seen {
			t.Errorf("failed because %q, want %q", e.Reason, want)
		}
		w.plan()
		w.says("task.answered", "run.allowed", "task.issued")
		if run := w.run(engine.PhaseExecuting); run.Undoing != nil || len(run.Actions) != 0 || run.Attempt != 1 {
			t.Errorf("the next rung begins as %+v", run)
		}
	})
	t.Run("makes the evidence no newer", func(t *testing.T) {
		w := failing(t, tidy(undoable("scale")))
		seen := w.now
		w.pass(time.Minute)
		w.putBack("scale")
		if r := w.run(engine.PhasePlanning); !r.Evidence.Equal(seen) {
			t.Errorf("the trouble was seen at %s, want %s", r.Evidence, seen)
		}
	})
	t.Run("is told all that it takes", func(t *testing.T) {
		r := tidy(undoable("scale"))
		r.Attempts[0].Do[0].Params = func(s engine.Scope) (json.RawMessage, error) { return json.Marshal(s.Now) }
		w := newWorld(t, r)
		w.send(firing("a"))
		w.planOn(w.task(engine.TaskPlan), service("canonical"))
		w.pass(time.Second)
		execute := w.task(engine.TaskExecute)
		w.answer(execute, engine.Result{Outcome: &engine.Outcome{Summary: "scaled", Before: json.RawMessage(`3`)}})
		w.passTo()
		w.says("task.unanswered", "undo.started", "task.issued")
		undo := w.task(engine.TaskUndo)
		if undo.Undoes != execute.ID || string(undo.Params) != string(execute.Params) || undo.Target != service("canonical") ||
			undo.Group != "here" || string(undo.Outcome.Before) != "3" || undo.Plan.Digest() != execute.Plan.Digest() ||
			undo.Timeout != 30*time.Second || !undo.NotAfter.Equal(w.now.Add(2*time.Minute)) {
			t.Errorf("%+v undoes %+v", undo, execute)
		}
	})
	t.Run("of what was done before an action failed", func(t *testing.T) {
		w := newWorld(t, tidy(undoable("scale"), undoable("restart")))
		w.send(firing("a"))
		w.plan()
		w.plan()
		w.act()
		w.fail(w.task(engine.TaskExecute), engine.ClassTerminal)
		w.says("task.answered", "undo.started", "task.issued")
		w.putBack("scale")
		w.says("task.answered", "attempt.failed", "task.issued")
		w.reason("restart: because terminal; put back: scale")
	})
	t.Run("not if the rule does not say so", func(t *testing.T) {
		r := tidy(undoable("scale"))
		r.Attempts[0].Undo = false
		w := failing(t, r)
		w.says("task.answered", "attempt.failed", "task.issued")
		if e := lastEvent[engine.AttemptFailed](w); strings.Contains(e.Reason, "put back") {
			t.Errorf("failed because %q", e.Reason)
		}
	})
	t.Run("not of what cannot be, which is said", func(t *testing.T) {
		w := failing(t, tidy(action("restart")))
		w.says("task.answered", "attempt.failed", "task.issued")
		w.reason("done, and cannot be put back: restart")
	})
	t.Run("not if nothing was done", func(t *testing.T) {
		w := newWorld(t, tidy(undoable("scale")))
		w.send(firing("a"))
		w.plan()
		w.fail(w.task(engine.TaskExecute), engine.ClassTerminal)
		w.says("task.answered", "attempt.failed", "task.issued")
	})
	t.Run("on the last rung, and then people are asked", func(t *testing.T) {
		r := tidy(undoable("scale"))
		r.Attempts = r.Attempts[:1]
		w := failing(t, r)
		w.putBack("scale")
		w.says("task.answered", "attempt.failed", "run.ended", "run.escalated")
		w.outcome(engine.Uncured)
		w.reason("put back: scale")
	})
}

func TestUndoThatFails(t *testing.T) {
	two := func(t *testing.T) *world { return failing(t, tidy(undoable("scale"), undoable("label"))) }
	t.Run("for now", func(t *testing.T) {
		w := two(t)
		for _, class := range []engine.Class{engine.ClassRetryable, engine.ClassExpired} {
			w.fail(w.task(engine.TaskUndo), class)
			w.says("task.answered", "retry.scheduled")
			if e := lastEvent[engine.RetryScheduled](w); e.Task != engine.TaskUndo || e.Action != 1 {
				t.Errorf("%+v", e)
			}
			w.passTo()
			w.says("task.issued")
		}
		w.putBack("label")
		w.fail(w.task(engine.TaskUndo), engine.ClassRetryable)
		w.says("task.answered", "retry.scheduled") // counted anew
		w.passTo()
		w.putBack("scale")
		w.says("task.answered", "attempt.failed", "task.issued")
	})
	t.Run("whatever the action before it took", func(t *testing.T) {
		w := newWorld(t, tidy(undoable("scale"), undoable("label")))
		w.send(firing("a"))
		w.plan()
		w.plan()
		w.act()
		for range 2 {
			w.fail(w.task(engine.TaskExecute), engine.ClassRetryable)
			w.passTo()
		}
		w.fail(w.task(engine.TaskExecute), engine.ClassRetryable)
		w.says("task.answered", "undo.started", "task.issued")
		w.fail(w.task(engine.TaskUndo), engine.ClassRetryable)
		w.says("task.answered", "retry.scheduled")
	})
	t.Run("too often", func(t *testing.T) {
		w := two(t)
		w.putBack("label")
		for range 2 {
			w.fail(w.task(engine.TaskUndo), engine.ClassRetryable)
			w.passTo()
		}
		w.fail(w.task(engine.TaskUndo), engine.ClassRetryable)
		w.says("task.answered", "run.ended", "run.escalated")
		w.outcome(engine.Uncured)
		w.reason("not cured: http: 503; put back: label; not put back: scale (because retryable (tried 3 times))")
	})
	t.Run("for good", func(t *testing.T) {
		for _, class := range []engine.Class{engine.ClassTerminal, engine.ClassPlanChanged} {
			w := two(t)
			w.fail(w.task(engine.TaskUndo), class)
			w.says("task.answered", "run.ended", "run.escalated")
			w.outcome(engine.Uncured)
			w.reason("not put back: label, scale (because " + string(class) + ")")
		}
	})
	t.Run("in a way that nobody knows", func(t *testing.T) {
		for _, class := range []engine.Class{engine.ClassUnknown, "odd"} {
			w := two(t)
			w.fail(w.task(engine.TaskUndo), class)
			w.says("task.answered", "run.parked", "run.escalated")
			w.reason("it is not known whether label was put back")
			w.send(resolved(firing("a")))
			w.says("alert.resolved", "run.ended")
			w.outcome(engine.Undetermined)
		}
	})
	t.Run("by an answer that does not fit", func(t *testing.T) {
		w := two(t)
		w.answer(w.task(engine.TaskUndo), engine.Result{Verified: true})
		w.says("task.answered", "run.parked", "run.escalated")
	})
	t.Run("by no answer", func(t *testing.T) {
		w := two(t)
		late := w.task(engine.TaskUndo)
		w.passTo()
		w.says("run.parked", "run.escalated")
		w.answer(late, engine.Result{Outcome: &engine.Outcome{}})
		w.says("answer.ignored")
		w.passTo()
		w.says("run.ended", "run.escalated")
		w.outcome(engine.Undetermined)
	})
}

func TestUndoUnderAPause(t *testing.T) {
	t.Run("that the engine knows", func(t *testing.T) {
		r := tidy(undoable("scale"), undoable("label"))
		r.Guards.Freshness = 15 * time.Minute
		w := failing(t, r)
		w.command(engine.Command{Verb: engine.Pause, Scope: "rule/down"})
		w.putBack("label")
		w.says("task.answered", "run.held")
		if e := w.held(engine.GuardPaused); e.Waits != "pause" || e.Until.Before(w.now.Add(time.Hour)) {
			t.Errorf("waits for %q until %s", e.Waits, e.Until)
		}
		w.pass(2 * time.Hour) // the alert is stale, but what was done is still put back
		w.says()
		w.command(engine.Command{Verb: engine.Resume, Scope: "rule/down"})
		w.says("scope.resumed", "task.issued")
		w.putBack("scale")
		w.says("task.answered", "attempt.failed", "task.issued")
	})
	t.Run("that only a worker knows", func(t *testing.T) {
		w := failing(t, tidy(undoable("scale")))
		w.fail(w.task(engine.TaskUndo), engine.ClassPaused)
		if e := w.held(engine.GuardPaused); e.Until.After(w.now.Add(time.Minute)) {
			t.Errorf("held until %s", e.Until)
		}
		w.passTo()
		w.says("task.issued")
		w.putBack("scale")
		w.says("task.answered", "attempt.failed", "task.issued")
	})
	t.Run("but by no other guard", func(t *testing.T) {
		r := tidy(undoable("scale"))
		r.Guards.Windows = []engine.Window{between("night", engine.WindowHold, time.Minute, 0)}
		w := newWorld(t, r)
		w.send(firing("a"))
		w.plan()
		w.pass(2 * time.Minute)
		w.act()
		w.answer(w.task(engine.TaskVerify), engine.Result{})
		w.says("task.answered", "undo.started", "task.issued")
	})
}

func TestUndoIsSeenThrough(t *testing.T) {
	resolve := func(w *world) {
		w.send(resolved(firing("a")))
		w.says("alert.resolved")
	}
	t.Run("while it is under way", func(t *testing.T) {
		w := failing(t, tidy(undoable("scale"), undoable("label")))
		resolve(w)
		w.putBack("label")
		w.says("task.answered", "task.issued")
		w.putBack("scale")
		w.says("task.answered", "attempt.failed", "task.issued")
		w.plan()
		w.says("task.answered", "run.ended")
		w.outcome(engine.SelfResolved)
	})
	t.Run("while it waits to be tried again", func(t *testing.T) {
		w := failing(t, tidy(undoable("scale")))
		w.fail(w.task(engine.TaskUndo), engine.ClassRetryable)
		resolve(w)
		w.passTo()
		w.says("task.issued")
	})
	t.Run("while it is held", func(t *testing.T) {
		w := failing(t, tidy(undoable("scale")))
		w.fail(w.task(engine.TaskUndo), engine.ClassPaused)
		resolve(w)
		w.passTo()
		w.says("task.issued")
	})
}

func TestCancelAndUndo(t *testing.T) {
	cancel := func(w *world) {
		w.command(engine.Command{Verb: engine.Cancel, Run: w.st.ActiveRuns()[0].ID, Reason: "enough"})
	}
	t.Run("not while an undo is under way", func(t *testing.T) {
		w := failing(t, tidy(undoable("scale")))
		cancel(w)
		w.says("command.refused")
		w.reason("under way")
	})
	t.Run("between two, and people are told what is left", func(t *testing.T) {
		w := failing(t, tidy(undoable("scale"), undoable("label")))
		w.putBack("label")
		w.fail(w.task(engine.TaskUndo), engine.ClassRetryable)
		cancel(w)
		w.says("run.ended", "run.escalated")
		w.outcome(engine.Cancelled)
		w.reason("put back: label; not put back: scale (cancelled)")
	})
	t.Run("without the rule", func(t *testing.T) {
		w := failing(t, tidy(undoable("scale")))
		w.fail(w.task(engine.TaskUndo), engine.ClassRetryable)
		delete(w.sets, "v1")
		cancel(w)
		w.says("run.ended", "run.escalated")
		w.reason("not all put back")
	})
	t.Run("of an attempt that did not fail puts nothing back", func(t *testing.T) {
		w := newWorld(t, tidy(undoable("scale")))
		w.send(firing("a"))
		w.plan()
		w.act()
		cancel(w)
		w.says("run.ended")
	})
}

func TestUndoWithoutTheRule(t *testing.T) {
	w := failing(t, tidy(undoable("scale")))
	task := w.task(engine.TaskUndo)
	delete(w.sets, "v1")
	w.answer(task, engine.Result{Outcome: &engine.Outcome{}})
	w.says("task.answered", "run.ended", "run.escalated")
	w.outcome(engine.Uncured)
	w.reason("is not all put back: rule set v1")

	w = failing(t, tidy(undoable("scale")))
	delete(w.sets, "v1")
	w.passTo()
	w.says("run.parked", "run.escalated")
}

// What an earlier build did not write down cannot be put back, and is named.
func TestUndoOfWhatIsNotWrittenDown(t *testing.T) {
	w := newWorld(t, tidy(undoable("scale"), undoable("label")))
	w.send(firing("a"))
	w.plan()
	w.plan()
	w.act()
	for _, st := range []*engine.State{w.st, w.fold} {
		for _, r := range st.Runs {
			r.Actions = nil
		}
	}
	w.act()
	w.answer(w.task(engine.TaskVerify), engine.Result{})
	w.putBack("label")
	w.says("task.answered", "attempt.failed", "task.issued")
	w.reason("put back: label; done, and cannot be put back: scale")
}

// A park in the middle of an attempt asks a person, and does nothing else.
func TestAParkDoesNotUndo(t *testing.T) {
	w := newWorld(t, tidy(undoable("scale"), undoable("label")))
	w.send(firing("a"))
	w.plan()
	w.plan()
	w.act()
	w.fail(w.task(engine.TaskExecute), engine.ClassUnknown)
	w.says("task.answered", "run.parked", "run.escalated")
	w.passTo()
	w.says("run.ended", "run.escalated")
}
