package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// What comes free wakes those that wait for it, but not all of a storm.
func TestWakingIsBounded(t *testing.T) {
	held := func(w *world) int {
		n := 0
		for _, ev := range w.last {
			if ev.Kind() == "run.held" {
				n++
			}
		}
		return n
	}
	r := guarded(engine.Guards{})
	r.Unless = []engine.Inhibitor{sameOn("Region"), {Text: "any", AlertName: "Region", Alert: func(_, _ alert.Alert) bool { return true }}}
	w := newWorld(t, r)
	for i := range 3 {
		w.send(called(firing(fmt.Sprint("x", i)), "Region"))
	}
	const storm = 40
	for i := range storm {
		w.send(firing(fmt.Sprint("s", i)))
		w.plan()
		w.held(engine.GuardUnless)
		w.now = w.now.Add(time.Millisecond)
	}
	w.pass(time.Second)
	w.send(resolved(called(firing("x0"), "Region")))
	if n := held(w); n != 32 {
		t.Errorf("a resolve had %d runs judged again, want 32", n)
	}
	for i, woken := range w.last[1:] {
		id, _ := engine.RunOf(woken)
		if born := w.st.Runs[id].StartedAt; born.After(epoch.Add(32 * time.Millisecond)) {
			t.Errorf("woke %d: a run of %s before those that wait longer", i, born)
		}
	}
	w.send(resolved(called(firing("x1"), "Region")))
	w.send(resolved(called(firing("x2"), "Region")))
	w.says("alert.resolved")
	w.pass(time.Second)
	if n := w.count("run.allowed"); n != 32 {
		t.Errorf("%d runs were let through at once, want 32", n)
	}
	w.pass(time.Minute)
	if n := w.count("run.allowed"); n != storm {
		t.Errorf("%d of %d runs were let through after a minute", n, storm)
	}
}

// A place in a budget that came free is for a few, not for all that wait.
func TestAPlaceInABudgetWakesAFew(t *testing.T) {
	w := newWorld(t, guarded(engine.Guards{}))
	w.load(&fakeSet{digest: "v2", rules: w.set().rules, budgets: []engine.Budget{{Name: "fleet", Concurrent: 1}}})
	w.verifying("a")
	for i := range 10 {
		w.send(firing(fmt.Sprint("s", i)))
		w.plan()
		if e := w.held(engine.GuardBudget); e.Waits != "budget fleet " {
			t.Fatalf("waits for %q", e.Waits)
		}
	}
	w.cure(firing("a"))
	w.says("run.ended", "run.allowed", "task.issued", "run.held", "run.held", "run.held")
}

// Very many runs that end at one moment do not wake the same few again and again:
// that would be taken for an endless loop.
func TestManyEndsAtOneMoment(t *testing.T) {
	busy := failover()
	r := guarded(engine.Guards{Concurrent: 1})
	sets := fakeSets{"v1": {digest: "v1", rules: []*fakeRule{r, busy}}}
	loose := guarded(engine.Guards{})
	sets["v0"] = &fakeSet{digest: "v0", rules: []*fakeRule{loose}}
	st := engine.NewState()
	take := func(at time.Time, in engine.Input) {
		t.Helper()
		if _, err := engine.Advance(sets, st, at, in); err != nil {
			t.Fatal(err)
		}
	}
	answerAll := func() {
		for _, task := range outstanding(st) {
			res := engine.Result{Task: task.ID, Outcome: &engine.Outcome{}}
			if task.Kind == engine.TaskPlan {
				res = engine.Result{Task: task.ID, Plan: &engine.Plan{Target: task.Target}}
			}
			take(epoch, engine.Input{Result: &res})
		}
	}
	take(epoch, engine.Input{Rules: &engine.NewRules{Digest: "v0"}})
	const many = 1100
	for i := range many {
		take(epoch, delivery(firing(fmt.Sprint("s", i)), epoch))
	}
	answerAll()
	answerAll()
	take(epoch, engine.Input{Rules: &engine.NewRules{Digest: "v1"}})
	for i := range 3 {
		take(epoch, delivery(firing(fmt.Sprint("late", i)), epoch))
	}
	answerAll()
	take(epoch.Add(5*time.Minute), engine.Input{Tick: &engine.Tick{}})
	take(epoch.Add(5*time.Minute+time.Second), engine.Input{Tick: &engine.Tick{}})
	allowed := 0
	for _, run := range st.ActiveRuns() {
		if run.Holds() {
			allowed++
		}
	}
	if st.Active() != 3 || allowed != 1 {
		t.Errorf("%d runs are active and %d hold a target, want 3 and 1", st.Active(), allowed)
	}
}

// A ledger of an older build does not say what a held run waits for.
func TestHeldRunsOfAnOlderLedger(t *testing.T) {
	a := firing("a")
	begin := func(t *testing.T, guard string) *engine.State {
		st := engine.NewState()
		for _, ev := range []engine.Event{
			engine.RulesLoaded{Digest: "v1"},
			engine.AlertOpened{Episode: a.Episode(), Received: epoch, Alert: a},
			engine.RunStarted{Run: "r1", Rule: "down", RuleSet: "v1", Mode: engine.ModeAuto, Target: service("a"), Episode: a.Episode(), Alert: a},
			engine.RunStarted{Run: "r2", Rule: "slow", RuleSet: "v1", Mode: engine.ModeAuto, Target: service("a"), Episode: a.Episode(), Alert: a},
			engine.TaskAnswered{Run: "r1", Result: engine.Result{Plan: &engine.Plan{Target: service("a")}}},
			engine.TaskAnswered{Run: "r2", Result: engine.Result{Plan: &engine.Plan{Target: service("a")}}},
			engine.RunAllowed{Run: "r1"},
			engine.RunHeld{Run: "r2", Guard: guard, Reason: "r", Until: epoch.Add(time.Hour)},
		} {
			if err := st.Apply(epoch, ev); err != nil {
				t.Fatal(err)
			}
		}
		return st
	}
	for guard, frees := range map[string]engine.Event{
		engine.GuardBusy:   engine.RunEnded{Run: "r1", Outcome: engine.Cured},
		engine.GuardPaused: engine.ScopeResumed{Scope: "all"},
	} {
		for name, st := range map[string]*engine.State{"folded": begin(t, guard), "restored": restore(t, begin(t, guard))} {
			if err := st.Apply(epoch.Add(time.Minute), frees); err != nil {
				t.Fatal(err)
			}
			if wake := st.Runs["r2"].WakeAt; !wake.Equal(epoch.Add(time.Minute)) {
				t.Errorf("%s, %s: judged again at %s", guard, name, wake)
			}
		}
	}
}
