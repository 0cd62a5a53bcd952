package engine_test

import (
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// planWith answers the one plan task with a plan that tells the target's health.
func (w *world) planWith(h *engine.Health) {
	w.t.Helper()
	t := w.task(engine.TaskPlan)
	w.answer(t, engine.Result{Plan: &engine.Plan{Target: t.Target, Summary: t.Action, Health: h}})
}

func TestShare(t *testing.T) {
	for _, c := range []struct {
		share       engine.Share
		total, want int
	}{
		{engine.Share{}, 10, 0},
		{engine.Share{Count: 3}, 10, 3},
		{engine.Share{Count: 3}, 0, 3},
		{engine.Share{Percent: 50}, 4, 2},
		{engine.Share{Percent: 50}, 5, 3},
		{engine.Share{Percent: 1}, 1, 1},
		{engine.Share{Percent: 100}, 7, 7},
		{engine.Share{Percent: 50}, 0, 0},
	} {
		if got := c.share.Of(c.total); got != c.want {
			t.Errorf("%+v of %d is %d, want %d", c.share, c.total, got, c.want)
		}
	}
}

func TestMinHealthy(t *testing.T) {
	half := engine.Share{Percent: 50}
	for name, c := range map[string]struct {
		least  engine.Share
		health *engine.Health
		why    string
	}{
		"off, and not told":       {engine.Share{}, nil, ""},
		"enough are left":         {half, &engine.Health{Total: 4, Healthy: 3, Disrupts: 1}, ""},
		"one too few":             {half, &engine.Health{Total: 4, Healthy: 2, Disrupts: 1}, "2 of 4 instances are healthy and 1 may be taken away, 2 must be left"},
		"a count":                 {engine.Share{Count: 2}, &engine.Health{Total: 9, Healthy: 2, Disrupts: 1}, "2 must be left"},
		"few, but none disrupted": {half, &engine.Health{Total: 4}, ""},
		"not told":                {half, nil, "does not tell how healthy http/a is"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, guarded(engine.Guards{MinHealthy: c.least}))
			w.send(firing("a"))
			w.planWith(c.health)
			if c.why == "" {
				w.says("task.answered", "run.allowed", "task.issued")
				return
			}
			w.says("task.answered", "run.held")
			if e := w.held(engine.GuardMinHealthy); e.Until.After(w.now.Add(time.Minute)) {
				t.Errorf("held until %s", e.Until)
			}
			w.reason(c.why)
		})
	}
	t.Run("is judged by a new plan each time, for as long as the alert is fresh", func(t *testing.T) {
		w := newWorld(t, guarded(engine.Guards{MinHealthy: half}))
		w.send(firing("a"))
		for range 10 {
			w.planWith(&engine.Health{Total: 2, Healthy: 1, Disrupts: 1})
			w.says("task.answered", "run.held")
			w.passTo()
			w.says("run.replanned", "task.issued")
			if e := lastEvent[engine.Replanned](w); !e.Stale || e.Action != 0 {
				t.Fatalf("%+v", e)
			}
		}
		w.planWith(&engine.Health{Total: 2, Healthy: 2, Disrupts: 1})
		w.says("task.answered", "run.allowed", "task.issued")
	})
	t.Run("does not judge by what is old", func(t *testing.T) {
		r := guarded(engine.Guards{MinHealthy: half})
		r.Mode = engine.ModeApprove
		w := newWorld(t, r)
		w.send(firing("a"))
		well := &engine.Health{Total: 2, Healthy: 2, Disrupts: 1}
		w.planWith(well)
		w.says("task.answered", "approval.asked")
		w.pass(10 * time.Minute)
		w.approve()
		w.says("approval.given", "run.replanned", "task.issued")
		w.reason("10m0s old")
		w.planWith(&engine.Health{Total: 2, Healthy: 1, Disrupts: 1})
		w.held(engine.GuardMinHealthy)
		w.passTo()
		w.planWith(well)
		w.says("task.answered", "run.allowed", "task.issued") // the plan is the one that was approved
	})
	t.Run("nor by what came late", func(t *testing.T) {
		w := newWorld(t, guarded(engine.Guards{MinHealthy: half}))
		w.send(firing("a"))
		task := w.task(engine.TaskPlan)
		late := engine.Result{Task: task.ID, At: w.now, Plan: &engine.Plan{Target: task.Target, Health: &engine.Health{Total: 2, Healthy: 2, Disrupts: 1}}}
		w.pass(31 * time.Second)
		w.do(engine.Input{Result: &late})
		w.says("task.answered", "run.replanned", "task.issued")
		w.reason("31s old")
	})
	t.Run("nor by what is from before an action", func(t *testing.T) {
		r := guarded(engine.Guards{MinHealthy: half})
		r.Attempts = []engine.Attempt{rung("both", action("clear"), action("restart"))}
		w := newWorld(t, r)
		w.send(firing("a"))
		well := &engine.Health{Total: 2, Healthy: 2, Disrupts: 1}
		w.planWith(well)
		w.planWith(well)
		w.act()
		w.says("task.answered", "run.replanned", "task.issued")
		if task := w.task(engine.TaskPlan); task.Action != "restart" {
			t.Errorf("plans %s anew", task.Action)
		}
		w.planWith(&engine.Health{Total: 2, Healthy: 1, Disrupts: 1})
		w.held(engine.GuardMinHealthy)
		w.passTo()
		w.planWith(well)
		w.says("task.answered", "task.issued")
	})
	t.Run("does not plan anew what another guard holds", func(t *testing.T) {
		w := newWorld(t, guarded(engine.Guards{MinHealthy: half}))
		w.command(engine.Command{Verb: engine.Pause, Scope: "all"})
		w.send(firing("a"))
		w.planWith(nil)
		w.held(engine.GuardPaused)
		w.pass(10 * time.Minute)
		w.command(engine.Command{Verb: engine.Resume, Scope: "all"})
		w.says("scope.resumed", "run.replanned", "task.issued")
	})
	t.Run("a failing action is not tried again for ever", func(t *testing.T) {
		r := guarded(engine.Guards{MinHealthy: half})
		r.Attempts[0].Backoff = time.Minute
		w := newWorld(t, r)
		w.send(firing("a"))
		for range 2 {
			w.planWith(&engine.Health{Total: 2, Healthy: 2, Disrupts: 1})
			w.fail(w.task(engine.TaskExecute), engine.ClassRetryable)
			w.says("task.answered", "retry.scheduled")
			w.passTo()
			w.says("run.replanned", "task.issued")
		}
		w.planWith(&engine.Health{Total: 2, Healthy: 2, Disrupts: 1})
		w.fail(w.task(engine.TaskExecute), engine.ClassRetryable)
		w.says("task.answered", "attempt.failed", "run.ended", "run.escalated")
		w.reason("tried 3 times")
	})
	t.Run("shadow says it", func(t *testing.T) {
		r := guarded(engine.Guards{MinHealthy: half})
		r.Mode = engine.ModeShadow
		w := newWorld(t, r)
		w.send(firing("a"))
		w.planWith(&engine.Health{Total: 2, Healthy: 1, Disrupts: 1})
		w.outcome(engine.Shadowed)
		w.reason("would have been held by minHealthy")
	})
	t.Run("less than none is no answer", func(t *testing.T) {
		w := newWorld(t, guarded(engine.Guards{MinHealthy: half}))
		w.send(firing("a"))
		w.planWith(&engine.Health{Total: 2, Healthy: 2, Disrupts: -1})
		w.says("task.answered", "attempt.failed", "run.ended", "run.escalated")
	})
}
