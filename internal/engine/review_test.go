package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// planOnAll answers every outstanding plan task; the stated target is canonical.
func (w *world) planOnAll() {
	w.t.Helper()
	for task := range eachTask(w, engine.TaskPlan) {
		w.planOn(task, task.Target)
	}
}

// TestRunsThatWaitForEachOther: each has what the other's next rung is about, and an
// alert that repeats never becomes too old.
func TestRunsThatWaitForEachOther(t *testing.T) {
	rungs := func(first, second string) []engine.Attempt {
		return []engine.Attempt{rung("first", on(action("mend"), first)), rung("second", on(action("mend"), second))}
	}
	one, other := down(), slow()
	one.Attempts, other.Attempts = rungs("db", "cache"), rungs("cache", "db")
	w := newWorld(t, one, other)
	w.send(firing("a"))
	w.send(under("b"))
	w.planOnAll()
	for _, rule := range []string{"down", "slow"} {
		w.fail(w.executing(rule), engine.ClassTerminal)
		w.planOnAll()
	}
	w.says("task.answered", "run.ended", "run.escalated", "run.allowed", "task.issued")
	w.outcome(engine.HeldBack)
	w.reason("and waits, itself or through others, for what this run has")
	if task := w.executing("down"); task.Target != service("cache") {
		t.Errorf("the other goes on with %s", task.Target)
	}
}

// TestATargetSpeltAsTheRules: an action whose own target is what the rule states, but
// is no other thing for its remediator, as a pod is for one and its Deployment for
// another.
func TestATargetSpeltAsTheRules(t *testing.T) {
	w := newWorld(t, tidy(undoable("restart"), on(undoable("evict"), "pod")))
	w.send(firing("pod"))
	w.planOn(w.task(engine.TaskPlan), service("deployment"))
	w.planOn(w.task(engine.TaskPlan), service("pod"))
	w.act()
	w.fail(w.task(engine.TaskExecute), engine.ClassPlanChanged)
	w.planOn(w.task(engine.TaskPlan), service("pod"))
	w.says("task.answered", "task.issued")
	if task := w.task(engine.TaskExecute); task.Target != service("pod") {
		t.Errorf("goes on with %s", task.Target)
	}
	if run := w.run(engine.PhaseExecuting); run.Target != service("deployment") {
		t.Errorf("the run is about %s", run.Target)
	}
}

// TestAPlanCannotLeaveItsGroup: as a plan cannot leave its cluster, none leads to what
// another group works on.
func TestAPlanCannotLeaveItsGroup(t *testing.T) {
	r := guarded(engine.Guards{})
	r.GroupOf = func(t engine.Target) string { return map[string]string{"cache": "tokyo"}[t.Name] }
	w := newWorld(t, r)
	w.send(firing("a"))
	w.planOn(w.task(engine.TaskPlan), service("cache"))
	w.reason("another worker group")
	if w.count("run.allowed") != 0 {
		t.Error("may act")
	}
}

// TestAPreconditionIsLookedAtUntilSomethingIsDone: what was skipped is not done.
func TestAPreconditionIsLookedAtUntilSomethingIsDone(t *testing.T) {
	r := tidy(undoable("route"), on(undoable("database"), "db"))
	r.Attempts[0].Check = []engine.Probe{{Kind: "http", Params: params}}
	r.Attempts[0].Backoff = time.Minute
	w := newWorld(t, r)
	w.send(firing("a"))
	task := w.task(engine.TaskPlan)
	w.answer(task, engine.Result{Plan: &engine.Plan{Target: task.Target, Summary: "it is so", Noop: true}})
	w.plan()
	w.answer(w.task(engine.TaskCheck), engine.Result{Verified: true})
	w.fail(w.task(engine.TaskExecute), engine.ClassRetryable)
	w.passTo()
	w.task(engine.TaskCheck)
}

// TestLooksDoNotAddUp: a failure that may pass is one of its own look, whatever those
// before it met with.
func TestLooksDoNotAddUp(t *testing.T) {
	r := down()
	r.Guards.Freshness = 24 * time.Hour
	r.Attempts[0] = engine.Attempt{Name: "look", Group: "here", Verify: engine.Verify{Probes: []engine.Probe{{Kind: "http", Params: params}}, Within: time.Minute}}
	w := newWorld(t, r)
	w.send(firing("a"))
	for n := range 8 {
		w.fail(w.task(engine.TaskVerify), engine.ClassRetryable)
		if w.count("attempt.failed") > 0 {
			t.Fatalf("gives up after %d looks, since %s", n, strings.TrimSpace(lastEvent[engine.AttemptFailed](w).Reason))
		}
		w.passTo()
		w.answer(w.task(engine.TaskVerify), engine.Result{Verified: true})
		w.passTo()
	}
}

// TestARetryEndsWithItsLook: the rung behind a look that was to be made again waits for
// what it waits for itself.
func TestARetryEndsWithItsLook(t *testing.T) {
	look := func(v engine.Verify) engine.Attempt { return engine.Attempt{Name: "look", Group: "here", Verify: v} }
	r := down()
	r.Attempts = []engine.Attempt{
		look(engine.Verify{Probes: []engine.Probe{{Kind: "http", Params: params}}, Within: time.Minute}),
		look(engine.Verify{AlertResolved: true, Within: 5 * time.Minute}),
	}
	w := newWorld(t, r)
	w.send(firing("a"))
	w.fail(w.task(engine.TaskVerify), engine.ClassRetryable)
	w.pass(2 * time.Minute) // the engine was away
	w.says("attempt.failed", "verify.started", "verify.waiting")
	w.send(resolved(firing("a")))
	w.outcome(engine.Cured)
}
