package engine_test

import (
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// asking is a rule whose first rung waits for a person.
func asking() *fakeRule {
	r := guarded(engine.Guards{})
	r.Mode = engine.ModeApprove
	return r
}

// approve agrees to the plan of the one run that waits.
func (w *world) approve() {
	w.t.Helper()
	r := w.run(engine.PhaseApproval)
	w.command(engine.Command{Verb: engine.Approve, Run: r.ID, Plan: r.PlanDigest()})
}

func TestApproval(t *testing.T) {
	begin := func(t *testing.T, r *fakeRule) *world {
		w := newWorld(t, r)
		w.send(firing("a"))
		w.plan()
		w.says("task.answered", "approval.asked")
		return w
	}
	t.Run("given", func(t *testing.T) {
		w := begin(t, asking())
		w.approve()
		w.says("approval.given", "run.allowed", "task.issued")
		if e := lastEvent[engine.RunAllowed](w); e.Plan == "" {
			t.Error("the allowed plan is not named")
		}
	})
	t.Run("given twice", func(t *testing.T) {
		w := begin(t, asking())
		r := w.run(engine.PhaseApproval)
		c := engine.Command{Verb: engine.Approve, Run: r.ID, Plan: r.PlanDigest()}
		w.command(c)
		w.command(c)
		w.says("command.refused")
		w.reason("does not wait for approval")
	})
	t.Run("given to another plan", func(t *testing.T) {
		w := begin(t, asking())
		w.command(engine.Command{Verb: engine.Approve, Run: w.run(engine.PhaseApproval).ID, Plan: "other"})
		w.says("command.refused")
		w.reason("is not the one that waits")
	})
	t.Run("refused", func(t *testing.T) {
		w := begin(t, asking())
		r := w.run(engine.PhaseApproval)
		w.command(engine.Command{Verb: engine.Deny, Run: r.ID, Plan: r.PlanDigest(), Reason: "not now"})
		w.says("run.ended", "run.escalated")
		w.outcome(engine.Denied)
		w.send(firing("a"))
		w.says("alert.repeated")
	})
	t.Run("nobody answers", func(t *testing.T) {
		w := begin(t, asking())
		w.passTo()
		w.says("run.ended", "run.escalated")
		w.outcome(engine.Unapproved)
	})
	t.Run("no bound on the answer", func(t *testing.T) {
		r := asking()
		r.Guards.Approval = 0
		w := begin(t, r)
		w.pass(72 * time.Hour)
		w.send(firing("a"))
		w.approve()
		w.says("approval.given", "run.allowed", "task.issued")
	})
	t.Run("the alert resolves", func(t *testing.T) {
		w := begin(t, asking())
		w.send(resolved(firing("a")))
		w.says("alert.resolved", "run.ended")
		w.outcome(engine.SelfResolved)
	})
	t.Run("is a sign that the trouble goes on", func(t *testing.T) {
		r := asking()
		r.Guards.Approval = 3 * time.Hour
		w := begin(t, r)
		w.pass(2 * time.Hour)
		w.approve()
		w.says("approval.given", "run.allowed", "task.issued")
	})
	t.Run("and is so for as long as a repeat would be", func(t *testing.T) {
		r := asking()
		r.Guards.Approval = 3 * time.Hour
		w := begin(t, r)
		w.command(engine.Command{Verb: engine.Pause, Scope: "all"})
		w.pass(2 * time.Hour)
		w.approve()
		w.says("approval.given", "run.held")
		if e := w.held(engine.GuardPaused); !e.Until.Equal(w.now.Add(time.Hour)) {
			t.Errorf("held until %s", e.Until)
		}
		w.passTo()
		w.says("run.ended", "run.escalated")
		w.outcome(engine.HeldBack)
	})
	t.Run("is for the plan, not for what it becomes", func(t *testing.T) {
		w := begin(t, asking())
		w.approve()
		w.fail(w.task(engine.TaskExecute), engine.ClassPlanChanged)
		task := w.task(engine.TaskPlan)
		w.answer(task, engine.Result{Plan: &engine.Plan{Target: task.Target, Summary: "something else"}})
		w.says("task.answered", "approval.asked")
	})
	t.Run("holds for the same plan made anew", func(t *testing.T) {
		w := begin(t, asking())
		w.approve()
		w.fail(w.task(engine.TaskExecute), engine.ClassPlanChanged)
		w.plan()
		w.says("task.answered", "task.issued")
	})
	t.Run("of two plans is for both", func(t *testing.T) {
		r := asking()
		r.Attempts = []engine.Attempt{rung("both", action("clear"), action("restart"))}
		w := newWorld(t, r)
		w.send(firing("a"))
		w.plan()
		w.plan()
		w.says("task.answered", "approval.asked")
		w.approve()
		w.act()
		w.says("task.answered", "task.issued")
	})
	t.Run("the rules are gone", func(t *testing.T) {
		w := begin(t, asking())
		delete(w.sets, "v1")
		w.approve()
		w.says("command.refused")
		w.reason("not available")
	})
}

func TestCancel(t *testing.T) {
	cancel := func(w *world) {
		for id, r := range w.st.Runs {
			if r.Active() {
				w.command(engine.Command{Verb: engine.Cancel, Run: id, Reason: "enough"})
			}
		}
	}
	t.Run("while planning", func(t *testing.T) {
		w := newWorld(t, down())
		w.send(firing("a"))
		task := w.task(engine.TaskPlan)
		cancel(w)
		w.says("run.ended")
		w.outcome(engine.Cancelled)
		w.planOn(task, task.Target)
		w.says("answer.ignored")
	})
	t.Run("not while an action is under way", func(t *testing.T) {
		w := newWorld(t, down())
		w.send(firing("a"))
		w.plan()
		cancel(w)
		w.says("command.refused")
		w.reason("under way")
		w.act()
		cancel(w)
		w.outcome(engine.Cancelled)
	})
}

func TestRefusedCommands(t *testing.T) {
	w := newWorld(t, down())
	w.send(firing("a"))
	waits := w.run(engine.PhasePlanning).ID
	w.send(firing("b"), resolved(firing("b")))
	var ended string
	for id, r := range w.st.Runs {
		if !r.Active() {
			ended = id
		}
	}
	for name, c := range map[string]struct {
		command engine.Command
		reason  string
	}{
		"unknown verb":     {engine.Command{Verb: "dance"}, "is not known"},
		"odd scope":        {engine.Command{Verb: engine.Pause, Scope: "rule/"}, "want all"},
		"no scope":         {engine.Command{Verb: engine.Pause}, "want all"},
		"not paused":       {engine.Command{Verb: engine.Resume, Scope: "all"}, "is not paused"},
		"unknown run":      {engine.Command{Verb: engine.Cancel, Run: "r0"}, "is not known"},
		"ended run":        {engine.Command{Verb: engine.Cancel, Run: ended}, "has ended"},
		"run not waiting":  {engine.Command{Verb: engine.Approve, Run: waits}, "does not wait"},
		"deny not waiting": {engine.Command{Verb: engine.Deny, Run: waits}, "does not wait"},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.command(c.command)
			w.says("command.refused")
			w.reason(c.reason)
		})
	}
}
