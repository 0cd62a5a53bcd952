package engine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// on gives an action a target of its own.
func on(a engine.Action, name string) engine.Action {
	a.Target = func(engine.Scope) (engine.Target, error) { return service(name), nil }
	return a
}

// several is a rule whose first rung changes three targets.
func several() *fakeRule {
	return tidy(undoable("route"), on(undoable("database"), "db"), on(undoable("cache"), "redis"))
}

// under is an alert of another rule, about a service.
func under(name string) alert.Alert {
	a := firing(name)
	a.Name = "Slow"
	return a
}

func slow() *fakeRule {
	r := down()
	r.Name, r.alerts = "slow", []string{"Slow"}
	return r
}

func (w *world) plans(n int) {
	w.t.Helper()
	for range n {
		w.plan()
	}
}

func TestTargetsOfActions(t *testing.T) {
	t.Run("each task is for its own, and all are held to the end", func(t *testing.T) {
		w := newWorld(t, several(), slow())
		w.send(firing("a"))
		var planned []string
		for range 3 {
			planned = append(planned, w.task(engine.TaskPlan).Target.Name)
			w.plan()
		}
		w.says("task.answered", "run.allowed", "task.issued")
		if got := strings.Join(planned, " "); got != "a db redis" {
			t.Errorf("planned on %s", got)
		}
		w.send(under("redis"))
		for task := range eachTask(w, engine.TaskPlan) {
			w.planOn(task, task.Target)
		}
		w.says("task.answered", "run.held")
		w.reason("is at work on http/redis")
		w.act()
		if task := w.task(engine.TaskExecute); task.Target != service("db") || task.Action != "database" {
			t.Errorf("went on with %s on %s", task.Action, task.Target)
		}
		w.act()
		w.act()
		w.answer(w.task(engine.TaskVerify), engine.Result{Verified: true})
		w.outcome(engine.Cured)
		if task := w.task(engine.TaskExecute); task.Rule != "slow" || task.Target != service("redis") {
			t.Errorf("the one that waited went on with %s on %s", task.Rule, task.Target)
		}
	})
	t.Run("what was done is put back where it was done", func(t *testing.T) {
		w := failing(t, several())
		for _, name := range []string{"redis", "db", "a"} {
			task := w.task(engine.TaskUndo)
			if task.Target != service(name) || task.Plan.Target != service(name) {
				t.Errorf("puts back %s on %s, want %s", task.Action, task.Target, name)
			}
			w.putBack(task.Action)
		}
		w.says("task.answered", "attempt.failed", "task.issued")
		w.plan() // the second rung is about the rule's target, and those of the first stay held
		w.says("task.answered", "run.allowed", "task.issued")
	})
	t.Run("none but its own", func(t *testing.T) {
		r := tidy(on(undoable("database"), "db"), on(undoable("cache"), "redis"))
		w := newWorld(t, r)
		w.send(firing("a"))
		w.plans(2)
		w.says("task.answered", "run.allowed", "task.issued")
		run := w.run(engine.PhaseExecuting)
		if run.Target != service("a") || len(run.Also) != 2 {
			t.Errorf("the run is about %s and %v", run.Target, run.Also)
		}
	})
	t.Run("the first to be planned does not become the run's", func(t *testing.T) {
		w := newWorld(t, tidy(on(undoable("database"), "db"), undoable("route")))
		w.send(firing("pod"))
		w.plan()
		w.planOn(w.task(engine.TaskPlan), service("deployment"))
		if run := w.run(engine.PhaseExecuting); run.Target != service("deployment") {
			t.Errorf("the run is about %s", run.Target)
		}
	})
	t.Run("those without one still agree", func(t *testing.T) {
		w := newWorld(t, tidy(undoable("route"), on(undoable("database"), "db"), undoable("label")))
		w.send(firing("a"))
		w.plans(2)
		w.planOn(w.task(engine.TaskPlan), service("b"))
		w.reason("its actions resolve to two targets, http/a and http/b")
	})
	t.Run("and each may take its own time", func(t *testing.T) {
		slowly := on(undoable("database"), "db")
		slowly.Timeout = 20 * time.Minute
		w := newWorld(t, tidy(undoable("route"), slowly))
		w.send(firing("a"))
		w.plans(2)
		for _, want := range []time.Duration{30 * time.Second, 20 * time.Minute} {
			task := w.task(engine.TaskExecute)
			if task.Timeout != want {
				t.Errorf("%s may take %s, want %s", task.Action, task.Timeout, want)
			}
			w.act()
		}
		w.answer(w.task(engine.TaskVerify), engine.Result{})
		if task := w.task(engine.TaskUndo); task.Action != "database" || task.Timeout != 20*time.Minute {
			t.Errorf("%s may take %s to be put back", task.Action, task.Timeout)
		}
	})
	t.Run("one that cannot be told fails the rung", func(t *testing.T) {
		lost := action("database")
		lost.Target = func(engine.Scope) (engine.Target, error) { return engine.Target{}, errors.New("no label db") }
		w := newWorld(t, tidy(action("route"), lost))
		w.send(firing("a"))
		w.plan()
		w.says("task.answered", "attempt.failed", "task.issued")
		w.reason("no label db")
	})
}

// eachTask yields the outstanding tasks of a kind.
func eachTask(w *world, kind engine.TaskKind) func(yield func(engine.Task) bool) {
	return func(yield func(engine.Task) bool) {
		for _, task := range outstanding(w.st) {
			if task.Kind == kind && !yield(task) {
				return
			}
		}
	}
}

func TestGuardsJudgeEveryTarget(t *testing.T) {
	t.Run("pause", func(t *testing.T) {
		w := newWorld(t, several())
		w.command(engine.Command{Verb: engine.Pause, Scope: "target/http/redis"})
		w.send(firing("a"))
		w.plans(3)
		w.says("task.answered", "run.held")
		w.reason("target/http/redis is paused")
		w.command(engine.Command{Verb: engine.Resume, Scope: "target/http/redis"})
		w.says("scope.resumed", "run.allowed", "task.issued")
	})
	t.Run("budgets", func(t *testing.T) {
		w := newWorld(t, several(), slow())
		w.load(&fakeSet{digest: "v2", rules: w.set().rules, budgets: []engine.Budget{
			{Name: "each", Key: func(s engine.Scope) (string, error) { return s.Target.Name, nil }, Rate: engine.Rate{Count: 1, Per: time.Hour}},
			{Name: "all", Rate: engine.Rate{Count: 5, Per: time.Hour}, Concurrent: 2},
		}})
		w.send(firing("a"))
		w.plans(3)
		if spends := lastEvent[engine.RunAllowed](w).Spends; len(spends) != 4 {
			t.Errorf("spends %v, want one of each target and one of all", spends)
		}
		w.send(under("elsewhere")) // the run before counts once against all
		for task := range eachTask(w, engine.TaskPlan) {
			w.planOn(task, task.Target)
		}
		w.says("task.answered", "run.allowed", "task.issued")
		w.answer(w.executing("down"), engine.Result{Failure: &engine.Failure{Class: engine.ClassTerminal, Message: "no"}})
		w.command(engine.Command{Verb: engine.Cancel, Run: lastEvent[engine.TaskIssued](w).Run, Reason: "enough"})
		w.send(under("db"))
		for task := range eachTask(w, engine.TaskPlan) {
			w.planOn(task, task.Target)
		}
		w.says("task.answered", "run.held")
		w.reason("budget each of db is spent")
	})
	t.Run("hold-down", func(t *testing.T) {
		back := slow()
		back.Guards.HoldDown, back.Guards.Freshness = time.Hour, 3*time.Hour
		w := newWorld(t, several(), back)
		w.send(firing("a"))
		w.plans(3)
		for range 3 {
			w.act()
		}
		w.pass(4 * time.Minute)
		w.answer(w.task(engine.TaskVerify), engine.Result{Verified: true})
		w.outcome(engine.Cured)
		w.send(under("db"))
		w.plan()
		w.says("task.answered", "run.held")
		w.reason("of rule down acted on http/db, last at 12:04:00; the hold-down is 1h0m0s")
		w.pass(59 * time.Minute)
		if w.count("run.allowed") != 1 {
			t.Error("the hold-down counts from the start of the other run")
		}
		w.pass(time.Minute)
		w.says("run.allowed", "task.issued")
	})
	t.Run("its own rungs are not held down", func(t *testing.T) {
		r := down()
		r.Guards.HoldDown = time.Hour
		w := newWorld(t, r)
		w.send(firing("a"))
		w.plan()
		w.fail(w.task(engine.TaskExecute), engine.ClassTerminal)
		w.plan()
		w.says("task.answered", "run.allowed", "task.issued")
	})
}

// executing is the outstanding execute task of a rule.
func (w *world) executing(rule string) engine.Task {
	w.t.Helper()
	for task := range eachTask(w, engine.TaskExecute) {
		if task.Rule == rule {
			return task
		}
	}
	w.t.Fatalf("rule %s has no action under way", rule)
	return engine.Task{}
}

func TestATargetThatChanges(t *testing.T) {
	w := newWorld(t, several())
	w.send(firing("a"))
	w.plans(3)
	w.act()
	w.fail(w.task(engine.TaskExecute), engine.ClassPlanChanged)
	w.says("task.answered", "run.replanned", "task.issued")
	w.planOn(w.task(engine.TaskPlan), service("other"))
	w.reason("which is none of the targets that the attempt was allowed to act on")
	w.putBack("route")
}

func TestNothingToChange(t *testing.T) {
	noop := func(w *world) {
		task := w.task(engine.TaskPlan)
		w.answer(task, engine.Result{Plan: &engine.Plan{Target: task.Target, Summary: task.Action + " is so already", Noop: true}})
	}
	t.Run("of one action, the others are done", func(t *testing.T) {
		w := newWorld(t, several())
		w.send(firing("a"))
		noop(w)
		w.plans(1)
		noop(w)
		w.says("task.answered", "run.allowed", "action.skipped", "task.issued")
		if task := w.task(engine.TaskExecute); task.Action != "database" {
			t.Errorf("does %s", task.Action)
		}
		w.act()
		w.says("task.answered", "action.skipped", "verify.started", "task.issued")
		w.answer(w.task(engine.TaskVerify), engine.Result{Checks: []engine.Check{{Kind: "http", Detail: "503"}}})
		w.putBack("database")
		w.says("task.answered", "attempt.failed", "task.issued")
		w.reason("put back: database")
		if reason := lastEvent[engine.AttemptFailed](w).Reason; strings.Contains(reason, "route") {
			t.Errorf("tells of what was not done: %s", reason)
		}
	})
	t.Run("of any fails the rung", func(t *testing.T) {
		w := newWorld(t, several())
		w.send(firing("a"))
		for range 3 {
			noop(w)
		}
		w.says("task.answered", "attempt.failed", "task.issued")
		w.reason("nothing to change: route is so already; database is so already; cache is so already")
	})
	t.Run("and is restored without it", func(t *testing.T) {
		w := newWorld(t, nightly(undoable("scale"), undoable("label")))
		w.send(night("a"))
		noop(w)
		w.plan()
		w.act()
		w.send(resolved(night("a")))
		w.putBack("label")
		w.ends(engine.Restored, false, "put back: label")
	})
}

func TestProbesFromElsewhere(t *testing.T) {
	r := several()
	r.Attempts[0].From = "japan"
	r.Attempts[0].Check = []engine.Probe{{Kind: "http", Params: params}}
	w := newWorld(t, r)
	w.send(firing("a"))
	w.plans(3)
	if task := w.task(engine.TaskCheck); task.Group != engine.VerifyGroup("japan") {
		t.Errorf("checked by group %s", task.Group)
	}
	w.answer(w.task(engine.TaskCheck), engine.Result{Verified: true})
	for range 3 {
		if task := w.task(engine.TaskExecute); task.Group != "here" {
			t.Errorf("done by group %s", task.Group)
		}
		w.act()
	}
	if task := w.task(engine.TaskVerify); task.Group != engine.VerifyGroup("japan") {
		t.Errorf("verified by group %s", task.Group)
	}
}

func TestAim(t *testing.T) {
	plan := func(on engine.Target) engine.TaskAnswered {
		return engine.TaskAnswered{Task: engine.TaskPlan, Result: engine.Result{Plan: &engine.Plan{Target: on}}}
	}
	ask := func(on engine.Target) engine.TaskIssued {
		return engine.TaskIssued{Task: engine.Task{Kind: engine.TaskPlan, Target: on}}
	}
	a := engine.NewAim(service("pod"))
	for _, ev := range []engine.Event{ask(service("db")), plan(service("db"))} {
		a.Follow(ev)
	}
	if a.Known() || a.Target() != service("pod") {
		t.Errorf("takes %s for the run's", a.Target())
	}
	for _, ev := range []engine.Event{ask(service("pod")), plan(service("deployment")), ask(service("db")), plan(service("db")), ask(service("deployment"))} {
		a.Follow(ev)
	}
	if !a.Known() || a.Target() != service("deployment") {
		t.Errorf("takes %s for the run's", a.Target())
	}
}

// TestNothingLeftToChange has the second plan find nothing to change, too, when it is
// made anew.
func TestNothingLeftToChange(t *testing.T) {
	w := newWorld(t, several())
	w.send(firing("a"))
	for _, noop := range []bool{true, false, true} {
		task := w.task(engine.TaskPlan)
		w.answer(task, engine.Result{Plan: &engine.Plan{Target: task.Target, Summary: task.Action, Noop: noop}})
	}
	w.fail(w.task(engine.TaskExecute), engine.ClassPlanChanged)
	for range 2 {
		task := w.task(engine.TaskPlan)
		w.answer(task, engine.Result{Plan: &engine.Plan{Target: task.Target, Summary: task.Action, Noop: true}})
	}
	w.says("task.answered", "attempt.failed", "task.issued")
	if reason := lastEvent[engine.AttemptFailed](w).Reason; reason != "nothing to change: route; database; cache" {
		t.Errorf("failed since %q", reason)
	}
}
