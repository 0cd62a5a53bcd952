package simulation

import "github.com/tripgen/paramedic/internal/engine"

// check looks once.
func (a *activity) check() {
	t := a.target()
	switch {
	case a.w.now.After(a.task.NotAfter):
		a.fail(engine.ClassExpired)
	case a.w.trouble(a.w.odds.refuses):
		a.fail(pick(a.w, engine.ClassRetryable, engine.ClassRetryable, engine.ClassTerminal, engine.ClassUnknown))
	case a.w.trouble(a.w.odds.hangs):
		a.later()
	default:
		a.w.sees.looked(a.task, !t.unready)
		a.answer(engine.Result{Verified: !t.unready, Checks: []engine.Check{{Kind: "http", OK: !t.unready, Detail: "503"}}})
	}
}

// undo puts back what an execute task did. It may be called again, and whoever
// is in doubt does, once the announced call can no longer be under way.
func (a *activity) undo() {
	a.change(a.firstUndo, func(c *claim) {
		switch {
		case a.w.now.Sub(c.at) < a.task.Timeout:
			a.later()
		case c.calls >= mostCalls:
			a.settle(c, engine.Result{Failure: failure(engine.ClassUnknown)})
		default:
			a.again(c, a.putBack)
		}
	})
}

func (a *activity) firstUndo(prior *claim) {
	if f := a.gate(); f != nil {
		a.settle(prior, engine.Result{Failure: f})
		return
	}
	a.announce(prior, *a.task.Plan, a.putBack)
}

// putBack changes the target back, or does not, and says what it knows of that.
func (a *activity) putBack(mine *claim) {
	t := a.target()
	switch {
	case a.w.trouble(a.w.odds.refuses):
		a.undone(mine, failure(pick(a.w, engine.ClassRetryable, engine.ClassRetryable, engine.ClassTerminal)))
	case a.w.trouble(a.w.odds.hangs):
		// The request is under way when the caller gives up, and lands later.
		a.w.after(a.w.between(0, a.task.Timeout), func() { t.undo(a.task) })
		a.undone(mine, failure(engine.ClassUnknown))
	case t.undo(a.task):
		a.undone(mine, failure(engine.ClassPlanChanged))
	case a.w.trouble(a.w.odds.silent):
		a.undone(mine, failure(engine.ClassUnknown))
	default:
		a.undone(mine, nil)
	}
}

func (a *activity) undone(mine *claim, f *engine.Failure) {
	a.then("settle", func() {
		switch {
		case f == nil:
			a.settle(mine, engine.Result{Outcome: &engine.Outcome{Summary: "put back"}})
		case mine.calls == 1 && f.Class != engine.ClassUnknown:
			a.settle(mine, engine.Result{Failure: f})
		case f.Class == engine.ClassTerminal || f.Class == engine.ClassPlanChanged:
			// An earlier call may have put it back.
			a.settle(mine, engine.Result{Failure: failure(engine.ClassUnknown)})
		default:
			a.later()
		}
	})
}
