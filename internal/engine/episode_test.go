package engine_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

func TestRepeatsAndReplicasStartOneRun(t *testing.T) {
	w := newWorld(t, down())
	w.send(firing("a"), firing("a"))
	w.says("alert.opened", "run.started", "task.issued", "alert.repeated")
	w.pass(time.Minute)
	w.send(firing("a"))
	w.says("alert.repeated")
	w.plan()
	w.says("task.answered", "run.allowed", "task.issued")
	w.send(firing("a"))
	w.says("alert.repeated")
	w.act()
	w.cure(firing("a"))
	w.send(resolved(firing("a")))
	w.says("alert.dropped")
	w.reason("known already")
	if n := w.count("run.started"); n != 1 {
		t.Errorf("%d runs started, want 1", n)
	}
}

func TestReordering(t *testing.T) {
	older, newer := firing("a"), since(firing("a"), epoch.Add(time.Minute))
	t.Run("a firing after its resolve", func(t *testing.T) {
		w := newWorld(t, down())
		w.send(resolved(older))
		w.says("alert.resolved")
		w.pass(9 * time.Minute)
		w.send(older)
		w.says("alert.dropped")
		w.reason("resolved already")
	})
	t.Run("a firing long after its resolve", func(t *testing.T) {
		w := newWorld(t, down())
		w.send(resolved(older))
		w.pass(10 * time.Minute)
		w.send(older)
		w.says("alert.reopened", "run.started", "task.issued")
	})
	t.Run("a firing received just after its resolve, decided long after", func(t *testing.T) {
		w := newWorld(t, down())
		w.send(resolved(older))
		received := w.now.Add(time.Second)
		w.now = w.now.Add(time.Hour)
		w.do(engine.Input{Delivery: &alert.Delivery{ID: "late", ReceivedAt: received, Alerts: []alert.Alert{older}}})
		w.says("alert.dropped")
	})
	t.Run("a firing older than the newest", func(t *testing.T) {
		w := newWorld(t, down())
		w.send(newer)
		w.send(older)
		w.says("alert.dropped")
		w.reason("newer firing")
	})
	t.Run("a firing older than the newest, of which only the resolve was seen", func(t *testing.T) {
		w := newWorld(t, down())
		w.send(resolved(newer))
		w.send(older)
		w.says("alert.dropped")
		w.reason("newer firing")
	})
	t.Run("a repeat of a firing that a newer one ended, much later", func(t *testing.T) {
		w := newWorld(t, down())
		w.send(older)
		w.send(newer)
		w.says("alert.opened", "run.joined")
		w.pass(time.Hour)
		w.send(older)
		w.says("alert.dropped")
	})
	t.Run("the resolve of an older firing that was never seen", func(t *testing.T) {
		w := newWorld(t, down())
		w.send(newer)
		w.send(resolved(older))
		w.says("alert.resolved")
		w.send(newer)
		w.says("alert.repeated")
	})
}

// A resolve that never comes must not keep a run from being cured, or worse,
// have it act on a resolved alert.
func TestANewerFiringEndsTheOlder(t *testing.T) {
	older := firing("a")
	w := newWorld(t, down())
	w.verifying("a")
	w.pass(time.Minute)
	newer := since(older, w.now)
	w.send(newer)
	w.says("alert.opened", "run.joined")
	if w.st.Episodes[older.Episode()].Firing() {
		t.Error("the older firing still counts as firing")
	}
	w.cure(newer)
}

func TestANewerFiringThatNoRunJoinsEndsWhatWaited(t *testing.T) {
	w := newWorld(t, down())
	w.send(firing("a"))
	moved := since(firing("a"), epoch.Add(time.Minute))
	moved.Labels = map[string]string{"on": "b"} // same series, so said the source
	w.send(moved)
	w.says("alert.opened", "run.started", "task.issued", "run.ended")
	w.outcome(engine.SelfResolved)

	w = newWorld(t, down())
	w.send(firing("a"))
	w.send(resolved(moved))
	w.says("alert.resolved", "run.ended")
}

func TestResolvedNeverStarts(t *testing.T) {
	w := newWorld(t, down())
	w.send(resolved(firing("a")))
	w.says("alert.resolved")
	if w.st.Active() != 0 {
		t.Error("a resolved alert started a run")
	}
}

func TestInvalidAlertIsDroppedWithReason(t *testing.T) {
	w := newWorld(t, down())
	a := firing("a")
	a.Fingerprint = ""
	w.send(a, firing("b"))
	w.says("alert.dropped", "alert.opened", "run.started", "task.issued")
	w.reason("no fingerprint")
}

func TestUnmatchedIsMatchedAgainByARepeat(t *testing.T) {
	w := newWorld(t)
	w.send(firing("a"))
	w.says("alert.opened", "alert.unmatched")
	w.send(firing("a"))
	w.says("alert.repeated", "alert.unmatched")
	w.load(&fakeSet{digest: "v2", rules: []*fakeRule{down()}})
	w.send(firing("a"))
	w.says("alert.repeated", "run.started", "task.issued")
	w.send(firing("a"))
	w.says("alert.repeated")
}

func TestNoRulesLoaded(t *testing.T) {
	w := newWorld(t, down())
	delete(w.sets, "v1")
	w.send(firing("a"))
	w.says("alert.opened", "alert.unmatched")
	w.reason("no rules are loaded")
}

func TestTheFirstRuleThatMayActTakesTheAlert(t *testing.T) {
	named := func(name string, mode engine.Mode) *fakeRule {
		r := down()
		r.Name, r.Mode = name, mode
		return r
	}
	t.Run("in order", func(t *testing.T) {
		w := newWorld(t, named("sees", engine.ModeObserve), named("says", engine.ModeShadow),
			named("asks", engine.ModeApprove), named("acts", engine.ModeAuto))
		w.send(firing("a"))
		w.says("alert.opened", "run.started", "run.ended", "run.started", "task.issued", "run.started", "task.issued")
		for _, ev := range w.last {
			if e, ok := ev.(engine.RunStarted); ok && e.Rule == "acts" {
				t.Error("the rule behind the first that may act took it too")
			}
		}
	})
	t.Run("one that fails and may act lets none behind it", func(t *testing.T) {
		broken := named("broken", engine.ModeAuto)
		broken.err = errors.New("no such label")
		w := newWorld(t, broken, named("acts", engine.ModeAuto))
		w.send(firing("a"))
		w.says("alert.opened", "rule.failed")
		broken.err = nil
		w.send(firing("a"))
		w.says("alert.repeated", "run.started", "task.issued")
	})
	t.Run("one that fails and only sees does", func(t *testing.T) {
		broken := named("broken", engine.ModeObserve)
		broken.err = errors.New("no such label")
		w := newWorld(t, broken, named("acts", engine.ModeAuto))
		w.send(firing("a"))
		w.says("alert.opened", "rule.failed", "run.started", "task.issued")
	})
}

// A rule set should not compile with these; the engine starts nothing by them.
func TestARuleThatCannotActFails(t *testing.T) {
	empty := down()
	empty.Attempts = nil
	idle := down()
	idle.Attempts[0].Do, idle.Attempts[0].Verify = nil, engine.Verify{Within: time.Minute}
	for name, c := range map[string]struct {
		rule   *fakeRule
		alert  alert.Alert
		reason string
	}{
		"no attempts":   {empty, firing("a"), "nothing to try"},
		"no actions":    {idle, firing("a"), "nothing to do"},
		"target empty":  {down(), firing(""), "no name"},
		"target absent": {down(), alert.Alert{Source: "am", Fingerprint: "f", Name: "Down", Status: alert.Firing}, "no name"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.rule)
			w.send(c.alert)
			w.says("alert.opened", "rule.failed")
			w.reason(c.reason)
		})
	}
}

func TestAlertsOfOneTargetJoinOneRun(t *testing.T) {
	w := newWorld(t, down())
	a, other := firing("a"), firing("a")
	other.Fingerprint = "other"
	w.send(a, other)
	w.says("alert.opened", "run.started", "task.issued", "alert.opened", "run.joined")
	w.plan()
	w.act()
	w.send(resolved(a))
	w.says("alert.resolved")
	w.cure(other)
}

func TestTwoPodsAreOneTarget(t *testing.T) {
	w := newWorld(t, down())
	w.send(firing("pod-1"), firing("pod-2"))
	tasks := outstanding(w.st)
	if len(tasks) != 2 {
		t.Fatalf("%d plans were asked for, want 2", len(tasks))
	}
	deployment := service("deployment")
	w.planOn(tasks[0], deployment)
	w.says("task.answered", "run.allowed", "task.issued")
	w.planOn(tasks[1], deployment)
	w.says("task.answered", "run.merged")

	w.act()
	own, merged := firing(tasks[0].Target.Name), firing(tasks[1].Target.Name)
	w.send(resolved(own))
	w.says("alert.resolved") // the other one's alert has become the run's too
	w.cure(merged)
	w.send(firing("deployment"))
	w.plan()
	w.act()
	w.says("task.answered", "verify.started", "verify.waiting")
	w.send(firing("pod-3"))
	w.planOn(w.task(engine.TaskPlan), deployment)
	w.says("task.answered", "run.merged")
}

// Two runs of a rule may be known by the same target for a while, the canonical
// one's and one that states it. Which of them an alert joins must not depend on
// how the state came about; the harness compares with a restored one.
func TestWhichRunAnAlertJoinsIsDetermined(t *testing.T) {
	w := newWorld(t, down())
	w.send(firing("shop"))
	stated := w.task(engine.TaskPlan)
	w.send(firing("pod-1"))
	w.planOn(outstandingBut(w, stated), service("shop"))
	w.says("task.answered", "run.allowed", "task.issued")
	for i := range 8 {
		w.pass(time.Second)
		other := firing("shop")
		other.Fingerprint = string(rune('a' + i))
		w.send(other)
		w.says("alert.opened", "run.joined")
	}
	w.planOn(stated, service("shop"))
	w.says("task.answered", "run.merged")
}

func TestRelapse(t *testing.T) {
	begin := func(t *testing.T) *world {
		r := down()
		r.Guards.Relapse = time.Hour
		w := newWorld(t, r)
		w.verifying("a")
		w.cure(firing("a"))
		return w
	}
	again := func(w *world) { w.send(since(firing("a"), w.now)) }
	t.Run("continues the ladder", func(t *testing.T) {
		w := begin(t)
		w.pass(59 * time.Minute)
		again(w)
		w.plan()
		w.says("task.answered", "run.continued", "task.issued")
		w.plan()
		w.says("task.answered", "run.allowed", "task.issued")
		if task := w.task(engine.TaskExecute); task.Attempt != 1 {
			t.Errorf("the relapse is at rung %d, want 1", task.Attempt)
		}
	})
	t.Run("escalates at the ladder's end", func(t *testing.T) {
		w := begin(t)
		again(w)
		w.plan()
		w.plan()
		w.act()
		w.cure(since(firing("a"), w.now))
		w.pass(time.Minute)
		again(w)
		w.plan()
		w.says("task.answered", "run.ended", "run.escalated")
		w.outcome(engine.Uncured)
	})
	t.Run("begins anew later", func(t *testing.T) {
		w := begin(t)
		w.pass(time.Hour)
		again(w)
		w.plan()
		w.says("task.answered", "run.allowed", "task.issued")
		if task := w.task(engine.TaskExecute); task.Attempt != 0 {
			t.Errorf("the run is at rung %d, want 0", task.Attempt)
		}
	})
}
