package engine_test

import (
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// nightly is a rule that shuts down, and restores when its alert resolves.
func nightly(actions ...engine.Action) *fakeRule {
	r := guarded(engine.Guards{})
	r.Name, r.alerts, r.Restore = "nightly", []string{"Night"}, true
	if len(actions) == 0 {
		actions = []engine.Action{undoable("label"), undoable("scale")}
	}
	r.Attempts = []engine.Attempt{rung("shut", actions...)}
	r.Attempts[0].Verify = engine.Verify{Within: 5 * time.Minute}
	return r
}

// night is a start of the schedule for a service.
func night(on string) alert.Alert {
	a := called(firing(on), "Night")
	a.Fingerprint = "night-" + on
	return a
}

// shut brings a rule like nightly to where it has done all, and stands.
func (w *world) shut(on string) {
	w.t.Helper()
	w.send(night(on))
	w.plan()
	w.plan()
	w.act()
	w.act()
	w.says("task.answered", "verify.started", "run.standing")
}

// ends checks how a run that puts back what it did has ended, in the last input.
func (w *world) ends(want engine.RunFinal, told bool, reasons ...string) {
	w.t.Helper()
	if told {
		w.says("task.answered", "run.ended", "run.escalated")
	} else {
		w.says("task.answered", "run.ended")
	}
	w.outcome(want)
	for _, part := range reasons {
		w.reason(part)
	}
}

func TestRestore(t *testing.T) {
	t.Run("the last one first, once, when the alert resolves", func(t *testing.T) {
		w := newWorld(t, nightly())
		w.shut("a")
		r := w.run(engine.PhaseStanding)
		if !r.Standing || r.Holds() || !r.Active() || !r.WakeAt.IsZero() || r.Why != "done; the rule verifies nothing" {
			t.Errorf("stands as %+v", r)
		}
		w.pass(12 * time.Hour)
		w.says()
		w.send(resolved(night("a")))
		w.says("alert.resolved", "undo.started", "task.issued")
		if e := lastEvent[engine.UndoStarted](w); e.Ends != engine.Restored || e.Seen || e.Reason != "the alert resolved" {
			t.Errorf("%+v", e)
		}
		if r := w.run(engine.PhaseUndoing); r.Standing || !r.Holds() {
			t.Errorf("puts back as %+v", r)
		}
		w.putBack("scale")
		w.says("task.answered", "task.issued")
		w.putBack("label")
		w.ends(engine.Restored, false, "the alert resolved; put back: scale, label")
	})
	t.Run("not before it is verified", func(t *testing.T) {
		rule := nightly(undoable("label"))
		rule.Attempts[0].Verify.Probes = []engine.Probe{{Kind: "http", Params: params}}
		w := newWorld(t, rule)
		w.send(night("a"))
		w.plan()
		w.act()
		w.says("task.answered", "verify.started", "task.issued")
		w.answer(w.task(engine.TaskVerify), engine.Result{Verified: true})
		w.says("task.answered", "run.standing")
		w.reason("verified: http")
	})
	t.Run("what failed is put back, and what the next rung did is restored", func(t *testing.T) {
		rule := nightly(undoable("label"))
		rule.Attempts = append(rule.Attempts, rung("second", undoable("scale")))
		rule.Attempts[0].Verify.Probes = []engine.Probe{{Kind: "http", Params: params}}
		rule.Attempts[1].Verify.AlertResolved = false
		w := newWorld(t, rule)
		w.send(night("a"))
		w.plan()
		w.act()
		w.answer(w.task(engine.TaskVerify), engine.Result{})
		w.says("task.answered", "undo.started", "task.issued") // although its rung does not say undo
		w.putBack("label")
		w.says("task.answered", "attempt.failed", "task.issued")
		w.plan()
		w.act()
		w.says("task.answered", "verify.started", "run.standing")
		w.send(resolved(night("a")))
		w.putBack("scale")
		w.ends(engine.Restored, false, "put back: scale")
	})
	t.Run("is not claimed of what cannot be put back", func(t *testing.T) {
		w := newWorld(t, nightly(undoable("label"), action("wipe")))
		w.shut("a")
		w.send(resolved(night("a")))
		w.putBack("label")
		w.ends(engine.Uncured, true, "put back: label; done, and cannot be put back: wipe")
	})
	t.Run("not while another alert of the run fires", func(t *testing.T) {
		w := newWorld(t, nightly())
		w.shut("a")
		other := night("a")
		other.Fingerprint = "other"
		w.send(other)
		w.says("alert.opened", "run.joined")
		w.send(resolved(night("a")))
		w.says("alert.resolved")
		w.send(resolved(other))
		w.says("alert.resolved", "undo.started", "task.issued")
	})
	t.Run("nothing that somebody else did", func(t *testing.T) {
		noop := func(w *world) {
			task := w.task(engine.TaskPlan)
			w.answer(task, engine.Result{Plan: &engine.Plan{Target: task.Target, Summary: "has 0 replicas already", Noop: true}})
		}
		w := newWorld(t, nightly(undoable("scale")))
		w.send(night("a"))
		noop(w)
		w.says("task.answered", "run.ended")
		w.outcome(engine.SelfResolved)
		w.reason("nothing to change: has 0 replicas already")
		twice := nightly(undoable("scale"))
		twice.Attempts = append(twice.Attempts, rung("second", undoable("scale")))
		w = newWorld(t, twice) // the first rung failed, and people must know
		w.send(night("a"))
		w.plan()
		w.fail(w.task(engine.TaskExecute), engine.ClassTerminal)
		noop(w)
		w.says("task.answered", "attempt.failed", "run.ended", "run.escalated")
	})
	t.Run("nothing where it only looked", func(t *testing.T) {
		look := func(t *testing.T) *world {
			rule := nightly()
			rule.Attempts = []engine.Attempt{{Name: "look", Verify: engine.Verify{Probes: []engine.Probe{{Kind: "http", Params: params}}, Within: time.Minute}}}
			w := newWorld(t, rule)
			w.send(night("a"))
			return w
		}
		w := look(t)
		w.answer(w.task(engine.TaskVerify), engine.Result{Verified: true})
		w.says("task.answered", "run.ended")
		w.outcome(engine.Cured)
		w = look(t)
		w.send(resolved(night("a")))
		w.says("alert.resolved", "run.ended")
		w.outcome(engine.SelfResolved)
	})
	t.Run("not by a rule that does not say so", func(t *testing.T) {
		rule := nightly()
		rule.Restore = false
		w := newWorld(t, rule)
		w.send(night("a"))
		w.plan()
		w.plan()
		w.act()
		w.act()
		w.outcome(engine.Cured)
	})
}

// What was done is put back, wherever the alert resolves.
func TestRestoreInTheMiddle(t *testing.T) {
	half := func(t *testing.T, rule *fakeRule) *world {
		w := newWorld(t, rule)
		w.send(night("a"))
		w.plan()
		w.plan()
		w.act()
		return w
	}
	resolve := func(w *world) {
		w.t.Helper()
		w.send(resolved(night("a")))
		w.says("alert.resolved", "undo.started", "task.issued")
		w.putBack("label")
		w.ends(engine.Restored, false, "put back: label")
	}
	t.Run("while the next action is under way", func(t *testing.T) {
		w := half(t, nightly())
		w.send(resolved(night("a")))
		w.says("alert.resolved")
		w.act()
		w.says("task.answered", "undo.started", "task.issued")
		w.putBack("scale")
		w.putBack("label")
		w.ends(engine.Restored, false)
	})
	t.Run("while the next action fails", func(t *testing.T) {
		w := half(t, nightly())
		w.send(resolved(night("a")))
		w.fail(w.task(engine.TaskExecute), engine.ClassTerminal)
		w.says("task.answered", "undo.started", "task.issued")
		w.putBack("label")
		w.ends(engine.Restored, false, "the alert resolved; scale: because terminal")
	})
	t.Run("while the next action is to be tried again", func(t *testing.T) {
		w := half(t, nightly())
		w.fail(w.task(engine.TaskExecute), engine.ClassRetryable)
		resolve(w)
	})
	t.Run("before the next action is tried again", func(t *testing.T) {
		w := half(t, nightly())
		w.send(resolved(night("a")))
		w.fail(w.task(engine.TaskExecute), engine.ClassRetryable)
		w.passTo()
		w.says("undo.started", "task.issued")
	})
	t.Run("while the next action is held", func(t *testing.T) {
		rule := nightly()
		rule.Guards.Windows = []engine.Window{between("day", engine.WindowHold, time.Minute, 0)}
		w := newWorld(t, rule)
		w.send(night("a"))
		w.plan()
		w.plan()
		w.pass(2 * time.Minute)
		w.act()
		w.held(engine.GuardWindow)
		resolve(w)
	})
	t.Run("while the next action is planned again", func(t *testing.T) {
		w := half(t, nightly())
		w.fail(w.task(engine.TaskExecute), engine.ClassPlanChanged)
		w.says("task.answered", "run.replanned", "task.issued")
		resolve(w)
	})
	t.Run("while the next action waits for a person", func(t *testing.T) {
		rule := nightly()
		rule.Mode = engine.ModeApprove
		w := halfApproved(t, rule)
		resolve(w)
	})
	t.Run("while it is verified", func(t *testing.T) {
		rule := nightly(undoable("label"))
		rule.Attempts[0].Verify.Probes = []engine.Probe{{Kind: "http", Params: params}}
		w := newWorld(t, rule)
		w.send(night("a"))
		w.plan()
		w.act()
		late := w.task(engine.TaskVerify)
		resolve(w)
		w.answer(late, engine.Result{Verified: true})
		w.says("answer.ignored")
	})
	t.Run("while it waits for the alert, as no rule should", func(t *testing.T) {
		rule := nightly(undoable("label"))
		rule.Attempts[0].Verify.AlertResolved = true
		w := newWorld(t, rule)
		w.send(night("a"))
		w.plan()
		w.act()
		w.says("task.answered", "verify.started", "verify.waiting")
		resolve(w)
	})
	t.Run("but nothing is where nothing was done", func(t *testing.T) {
		w := newWorld(t, nightly())
		w.send(night("a"))
		w.plan()
		w.send(resolved(night("a")))
		w.says("alert.resolved", "run.ended")
		w.outcome(engine.SelfResolved)
	})
	t.Run("but nothing twice, where it failed already", func(t *testing.T) {
		w := half(t, nightly())
		w.fail(w.task(engine.TaskExecute), engine.ClassTerminal)
		w.says("task.answered", "undo.started", "task.issued")
		w.send(resolved(night("a")))
		w.says("alert.resolved")
		w.putBack("label")
		w.says("task.answered", "attempt.failed", "run.ended", "run.escalated")
		w.outcome(engine.Uncured)
	})
}

func TestRestoreThatFails(t *testing.T) {
	t.Run("for good, and people are told what is left", func(t *testing.T) {
		w := newWorld(t, nightly())
		w.shut("a")
		w.send(resolved(night("a")))
		w.putBack("scale")
		w.fail(w.task(engine.TaskUndo), engine.ClassPlanChanged)
		w.ends(engine.Uncured, true, "the alert resolved; put back: scale; not put back: label (because plan-changed)")
	})
	t.Run("under a pause that only a worker knows", func(t *testing.T) {
		w := newWorld(t, nightly())
		w.shut("a")
		w.send(resolved(night("a")))
		w.fail(w.task(engine.TaskUndo), engine.ClassPaused)
		w.says("task.answered", "run.held")
		if r := w.run(engine.PhaseHeld); !r.Holds() {
			t.Error("gives its target up in the middle")
		}
		w.passTo()
		w.says("task.issued")
	})
	t.Run("in a way that nobody knows", func(t *testing.T) {
		w := newWorld(t, nightly())
		w.shut("a")
		w.send(resolved(night("a")))
		w.putBack("scale")
		w.fail(w.task(engine.TaskUndo), engine.ClassUnknown)
		w.says("task.answered", "run.parked", "run.escalated")
		w.passTo()
		w.says("run.ended", "run.escalated")
		w.outcome(engine.Undetermined)
		w.reason("put back: scale; not put back: label (nobody knows how the target is)")
	})
	t.Run("since nobody knows what was done", func(t *testing.T) {
		w := newWorld(t, nightly())
		w.send(night("a"))
		w.plan()
		w.plan()
		w.act()
		w.fail(w.task(engine.TaskExecute), engine.ClassUnknown)
		w.says("task.answered", "run.parked", "run.escalated")
		w.send(resolved(night("a")))
		w.says("alert.resolved", "run.ended", "run.escalated")
		w.outcome(engine.Undetermined)
		w.reason("not put back: label")
	})
	t.Run("without its rule", func(t *testing.T) {
		w := newWorld(t, nightly())
		w.shut("a")
		delete(w.sets, "v1")
		w.send(resolved(night("a")))
		w.says("alert.resolved", "run.ended", "run.escalated")
		w.outcome(engine.Uncured)
		w.reason("what it did is not put back: rule set v1")
	})
	t.Run("in the middle without its rule", func(t *testing.T) {
		w := newWorld(t, nightly())
		w.send(night("a"))
		w.plan()
		w.plan()
		w.act()
		w.fail(w.task(engine.TaskExecute), engine.ClassRetryable)
		delete(w.sets, "v1")
		w.send(resolved(night("a")))
		w.says("alert.resolved", "run.ended", "run.escalated")
		w.reason("what its attempt did is left as it is")
	})
}
