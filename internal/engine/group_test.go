package engine_test

import (
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// inZone is an alert about a service in a zone.
func inZone(on, zone string) alert.Alert {
	a := firing(on)
	a.Labels["zone"] = zone
	return a
}

func TestGroups(t *testing.T) {
	zonal := func() *fakeRule {
		r := guarded(engine.Guards{})
		r.groupBy = "zone"
		return r
	}
	t.Run("alerts of one group join one run, on the first one's target", func(t *testing.T) {
		w := newWorld(t, zonal())
		w.send(inZone("a", "1"))
		if e := lastEvent[engine.RunStarted](w); e.Group != "1" {
			t.Errorf("started %+v", e)
		}
		w.send(inZone("b", "1"))
		w.says("alert.opened", "run.joined")
		w.send(inZone("c", "2"))
		w.says("alert.opened", "run.started", "task.issued")
		for range 2 {
			task := outstanding(w.st)[0]
			if task.Kind == engine.TaskPlan {
				w.planOn(task, task.Target)
			}
		}
		for _, r := range w.st.ActiveRuns() {
			if r.Group == "1" && (r.Stated != service("a") || len(r.Episodes) != 2) {
				t.Errorf("run %+v", r)
			}
		}
	})
	t.Run("also while it acts, and until it ends", func(t *testing.T) {
		w := newWorld(t, zonal())
		w.send(inZone("a", "1"))
		w.plan()
		w.act()
		w.send(inZone("b", "1"))
		w.says("alert.opened", "run.joined")
		w.send(resolved(inZone("a", "1")))
		w.says("alert.resolved")
		w.send(resolved(inZone("b", "1")))
		w.pass(30 * time.Second)
		w.outcome(engine.Cured)
		w.send(inZone("c", "1"))
		w.says("alert.opened", "run.started", "task.issued")
	})
	t.Run("a group is not a target", func(t *testing.T) {
		w := newWorld(t, zonal())
		w.send(inZone("a", "1"))
		w.plan()
		w.send(called(inZone("a", "2"), "Down"))
		w.says("alert.opened", "run.started", "task.issued")
		w.plan()
		w.says("task.answered", "run.merged") // it turns out to be the same
		if n := len(w.run(engine.PhaseExecuting).Episodes); n != 2 {
			t.Errorf("%d episodes, want 2", n)
		}
	})
	t.Run("whose run merged into another's joins that", func(t *testing.T) {
		w := newWorld(t, zonal())
		w.send(inZone("a", "1"))
		w.plan()
		w.send(called(inZone("a", "2"), "Down"))
		w.plan()
		w.says("task.answered", "run.merged")
		w.send(inZone("b", "2"))
		w.says("alert.opened", "run.joined")
		w.send(inZone("c", "1"))
		w.says("alert.opened", "run.joined")
		if r := w.run(engine.PhaseExecuting); len(r.Episodes) != 4 || len(r.Groups) != 1 || r.Groups[0] != "2" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("of another rule is another", func(t *testing.T) {
		r, other := zonal(), failover()
		r.Mode, other.alerts, other.groupBy = engine.ModeShadow, []string{"Down"}, "zone"
		w := newWorld(t, r, other)
		w.send(inZone("a", "1"))
		w.says("alert.opened", "run.started", "task.issued", "run.started", "task.issued")
	})
	t.Run("without a group the target counts", func(t *testing.T) {
		w := newWorld(t, guarded(engine.Guards{}))
		w.send(inZone("a", "1"))
		w.send(inZone("b", "1"))
		w.says("alert.opened", "run.started", "task.issued")
		w.send(called(inZone("a", "2"), "Down"))
		w.says("alert.opened", "run.joined")
	})
}
