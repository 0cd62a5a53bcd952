package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

const (
	// mostCalls bounds the calls of one task, over all its workers: one that
	// kills its worker each time ends with a person.
	mostCalls = 4
	// resolveWithin is how long beyond a call's timeout a worker tries to find
	// out what became of it before it asks a person.
	resolveWithin = 5 * time.Minute
)

// resume takes up a task that somebody has announced a call for: another worker,
// or this one before a crash.
func (h *handling) resume(ctx context.Context, c held) ending {
	mine, e := h.doubt(ctx, c, nil)
	if e != nil {
		return *e
	}
	return h.attempt(ctx, mine)
}

// doubt deals with a task of which an earlier call may have changed the target
// or may yet. It ends with an answer, or a later delivery, or, where another
// call does no harm, with the claim that announces it.
//
// The other call is made with the claim's plan and never with a fresh one. With
// the old precondition the target accepts the earlier call or this one, and
// refuses the other; with a fresh precondition it could accept this one first
// and, had the earlier one changed something in between, never notice. For the
// same reason an error of a later call does not say that nothing was changed.
//
// Cause is the failure of the call that this worker has just made, nil if the
// call was another's.
func (h *handling) doubt(ctx context.Context, c held, cause *engine.Failure) (held, *ending) {
	effect, err := h.observe(ctx, c)
	switch {
	case err != nil && ctx.Err() != nil:
		return held{}, new(later("drain", 0))
	case err != nil:
		return held{}, new(h.undecided(ctx, c, "it could not be observed: "+err.Error(), 0))
	case effect == engine.Applied:
		o := engine.Outcome{Summary: c.Plan.Summary}
		return held{}, new(h.settle(ctx, c, engine.Result{Outcome: &o, Observed: true}))
	case effect == engine.Unknown && !h.fenced(*c.Plan) && h.repeatable(*c.Plan):
		// Whether it is applied matters not: it is so after the next call.
	case effect == engine.Unknown && cause != nil:
		return held{}, new(h.settleFailure(ctx, c, engine.ClassUnknown, "the call may have changed the target: "+cause.Message))
	case effect == engine.Unknown:
		return held{}, new(h.unknown(ctx, c, "a worker called it and did not say what became of it; the target does not tell either"))
	}
	if e := h.unapplied(ctx, c, cause); e != nil {
		return held{}, e
	}
	return h.again(ctx, c)
}

// unapplied decides about a task whose call is not seen to be applied: nil if
// it may be called again.
func (h *handling) unapplied(ctx context.Context, c held, cause *engine.Failure) *ending {
	if cause != nil {
		switch {
		case cause.Class == engine.ClassPlanChanged && h.fenced(*c.Plan):
			// The fence has moved on, so the earlier calls will be refused too.
			return new(h.settle(ctx, c, engine.Result{Failure: cause}))
		case cause.Class == engine.ClassRetryable:
			return new(h.undecided(ctx, c, "it could not be called again: "+cause.Message, cause.RetryAfter))
		case cause.Class != engine.ClassUnknown:
			return new(h.settleFailure(ctx, c, engine.ClassUnknown, "an earlier call may yet change the target: "+cause.Message))
		}
	}
	switch {
	case !h.repeatable(*c.Plan):
		return new(h.unknown(ctx, c, "the call is not seen to be applied, but may still be on its way"))
	case c.Calls >= mostCalls:
		return new(h.unknown(ctx, c, fmt.Sprintf("called %d times, and not seen to be applied", c.Calls)))
	}
	return nil
}

// again announces another call with the same plan.
func (h *handling) again(ctx context.Context, c held) (held, *ending) {
	if e := h.shut(ctx, c); e != nil {
		return held{}, e
	}
	mine, won, err := h.write(ctx, c, claim{State: started, Calls: c.Calls + 1, Plan: c.Plan, Kept: c.Kept})
	if e := h.notOurs(won, err, mine); e != nil {
		return held{}, e
	}
	// As for a first call, a pause may have come in between.
	if e := h.shut(ctx, mine); e != nil {
		return held{}, e
	}
	if h.stale(mine) {
		return held{}, new(later("stale", 0))
	}
	h.log.Info("calling again", "calls", mine.Calls)
	return mine, nil
}

// shut is gate for a call after the first. What is forbidden now may have
// happened before, so neither paused nor expired can be answered.
func (h *handling) shut(ctx context.Context, c held) *ending {
	failure, err := h.gate(ctx)
	switch {
	case ctx.Err() != nil:
		return new(later("drain", 0))
	case err != nil:
		return new(h.undecided(ctx, c, err.Error(), 0))
	case failure == nil:
		return nil
	case failure.Class == engine.ClassExpired:
		return new(h.unknown(ctx, c, "the call is not seen to be applied, and it is too late to call again"))
	default:
		return new(h.undecided(ctx, c, failure.Message, 0))
	}
}

// unknown answers so once the announced call can no longer be under way. Until
// then whoever made it may yet say, or its effect show.
func (h *handling) unknown(ctx context.Context, c held, why string) ending {
	if left := c.At.Add(h.task.Timeout).Sub(h.cfg.Now()); left > 0 {
		// Another machine's clock wrote At, maybe ahead of ours.
		return later("in-doubt", min(left, h.task.Timeout))
	}
	return h.settleFailure(ctx, c, engine.ClassUnknown, why)
}

// undecided comes back to the task later, and asks a person once it has been
// for too long. A delay of 0 leaves it to the backoff.
func (h *handling) undecided(ctx context.Context, c held, why string, delay time.Duration) ending {
	if h.cfg.Now().Sub(c.Since) > h.task.Timeout+resolveWithin {
		return h.settleFailure(ctx, c, engine.ClassUnknown, why)
	}
	if delay <= 0 {
		delay = h.backoff(h.job.Deliveries())
	}
	e := later("in-doubt", min(delay, resolveWithin))
	e.err = fmt.Errorf("in doubt: %s", why)
	return e
}
