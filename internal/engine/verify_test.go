package engine_test

import (
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// probed is a rule whose first rung is verified by a probe, and by the alert.
func probed(byAlert bool) *fakeRule {
	r := down()
	r.Attempts[0].Verify.Probes = []engine.Probe{{Kind: "http", Params: params}}
	r.Attempts[0].Verify.AlertResolved = byAlert
	return r
}

func (w *world) verified() {
	w.t.Helper()
	w.answer(w.task(engine.TaskVerify), engine.Result{Verified: true, Checks: []engine.Check{{Kind: "http", OK: true}}})
}

func TestVerifyByProbes(t *testing.T) {
	t.Run("hold", func(t *testing.T) {
		w := newWorld(t, probed(false))
		w.verifying("a")
		w.says("task.answered", "verify.started", "task.issued")
		task := w.task(engine.TaskVerify)
		if task.Stable != 30*time.Second || !task.Deadline.Equal(w.now.Add(5*time.Minute)) || len(task.Probes) != 1 {
			t.Errorf("asked for %+v", task)
		}
		w.verified()
		w.says("task.answered", "run.ended")
		w.outcome(engine.Cured)
		w.send(firing("a"))
		w.says("alert.repeated") // settled, until it fires anew
	})
	t.Run("do not hold", func(t *testing.T) {
		w := newWorld(t, probed(false))
		w.verifying("a")
		w.answer(w.task(engine.TaskVerify), engine.Result{Checks: []engine.Check{{Kind: "http", Detail: "503"}}})
		w.says("task.answered", "attempt.failed", "task.issued")
		w.reason("http: 503")
		if e := lastEvent[engine.AttemptFailed](w); !e.Seen {
			t.Error("the trouble was seen, and does not count")
		}
	})
	t.Run("do not hold long enough", func(t *testing.T) {
		w := newWorld(t, probed(false))
		w.verifying("a")
		w.answer(w.task(engine.TaskVerify), engine.Result{})
		w.reason("did not hold long enough")
	})
	t.Run("fail, which shows nothing", func(t *testing.T) {
		w := newWorld(t, probed(false))
		w.verifying("a")
		w.fail(w.task(engine.TaskVerify), engine.ClassTerminal)
		w.says("task.answered", "attempt.failed", "task.issued")
		if e := lastEvent[engine.AttemptFailed](w); e.Seen {
			t.Error("a probe that failed counts as the trouble seen")
		}
	})
	t.Run("are not answered", func(t *testing.T) {
		w := newWorld(t, probed(false))
		w.verifying("a")
		w.passTo()
		w.says("task.unanswered", "attempt.failed", "task.issued")
	})
}

func TestVerifyIsAskedAgain(t *testing.T) {
	begin := func(t *testing.T, byAlert bool) *world {
		r := probed(byAlert)
		r.Guards.Freshness = time.Hour
		w := newWorld(t, r)
		w.verifying("a")
		return w
	}
	t.Run("as long as there is time", func(t *testing.T) {
		w := begin(t, false)
		until := w.run(engine.PhaseVerifying).VerifyUntil
		for range 4 { // 10, 20, 40, 80 seconds, more often than an action is
			w.fail(w.task(engine.TaskVerify), engine.ClassRetryable)
			w.says("task.answered", "retry.scheduled")
			w.run(engine.PhaseVerifying)
			w.passTo()
			w.says("task.issued")
			if task := w.task(engine.TaskVerify); !task.Deadline.Equal(until) {
				t.Fatalf("asks until %s, want %s", task.Deadline, until)
			}
		}
		w.verified()
		w.outcome(engine.Cured)
	})
	t.Run("not beyond the wait", func(t *testing.T) {
		w := begin(t, false)
		w.pass(4*time.Minute + 58*time.Second)
		w.fail(w.task(engine.TaskVerify), engine.ClassRetryable)
		w.says("task.answered", "attempt.failed", "task.issued")
		w.reason("not known to be cured")
	})
	t.Run("not if the engine comes too late to it", func(t *testing.T) {
		w := begin(t, false)
		w.fail(w.task(engine.TaskVerify), engine.ClassRetryable)
		w.pass(10 * time.Minute)
		w.says("attempt.failed", "task.issued")
		w.reason("not known to be cured: verification failed: because retryable")
	})
	t.Run("when the failure says", func(t *testing.T) {
		w := begin(t, false)
		w.answer(w.task(engine.TaskVerify), engine.Result{Failure: &engine.Failure{Class: engine.ClassExpired, Message: "late", RetryAfter: 2 * time.Minute}})
		if e := lastEvent[engine.RetryScheduled](w); e.At.Sub(w.now) != 2*time.Minute || e.Task != engine.TaskVerify {
			t.Errorf("%+v", e)
		}
	})
	t.Run("and the alert that resolves meanwhile ends nothing", func(t *testing.T) {
		w := begin(t, true)
		w.fail(w.task(engine.TaskVerify), engine.ClassRetryable)
		w.send(resolved(firing("a")))
		w.says("alert.resolved")
		w.passTo()
		w.says("task.issued")
		w.pass(30 * time.Second)
		w.verified()
		w.outcome(engine.Cured)
	})
	t.Run("also the second time, when they held before", func(t *testing.T) {
		w := begin(t, true)
		w.verified()
		w.says("task.answered", "verify.waiting")
		w.send(resolved(firing("a")))
		w.says("alert.resolved", "task.issued")
		w.fail(w.task(engine.TaskVerify), engine.ClassRetryable)
		w.says("task.answered", "retry.scheduled")
		again := since(firing("a"), w.now.Add(time.Second))
		w.send(again)
		w.send(resolved(again))
		w.says("alert.resolved") // what is to come will see both together
		w.passTo()
		w.says("task.issued")
		w.pass(30 * time.Second)
		w.verified()
		w.outcome(engine.Cured)
	})
}

func TestVerifyByProbesAndAlertTogether(t *testing.T) {
	t.Run("probes first", func(t *testing.T) {
		w := newWorld(t, probed(true))
		w.verifying("a")
		w.verified()
		w.says("task.answered", "verify.waiting")
		w.pass(time.Minute)
		w.send(resolved(firing("a")))
		w.says("alert.resolved", "task.issued")
		w.pass(30 * time.Second)
		w.verified()
		w.says("task.answered", "run.ended")
		w.outcome(engine.Cured)
	})
	t.Run("alert first", func(t *testing.T) {
		w := newWorld(t, probed(true))
		w.verifying("a")
		w.send(resolved(firing("a")))
		w.says("alert.resolved")
		w.pass(30 * time.Second)
		w.verified()
		w.says("task.answered", "run.ended")
	})
	t.Run("alert shortly before the probes' answer", func(t *testing.T) {
		w := newWorld(t, probed(true))
		w.verifying("a")
		w.pass(time.Minute)
		w.send(resolved(firing("a")))
		w.pass(10 * time.Second)
		w.verified()
		w.says("task.answered", "task.issued") // only 10s together
		w.pass(30 * time.Second)
		w.verified()
		w.outcome(engine.Cured)
	})
	t.Run("the alert fires anew meanwhile", func(t *testing.T) {
		w := newWorld(t, probed(true))
		w.verifying("a")
		w.send(resolved(firing("a")))
		w.pass(time.Second)
		w.send(since(firing("a"), w.now))
		w.says("alert.opened", "run.joined")
		w.pass(40 * time.Second)
		w.verified()
		w.says("task.answered", "verify.waiting")
		w.passTo()
		w.says("attempt.failed", "task.issued")
	})
	t.Run("the alert does not resolve in time", func(t *testing.T) {
		w := newWorld(t, probed(true))
		w.verifying("a")
		w.pass(5*time.Minute + 30*time.Second)
		w.says()
		w.verified() // on the worker's last second, and the way back took its time
		w.says("task.answered", "verify.waiting", "attempt.failed", "task.issued")
	})
}

func TestVerifyByAlert(t *testing.T) {
	t.Run("must stay resolved", func(t *testing.T) {
		w := newWorld(t, down())
		w.verifying("a")
		w.send(resolved(firing("a")))
		w.says("alert.resolved", "verify.waiting")
		w.pass(29 * time.Second)
		w.says()
		w.pass(time.Second)
		w.says("run.ended")
		w.outcome(engine.Cured)
	})
	t.Run("flaps within the wait", func(t *testing.T) {
		w := newWorld(t, down())
		w.verifying("a")
		w.send(resolved(firing("a")))
		w.pass(20 * time.Second)
		w.send(since(firing("a"), w.now))
		w.passTo()
		w.says("verify.waiting")
		w.passTo()
		w.says("attempt.failed", "task.issued")
	})
	t.Run("resolved before the action's answer", func(t *testing.T) {
		w := newWorld(t, down())
		w.send(firing("a"))
		w.plan()
		w.send(resolved(firing("a")))
		w.says("alert.resolved")
		w.act()
		w.says("task.answered", "verify.started", "verify.waiting")
		w.passTo()
		w.outcome(engine.Cured)
	})
}

func TestVerifyNothing(t *testing.T) {
	r := down()
	r.Attempts[0].Verify = engine.Verify{}
	w := newWorld(t, r)
	w.verifying("a")
	w.says("task.answered", "verify.started", "run.ended")
	w.outcome(engine.Cured)
}

// The next rung must not act on a trouble that has gone.
func TestNoNextRungForAResolvedAlert(t *testing.T) {
	w := newWorld(t, probed(false))
	w.verifying("a")
	w.send(resolved(firing("a")))
	w.says("alert.resolved")
	w.answer(w.task(engine.TaskVerify), engine.Result{})
	w.says("task.answered", "attempt.failed", "task.issued")
	w.plan()
	w.says("task.answered", "run.ended")
	w.outcome(engine.SelfResolved)
}
