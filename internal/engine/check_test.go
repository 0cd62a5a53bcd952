package engine_test

import (
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// careful is a rule of two rungs, the first of which looks before it acts.
func careful() *fakeRule {
	r := down()
	r.Guards.Freshness = time.Hour
	r.Attempts[0].Check = []engine.Probe{{Kind: "http", Params: params}}
	return r
}

// met answers the one check task with a yes.
func (w *world) met() {
	w.t.Helper()
	w.answer(w.task(engine.TaskCheck), engine.Result{Verified: true, Checks: []engine.Check{{Kind: "http", OK: true}}})
}

func TestCheck(t *testing.T) {
	begin := func(t *testing.T, r *fakeRule) *world {
		w := newWorld(t, r)
		w.send(firing("a"))
		w.plan()
		w.says("task.answered", "task.issued")
		w.run(engine.PhaseChecking)
		return w
	}
	t.Run("met", func(t *testing.T) {
		w := begin(t, careful())
		task := w.task(engine.TaskCheck)
		if task.Group != "here-verify" || task.Action != engine.VerifyAction || len(task.Probes) != 1 || task.Timeout != 30*time.Second ||
			!task.Deadline.Equal(w.now.Add(30*time.Second)) || !task.NotAfter.Equal(w.now.Add(2*time.Minute)) || task.Target != service("a") {
			t.Errorf("asked for %+v", task)
		}
		w.met()
		w.says("task.answered", "run.allowed", "task.issued")
		w.act()
		w.says("task.answered", "verify.started", "verify.waiting")
	})
	t.Run("unmet", func(t *testing.T) {
		w := begin(t, careful())
		w.answer(w.task(engine.TaskCheck), engine.Result{Checks: []engine.Check{{Kind: "http", Detail: "503"}}})
		w.says("task.answered", "attempt.failed", "task.issued")
		w.reason("its precondition does not hold: http: 503")
		if e := lastEvent[engine.AttemptFailed](w); e.Seen {
			t.Error("a precondition says nothing about the trouble")
		}
		w.plan()
		w.says("task.answered", "run.allowed", "task.issued") // the second rung has none
	})
	t.Run("fails for good", func(t *testing.T) {
		for _, class := range []engine.Class{engine.ClassTerminal, engine.ClassUnknown, engine.ClassPlanChanged, "odd"} {
			w := begin(t, careful())
			w.fail(w.task(engine.TaskCheck), class)
			w.says("task.answered", "attempt.failed", "task.issued")
			w.reason("its precondition is not known to hold: ")
		}
	})
	t.Run("fails for now", func(t *testing.T) {
		w := begin(t, careful())
		for range 2 {
			w.fail(w.task(engine.TaskCheck), engine.ClassRetryable)
			w.says("task.answered", "retry.scheduled")
			w.passTo()
			w.says("task.issued")
		}
		w.fail(w.task(engine.TaskCheck), engine.ClassExpired)
		w.says("task.answered", "attempt.failed", "task.issued")
		w.reason("its precondition is not known to hold: because expired (tried 3 times)")
	})
	t.Run("is not answered", func(t *testing.T) {
		w := begin(t, careful())
		w.passTo()
		w.says("task.unanswered", "retry.scheduled")
		w.passTo()
		w.says("task.issued")
		w.met()
		w.says("task.answered", "run.allowed", "task.issued")
	})
	t.Run("paused", func(t *testing.T) {
		w := begin(t, careful())
		w.fail(w.task(engine.TaskCheck), engine.ClassPaused)
		w.held(engine.GuardPaused)
		w.passTo()
		w.says("task.issued")
		w.met()
		w.says("task.answered", "run.allowed", "task.issued")
	})
	t.Run("the guards are asked again", func(t *testing.T) {
		w := begin(t, careful())
		w.command(engine.Command{Verb: engine.Pause, Scope: "all"})
		w.met()
		w.says("task.answered", "run.held")
		w.command(engine.Command{Verb: engine.Resume, Scope: "all"})
		w.says("scope.resumed", "run.allowed", "task.issued") // it is not old yet
	})
	t.Run("an old yes is none", func(t *testing.T) {
		r := careful()
		r.Mode = engine.ModeApprove
		w := begin(t, r)
		w.met()
		w.says("task.answered", "approval.asked")
		w.pass(31 * time.Second)
		w.approve()
		w.says("approval.given", "task.issued")
		w.met()
		w.says("task.answered", "run.allowed", "task.issued")
	})
	t.Run("a yes is as old as the look", func(t *testing.T) {
		w := begin(t, careful())
		task := w.task(engine.TaskCheck)
		yes := engine.Result{Task: task.ID, At: w.now.Add(time.Second), Verified: true, Checks: []engine.Check{{Kind: "http", OK: true}}}
		w.pass(40 * time.Second)
		w.do(engine.Input{Result: &yes})
		w.says("task.answered", "task.issued")
		w.run(engine.PhaseChecking)
	})
	t.Run("a clock that goes wrong makes it neither older than the question nor newer than the answer", func(t *testing.T) {
		for _, wrong := range []time.Duration{-time.Hour, time.Hour} {
			r := careful()
			r.Mode = engine.ModeApprove
			w := begin(t, r)
			task := w.task(engine.TaskCheck)
			yes := engine.Result{Task: task.ID, At: w.now.Add(wrong), Verified: true, Checks: []engine.Check{{Kind: "http", OK: true}}}
			w.pass(20 * time.Second)
			w.do(engine.Input{Result: &yes})
			w.says("task.answered", "approval.asked")
			w.pass(31 * time.Second)
			w.approve()
			w.says("approval.given", "task.issued")
			w.run(engine.PhaseChecking)
		}
	})
	t.Run("a guard comes first", func(t *testing.T) {
		w := newWorld(t, careful())
		w.command(engine.Command{Verb: engine.Pause, Scope: "all"})
		w.send(firing("a"))
		w.plan()
		w.says("task.answered", "run.held")
	})
	t.Run("only before the first action", func(t *testing.T) {
		r := careful()
		r.Attempts[0].Do = []engine.Action{action("clear"), action("restart")}
		w := newWorld(t, r)
		w.send(firing("a"))
		w.plan()
		w.plan()
		w.met()
		w.pass(40 * time.Second)
		w.act()
		w.says("task.answered", "task.issued")
		if task := w.task(engine.TaskExecute); task.Action != "restart" {
			t.Errorf("went on with %s", task.Action)
		}
	})
	t.Run("in shadow", func(t *testing.T) {
		r := careful()
		r.Mode = engine.ModeShadow
		w := begin(t, r)
		w.met()
		w.says("task.answered", "run.ended")
		w.outcome(engine.Shadowed)
	})
	t.Run("the alert resolves", func(t *testing.T) {
		w := begin(t, careful())
		w.send(resolved(firing("a")))
		w.says("alert.resolved", "run.ended")
		w.outcome(engine.SelfResolved)
	})
	t.Run("a person ends it", func(t *testing.T) {
		w := begin(t, careful())
		w.command(engine.Command{Verb: engine.Cancel, Run: w.run(engine.PhaseChecking).ID})
		w.says("run.ended")
	})
	t.Run("a probe without parameters", func(t *testing.T) {
		r := careful()
		r.Attempts[0].Check[0].Params = noParams
		w := newWorld(t, r)
		w.send(firing("a"))
		w.plan()
		w.says("task.answered", "attempt.failed", "task.issued")
		w.reason("check http: no such field")
	})
	t.Run("an answer that does not fit is no yes", func(t *testing.T) {
		w := begin(t, careful())
		w.answer(w.task(engine.TaskCheck), engine.Result{Outcome: &engine.Outcome{}})
		w.says("task.answered", "attempt.failed", "task.issued")
	})
}

// A ladder whose preconditions do not hold asks people, but says nothing about
// whether the rule cures.
func TestALadderThatNeverActed(t *testing.T) {
	r := careful()
	r.Attempts = r.Attempts[:1]
	r.Guards.Breaker = 1
	w := newWorld(t, r)
	w.send(firing("a"))
	w.plan()
	w.answer(w.task(engine.TaskCheck), engine.Result{Checks: []engine.Check{{Kind: "http", Detail: "503"}}})
	w.says("task.answered", "attempt.failed", "run.ended", "run.escalated")
	w.outcome(engine.Uncured)
	if n := w.st.Uncured["down"]; n != 0 || len(w.st.Last) != 0 {
		t.Errorf("the breaker counts %d, the last run is %v", n, w.st.Last)
	}
}
