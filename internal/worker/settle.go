package worker

import (
	"context"

	"github.com/tripgen/paramedic/internal/engine"
)

// settle writes how the task ended over prior, and answers with it. Should
// somebody else have settled it, theirs is the answer.
func (h *handling) settle(ctx context.Context, prior held, r engine.Result) ending {
	r.Task, r.Worker, r.At = h.task.ID, h.cfg.ID, h.cfg.Now()
	mine, won, err := h.write(ctx, prior, claim{State: done, Calls: prior.Calls, Plan: prior.Plan, Result: &r})
	if e := h.notOurs(won, err, mine); e != nil {
		if prior.State == started {
			h.log.Warn("what became of a call could not be written to its claim", "class", classLabel(h.task.Kind, r))
		}
		return *e
	}
	return answered(r)
}

func (h *handling) settleFailure(ctx context.Context, prior held, class engine.Class, message string) ending {
	return h.settle(ctx, prior, engine.Result{Failure: &engine.Failure{Class: class, Message: clip(message)}})
}

// write is writeClaim, for as long as patience lasts.
func (h *handling) write(ctx context.Context, prior held, next claim) (held, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return h.writeClaim(ctx, h.task.ID, prior, next)
}

// notOurs is the ending of a write that did not win: nil if it did.
func (h *handling) notOurs(won bool, err error, stored held) *ending {
	var e ending
	switch {
	case won:
		return nil
	case err != nil:
		e = h.unreachable("claims", err)
	case stored.broken == nil && stored.State == done:
		// Publishing it once more does no harm, and helps if its worker died.
		e = answered(*stored.Result)
	default:
		e = left()
	}
	return &e
}

// unreachable is the ending of a delivery that needs the bus and cannot reach
// it: the task comes again, and nothing was done.
func (h *handling) unreachable(reason string, err error) ending {
	e := later(reason, h.backoff(h.job.Deliveries()))
	e.err = err
	return e
}
