package worker

import (
	"context"
	"fmt"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// change answers a task that may change its target, by its claim if there is
// one: begin takes up one that nobody has made a call for, resume one that
// somebody has announced a call for. Invalid is why this worker cannot do it.
func (h *handling) change(ctx context.Context, invalid *engine.Failure, begin, resume func(context.Context, held) ending) ending {
	prior, err := h.readClaim(ctx, h.task.ID)
	switch {
	case err != nil:
		return h.unreachable("claims", err)
	case prior.broken != nil:
		return h.settleFailure(ctx, prior, engine.ClassUnknown, "the claim of this task cannot be read, so it may have been executed: "+prior.broken.Error())
	case prior.State == done:
		return answered(*prior.Result)
	case prior.State == started && invalid != nil:
		// Whoever claimed it was able to do it.
		return later("not-ours", h.backoff(h.job.Deliveries()))
	case prior.State == started:
		return resume(ctx, prior)
	case invalid != nil:
		return h.settle(ctx, prior, engine.Result{Failure: invalid})
	default:
		return begin(ctx, prior)
	}
}

// begin takes up a task that nobody has called the remediator for.
func (h *handling) begin(ctx context.Context, prior held) ending {
	if failure, err := h.gate(ctx); err != nil {
		return h.unreachable("pauses", err)
	} else if failure != nil {
		return h.settle(ctx, prior, engine.Result{Failure: failure})
	}

	fresh, failure := h.planned(ctx)
	switch {
	case failure != nil && ctx.Err() != nil:
		return later("drain", 0)
	case failure != nil:
		return h.settle(ctx, prior, engine.Result{Failure: failure})
	case fresh.Digest() != h.task.Plan.Digest():
		return h.settleFailure(ctx, prior, engine.ClassPlanChanged,
			fmt.Sprintf("allowed was %q, but now it would be %q", h.task.Plan.Summary, fresh.Summary))
	case fresh.Noop:
		return h.settle(ctx, prior, engine.Result{Outcome: &engine.Outcome{Summary: fresh.Summary}})
	}

	mine, e := h.announce(ctx, prior, &fresh)
	if e != nil {
		return *e
	}
	return h.attempt(ctx, mine)
}

// announce claims the task for its first call, which is to be made at once.
func (h *handling) announce(ctx context.Context, prior held, p *engine.Plan) (held, *ending) {
	mine, won, err := h.write(ctx, prior, claim{State: started, Calls: 1, Plan: p})
	if e := h.notOurs(won, err, mine); e != nil {
		return held{}, e
	}
	// A pause may have come between the first look and the claim. From here on
	// nobody else calls, so what is decided now stays decided.
	failure, err := h.gate(ctx)
	switch {
	case failure != nil:
		return held{}, new(h.settle(ctx, mine, engine.Result{Failure: failure}))
	case err != nil:
		return held{}, new(h.release(ctx, mine, h.unreachable("pauses", err)))
	case ctx.Err() != nil:
		return held{}, new(h.release(ctx, mine, later("drain", 0)))
	case h.stale(mine):
		return held{}, new(h.release(ctx, mine, later("stale", 0)))
	}
	return mine, nil
}

// release says in the claim that the announced call was not made.
func (h *handling) release(ctx context.Context, mine held, e ending) ending {
	stored, won, err := h.write(ctx, mine, claim{State: released})
	if lost := h.notOurs(won, err, stored); lost != nil {
		return *lost
	}
	return e
}

// stale says that so much time has passed since the announcement, as when the
// process was stopped, that others may soon take the call to have ended.
func (h *handling) stale(c held) bool { return h.cfg.Now().Sub(c.At) > h.task.Timeout/2 }

// gate asks what may forbid a call right now: the time, and the kill switch.
// An error means that the kill switch cannot be read, and nothing may be called.
func (h *handling) gate(ctx context.Context) (*engine.Failure, error) {
	if h.expired() {
		return h.expiry(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, busTimeout)
	defer cancel()
	paused, err := h.cfg.Pauses.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("kill switch: %w", err)
	}
	for _, scope := range engine.Scopes(h.task.Rule, h.task.Target) {
		if _, yes := paused[scope]; yes {
			return &engine.Failure{Class: engine.ClassPaused, Message: "paused: " + scope}, nil
		}
	}
	return nil, nil
}

// attempt calls the remediator under a claim that announces the call, again
// where that is allowed, and answers.
func (h *handling) attempt(ctx context.Context, mine held) ending {
	for {
		outcome, err := h.call(ctx, &mine)
		if err == nil {
			return h.settle(ctx, mine, engine.Result{Outcome: &outcome})
		}
		failure := callFailure(err)
		h.log.Warn("call failed", "class", failure.Class, "error", err, "calls", mine.Calls)
		switch {
		case mine.Calls == 1 && failure.Class != engine.ClassUnknown:
			return h.settle(ctx, mine, engine.Result{Failure: failure})
		case ctx.Err() != nil:
			return later("drain", 0)
		}
		next, e := h.doubt(ctx, mine, failure)
		if e != nil {
			return *e
		}
		mine = next
	}
}

// callFailure is the failure of an Execute. Only the classes by which a
// remediator promises that nothing was changed are believed; all else is
// unknown.
func callFailure(err error) *engine.Failure {
	f := remediators.Failure(err)
	f.Message = clip(f.Message)
	if !promisesNoChange(f.Class) {
		f.Class = engine.ClassUnknown
	}
	return f
}
