package simulation

import (
	"strconv"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// activity is one delivery of a task in a worker's hands. Between any two of its
// steps the worker may crash, or sleep and go on as if nothing had happened.
type activity struct {
	w      *world
	job    *job
	task   engine.Task
	worker int
}

// then goes on with the next step.
func (a *activity) then(what string, step func()) {
	switch {
	case a.w.trouble(a.w.odds.workerCrash):
		a.w.tell("worker %d crashes before it would %s %s", a.worker, what, a.task.ID)
		a.w.stats.Crashes++
		a.job.live--
	case a.w.trouble(a.w.odds.workerSleeps):
		a.job.live--
		a.w.after(a.w.between(5*time.Second, 9*time.Minute), func() {
			a.w.tell("worker %d wakes up to %s %s", a.worker, what, a.task.ID)
			a.job.live++
			step()
		})
	default:
		a.w.after(a.w.between(time.Millisecond, 2*time.Second), step)
	}
}

func (a *activity) begin() {
	a.then("read", func() {
		switch a.task.Kind {
		case engine.TaskPlan:
			a.plan()
		case engine.TaskCheck:
			a.check()
		case engine.TaskUndo:
			a.undo()
		case engine.TaskVerify:
			a.verify(time.Time{})
		case engine.TaskExecute:
			a.execute()
		}
	})
}

// later gives the task back.
func (a *activity) later() {
	a.job.live--
	a.w.after(a.w.between(5*time.Second, 30*time.Second), func() { a.w.hand(a.job) })
}

// answer publishes the result and then acknowledges the task.
func (a *activity) answer(res engine.Result) {
	res.Task, res.Worker, res.At = a.task.ID, "w"+strconv.Itoa(a.worker), a.w.now
	a.then("answer", func() {
		a.w.deliver(engine.Input{Result: &res})
		a.then("acknowledge", func() {
			a.job.live--
			a.job.acked = true
		})
	})
}

func failure(class engine.Class) *engine.Failure {
	return &engine.Failure{Class: class, Message: "failed: " + string(class)}
}

func (a *activity) fail(class engine.Class) { a.answer(engine.Result{Failure: failure(class)}) }

func (a *activity) target() *target { return a.w.targets[canonical(a.task.Target).Name] }

func (a *activity) plan() {
	switch {
	case a.w.now.After(a.task.NotAfter):
		a.fail(engine.ClassExpired)
	case a.w.trouble(a.w.odds.refuses):
		a.fail(pick(a.w, engine.ClassRetryable, engine.ClassRetryable, engine.ClassTerminal, engine.ClassUnknown))
	default:
		p := a.target().plan(a.task.Action)
		p.Noop = a.w.trouble(0.02)
		a.answer(engine.Result{Plan: &p})
	}
}

// verify looks until the target is well for long enough, or it is too late.
func (a *activity) verify(since time.Time) {
	well := !a.target().broken
	if !well {
		since = time.Time{}
	} else if since.IsZero() {
		since = a.w.now
	}
	switch {
	case a.w.trouble(a.w.odds.refuses / 10):
		a.fail(pick(a.w, engine.ClassTerminal, engine.ClassRetryable))
	case well && a.w.now.Sub(since) >= a.task.Stable:
		a.answer(engine.Result{Verified: true, Checks: []engine.Check{{Kind: "http", OK: true}}})
	case a.w.now.After(a.task.Deadline):
		a.answer(engine.Result{Checks: []engine.Check{{Kind: "http", Detail: "503"}}})
	default:
		a.w.after(10*time.Second, func() { a.then("look", func() { a.verify(since) }) })
	}
}
