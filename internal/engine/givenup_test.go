package engine_test

import (
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// halfApproved has a rule ask a person about its second action.
func halfApproved(t *testing.T, rule *fakeRule) *world {
	t.Helper()
	w := newWorld(t, rule)
	w.send(night("a"))
	w.plan()
	w.plan()
	w.approve()
	w.act()
	w.fail(w.task(engine.TaskExecute), engine.ClassPlanChanged)
	task := w.task(engine.TaskPlan)
	w.answer(task, engine.Result{Plan: &engine.Plan{Target: task.Target, Summary: "another plan"}})
	w.says("task.answered", "approval.asked")
	return w
}

// A run that may not go on leaves nothing half done.
func TestGivenUpInTheMiddle(t *testing.T) {
	asks := func() *fakeRule {
		rule := nightly()
		rule.Mode = engine.ModeApprove
		return rule
	}
	t.Run("denied", func(t *testing.T) {
		w := halfApproved(t, asks())
		r := w.run(engine.PhaseApproval)
		w.command(engine.Command{Verb: engine.Deny, Run: r.ID, Plan: r.PlanDigest(), Reason: "not tonight"})
		w.says("undo.started", "task.issued")
		w.putBack("label")
		w.ends(engine.Denied, true, "denied by ann: not tonight; put back: label")
	})
	t.Run("unapproved", func(t *testing.T) {
		w := halfApproved(t, asks())
		w.passTo()
		w.says("undo.started", "task.issued")
		w.send(resolved(night("a")))
		w.says("alert.resolved")
		w.putBack("label")
		w.ends(engine.Unapproved, true, "nobody approved within 1h0m0s; put back: label")
	})
	t.Run("held too long", func(t *testing.T) {
		rule := nightly()
		rule.Guards.Windows = []engine.Window{between("day", engine.WindowHold, time.Minute, 0)}
		w := newWorld(t, rule)
		w.send(night("a"))
		w.plan()
		w.plan()
		w.pass(2 * time.Minute)
		w.act()
		w.held(engine.GuardWindow)
		w.pass(time.Hour)
		w.says("undo.started", "task.issued")
		w.putBack("label")
		w.ends(engine.HeldBack, true, "after it was held by window", "put back: label")
	})
	t.Run("denied before anything was done", func(t *testing.T) {
		w := newWorld(t, asks())
		w.send(night("a"))
		w.plan()
		w.plan()
		r := w.run(engine.PhaseApproval)
		w.command(engine.Command{Verb: engine.Deny, Run: r.ID, Plan: r.PlanDigest()})
		w.says("run.ended", "run.escalated")
	})
	t.Run("denied, of a rule that does not restore", func(t *testing.T) {
		rule := asks()
		rule.Restore = false
		w := halfApproved(t, rule)
		r := w.run(engine.PhaseApproval)
		w.command(engine.Command{Verb: engine.Deny, Run: r.ID, Plan: r.PlanDigest()})
		w.says("run.ended", "run.escalated")
	})
}
