package engine_test

import (
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// said is an alert as its source says that it was so long after the test began.
func said(a alert.Alert, after time.Duration) alert.Alert {
	a.At = epoch.Add(after)
	return a
}

// A source that redelivers for days says when what it tells was so.
func TestWhatASourceSaysLaterCounts(t *testing.T) {
	t.Run("a late firing opens nothing again", func(t *testing.T) {
		w := newWorld(t, down())
		w.send(said(firing("a"), 0))
		w.send(said(resolved(firing("a")), 5*time.Minute))
		w.pass(2 * time.Hour)
		w.send(said(firing("a"), time.Minute))
		w.says("alert.dropped")
		w.reason("has said since")
	})
	t.Run("a late resolve ends nothing", func(t *testing.T) {
		w := newWorld(t, down())
		w.send(said(firing("a"), 10*time.Minute))
		w.send(said(resolved(firing("a")), 5*time.Minute))
		w.says("alert.dropped")
	})
	t.Run("a firing that comes after its resolve opens at once", func(t *testing.T) {
		w := newWorld(t, down())
		w.send(said(firing("a"), 0))
		w.send(said(resolved(firing("a")), time.Minute))
		w.send(said(firing("a"), 2*time.Minute))
		w.says("alert.reopened", "run.started", "task.issued")
		// And the resolve of before, once more, does not end it.
		w.send(said(resolved(firing("a")), time.Minute))
		w.says("alert.dropped")
	})
	t.Run("and what rules were done with begins anew", func(t *testing.T) {
		w := newWorld(t, down())
		w.verifying("a")
		w.cure(firing("a"))
		w.outcome(engine.Cured)
		w.pass(11 * time.Minute)
		w.send(firing("a"))
		w.says("alert.reopened", "run.started", "task.issued")
	})
	t.Run("a resolve that lay about while it fired on ends nothing", func(t *testing.T) {
		for age, want := range map[time.Duration]string{9 * time.Minute: "alert.resolved", 10 * time.Minute: "alert.dropped"} {
			w := newWorld(t, down())
			w.send(firing("a"))
			w.pass(time.Hour)
			w.send(firing("a"))
			w.do(engine.Input{Delivery: &alert.Delivery{ID: "replayed", ReceivedAt: w.now.Add(-age), Alerts: []alert.Alert{resolved(firing("a"))}}})
			if got := w.last[0].Kind(); got != want {
				t.Errorf("received %s before the last firing: %s, want %s", age, got, want)
			}
		}
	})
	t.Run("what is as new is no news", func(t *testing.T) {
		w := newWorld(t, down())
		w.send(said(firing("a"), 0))
		w.send(said(firing("a"), 0))
		w.says("alert.repeated")
		w.send(said(resolved(firing("a")), time.Minute))
		w.send(said(firing("a"), time.Minute))
		w.says("alert.dropped")
	})
	t.Run("one that nobody heard of before is as old as it says", func(t *testing.T) {
		w := newWorld(t, down())
		w.pass(30 * time.Hour)
		w.send(said(firing("a"), 0))
		w.says("alert.opened", "run.started", "task.issued")
		w.plan()
		w.outcome(engine.HeldBack)
	})
}
