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

// execute follows the claim protocol: the claim decides whether there was a call.
func (a *activity) execute() {
	switch c := a.w.readClaim(a.task.ID); {
	case c == nil || c.state == released:
		a.first(c)
	case c.state == done:
		a.answer(c.result)
	default:
		a.doubt(c, nil)
	}
}

// gate is what may forbid a call right now.
func (a *activity) gate() *engine.Failure {
	if a.w.now.After(a.task.NotAfter) {
		return failure(engine.ClassExpired)
	}
	for _, scope := range engine.Scopes(a.task.Rule, a.task.Target) {
		if a.w.pauses[scope] {
			return failure(engine.ClassPaused)
		}
	}
	return nil
}

func (a *activity) first(prior *claim) {
	fresh := a.target().plan(a.task.Action)
	switch f := a.gate(); {
	case f != nil:
		a.settle(prior, engine.Result{Failure: f})
		return
	case fresh.Digest() != a.task.Plan.Digest():
		a.settle(prior, engine.Result{Failure: failure(engine.ClassPlanChanged)})
		return
	}
	a.then("claim", func() {
		mine, won := a.w.writeClaim(a.task.ID, prior, claim{state: started, calls: 1, plan: fresh})
		if !won {
			a.job.live-- // it is another's
			return
		}
		a.then("look at the kill switch for", func() {
			switch f := a.gate(); {
			case f != nil:
				a.settle(mine, engine.Result{Failure: f})
			case a.w.now.Sub(mine.at) > a.task.Timeout/2:
				a.release(mine)
			default:
				a.then("call", func() { a.call(mine) })
			}
		})
	})
}

func (a *activity) release(mine *claim) {
	if _, won := a.w.writeClaim(a.task.ID, mine, claim{state: released}); won {
		a.later()
	} else {
		a.job.live--
	}
}

// call changes the target, or does not, and says what it knows of that.
func (a *activity) call(mine *claim) {
	t := a.target()
	switch {
	case a.w.trouble(a.w.odds.refuses):
		a.called(mine, failure(pick(a.w, engine.ClassRetryable, engine.ClassRetryable, engine.ClassTerminal)))
	case a.w.trouble(a.w.odds.hangs):
		// The request is under way when the caller gives up, and lands later.
		a.w.after(a.w.between(0, a.task.Timeout), func() { t.apply(a.task, mine.plan) })
		a.called(mine, failure(engine.ClassUnknown))
	case t.apply(a.task, mine.plan):
		a.called(mine, failure(engine.ClassPlanChanged))
	case a.w.trouble(a.w.odds.silent):
		a.called(mine, failure(engine.ClassUnknown))
	default:
		a.called(mine, nil)
	}
}

func (a *activity) called(mine *claim, f *engine.Failure) {
	a.then("settle", func() {
		switch {
		case f == nil:
			a.settle(mine, engine.Result{Outcome: &engine.Outcome{Summary: "done"}})
		case mine.calls == 1 && f.Class != engine.ClassUnknown:
			a.settle(mine, engine.Result{Failure: f})
		default:
			a.doubt(mine, f)
		}
	})
}

// doubt finds out about a call whose outcome nobody saw. Cause is how the call
// that this worker has just made failed, nil if it was another's.
func (a *activity) doubt(c *claim, cause *engine.Failure) {
	fenced := a.task.Action == restart
	switch {
	case fenced && a.target().applied[a.task.ID]:
		a.settle(c, engine.Result{Outcome: &engine.Outcome{Summary: "done"}, Observed: true})
	case !fenced && cause != nil:
		a.settle(c, engine.Result{Failure: failure(engine.ClassUnknown)})
	case !fenced:
		a.unknown(c)
	case cause != nil && cause.Class == engine.ClassPlanChanged:
		a.settle(c, engine.Result{Failure: cause})
	case cause != nil && cause.Class == engine.ClassRetryable:
		a.later()
	case cause != nil && cause.Class != engine.ClassUnknown:
		a.settle(c, engine.Result{Failure: failure(engine.ClassUnknown)})
	case c.calls >= 4:
		a.unknown(c)
	default:
		a.again(c)
	}
}

// again calls with the same plan: of the two calls the target takes one at most.
func (a *activity) again(c *claim) {
	if f := a.gate(); f != nil {
		if f.Class == engine.ClassExpired {
			a.unknown(c)
		} else {
			a.later()
		}
		return
	}
	a.then("claim again", func() {
		if mine, won := a.w.writeClaim(a.task.ID, c, claim{state: started, calls: c.calls + 1, plan: c.plan}); won {
			a.then("call again", func() { a.call(mine) })
		} else {
			a.job.live--
		}
	})
}

// unknown says so once the announced call can no longer be under way.
func (a *activity) unknown(c *claim) {
	if a.w.now.Sub(c.at) < a.task.Timeout {
		a.later()
		return
	}
	a.settle(c, engine.Result{Failure: failure(engine.ClassUnknown)})
}

// settle writes down how the task ended before anybody is told.
func (a *activity) settle(prior *claim, res engine.Result) {
	if _, won := a.w.writeClaim(a.task.ID, prior, claim{state: done, result: res}); !won {
		a.job.live--
		return
	}
	a.answer(res)
}
