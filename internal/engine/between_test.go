package engine_test

import (
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// failover is a rule beside "down", for alerts called "Region".
func failover() *fakeRule {
	r := guarded(engine.Guards{})
	r.Name, r.alerts = "failover", []string{"Region"}
	return r
}

// called gives an alert another name, and so makes it another series.
func called(a alert.Alert, name string) alert.Alert {
	a.Name, a.Fingerprint = name, name+a.Fingerprint
	return a
}

func TestConcurrent(t *testing.T) {
	w := newWorld(t, guarded(engine.Guards{Concurrent: 2}), failover())
	w.verifying("a")
	w.verifying("b")
	w.send(called(firing("x"), "Region"))
	w.plan()
	w.says("task.answered", "run.allowed", "task.issued") // another rule has places of its own
	w.act()
	w.send(firing("c"))
	w.plan()
	if e := w.held(engine.GuardConcurrent); e.Waits != "rule down" || !e.Until.Equal(w.now.Add(time.Minute)) {
		t.Errorf("waits for %q until %s", e.Waits, e.Until)
	}
	w.reason("has 2 targets under repair, and may have 2")
	w.passTo()
	w.says("run.held")
	w.send(resolved(firing("a")))
	w.pass(30 * time.Second)
	w.says("run.ended", "run.allowed", "task.issued") // at once

	t.Run("a run takes one place, however many rungs it climbs", func(t *testing.T) {
		r := guarded(engine.Guards{Concurrent: 1})
		r.Attempts = append(r.Attempts, rung("second"))
		w := newWorld(t, r)
		w.verifying("a")
		w.passTo()
		w.plan()
		w.says("task.answered", "run.allowed", "task.issued")
	})
}

func TestRequiresIdle(t *testing.T) {
	r := guarded(engine.Guards{Requires: []engine.Requirement{{Rule: "failover", State: engine.RuleIdle}}})
	t.Run("a run whose mode acts holds, at work or not", func(t *testing.T) {
		w := newWorld(t, r, failover())
		w.send(called(firing("x"), "Region"))
		region := w.task(engine.TaskPlan)
		w.send(firing("a"))
		w.planOn(outstandingBut(w, region), service("a"))
		if e := w.held(engine.GuardRequires); e.Waits != "rule failover" {
			t.Errorf("waits for %q", e.Waits)
		}
		w.reason("rule failover must be idle: it has 1 active run")
		w.pass(time.Second)
		w.send(resolved(called(firing("x"), "Region")))
		w.says("alert.resolved", "run.ended", "run.allowed", "task.issued")
	})
	t.Run("one in shadow does not", func(t *testing.T) {
		shadow := failover()
		shadow.Mode = engine.ModeShadow
		w := newWorld(t, r, shadow)
		w.send(called(firing("x"), "Region"))
		region := w.task(engine.TaskPlan)
		w.send(firing("a"))
		w.planOn(outstandingBut(w, region), service("a"))
		w.says("task.answered", "run.allowed", "task.issued")
	})
	t.Run("of the rule itself leaves out the run that asks", func(t *testing.T) {
		r := guarded(engine.Guards{Requires: []engine.Requirement{{Rule: "down", State: engine.RuleIdle}}})
		w := newWorld(t, r)
		w.verifying("a")
		w.send(firing("b"))
		w.plan()
		w.held(engine.GuardRequires)
	})
}

func TestRequiresCured(t *testing.T) {
	r := guarded(engine.Guards{Requires: []engine.Requirement{{Rule: "failover", State: engine.RuleCured}}})
	region := called(firing("x"), "Region")
	w := newWorld(t, r, failover())
	w.send(firing("a"))
	w.plan()
	w.held(engine.GuardRequires)
	w.reason("no run of it that acted is remembered")
	w.send(region)
	w.plan()
	w.act()
	w.passTo()
	w.reason("it has 1 active run")
	w.cure(region)
	w.says("run.ended", "run.allowed", "task.issued")
	w.act()
	w.cure(firing("a"))

	w.send(since(region, w.now))
	w.plan()
	w.act()
	w.pass(5 * time.Minute)
	w.outcome(engine.Uncured)
	w.send(w.again())
	w.plan()
	w.held(engine.GuardRequires)
	w.reason("ended uncured")

	w.pass(engine.History + 2*time.Hour)
	if len(w.st.Last) != 0 {
		t.Errorf("still remembers %v", w.st.Last)
	}
}

// What did not act says nothing about the rule.
func TestOnlyRunsThatActedAreRemembered(t *testing.T) {
	w := newWorld(t, guarded(engine.Guards{}))
	w.send(firing("a"), resolved(firing("a")))
	if len(w.st.Last) != 0 {
		t.Errorf("remembers %v", w.st.Last)
	}
	w.verifying("b")
	w.cure(firing("b"))
	if last := w.st.Last["down"]; last.Outcome != engine.Cured || last.Run == "" || !last.EndedAt.Equal(w.now) {
		t.Errorf("remembers %+v", last)
	}
}

func TestRequiresTrusted(t *testing.T) {
	r := guarded(engine.Guards{Requires: []engine.Requirement{{Rule: "failover", State: engine.RuleTrusted}}})
	turned := failover()
	turned.Guards.Breaker = 1
	w := newWorld(t, r, turned)
	w.send(firing("a"))
	w.plan()
	w.says("task.answered", "run.allowed", "task.issued")
	w.act()
	w.cure(firing("a"))
	region := called(firing("x"), "Region")
	w.send(region)
	w.plan()
	w.act()
	w.passTo()
	w.outcome(engine.Uncured)
	w.send(w.again())
	w.plan()
	w.held(engine.GuardRequires)
	w.reason("its breaker is at 1")

	t.Run("again, once a run of it cures, others at work or not", func(t *testing.T) {
		w := newWorld(t, r, turned)
		w.send(region)
		w.plan()
		w.act()
		w.passTo()
		w.outcome(engine.Uncured)
		newer := since(region, w.now)
		w.send(newer)
		w.plan()
		w.send(called(firing("y"), "Region"))
		other := w.task(engine.TaskPlan)
		w.send(w.again())
		w.planOn(outstandingBut(w, other), service("a"))
		w.held(engine.GuardRequires)
		w.approve()
		w.act()
		w.cure(newer)
		w.says("run.ended", "run.allowed", "task.issued")
	})
	for name, c := range map[string]struct {
		requires engine.Requirement
		why      string
	}{
		"no such rule":  {engine.Requirement{Rule: "none", State: engine.RuleTrusted}, "has no such rule"},
		"no such state": {engine.Requirement{Rule: "failover", State: "merry"}, "no state"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, guarded(engine.Guards{Requires: []engine.Requirement{c.requires}}))
			w.send(firing("a"))
			w.plan()
			w.held(engine.GuardRequires)
			w.reason(c.why)
		})
	}
}

// sameOn inhibits by alerts about the same service.
func sameOn(name string) engine.Inhibitor {
	return engine.Inhibitor{Text: "an alert about the same", AlertName: name, Alert: func(own, other alert.Alert) bool {
		return (name == "" || other.Name == name) && own.Labels["on"] == other.Labels["on"]
	}}
}

func TestUnlessAlert(t *testing.T) {
	region := func(on string) alert.Alert { return called(firing(on), "Region") }
	for _, name := range []string{"", "Region"} {
		t.Run("named "+name, func(t *testing.T) {
			r := guarded(engine.Guards{})
			r.Unless = []engine.Inhibitor{sameOn(name)}
			w := newWorld(t, r)
			w.send(region("a"), region("b"))
			w.send(firing("a"))
			w.plan()
			e := w.held(engine.GuardUnless)
			w.reason("an alert about the same: " + string(region("a").Episode()) + " fires")
			want := "alerts"
			if name != "" {
				want += " " + name
			}
			if e.Waits != want || !e.Until.Equal(w.now.Add(time.Minute)) {
				t.Errorf("waits for %q until %s", e.Waits, e.Until)
			}
			w.passTo()
			w.says("run.held")
			w.pass(time.Second)
			w.send(resolved(region("b")))
			w.says("alert.resolved", "run.held")
			w.send(resolved(region("a"))) // right behind it: not at once
			w.says("alert.resolved")
			w.pass(time.Second)
			w.says("run.allowed", "task.issued")
		})
	}
	t.Run("of several the first is named", func(t *testing.T) {
		r := guarded(engine.Guards{})
		r.Unless = []engine.Inhibitor{{Text: "any", Alert: func(_, other alert.Alert) bool { return other.Name == "Region" }}}
		w := newWorld(t, r)
		for i := range 9 {
			w.send(region("x" + string(rune('0'+i))))
		}
		w.send(firing("a"))
		w.plan()
		w.reason("any: " + string(region("x0").Episode()) + " fires")
	})
	t.Run("of another name wakes nobody", func(t *testing.T) {
		r := guarded(engine.Guards{})
		r.Unless = []engine.Inhibitor{sameOn("Region")}
		w := newWorld(t, r)
		other := called(firing("a"), "Other")
		w.send(region("a"), other, firing("a"))
		w.plan()
		w.held(engine.GuardUnless)
		w.send(resolved(other))
		w.says("alert.resolved")
	})
	t.Run("a run's own alerts are what it is for", func(t *testing.T) {
		r := guarded(engine.Guards{})
		r.Unless = []engine.Inhibitor{sameOn("")}
		w := newWorld(t, r)
		joined := firing("a")
		joined.Fingerprint = "second"
		w.send(firing("a"), joined)
		w.plan()
		w.says("task.answered", "run.allowed", "task.issued")
	})
	t.Run("an alert that fires again, or was replaced by a newer one", func(t *testing.T) {
		r := guarded(engine.Guards{})
		r.Unless = []engine.Inhibitor{sameOn("Region")}
		w := newWorld(t, r)
		w.send(region("a"))
		w.send(resolved(region("a")))
		w.pass(time.Hour)
		w.send(region("a"))
		w.says("alert.reopened", "alert.unmatched")
		w.send(firing("a"))
		w.plan()
		w.held(engine.GuardUnless)
		newer := since(region("a"), w.now)
		w.send(newer)
		w.says("alert.opened", "alert.unmatched")
		w.pass(time.Second)
		w.says("run.held") // the older one ended, the newer fires
		w.pass(time.Second)
		w.send(resolved(newer))
		w.says("alert.resolved", "run.allowed", "task.issued")
	})
	t.Run("one that was lost is forgotten", func(t *testing.T) {
		r := guarded(engine.Guards{})
		r.Unless = []engine.Inhibitor{sameOn("")}
		w := newWorld(t, r)
		w.send(region("a"))
		w.pass(engine.History + time.Hour)
		w.send(w.again())
		w.plan()
		w.says("task.answered", "run.allowed", "task.issued")
	})
	t.Run("keeps a rule that asks from asking", func(t *testing.T) {
		r := asking()
		r.Unless = []engine.Inhibitor{sameOn("Region")}
		w := newWorld(t, r)
		w.send(region("a"), firing("a"))
		w.plan()
		w.says("task.answered", "run.held")
		w.pass(time.Second)
		w.send(resolved(region("a")))
		w.says("alert.resolved", "approval.asked")
		w.pass(time.Second)
		w.send(since(region("a"), w.now))
		w.approve()
		w.says("approval.given", "run.held")
	})
}

func TestUnlessRule(t *testing.T) {
	r := guarded(engine.Guards{})
	r.Unless = []engine.Inhibitor{{Text: "rule failover is at work", Rule: "failover"}}
	w := newWorld(t, r, failover())
	region := called(firing("x"), "Region")
	w.send(region)
	w.plan()
	w.act()
	w.send(firing("a"))
	w.plan()
	if e := w.held(engine.GuardUnless); e.Waits != "rule failover" {
		t.Errorf("waits for %q", e.Waits)
	}
	w.reason("rule failover is at work: it has 1 active run")
	w.cure(region)
	w.says("run.ended", "run.allowed", "task.issued")
}
