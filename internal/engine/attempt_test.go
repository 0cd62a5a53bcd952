package engine_test

import (
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

func TestTheLadder(t *testing.T) {
	w := newWorld(t, down())
	w.send(firing("a"))
	w.says("alert.opened", "run.started", "task.issued")
	w.plan()
	w.says("task.answered", "run.allowed", "task.issued")
	w.act()
	w.says("task.answered", "verify.started", "verify.waiting")
	w.passTo()
	w.says("attempt.failed", "task.issued")
	w.send(firing("a"))
	w.plan()
	w.act()
	w.passTo()
	w.says("attempt.failed", "run.ended", "run.escalated")
	w.outcome(engine.Uncured)
	if e := lastEvent[engine.Escalated](w); len(e.Routes) != 1 || e.Reason == "" {
		t.Errorf("escalated to %v because %q", e.Routes, e.Reason)
	}
	if wake := w.st.NextWake(); !wake.IsZero() {
		t.Errorf("something is due at %s, want never", wake)
	}
}

func TestActionsInOrder(t *testing.T) {
	r := down()
	r.Attempts = []engine.Attempt{rung("both", action("clear"), action("restart"))}
	begin := func(t *testing.T) *world {
		w := newWorld(t, r)
		w.send(firing("a"))
		w.plan()
		w.says("task.answered", "task.issued")
		w.plan()
		w.says("task.answered", "run.allowed", "task.issued")
		if task := w.task(engine.TaskExecute); task.Action != "clear" {
			t.Fatalf("began with %s", task.Action)
		}
		return w
	}
	t.Run("one after the other", func(t *testing.T) {
		w := begin(t)
		w.act()
		w.says("task.answered", "task.issued")
		if task := w.task(engine.TaskExecute); task.Action != "restart" {
			t.Fatalf("went on with %s", task.Action)
		}
		w.act()
		w.says("task.answered", "verify.started", "verify.waiting")
	})
	t.Run("not after the alert resolved", func(t *testing.T) {
		w := begin(t)
		w.send(resolved(firing("a")))
		w.says("alert.resolved")
		w.act()
		w.says("task.answered", "run.ended")
		w.outcome(engine.SelfResolved)
	})
	t.Run("not under a pause", func(t *testing.T) {
		w := begin(t)
		w.command(engine.Command{Verb: engine.Pause, Scope: engine.ScopeAll})
		w.act()
		w.says("task.answered", "run.held")
		w.command(engine.Command{Verb: engine.Resume, Scope: engine.ScopeAll})
		w.says("scope.resumed", "task.issued")
		if task := w.task(engine.TaskExecute); task.Action != "restart" {
			t.Fatalf("went on with %s", task.Action)
		}
	})
	t.Run("not on stale evidence", func(t *testing.T) {
		w := begin(t)
		w.now = w.now.Add(15 * time.Minute)
		w.act()
		w.says("task.answered", "run.ended", "run.escalated")
		w.outcome(engine.HeldBack)
	})
	t.Run("plans the second anew in the middle", func(t *testing.T) {
		w := begin(t)
		w.act()
		w.fail(w.task(engine.TaskExecute), engine.ClassPlanChanged)
		w.says("task.answered", "run.replanned", "task.issued")
		if task := w.task(engine.TaskPlan); task.Action != "restart" {
			t.Fatalf("plans %s anew", task.Action)
		}
		w.plan()
		w.says("task.answered", "task.issued")
		w.act()
		w.says("task.answered", "verify.started", "verify.waiting")
		if n := w.count("run.allowed"); n != 1 {
			t.Errorf("the attempt was counted %d times, want once", n)
		}
	})
	t.Run("two targets are one too many", func(t *testing.T) {
		w := newWorld(t, r)
		w.send(firing("a"))
		w.plan()
		w.planOn(w.task(engine.TaskPlan), service("b"))
		w.says("task.answered", "attempt.failed", "run.ended", "run.escalated")
		w.reason("two targets")
	})
}

func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		kind  engine.TaskKind
		class engine.Class
		want  []string
		phase engine.Phase
	}{
		"plan retryable":       {engine.TaskPlan, engine.ClassRetryable, []string{"task.answered", "retry.scheduled"}, engine.PhaseRetrying},
		"plan expired":         {engine.TaskPlan, engine.ClassExpired, []string{"task.answered", "retry.scheduled"}, engine.PhaseRetrying},
		"plan terminal":        {engine.TaskPlan, engine.ClassTerminal, []string{"task.answered", "attempt.failed", "task.issued"}, engine.PhasePlanning},
		"plan unknown":         {engine.TaskPlan, engine.ClassUnknown, []string{"task.answered", "attempt.failed", "task.issued"}, engine.PhasePlanning},
		"plan of no class":     {engine.TaskPlan, "odd", []string{"task.answered", "attempt.failed", "task.issued"}, engine.PhasePlanning},
		"plan paused":          {engine.TaskPlan, engine.ClassPaused, []string{"task.answered", "run.held"}, engine.PhaseHeld},
		"plan changed":         {engine.TaskPlan, engine.ClassPlanChanged, []string{"task.answered", "run.replanned", "task.issued"}, engine.PhasePlanning},
		"execute retryable":    {engine.TaskExecute, engine.ClassRetryable, []string{"task.answered", "retry.scheduled"}, engine.PhaseRetrying},
		"execute expired":      {engine.TaskExecute, engine.ClassExpired, []string{"task.answered", "retry.scheduled"}, engine.PhaseRetrying},
		"execute terminal":     {engine.TaskExecute, engine.ClassTerminal, []string{"task.answered", "attempt.failed", "task.issued"}, engine.PhasePlanning},
		"execute unknown":      {engine.TaskExecute, engine.ClassUnknown, []string{"task.answered", "run.parked", "run.escalated"}, engine.PhaseParked},
		"execute of no class":  {engine.TaskExecute, "odd", []string{"task.answered", "run.parked", "run.escalated"}, engine.PhaseParked},
		"execute paused":       {engine.TaskExecute, engine.ClassPaused, []string{"task.answered", "run.held"}, engine.PhaseHeld},
		"execute plan changed": {engine.TaskExecute, engine.ClassPlanChanged, []string{"task.answered", "run.replanned", "task.issued"}, engine.PhasePlanning},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, down())
			w.send(firing("a"))
			if c.kind == engine.TaskExecute {
				w.plan()
			}
			w.fail(w.task(c.kind), c.class)
			w.says(c.want...)
			w.reason("because " + string(c.class))
			w.run(c.phase)
		})
	}
}

func TestRetriesAreCountedAndBackedOff(t *testing.T) {
	w := newWorld(t, down())
	w.send(firing("a"))
	w.plan()
	first := w.task(engine.TaskExecute)
	var waits []time.Duration
	for range 2 {
		w.fail(w.task(engine.TaskExecute), engine.ClassRetryable)
		waits = append(waits, lastEvent[engine.RetryScheduled](w).At.Sub(w.now))
		w.passTo()
		w.says("task.issued")
	}
	if waits[0] < 7500*time.Millisecond || waits[0] > 12500*time.Millisecond || waits[1] < 15*time.Second || waits[1] > 25*time.Second {
		t.Errorf("waited %v, want about 10s and 20s", waits)
	}
	if last := w.task(engine.TaskExecute); last.ID == first.ID {
		t.Error("a retry has the id of the first try")
	}
	w.fail(w.task(engine.TaskExecute), engine.ClassRetryable)
	w.says("task.answered", "attempt.failed", "task.issued")
	w.reason("tried 3 times")
	if n := w.count("run.allowed"); n != 1 {
		t.Errorf("the attempt was counted %d times, want once", n)
	}
}

func TestRetryAfterIsHeeded(t *testing.T) {
	r := down()
	r.Attempts[0].Backoff = 0
	w := newWorld(t, r)
	w.send(firing("a"))
	w.answer(w.task(engine.TaskPlan), engine.Result{Failure: &engine.Failure{Class: engine.ClassRetryable, Message: "busy", RetryAfter: 3 * time.Minute}})
	if wait := lastEvent[engine.RetryScheduled](w).At.Sub(w.now); wait != 3*time.Minute {
		t.Errorf("waits %s, want 3m", wait)
	}
	w.passTo()
	w.passTo() // no worker answers, and the backoff is zero: not at once all the same
	if wait := lastEvent[engine.RetryScheduled](w).At.Sub(w.now); wait < time.Second {
		t.Errorf("waits %s, want a second at least", wait)
	}
}

func TestNoRetryOfAResolvedAlert(t *testing.T) {
	w := newWorld(t, down())
	w.send(firing("a"))
	w.plan()
	w.fail(w.task(engine.TaskExecute), engine.ClassRetryable)
	w.send(resolved(firing("a")))
	w.says("alert.resolved", "run.ended")
	w.outcome(engine.SelfResolved)
}

func TestReplanningHasAnEnd(t *testing.T) {
	w := newWorld(t, down())
	w.send(firing("a"))
	for range 3 {
		w.plan()
		w.fail(w.task(engine.TaskExecute), engine.ClassPlanChanged)
		w.says("task.answered", "run.replanned", "task.issued")
	}
	w.plan()
	w.fail(w.task(engine.TaskExecute), engine.ClassPlanChanged)
	w.says("task.answered", "attempt.failed", "task.issued")
	w.reason("keeps changing")
}

func TestNothingToChangeClimbs(t *testing.T) {
	w := newWorld(t, down())
	w.send(firing("a"))
	task := w.task(engine.TaskPlan)
	w.answer(task, engine.Result{Plan: &engine.Plan{Target: task.Target, Summary: "as it should be", Noop: true}})
	w.says("task.answered", "attempt.failed", "task.issued")
	w.reason("nothing to change")
}

func TestParameters(t *testing.T) {
	t.Run("of an action", func(t *testing.T) {
		r := down()
		r.Attempts[0].Do[0].Params = noParams
		w := newWorld(t, r)
		w.send(firing("a"))
		w.says("alert.opened", "run.started", "attempt.failed", "task.issued")
		w.reason("no such field")
	})
	t.Run("of a probe", func(t *testing.T) {
		r := down()
		r.Attempts[0].Verify.Probes = []engine.Probe{{Kind: "http", Params: noParams}}
		w := newWorld(t, r)
		w.verifying("a")
		w.says("task.answered", "verify.started", "attempt.failed", "task.issued")
		w.reason("no such field")
	})
}

func TestAPlanThatNobodyMakes(t *testing.T) {
	w := newWorld(t, down())
	w.send(firing("a"))
	for range 2 {
		w.passTo()
		w.says("task.unanswered", "retry.scheduled")
		w.passTo()
		w.says("task.issued")
	}
	w.passTo()
	w.says("task.unanswered", "attempt.failed", "task.issued")
}

func TestUnknownParksAndHolds(t *testing.T) {
	parked := func(t *testing.T) (*world, engine.Task) {
		beside := down()
		beside.Name, beside.alerts = "beside", []string{"Slow"}
		w := newWorld(t, down(), beside)
		w.send(firing("a"))
		w.plan()
		task := w.task(engine.TaskExecute)
		w.passTo()
		w.says("run.parked", "run.escalated")
		return w, task
	}
	t.Run("no answer parks, and a late one changes nothing", func(t *testing.T) {
		w, task := parked(t)
		if tasks := outstanding(w.st); len(tasks) != 0 {
			t.Errorf("outstanding: %v", tasks)
		}
		w.answer(task, engine.Result{Outcome: &engine.Outcome{Summary: "done after all"}})
		w.says("answer.ignored")
		w.fail(task, engine.ClassRetryable)
		w.says("answer.ignored")
		w.run(engine.PhaseParked)
	})
	t.Run("the target stays held", func(t *testing.T) {
		w, _ := parked(t)
		slow := firing("a")
		slow.Name, slow.Fingerprint = "Slow", "slow"
		w.send(slow)
		w.plan()
		w.says("task.answered", "run.held")
		w.reason("busy")
	})
	t.Run("a person ends it", func(t *testing.T) {
		w, _ := parked(t)
		w.command(engine.Command{Verb: engine.Cancel, Run: w.run(engine.PhaseParked).ID, Reason: "looked myself"})
		w.says("run.ended")
		w.outcome(engine.Cancelled)
	})
	t.Run("the resolve ends it", func(t *testing.T) {
		w, _ := parked(t)
		w.send(resolved(firing("a")))
		w.says("alert.resolved", "run.ended")
		w.outcome(engine.Undetermined)
	})
	t.Run("nobody settles it", func(t *testing.T) {
		w, _ := parked(t)
		w.passTo()
		w.says("run.ended", "run.escalated")
		w.outcome(engine.Undetermined)
		if w.st.Uncured["down"] != 1 {
			t.Error("the breaker does not count it")
		}
	})
}

// The hold is for one target: a later rung's plan cannot take another.
func TestARunKeepsItsTarget(t *testing.T) {
	w := newWorld(t, down())
	w.verifying("a")
	w.passTo()
	w.says("attempt.failed", "task.issued")
	w.planOn(w.task(engine.TaskPlan), service("b"))
	w.says("task.answered", "attempt.failed", "run.ended", "run.escalated")
	w.reason("at work on http/a")
}

func TestARunWhoseRulesAreGone(t *testing.T) {
	at := func(t *testing.T, kind engine.TaskKind) (*world, engine.Task) {
		w := newWorld(t, down())
		w.send(firing("a"))
		if kind != engine.TaskPlan {
			w.plan()
		}
		w.load(&fakeSet{digest: "v2"})
		task := w.task(kind)
		delete(w.sets, "v1")
		return w, task
	}
	t.Run("ends, and a repeat is for the rules in force", func(t *testing.T) {
		w, task := at(t, engine.TaskPlan)
		w.planOn(task, task.Target)
		w.says("task.answered", "run.ended", "run.escalated")
		w.outcome(engine.HeldBack)
		w.send(firing("a"))
		w.says("alert.repeated", "alert.unmatched")
	})
	t.Run("ends when its time has come", func(t *testing.T) {
		w, _ := at(t, engine.TaskPlan)
		w.passTo()
		w.says("run.ended", "run.escalated")
	})
	t.Run("an unknown effect is parked all the same", func(t *testing.T) {
		w, task := at(t, engine.TaskExecute)
		w.fail(task, engine.ClassUnknown)
		w.says("task.answered", "run.parked", "run.escalated")
	})
	t.Run("no answer is parked all the same", func(t *testing.T) {
		w, _ := at(t, engine.TaskExecute)
		w.passTo()
		w.says("run.parked", "run.escalated")
		w.passTo()
		w.says("run.ended", "run.escalated")
	})
	t.Run("a rule that is missing from its set", func(t *testing.T) {
		w, task := at(t, engine.TaskPlan)
		w.sets["v1"] = &fakeSet{digest: "v1"}
		w.planOn(task, task.Target)
		w.says("task.answered", "run.ended", "run.escalated")
		w.reason("has no rule")
	})
}

func TestAHoldWhilePlanning(t *testing.T) {
	w := newWorld(t, down())
	w.send(firing("a"))
	w.fail(w.task(engine.TaskPlan), engine.ClassPaused)
	w.says("task.answered", "run.held")
	w.passTo()
	w.says("task.issued")
	w.plan()
	w.says("task.answered", "run.allowed", "task.issued")
}
