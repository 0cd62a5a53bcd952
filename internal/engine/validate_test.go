package engine_test

import (
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// validated is a rule that first looks, and acts only if what it sees is wrong.
func validated() *fakeRule {
	r := down()
	look := engine.Attempt{
		Name: "look", Group: "there",
		Verify: engine.Verify{Probes: []engine.Probe{{Kind: "http", Params: params}}, Within: 5 * time.Minute, Stable: 30 * time.Second},
	}
	r.Attempts = append([]engine.Attempt{look}, r.Attempts...)
	return r
}

func TestAnAttemptThatDoesNothingLooks(t *testing.T) {
	t.Run("and that is all, if all is well", func(t *testing.T) {
		r := validated()
		r.Asked = true
		w := newWorld(t, r)
		w.send(firing("a"))
		w.says("alert.opened", "run.started", "verify.started", "task.issued")
		task := w.task(engine.TaskVerify)
		if task.Group != engine.VerifyGroup("there") || task.Target != service("a") || !task.Deadline.Equal(w.now.Add(5*time.Minute)) || len(task.Probes) != 1 {
			t.Errorf("asked for %+v", task)
		}
		w.verified()
		w.says("task.answered", "run.ended")
		w.outcome(engine.Cured)
		if r := w.run(engine.PhaseEnded); r.Acted != 0 || len(r.Spends) != 0 {
			t.Errorf("a run that only looked acted: %+v", r)
		}
	})
	t.Run("and goes on looking while an alert of trouble fires", func(t *testing.T) {
		w := newWorld(t, validated())
		w.send(firing("a"))
		w.verified()
		w.says("task.answered", "verify.waiting")
		w.pass(2*time.Minute - time.Second)
		w.says()
		w.pass(time.Second)
		w.says("verify.started", "task.issued")
		w.verified()
		w.send(resolved(firing("a")))
		w.says("alert.resolved", "run.ended")
		w.outcome(engine.Cured)
	})
	t.Run("until it comes to what it looks at", func(t *testing.T) {
		w := newWorld(t, validated())
		w.send(firing("a"))
		for range 40 { // longer than any sign of the alert counts as fresh
			w.verified()
			w.pass(time.Minute)
			w.send(firing("a"))
			w.pass(time.Minute)
		}
		w.answer(w.task(engine.TaskVerify), engine.Result{Checks: []engine.Check{{Kind: "http", Detail: "503"}}})
		w.says("task.answered", "attempt.failed", "task.issued")
		w.plan()
		w.says("task.answered", "run.allowed", "task.issued")
	})
	t.Run("or nobody repeats the alert", func(t *testing.T) {
		w := newWorld(t, validated())
		w.send(firing("a"))
		for range 7 {
			w.verified()
			w.says("task.answered", "verify.waiting")
			w.pass(2 * time.Minute)
		}
		w.pass(time.Minute)
		w.verified()
		w.says("task.answered", "run.ended")
		w.outcome(engine.Cured)
	})
	t.Run("but not where it acted before", func(t *testing.T) {
		r := validated()
		r.Attempts[0], r.Attempts[1] = r.Attempts[1], r.Attempts[0]
		w := newWorld(t, r)
		w.send(firing("a"))
		w.plan()
		w.fail(w.task(engine.TaskExecute), engine.ClassTerminal)
		w.verified()
		w.says("task.answered", "run.ended")
	})
	t.Run("then acts, judged by the guards", func(t *testing.T) {
		r := validated()
		r.Guards.Cooldown = time.Hour
		w := newWorld(t, r)
		w.send(firing("a"))
		w.answer(w.task(engine.TaskVerify), engine.Result{Checks: []engine.Check{{Kind: "http", Detail: "503"}}})
		w.says("task.answered", "attempt.failed", "task.issued")
		w.reason("not as it must be: http: 503")
		w.plan()
		w.act()
		if r := w.run(engine.PhaseVerifying); r.Acted != 1 || r.Attempt != 1 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("whatever holds the rule back", func(t *testing.T) {
		r := validated()
		r.Mode = engine.ModeShadow
		w := newWorld(t, r)
		w.do(engine.Input{Command: &engine.Command{Verb: engine.Pause, Scope: "all"}})
		w.send(firing("a"))
		w.says("alert.opened", "run.started", "verify.started", "task.issued")
		w.answer(w.task(engine.TaskVerify), engine.Result{})
		w.plan()
		w.outcome(engine.Shadowed)
	})
	t.Run("also when no worker answers", func(t *testing.T) {
		w := newWorld(t, validated())
		w.send(firing("a"))
		w.passTo()
		w.says("task.unanswered", "attempt.failed", "task.issued")
	})
	t.Run("or waits for the alert to resolve by itself", func(t *testing.T) {
		for name, resolves := range map[string]bool{"resolves": true, "fires on": false} {
			t.Run(name, func(t *testing.T) {
				r := validated()
				r.Attempts[0].Verify = engine.Verify{AlertResolved: true, Within: 5 * time.Minute}
				w := newWorld(t, r)
				w.send(firing("a"))
				w.says("alert.opened", "run.started", "verify.started", "verify.waiting")
				if resolves {
					w.send(resolved(firing("a")))
					w.outcome(engine.Cured)
					return
				}
				w.passTo()
				w.says("attempt.failed", "task.issued")
				w.reason("not as it must be: the alert still fires after 5m")
			})
		}
	})
	t.Run("at one target once", func(t *testing.T) {
		w := newWorld(t, validated())
		other := firing("a")
		other.Fingerprint = "other"
		w.send(firing("a"), other)
		w.says("alert.opened", "run.started", "verify.started", "task.issued", "alert.opened", "run.joined")
	})
	t.Run("and what was mended a short while ago is for people", func(t *testing.T) {
		r := validated()
		r.Attempts, r.Guards.Relapse = r.Attempts[:2], time.Hour
		w := newWorld(t, r)
		bad := engine.Result{Checks: []engine.Check{{Kind: "http", Detail: "503"}}}
		w.send(firing("a"))
		w.answer(w.task(engine.TaskVerify), bad)
		w.plan()
		w.act()
		w.cure(firing("a"))
		w.pass(30 * time.Minute)
		w.send(since(firing("a"), w.now))
		w.says("alert.opened", "run.started", "verify.started", "task.issued")
		w.answer(w.task(engine.TaskVerify), bad)
		w.plan()
		w.says("task.answered", "run.ended", "run.escalated")
		w.reason("relapsed within")
	})
	t.Run("on the last rung, and asks people", func(t *testing.T) {
		r := validated()
		r.Attempts = r.Attempts[:1]
		w := newWorld(t, r)
		w.send(firing("a"))
		w.answer(w.task(engine.TaskVerify), engine.Result{Checks: []engine.Check{{Kind: "http", Detail: "503"}}})
		w.says("task.answered", "attempt.failed", "run.ended", "run.escalated")
		w.outcome(engine.Uncured)
	})
}
