package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

func TestEventsThatDoNotFitLeaveTheState(t *testing.T) {
	a := firing("a")
	for name, c := range map[string]struct {
		event engine.Event
		want  string
	}{
		"repeat of nothing":    {engine.AlertRepeated{Episode: "none"}, "episode none is not known"},
		"resolve of nothing":   {engine.AlertResolved{Episode: "none"}, "episode none is not known"},
		"event of no run":      {engine.RunHeld{Run: "none"}, "run none is not known"},
		"event of an ended":    {engine.RunHeld{Run: "ended"}, "run ended has ended"},
		"run started twice":    {engine.RunStarted{Run: "ended", Episode: a.Episode()}, "exists already"},
		"merge into an ended":  {engine.RunMerged{Run: "active", Into: "ended"}, "is not active"},
		"merge into none":      {engine.RunMerged{Run: "active", Into: "none"}, "is not active"},
		"joined by no episode": {engine.RunJoined{Run: "active", Episode: "none"}, "episode none is not known"},
		"start of no episode":  {engine.RunStarted{Run: "new", Episode: "none"}, "episode none is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			st := engine.NewState()
			for _, ev := range []engine.Event{
				engine.AlertOpened{Episode: a.Episode(), Received: epoch, Alert: a},
				engine.RunStarted{Run: "ended", Episode: a.Episode()},
				engine.RunEnded{Run: "ended", Outcome: engine.Cured},
				engine.RunStarted{Run: "active", Episode: a.Episode()},
			} {
				if err := st.Apply(epoch, ev); err != nil {
					t.Fatal(err)
				}
			}
			before := encode(t, st)
			if err := st.Apply(epoch.Add(time.Hour), c.event); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
			if after := encode(t, st); after != before {
				t.Errorf("the state changed from\n%s\nto\n%s", before, after)
			}
		})
	}
	t.Run("people may be told of an ended run", func(t *testing.T) {
		w := newWorld(t, down())
		w.send(firing("a"), resolved(firing("a")))
		for id := range w.st.Runs {
			if err := w.st.Apply(epoch, engine.Escalated{Run: id}); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestNextWakeIsTheEarliest(t *testing.T) {
	w := newWorld(t, down())
	if wake := w.st.NextWake(); !wake.IsZero() {
		t.Fatalf("a state that waits for nothing wakes at %s", wake)
	}
	w.send(firing("a"))
	plan := w.st.NextWake()
	w.pass(time.Second)
	w.send(firing("b"))
	if got := w.st.NextWake(); !got.Equal(plan) {
		t.Errorf("wakes at %s, want the older run's %s", got, plan)
	}
	w.answer(outstanding(w.st)[0], engine.Result{Failure: &engine.Failure{Class: engine.ClassRetryable}})
	if got, retry := w.st.NextWake(), lastEvent[engine.RetryScheduled](w).At; !got.Equal(retry) {
		t.Errorf("wakes at %s, want the retry's %s", got, retry)
	}
	w.send(resolved(firing("a")), resolved(firing("b")))
	if wake := w.st.NextWake(); !wake.IsZero() {
		t.Errorf("a state that waits for nothing wakes at %s", wake)
	}
}

func TestOutstanding(t *testing.T) {
	w := newWorld(t, down())
	w.send(firing("a"), firing("b"))
	if n := len(outstanding(w.st)); n != 2 {
		t.Fatalf("%d tasks are outstanding, want 2", n)
	}
	w.send(resolved(firing("b")))
	task := w.task(engine.TaskPlan)
	w.planOn(task, task.Target)
	if next := w.task(engine.TaskExecute); next.Run != task.Run {
		t.Errorf("task of run %s, want %s", next.Run, task.Run)
	}
	w.act()
	if n := len(outstanding(w.st)); n != 0 {
		t.Errorf("%d tasks are outstanding, want none", n)
	}
}

func TestTimeDoesNotRunBackwards(t *testing.T) {
	w := newWorld(t, down())
	w.send(firing("a"))
	at := w.st.At
	if _, err := engine.Advance(w.sets, w.st, at.Add(-time.Hour), engine.Input{Delivery: &alert.Delivery{ReceivedAt: at, Alerts: []alert.Alert{firing("b")}}}); err != nil {
		t.Fatal(err)
	}
	for _, r := range w.st.Runs {
		if r.StartedAt.Before(at) {
			t.Errorf("a run started at %s, before %s", r.StartedAt, at)
		}
	}
}

func TestPruning(t *testing.T) {
	relapsing := down()
	relapsing.Guards.Relapse = time.Hour
	w := newWorld(t, relapsing)
	w.verifying("a")
	w.cure(firing("a"))
	lost := firing("lost")
	lost.Name = "Unknown"
	w.send(lost)

	w.pass(24 * time.Hour)
	if len(w.st.Runs) != 1 {
		t.Errorf("%d runs are remembered after a day, want 1", len(w.st.Runs))
	}
	w.pass(time.Hour)
	w.says()
	if len(w.st.Runs) != 0 || len(w.st.Episodes) != 1 {
		t.Errorf("%d runs, %d episodes are remembered, want only the firing one", len(w.st.Runs), len(w.st.Episodes))
	}
	if len(w.st.Past) != 1 || len(w.st.Series) != 2 {
		t.Errorf("%d pasts, %d series are remembered, want 1 and 2", len(w.st.Past), len(w.st.Series))
	}
	w.pass(engine.History)
	if n := len(w.st.Past) + len(w.st.Series) + len(w.st.Episodes); n != 0 {
		t.Errorf("after a week remembers %d pasts, %d series, %d episodes", len(w.st.Past), len(w.st.Series), len(w.st.Episodes))
	}
}

func TestPruningKeepsWhatRuns(t *testing.T) {
	r := asking()
	r.Guards.Approval = 0
	w := newWorld(t, r)
	w.send(firing("a"))
	w.plan()
	w.pass(2 * engine.History)
	if len(w.st.Episodes) != 1 || w.st.Active() != 1 {
		t.Error("an alert whose run waits for a person was forgotten")
	}
}

func TestRuleSetsAreKeptAsLongAsARunNeedsThem(t *testing.T) {
	w := newWorld(t, down())
	w.send(firing("a"))
	w.load(&fakeSet{digest: "v2"})
	w.load(&fakeSet{digest: "v3"})
	if len(w.st.RuleSets) != 2 || w.st.RuleSets["v2"] != nil {
		t.Errorf("keeps %v, want v1 for its run and v3", w.st.RuleSets)
	}
	w.send(resolved(firing("a")))
	if len(w.st.RuleSets) != 1 {
		t.Errorf("keeps %v, want v3", w.st.RuleSets)
	}
}

func TestActiveRunsAreSorted(t *testing.T) {
	w := newWorld(t, down())
	w.send(firing("a"), firing("b"), firing("c"))
	runs := w.st.ActiveRuns()
	if len(runs) != 3 || runs[0].ID >= runs[1].ID || runs[1].ID >= runs[2].ID {
		t.Errorf("active runs %v", runs)
	}
}
