package engine_test

import (
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// guarded is a one-rung rule with guards, and freshness wide enough not to end
// what another guard holds.
func guarded(g engine.Guards) *fakeRule {
	r := down()
	g.Freshness = time.Hour
	g.Approval = time.Hour
	r.Guards = g
	r.Attempts = r.Attempts[:1]
	return r
}

// again is another firing of service a's alert, from now on.
func (w *world) again() alert.Alert { return since(firing("a"), w.now) }

// held checks that the last input held a run by a guard, with a reason.
func (w *world) held(guard string) engine.RunHeld {
	w.t.Helper()
	e := lastEvent[engine.RunHeld](w)
	if e.Guard != guard || e.Reason == "" || !e.Until.After(w.now) {
		w.t.Fatalf("held by %q because %q until %s, want by %q", e.Guard, e.Reason, e.Until, guard)
	}
	return e
}

func TestPause(t *testing.T) {
	for _, scope := range []string{"all", "rule/down", "target/http/a"} {
		t.Run(scope, func(t *testing.T) {
			w := newWorld(t, guarded(engine.Guards{}))
			w.command(engine.Command{Verb: engine.Pause, Scope: scope, Reason: "release"})
			w.says("scope.paused")
			w.send(firing("a"))
			w.plan()
			w.says("task.answered", "run.held")
			w.held(engine.GuardPaused)
			w.reason("paused by ann: release")
			w.command(engine.Command{Verb: engine.Resume, Scope: scope})
			w.says("scope.resumed", "run.allowed", "task.issued")
		})
	}
	t.Run("of something else", func(t *testing.T) {
		w := newWorld(t, guarded(engine.Guards{}))
		w.command(engine.Command{Verb: engine.Pause, Scope: "target/http/b"})
		w.send(firing("a"))
		w.plan()
		w.says("task.answered", "run.allowed", "task.issued")
	})
	t.Run("of a cluster", func(t *testing.T) {
		w := newWorld(t, guarded(engine.Guards{}))
		w.command(engine.Command{Verb: engine.Pause, Scope: "cluster/korea"})
		w.send(inCluster("korea"))
		w.plan()
		w.held(engine.GuardPaused)
	})
	t.Run("that only a worker knows is looked at again soon", func(t *testing.T) {
		w := newWorld(t, guarded(engine.Guards{}))
		w.send(firing("a"))
		w.plan()
		w.fail(w.task(engine.TaskExecute), engine.ClassPaused)
		if e := w.held(engine.GuardPaused); e.Until.Sub(w.now) > time.Minute {
			t.Errorf("held until %s", e.Until)
		}
		w.passTo()
		w.says("task.issued")
	})
	t.Run("between approval and action", func(t *testing.T) {
		r := guarded(engine.Guards{})
		r.Mode = engine.ModeApprove
		w := newWorld(t, r)
		w.send(firing("a"))
		w.plan()
		w.command(engine.Command{Verb: engine.Pause, Scope: "all"})
		w.approve()
		w.says("approval.given", "run.held")
		w.command(engine.Command{Verb: engine.Resume, Scope: "all"})
		w.says("scope.resumed", "run.allowed", "task.issued")
	})
}

func TestFreshness(t *testing.T) {
	t.Run("a held run ends when its evidence is too old, and a repeat tries again", func(t *testing.T) {
		w := newWorld(t, guarded(engine.Guards{}))
		w.command(engine.Command{Verb: engine.Pause, Scope: "all"})
		w.send(firing("a"))
		w.plan()
		w.pass(time.Hour)
		w.says("run.ended", "run.escalated")
		w.outcome(engine.HeldBack)
		w.reason("after it was held by paused")
		w.command(engine.Command{Verb: engine.Resume, Scope: "all"})
		w.send(firing("a"))
		w.says("alert.repeated", "run.started", "task.issued")
		w.plan()
		w.says("task.answered", "run.allowed", "task.issued")
	})
	t.Run("a repeat keeps a held run", func(t *testing.T) {
		w := newWorld(t, guarded(engine.Guards{}))
		w.command(engine.Command{Verb: engine.Pause, Scope: "all"})
		w.send(firing("a"))
		w.plan()
		w.pass(30 * time.Minute)
		w.send(firing("a"))
		w.pass(30 * time.Minute)
		w.says("run.held")
		w.pass(30 * time.Minute)
		w.says("run.ended", "run.escalated")
	})
	t.Run("a run held on a later rung goes on there", func(t *testing.T) {
		r := guarded(engine.Guards{Relapse: 2 * time.Hour})
		r.Attempts = append(r.Attempts, rung("second"))
		w := newWorld(t, r)
		w.verifying("a")
		w.command(engine.Command{Verb: engine.Pause, Scope: "all"})
		w.passTo()
		w.plan()
		w.held(engine.GuardPaused)
		w.passTo()
		w.outcome(engine.HeldBack)
		w.command(engine.Command{Verb: engine.Resume, Scope: "all"})
		w.send(firing("a"))
		w.says("alert.repeated", "run.started", "task.issued")
		w.plan()
		w.says("task.answered", "run.continued", "task.issued")
	})
	t.Run("an old message is not acted on", func(t *testing.T) {
		w := newWorld(t, guarded(engine.Guards{}))
		received := w.now
		w.now = w.now.Add(time.Hour)
		w.do(engine.Input{Delivery: &alert.Delivery{ID: "d", ReceivedAt: received, Alerts: []alert.Alert{firing("a")}}})
		w.plan()
		w.says("task.answered", "run.ended", "run.escalated")
		w.outcome(engine.HeldBack)
	})
	t.Run("a receiver's fast clock makes nothing fresher", func(t *testing.T) {
		w := newWorld(t, guarded(engine.Guards{}))
		w.do(engine.Input{Delivery: &alert.Delivery{ID: "d", ReceivedAt: w.now.Add(24 * time.Hour), Alerts: []alert.Alert{firing("a")}}})
		w.now = w.now.Add(time.Hour)
		w.plan()
		w.outcome(engine.HeldBack)
	})
	t.Run("nor does it in a repeat", func(t *testing.T) {
		w := newWorld(t, guarded(engine.Guards{}))
		w.send(firing("a"))
		w.do(engine.Input{Delivery: &alert.Delivery{ID: "d", ReceivedAt: w.now.Add(24 * time.Hour), Alerts: []alert.Alert{firing("a")}}})
		w.now = w.now.Add(time.Hour)
		w.plan()
		w.outcome(engine.HeldBack)
	})
	t.Run("an alert that resolved is no evidence", func(t *testing.T) {
		w := newWorld(t, guarded(engine.Guards{}))
		other := firing("a")
		other.Fingerprint = "other"
		w.send(other)
		w.now = w.now.Add(30 * time.Minute)
		w.send(firing("a"))
		w.send(resolved(firing("a")))
		w.now = w.now.Add(30 * time.Minute)
		w.plan()
		w.outcome(engine.HeldBack)
	})
	t.Run("what verification saw is evidence", func(t *testing.T) {
		r := guarded(engine.Guards{})
		r.Guards.Freshness = time.Minute
		r.Attempts = append(r.Attempts, rung("second"))
		w := newWorld(t, r)
		w.verifying("a")
		w.passTo()
		w.plan()
		w.says("task.answered", "run.allowed", "task.issued")
	})
	t.Run("off, a hold lasts a day at a time", func(t *testing.T) {
		r := guarded(engine.Guards{})
		r.Guards.Freshness = 0
		w := newWorld(t, r)
		w.command(engine.Command{Verb: engine.Pause, Scope: "all"})
		w.send(firing("a"))
		w.plan()
		w.pass(24 * time.Hour)
		w.says("run.held")
	})
}

func TestFlap(t *testing.T) {
	w := newWorld(t, guarded(engine.Guards{Flap: engine.Rate{Count: 3, Per: 10 * time.Minute}}))
	for range 2 {
		a := w.again()
		w.send(a)
		w.pass(time.Minute)
		w.send(resolved(a))
		w.pass(time.Minute)
	}
	w.send(w.again())
	w.plan()
	w.says("task.answered", "run.held")
	e := w.held(engine.GuardFlap)
	if first := epoch.Add(10 * time.Minute); e.Until.Before(first) || e.Until.After(first.Add(6*time.Second)) {
		t.Errorf("held until %s, want when the first start leaves the window at %s", e.Until, first)
	}
	w.passTo()
	w.says("run.allowed", "task.issued")
}

func TestBusy(t *testing.T) {
	beside := guarded(engine.Guards{})
	beside.Name, beside.alerts = "beside", []string{"Slow"}
	w := newWorld(t, guarded(engine.Guards{}), beside)
	slow := firing("a")
	slow.Name, slow.Fingerprint = "Slow", "slow"
	w.verifying("a")
	w.send(slow)
	w.plan()
	w.held(engine.GuardBusy)
	w.reason("of rule down is at work")
	w.send(resolved(firing("a")))
	w.passTo()
	w.says("run.ended", "run.allowed", "task.issued")

	two := down()
	two.Guards.Freshness = time.Hour
	w = newWorld(t, two, beside)
	w.verifying("a")
	w.passTo()
	w.says("attempt.failed", "task.issued")
	first := w.task(engine.TaskPlan)
	w.send(slow)
	w.planOn(outstandingBut(w, first), service("a"))
	w.held(engine.GuardBusy) // between its rungs a run keeps its target
}

// outstandingBut is the one outstanding task beside another.
func outstandingBut(w *world, other engine.Task) engine.Task {
	w.t.Helper()
	for _, t := range outstanding(w.st) {
		if t.ID != other.ID {
			return t
		}
	}
	w.t.Fatal("no other task is outstanding")
	return engine.Task{}
}

func TestCooldown(t *testing.T) {
	r := guarded(engine.Guards{Cooldown: 10 * time.Minute})
	r.Attempts = append(r.Attempts, rung("second"))
	w := newWorld(t, r)
	w.verifying("a")
	w.passTo()
	w.plan()
	w.says("task.answered", "run.allowed", "task.issued") // the rungs of one run do not wait
	acted := w.now
	w.act()
	w.cure(firing("a"))
	w.send(w.again())
	w.plan()
	if e := w.held(engine.GuardCooldown); !e.Until.Equal(acted.Add(10 * time.Minute)) {
		t.Errorf("held until %s, want 10m after the last action at %s", e.Until, acted)
	}
	w.send(firing("b"))
	w.plan()
	w.says("task.answered", "run.allowed", "task.issued")
	w.act()
	w.send(resolved(firing("b")))
	w.pass(time.Minute)
	w.passTo()
	w.says("run.allowed", "task.issued")
}

func TestLimit(t *testing.T) {
	r := guarded(engine.Guards{Limits: []engine.Rate{{}, {Count: 2, Per: 30 * time.Minute}}})
	w := newWorld(t, r)
	for range 2 {
		a := w.again()
		w.send(a)
		w.plan()
		w.act()
		w.cure(a)
	}
	w.send(w.again())
	w.plan()
	e := w.held(engine.GuardLimit)
	w.reason("2 times within 30m0s")
	if leaves := epoch.Add(30 * time.Minute); e.Until.Before(leaves) {
		t.Errorf("held until %s, before the first action leaves the window at %s", e.Until, leaves)
	}
	w.passTo()
	w.says("run.allowed", "task.issued")
}
