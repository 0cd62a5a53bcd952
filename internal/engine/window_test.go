package engine_test

import (
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// between is a window that is open once, from one time after the epoch to
// another; at zero it never closes.
func between(name string, effect engine.WindowEffect, from, to time.Duration) engine.Window {
	return engine.Window{Name: name, Effect: effect, Open: func(at time.Time) (bool, time.Time) {
		opens, closes := epoch.Add(from), epoch.Add(to)
		switch {
		case at.Before(opens):
			return false, opens
		case to == 0:
			return true, time.Time{}
		case at.Before(closes):
			return true, closes
		}
		return false, time.Time{}
	}}
}

func TestWindows(t *testing.T) {
	backup := between("backup", engine.WindowHold, 0, 10*time.Minute)
	release := between("release", engine.WindowHold, 0, 20*time.Minute)
	always := between("freeze", engine.WindowHold, 0, 0)
	later := between("later", engine.WindowHold, time.Hour, 2*time.Hour)
	office := between("office", engine.WindowAllow, 30*time.Minute, 2*time.Hour)
	early := between("early", engine.WindowAllow, 15*time.Minute, 16*time.Minute)
	night := between("night", engine.WindowAllow, -time.Hour, 40*time.Minute)
	past := between("past", engine.WindowAllow, -2*time.Hour, -time.Hour)
	for name, c := range map[string]struct {
		windows []engine.Window
		until   time.Duration
		why     string
	}{
		"one that holds":                 {[]engine.Window{backup}, 10 * time.Minute, "window backup is open; it closes at 2026-03-01T12:10:00Z"},
		"until the last of them closes":  {[]engine.Window{backup, release, later}, 20 * time.Minute, "window release is open"},
		"whatever their order":           {[]engine.Window{release, backup}, 20 * time.Minute, "window release is open"},
		"one that never closes":          {[]engine.Window{always, backup}, time.Hour, "window freeze is open; it closes at no time that is known"},
		"and comes last":                 {[]engine.Window{backup, always}, time.Hour, "window freeze is open"},
		"none that allows is open":       {[]engine.Window{office}, 30 * time.Minute, "office; the first opens at 2026-03-01T12:30:00Z"},
		"until the first of them opens":  {[]engine.Window{office, early, past}, 15 * time.Minute, "office, early, past; the first opens at 2026-03-01T12:15:00Z"},
		"none will ever open":            {[]engine.Window{past}, time.Hour, "the first opens at no time that is known"},
		"one allows and another holds":   {[]engine.Window{night, backup}, 10 * time.Minute, "window backup is open"},
		"one allows, and none holds":     {[]engine.Window{past, night, later}, 0, ""},
		"one that will hold":             {[]engine.Window{later}, 0, ""},
		"none":                           {nil, 0, ""},
		"one that holds has just closed": {[]engine.Window{between("over", engine.WindowHold, -time.Hour, -time.Nanosecond)}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, guarded(engine.Guards{Windows: c.windows}))
			w.send(firing("a"))
			w.plan()
			if c.why == "" {
				w.says("task.answered", "run.allowed", "task.issued")
				return
			}
			e := w.held(engine.GuardWindow)
			if !e.Until.Equal(epoch.Add(c.until)) {
				t.Errorf("held until %s, want %s", e.Until, epoch.Add(c.until))
			}
			w.reason(c.why)
			w.passTo()
			if c.until < time.Hour {
				w.says("run.allowed", "task.issued")
			}
		})
	}
	t.Run("bounds when an action may start", func(t *testing.T) {
		for name, c := range map[string]struct {
			windows []engine.Window
			want    time.Duration
		}{
			"none":                         {nil, 2 * time.Minute},
			"one that holds opens":         {[]engine.Window{between("backup", engine.WindowHold, time.Minute, time.Hour)}, time.Minute},
			"the first of two opens":       {[]engine.Window{later, between("backup", engine.WindowHold, time.Minute, time.Hour), between("b", engine.WindowHold, time.Second, time.Hour)}, time.Second},
			"one that holds opens later":   {[]engine.Window{later}, 2 * time.Minute},
			"one that holds will not open": {[]engine.Window{between("over", engine.WindowHold, -time.Hour, -time.Minute)}, 2 * time.Minute},
			"one that allows closes":       {[]engine.Window{between("night", engine.WindowAllow, -time.Hour, time.Minute)}, time.Minute},
			"the last that allows closes": {[]engine.Window{
				between("a", engine.WindowAllow, -time.Hour, 20*time.Second), between("b", engine.WindowAllow, -time.Hour, 70*time.Second), office, past,
			}, 70 * time.Second},
			"one that allows never closes": {[]engine.Window{
				between("a", engine.WindowAllow, -time.Hour, 20*time.Second), between("b", engine.WindowAllow, -time.Hour, 0),
			}, 2 * time.Minute},
			"one that holds opens first": {[]engine.Window{
				between("a", engine.WindowAllow, -time.Hour, time.Minute), between("b", engine.WindowHold, 30*time.Second, time.Hour),
			}, 30 * time.Second},
		} {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, guarded(engine.Guards{Windows: c.windows}))
				w.send(firing("a"))
				w.plan()
				if got := w.task(engine.TaskExecute).NotAfter.Sub(epoch); got != c.want {
					t.Errorf("it may start for %s, want %s", got, c.want)
				}
			})
		}
	})
	t.Run("opens before an action starts", func(t *testing.T) {
		r := guarded(engine.Guards{Windows: []engine.Window{between("backup", engine.WindowHold, time.Minute, 10*time.Minute)}})
		r.Attempts[0].Retries = 0
		w := newWorld(t, r)
		w.send(firing("a"))
		w.plan()
		w.pass(61 * time.Second)
		w.fail(w.task(engine.TaskExecute), engine.ClassExpired)
		w.says("task.answered", "run.held")
		w.held(engine.GuardWindow)
		w.passTo()
		w.says("task.issued") // it was no try
	})
	t.Run("opens between two actions", func(t *testing.T) {
		r := guarded(engine.Guards{Windows: []engine.Window{between("backup", engine.WindowHold, time.Minute, 10*time.Minute)}})
		r.Attempts = []engine.Attempt{rung("both", action("clear"), action("restart"))}
		w := newWorld(t, r)
		w.send(firing("a"))
		w.plan()
		w.plan()
		w.pass(time.Minute)
		w.act()
		w.says("task.answered", "run.held")
		w.passTo()
		w.says("task.issued")
		w.act()
		w.says("task.answered", "verify.started", "verify.waiting")
	})
}
