package engine_test

import (
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// repeat sends the alert of service a again and again, so often and so far apart,
// and returns after how long people were told.
func (w *world) repeat(times int, apart time.Duration) []time.Duration {
	w.t.Helper()
	var told []time.Duration
	start := w.now
	note := func() {
		for _, ev := range w.last {
			if _, ok := ev.(engine.Escalated); ok {
				told = append(told, w.now.Sub(start))
			}
		}
	}
	for range times {
		until := w.now.Add(apart)
		for next := w.st.NextWake(); !next.IsZero() && next.Before(until); next = w.st.NextWake() {
			w.passTo()
			note()
		}
		w.now = until
		w.send(firing("a"))
		note()
	}
	return told
}

// A run whose alert repeats is fresh for ever, and may be held for ever.
func TestPeopleAreToldOfALongHold(t *testing.T) {
	freeze := between("freeze", engine.WindowHold, -time.Hour, 2*time.Hour)
	begin := func(t *testing.T, g engine.Guards, freshness time.Duration) *world {
		t.Helper()
		r := guarded(g)
		r.Guards.Freshness = freshness
		w := newWorld(t, r)
		w.send(firing("a"))
		w.plan()
		return w
	}
	once := func(t *testing.T, told []time.Duration, want time.Duration) {
		t.Helper()
		if len(told) != 1 || told[0] != want {
			t.Errorf("told after %v, want once, after %s", told, want)
		}
	}
	t.Run("once, when an alert would have been too old", func(t *testing.T) {
		w := begin(t, engine.Guards{Windows: []engine.Window{freeze}}, 20*time.Minute)
		w.says("task.answered", "run.held")
		once(t, w.repeat(10, 7*time.Minute), 20*time.Minute)
		if run := w.run(engine.PhaseHeld); !run.Told {
			t.Errorf("%+v", run)
		}
		w.repeat(7, 7*time.Minute)
		w.passTo()
		w.says("run.allowed", "task.issued") // it went on waiting
		if run := w.run(engine.PhaseExecuting); run.Told || !run.HeldSince.IsZero() {
			t.Errorf("%+v", run)
		}
	})
	t.Run("and through the rule's otherwise, with the reason", func(t *testing.T) {
		w := begin(t, engine.Guards{Windows: []engine.Window{freeze}}, 0)
		w.passTo()
		w.says("run.held", "run.escalated")
		w.reason("held by window for 15m0s: window freeze is open")
		if e := lastEvent[engine.Escalated](w); len(e.Routes) != 1 || e.Routes[0].To != "ops" {
			t.Errorf("%+v", e)
		}
	})
	t.Run("of a hold that is judged by new plans", func(t *testing.T) {
		w := begin(t, engine.Guards{MinHealthy: engine.Share{Count: 1}}, 10*time.Minute)
		told := 0
		for range 30 {
			w.passTo()
			w.says("run.replanned", "task.issued")
			w.send(firing("a"))
			w.plan()
			for _, ev := range w.last {
				if e, ok := ev.(engine.Escalated); ok {
					told++
					w.reason("held by minHealthy for 10m0s")
					if e.Reason == "" {
						t.Error("no reason")
					}
				}
			}
		}
		if told != 1 {
			t.Errorf("told %d times", told)
		}
	})
	t.Run("not of what people did", func(t *testing.T) {
		w := begin(t, engine.Guards{}, 20*time.Minute)
		w.says("task.answered", "run.allowed", "task.issued")
		w.command(engine.Command{Verb: engine.Pause, Scope: "all"})
		w.fail(w.task(engine.TaskExecute), engine.ClassPaused)
		w.held(engine.GuardPaused)
		if told := w.repeat(10, 7*time.Minute); len(told) != 0 {
			t.Errorf("told after %v", told)
		}
	})
	t.Run("counted from the kill switch on", func(t *testing.T) {
		w := begin(t, engine.Guards{Windows: []engine.Window{freeze}}, 20*time.Minute)
		w.repeat(2, 7*time.Minute)
		w.command(engine.Command{Verb: engine.Pause, Scope: "all"})
		if told := w.repeat(3, 6*time.Minute); len(told) != 0 {
			t.Errorf("told after %v", told)
		}
		w.command(engine.Command{Verb: engine.Resume, Scope: "all"})
		once(t, w.repeat(10, 7*time.Minute), 20*time.Minute)
	})
	t.Run("again, if it was let through between", func(t *testing.T) {
		twice := engine.Window{Name: "freeze", Effect: engine.WindowHold, Open: func(at time.Time) (bool, time.Time) {
			gap := epoch.Add(30 * time.Minute)
			switch {
			case at.Before(gap):
				return true, gap
			case at.Before(gap.Add(time.Minute)):
				return false, gap.Add(time.Minute)
			}
			return true, time.Time{}
		}}
		w := begin(t, engine.Guards{Windows: []engine.Window{twice}}, 20*time.Minute)
		once(t, w.repeat(4, 7*time.Minute), 20*time.Minute)
		w.passTo()
		w.says("run.allowed", "task.issued")
		w.pass(2 * time.Minute)
		w.fail(w.task(engine.TaskExecute), engine.ClassExpired)
		w.says("task.answered", "run.held")
		once(t, w.repeat(10, 7*time.Minute), 20*time.Minute)
	})
}
