package simulation

import "github.com/tripgen/paramedic/internal/engine"

// mostCalls is how often a worker calls for one task.
const mostCalls = 4

// change follows the claim protocol: the claim decides whether there was a call.
// Begin takes up a task that nobody made a call for, resume one that somebody
// has announced a call for.
func (a *activity) change(begin, resume func(*claim)) {
	switch c := a.w.readClaim(a.task.ID); {
	case c == nil || c.state == released:
		begin(c)
	case c.state == done:
		a.answer(c.result)
	default:
		resume(c)
	}
}

func (a *activity) execute() {
	a.change(a.first, func(c *claim) { a.doubt(c, nil) })
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
	a.w.sees.lateInWindow(a.task)
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
	a.announce(prior, fresh, a.call)
}

// announce claims the task for its first call, which is made at once.
func (a *activity) announce(prior *claim, p engine.Plan, call func(*claim)) {
	a.then("claim", func() {
		mine, won := a.w.writeClaim(a.task.ID, prior, claim{state: started, calls: 1, plan: p})
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
				a.then("call", func() { call(mine) })
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
			a.settle(mine, engine.Result{Outcome: a.target().outcome(a.task.ID)})
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
	fenced := fenced(a.task.Action)
	switch {
	case fenced && a.target().applied[a.task.ID] != nil:
		a.settle(c, engine.Result{Outcome: a.target().outcome(a.task.ID), Observed: true})
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
	case c.calls >= mostCalls:
		a.unknown(c)
	default:
		a.again(c, a.call)
	}
}

// again calls with the same plan: of the two calls the target takes one at most.
func (a *activity) again(c *claim, call func(*claim)) {
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
			a.then("call again", func() { call(mine) })
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
