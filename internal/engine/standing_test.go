package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// A weekend is longer than an ended run is remembered, and an alert that nobody
// repeats is kept.
func TestStandingLastsLongerThanTheRetention(t *testing.T) {
	w := newWorld(t, nightly())
	w.shut("a")
	w.load(&fakeSet{digest: "v2"})
	for range 10 {
		w.pass(24 * time.Hour)
	}
	if w.st.Active() != 1 || len(w.st.Episodes) != 1 || len(w.st.RuleSets) != 2 {
		t.Fatalf("%d active runs, %d episodes and %d rule sets are left", w.st.Active(), len(w.st.Episodes), len(w.st.RuleSets))
	}
	w.send(resolved(night("a")))
	w.putBack("scale")
	w.putBack("label")
	w.ends(engine.Restored, false)
}

// What a run stands on can be mended meanwhile, and is mended to its end before
// anything is put back.
func TestStandingDoesNotHold(t *testing.T) {
	begin := func(t *testing.T, mend func(*world)) *world {
		w := newWorld(t, nightly(), guarded(engine.Guards{}))
		w.shut("a")
		w.send(firing("a"))
		w.plan()
		w.says("task.answered", "run.allowed", "task.issued")
		mend(w)
		w.send(resolved(night("a")))
		w.says("alert.resolved", "run.held")
		if e := w.held(engine.GuardBusy); e.Waits != "target http/a" {
			t.Errorf("waits for %q", e.Waits)
		}
		w.pass(time.Second)
		w.says("run.held")
		for _, r := range w.st.Runs {
			if r.Phase == engine.PhaseHeld && (!r.Standing || r.Holds()) {
				t.Errorf("waits as %+v", r)
			}
		}
		return w
	}
	t.Run("its target", func(t *testing.T) {
		w := begin(t, func(w *world) { w.act() })
		w.send(resolved(firing("a")))
		w.pass(30 * time.Second)
		w.says("run.ended", "undo.started", "task.issued") // at once
		w.putBack("scale")
		w.putBack("label")
		w.ends(engine.Restored, false)
	})
	t.Run("its target, and tells people when it cannot have it", func(t *testing.T) {
		w := begin(t, func(w *world) { w.fail(w.task(engine.TaskExecute), engine.ClassUnknown) })
		w.passTo()
		w.says("run.held", "run.escalated")
		w.reason("held by busy for 1h0m0s")
		w.pass(12 * time.Hour) // however old its alert is
		w.says()
		w.command(engine.Command{Verb: engine.Cancel, Run: w.run(engine.PhaseParked).ID})
		w.says("run.ended", "undo.started", "task.issued")
	})
	t.Run("places", func(t *testing.T) {
		first, second := nightly(), guarded(engine.Guards{Concurrent: 1})
		first.Guards.Concurrent = 1
		second.Unless = []engine.Inhibitor{{Text: "rule nightly", Rule: "nightly"}}
		second.Guards.Requires = []engine.Requirement{{Rule: "nightly", State: engine.RuleCured}, {Rule: "nightly", State: engine.RuleIdle}}
		w := newWorld(t, first, second)
		w.set().budgets = []engine.Budget{{Name: "one", Concurrent: 1}}
		w.shut("a")
		w.send(night("b"))
		w.plan()
		w.plan()
		w.says("task.answered", "run.allowed", "task.issued") // neither the guard nor the budget is full
		w.send(firing("c"))
		w.planOn(w.taskOfDown(), service("c"))
		w.held(engine.GuardUnless)
		w.act()
		w.act()
		w.says("task.answered", "verify.started", "run.standing")
		w.passTo()
		w.says("run.allowed", "task.issued") // nightly is idle, and has done what it was to
	})
	t.Run("who waits for it", func(t *testing.T) {
		beside := guarded(engine.Guards{})
		w := newWorld(t, nightly(), beside)
		w.set().budgets = []engine.Budget{{Name: "one", Concurrent: 1}}
		w.send(night("a"))
		w.plan()
		w.plan()
		w.send(firing("a"))
		w.planOn(w.taskOfDown(), service("a"))
		w.held(engine.GuardBusy)
		w.send(firing("b"))
		w.planOn(w.taskOfDown(), service("b"))
		w.held(engine.GuardBudget)
		w.act()
		w.act()
		w.says("task.answered", "verify.started", "run.standing", "run.allowed", "task.issued")
	})
}

// taskOfDown is the outstanding task of the rule's one run that has one.
func (w *world) taskOfDown() engine.Task {
	w.t.Helper()
	for _, task := range outstanding(w.st) {
		if task.Rule == "down" {
			return task
		}
	}
	w.t.Fatal("no run of the rule down has a task")
	return engine.Task{}
}

// A start whose restore was missed finds things as it wants them.
func TestNewerStart(t *testing.T) {
	next := func(w *world) alert.Alert { return since(night("a"), w.now) }
	t.Run("joins the run that stands, and nothing is done twice", func(t *testing.T) {
		w := newWorld(t, nightly())
		w.shut("a")
		w.pass(24 * time.Hour)
		newer := next(w)
		w.send(newer)
		w.says("alert.opened", "run.joined")
		w.pass(12 * time.Hour)
		w.send(resolved(night("a"))) // late, of the older start
		w.says("alert.dropped")
		w.send(resolved(newer))
		w.says("alert.resolved", "undo.started", "task.issued")
		w.putBack("scale")
		w.putBack("label")
		w.ends(engine.Restored, false)
		if n := w.count("run.allowed"); n != 1 {
			t.Errorf("acted %d times", n)
		}
	})
	t.Run("that no rule takes ends the older one", func(t *testing.T) {
		rule := nightly()
		w := newWorld(t, rule)
		w.shut("a")
		rule.alerts = nil
		w.pass(24 * time.Hour)
		w.send(next(w))
		w.says("alert.opened", "alert.unmatched", "undo.started", "task.issued")
	})
	t.Run("before anything is put back leaves it standing", func(t *testing.T) {
		w := newWorld(t, nightly())
		w.shut("a")
		w.command(engine.Command{Verb: engine.Pause, Scope: "rule/nightly"})
		w.send(resolved(night("a")))
		w.held(engine.GuardPaused)
		w.pass(12 * time.Hour)
		newer := next(w)
		w.send(newer)
		w.says("alert.opened", "run.joined")
		w.command(engine.Command{Verb: engine.Resume, Scope: "rule/nightly"})
		w.says("scope.resumed", "run.standing")
		w.reason("fires again")
		w.send(resolved(newer))
		w.says("alert.resolved", "undo.started", "task.issued")
	})
	t.Run("while things are put back is another run's, which waits for that", func(t *testing.T) {
		w := newWorld(t, nightly())
		w.shut("a")
		w.send(resolved(night("a")))
		w.putBack("scale")
		w.pass(time.Second)
		newer := next(w)
		w.send(newer)
		w.says("alert.opened", "run.started", "task.issued")
		w.planOn(w.task(engine.TaskPlan), service("a"))
		w.planOn(w.task(engine.TaskPlan), service("a"))
		w.held(engine.GuardBusy)
		w.putBack("label")
		w.says("task.answered", "run.ended", "run.allowed", "task.issued")
		w.act()
		w.act()
		w.says("task.answered", "verify.started", "run.standing")
		w.send(resolved(newer))
		w.says("alert.resolved", "undo.started", "task.issued")
	})
}

func TestCancelLeavesWhatStands(t *testing.T) {
	w := newWorld(t, nightly())
	w.shut("a")
	w.command(engine.Command{Verb: engine.Cancel, Run: w.run(engine.PhaseStanding).ID, Reason: "leave it"})
	w.says("run.ended")
	w.outcome(engine.Cancelled)
	w.send(resolved(night("a")))
	w.says("alert.resolved")

	w = newWorld(t, nightly())
	w.shut("a")
	w.command(engine.Command{Verb: engine.Pause, Scope: "all"})
	w.send(resolved(night("a")))
	w.command(engine.Command{Verb: engine.Cancel, Run: w.run(engine.PhaseHeld).ID})
	w.says("run.ended")
	w.command(engine.Command{Verb: engine.Resume, Scope: "all"})
	w.says("scope.resumed")
}

// A restore is no uncured run, and the next start no relapse.
func TestWhatARestoreCountsFor(t *testing.T) {
	rule := nightly()
	rule.Guards.Relapse, rule.Guards.Breaker = time.Hour, 2
	after := guarded(engine.Guards{Requires: []engine.Requirement{{Rule: "nightly", State: engine.RuleCured}}})
	w := newWorld(t, rule, after)
	restore := func(a alert.Alert) {
		w.send(resolved(a))
		w.putBack("scale")
		w.putBack("label")
		w.ends(engine.Restored, false)
	}
	w.shut("a")
	w.send(resolved(night("a")))
	w.fail(w.task(engine.TaskUndo), engine.ClassTerminal)
	if n := w.st.Uncured["nightly"]; n != 1 {
		t.Errorf("%d uncured runs, want the one that was not put back", n)
	}
	w.send(firing("c"))
	w.plan()
	w.held(engine.GuardRequires)
	w.shut("b")
	if n := w.st.Uncured["nightly"]; n != 1 {
		t.Errorf("%d uncured runs, before it shows whether this one is put back", n)
	}
	restore(night("b"))
	if last := w.st.Last["nightly"]; w.st.Uncured["nightly"] != 0 || last.Outcome != engine.Restored {
		t.Errorf("%d uncured runs, the last ended %s", w.st.Uncured["nightly"], last.Outcome)
	}
	w.pass(time.Second)
	w.says("run.allowed", "task.issued") // nightly counts as cured
	w.act()
	w.pass(10 * time.Minute)
	again := since(night("b"), w.now)
	w.send(again)
	w.planOn(w.task(engine.TaskPlan), service("b"))
	w.planOn(w.task(engine.TaskPlan), service("b"))
	w.says("task.answered", "run.allowed", "task.issued")
}

// A start on another name of what stands is none at work once that is known.
func TestMergingIntoWhatStands(t *testing.T) {
	w := newWorld(t, nightly(), guarded(engine.Guards{Requires: []engine.Requirement{{Rule: "nightly", State: engine.RuleIdle}}}))
	w.shut("a")
	w.send(night("pod-a"))
	pod := w.task(engine.TaskPlan)
	w.send(firing("b"))
	w.planOn(w.taskOfDown(), service("b"))
	w.held(engine.GuardRequires)
	w.pass(time.Second)
	w.planOn(pod, service("a"))
	w.says("task.answered", "run.merged", "run.allowed", "task.issued")
	w.send(resolved(night("a")))
	w.says("alert.resolved") // the other start goes on
	w.send(resolved(night("pod-a")))
	w.says("alert.resolved", "undo.started", "task.issued")
}

// A restore shows that a rule can be trusted, while others of its runs go on.
func TestARestoreClosesTheBreaker(t *testing.T) {
	rule := nightly()
	rule.Guards.Breaker = 1
	w := newWorld(t, rule, guarded(engine.Guards{Requires: []engine.Requirement{{Rule: "nightly", State: engine.RuleTrusted}}}))
	w.shut("a")
	w.shut("b")
	w.send(resolved(night("a")))
	w.fail(w.task(engine.TaskUndo), engine.ClassTerminal)
	w.ends(engine.Uncured, true)
	w.send(night("c"))
	w.plan()
	w.plan()
	w.says("task.answered", "approval.asked")
	w.send(firing("d"))
	w.plan()
	w.held(engine.GuardRequires)
	w.pass(2 * time.Second)
	w.send(resolved(night("b")))
	w.putBack("scale")
	w.putBack("label")
	w.says("task.answered", "run.ended", "run.allowed", "task.issued")
}

// One resolve may be the end of what several runs stand for on one target.
func TestRestoresDoNotShareATarget(t *testing.T) {
	first, second := nightly(undoable("label")), nightly(undoable("scale"))
	second.Name, second.alerts = "other", nil
	w := newWorld(t, first, second)
	stand := func() {
		w.plan()
		w.act()
		w.says("task.answered", "verify.started", "run.standing")
	}
	w.send(night("a"))
	stand()
	// The same episode fires again after its resolve, under other rules.
	w.command(engine.Command{Verb: engine.Pause, Scope: "all"})
	w.send(resolved(night("a")))
	w.held(engine.GuardPaused)
	w.pass(time.Hour)
	first.alerts, second.alerts = nil, []string{"Night"}
	w.send(night("a"))
	w.says("alert.reopened", "run.started", "task.issued")
	w.command(engine.Command{Verb: engine.Resume, Scope: "all"})
	w.says("scope.resumed", "run.standing")
	stand()
	w.send(resolved(night("a")))
	w.says("alert.resolved", "undo.started", "task.issued", "run.held")
	w.held(engine.GuardBusy)
	if task := w.task(engine.TaskUndo); !strings.HasPrefix(task.Action, "label") {
		t.Errorf("puts back %s first", task.Action)
	}
	w.pass(time.Second)
	w.says("run.held")
	w.putBack("label")
	w.says("task.answered", "run.ended", "undo.started", "task.issued")
	w.putBack("scale")
	w.ends(engine.Restored, false)
}

// Whoever has the target may end by the same resolve.
func TestRestoreIsNotForgottenByTheResolveThatFreesIt(t *testing.T) {
	first, second := nightly(undoable("label")), guarded(engine.Guards{})
	w := newWorld(t, first, second)
	w.send(night("a"))
	w.plan()
	w.act()
	w.send(firing("a"))
	w.plan()
	w.send(resolved(firing("a")))
	w.pass(10 * time.Minute)
	w.says("run.parked", "run.escalated")
	first.alerts, second.alerts = []string{"Down"}, nil
	w.send(firing("a"))
	w.says("alert.reopened", "run.joined")
	w.send(resolved(night("a")))
	w.says("alert.resolved")
	w.send(resolved(firing("a")))
	w.says("alert.resolved", "run.ended", "run.held")
	w.pass(time.Second)
	w.says("undo.started", "task.issued")
}
