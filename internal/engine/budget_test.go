package engine_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

func TestBudgets(t *testing.T) {
	byName := func(s engine.Scope) (string, error) { return s.Target.Name[:1], nil }
	begin := func(t *testing.T, b engine.Budget) *world {
		w := newWorld(t, guarded(engine.Guards{}))
		w.load(&fakeSet{digest: "v2", rules: w.set().rules, budgets: []engine.Budget{b}})
		return w
	}
	t.Run("rate", func(t *testing.T) {
		w := begin(t, engine.Budget{Name: "fleet", Rate: engine.Rate{Count: 2, Per: 10 * time.Minute}})
		for _, on := range []string{"a", "b"} {
			w.send(firing(on))
			w.plan()
			w.says("task.answered", "run.allowed", "task.issued")
		}
		w.send(firing("c"))
		w.plan()
		w.held(engine.GuardBudget)
		w.reason("budget fleet is spent: 2 attempts within 10m0s")
		w.pass(9*time.Minute + 59*time.Second)
		if n := w.count("run.allowed"); n != 2 {
			t.Errorf("%d attempts within the window, want 2", n)
		}
		w.passTo()
		if n := w.count("run.allowed"); n != 3 {
			t.Errorf("%d attempts after the window, want 3", n)
		}
	})
	t.Run("rate by key", func(t *testing.T) {
		w := begin(t, engine.Budget{Name: "group", Key: byName, Rate: engine.Rate{Count: 1, Per: 10 * time.Minute}})
		w.send(firing("a1"))
		w.plan()
		w.send(firing("b1"))
		w.plan()
		w.says("task.answered", "run.allowed", "task.issued")
		w.send(firing("a2"))
		w.plan()
		w.held(engine.GuardBudget)
		w.reason("group of a")
	})
	t.Run("concurrent", func(t *testing.T) {
		w := begin(t, engine.Budget{Name: "group", Key: byName, Concurrent: 1})
		w.verifying("a1")
		w.send(firing("a2"))
		w.plan()
		w.held(engine.GuardBudget)
		w.reason("1 targets are under repair")
		w.send(firing("b1"))
		w.plan()
		w.says("task.answered", "run.allowed", "task.issued")
		w.act()
		w.cure(firing("a1"))
		w.says("run.ended", "run.allowed", "task.issued") // at once
	})
	t.Run("key that fails", func(t *testing.T) {
		w := begin(t, engine.Budget{Name: "group", Key: func(engine.Scope) (string, error) { return "", errors.New("no namespace") }})
		w.send(firing("a"))
		w.plan()
		w.held(engine.GuardBudget)
		w.reason("no namespace")
	})
}

func TestBreaker(t *testing.T) {
	w := newWorld(t, guarded(engine.Guards{Breaker: 3}))
	for range 3 {
		a := w.again()
		w.send(a)
		w.plan()
		w.says("task.answered", "run.allowed", "task.issued")
		w.act()
		w.passTo()
		w.outcome(engine.Uncured)
		w.send(resolved(a))
		w.pass(time.Minute)
	}
	a := w.again()
	w.send(a)
	w.plan()
	w.says("task.answered", "approval.asked")
	w.approve()
	w.act()
	w.cure(a)
	w.pass(time.Minute)
	w.send(w.again())
	w.plan()
	w.says("task.answered", "run.allowed", "task.issued")
}

func TestModes(t *testing.T) {
	for name, c := range map[string]struct {
		rule, rung engine.Mode
		want       []string
		outcome    engine.RunFinal
	}{
		"auto":             {engine.ModeAuto, "", []string{"task.answered", "run.allowed", "task.issued"}, ""},
		"auto, auto":       {engine.ModeAuto, engine.ModeAuto, []string{"task.answered", "run.allowed", "task.issued"}, ""},
		"auto, approve":    {engine.ModeAuto, engine.ModeApprove, []string{"task.answered", "approval.asked"}, ""},
		"approve, auto":    {engine.ModeApprove, engine.ModeAuto, []string{"task.answered", "approval.asked"}, ""},
		"auto, shadow":     {engine.ModeAuto, engine.ModeShadow, []string{"task.answered", "run.ended"}, engine.Shadowed},
		"shadow, auto":     {engine.ModeShadow, engine.ModeAuto, []string{"task.answered", "run.ended"}, engine.Shadowed},
		"no mode at all":   {"", "", []string{"task.answered", "run.ended"}, engine.Observed},
		"no mode that is":  {"fast", "", []string{"task.answered", "run.ended"}, engine.Observed},
		"rung of no mode?": {engine.ModeAuto, "fast", []string{"task.answered", "run.ended"}, engine.Observed},
	} {
		t.Run(name, func(t *testing.T) {
			r := guarded(engine.Guards{})
			r.Mode, r.Attempts[0].Mode = c.rule, c.rung
			w := newWorld(t, r)
			w.send(firing("a"))
			w.plan()
			w.says(c.want...)
			if c.outcome != "" {
				w.outcome(c.outcome)
			}
		})
	}
	t.Run("auto, observe", func(t *testing.T) {
		r := guarded(engine.Guards{})
		r.Attempts[0].Mode = engine.ModeObserve
		w := newWorld(t, r)
		w.send(firing("a"))
		w.says("alert.opened", "run.started", "run.ended")
		w.outcome(engine.Observed)
	})
	t.Run("shadow says what would have held it", func(t *testing.T) {
		r := guarded(engine.Guards{})
		r.Mode = engine.ModeShadow
		w := newWorld(t, r)
		w.command(engine.Command{Verb: engine.Pause, Scope: "all"})
		w.send(firing("a"))
		w.plan()
		w.outcome(engine.Shadowed)
		w.reason("would have been held by paused")
	})
	t.Run("a rung in shadow after one that acted tells people", func(t *testing.T) {
		r := guarded(engine.Guards{})
		r.Attempts = append(r.Attempts, rung("second"))
		r.Attempts[1].Mode = engine.ModeShadow
		w := newWorld(t, r)
		w.verifying("a")
		w.passTo()
		w.plan()
		w.says("task.answered", "run.ended", "run.escalated")
		w.reason("would have: mend a")
	})
}
