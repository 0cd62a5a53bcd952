package worker

import (
	"context"
	"fmt"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// checkUndo reports an undo task that no trying mends.
func (h *handling) checkUndo() *engine.Failure {
	terminal := func(format string, args ...any) *engine.Failure {
		return &engine.Failure{Class: engine.ClassTerminal, Message: fmt.Sprintf(format, args...)}
	}
	undoer, ok := h.remediator.(remediators.Undoer)
	switch {
	case !ok:
		return terminal("what %s does cannot be put back", h.task.Action)
	case h.task.Undoes == "":
		return terminal("task %s: an undo task needs the id of the task that it undoes", h.task.ID)
	case h.task.Outcome == nil:
		return terminal("task %s: an undo task needs the outcome that it undoes", h.task.ID)
	}
	h.undoer = undoer
	return nil
}

// beginUndo takes up an undo task that nobody has made a call for.
func (h *handling) beginUndo(ctx context.Context, prior held) ending {
	if failure, err := h.gate(ctx); err != nil {
		return h.unreachable("pauses", err)
	} else if failure != nil {
		return h.settle(ctx, prior, engine.Result{Failure: failure})
	}
	mine, e := h.announce(ctx, prior, h.task.Plan)
	if e != nil {
		return *e
	}
	return h.putBack(ctx, mine)
}

// resumeUndo takes up an undo task that somebody has announced a call for. Undo
// may be called again, but not while the other call may be under way. A call of
// this worker's own has ended: it takes up each task once at a time.
func (h *handling) resumeUndo(ctx context.Context, c held) ending {
	if left := c.At.Add(h.task.Timeout).Sub(h.cfg.Now()); c.Worker != h.cfg.ID && left > 0 {
		return later("in-doubt", min(left, h.task.Timeout))
	}
	if c.Calls >= mostCalls {
		return h.settleFailure(ctx, c, engine.ClassUnknown, fmt.Sprintf("called %d times, and it never said that all was put back", c.Calls))
	}
	mine, e := h.again(ctx, c)
	if e != nil {
		return *e
	}
	return h.putBack(ctx, mine)
}

// putBack calls Undo under a claim that announces the call, and answers. Where
// that leaves open whether all was put back, the task comes again.
func (h *handling) putBack(ctx context.Context, mine held) ending {
	_, err := h.announced(ctx, mine, "Undo", func(ctx context.Context) (engine.Outcome, error) {
		return engine.Outcome{}, h.undoer.Undo(ctx, h.task, *h.task.Outcome)
	})
	if err == nil {
		return h.settle(ctx, mine, engine.Result{Outcome: &engine.Outcome{Summary: "put back: " + h.task.Outcome.Summary}})
	}
	failure := callFailure(err)
	h.log.Warn("undo failed", "class", failure.Class, "error", err, "calls", mine.Calls)
	switch {
	case mine.Calls == 1 && failure.Class != engine.ClassUnknown:
		return h.settle(ctx, mine, engine.Result{Failure: failure})
	case ctx.Err() != nil:
		return later("drain", 0)
	case failure.Class == engine.ClassTerminal, failure.Class == engine.ClassPlanChanged:
		// An earlier call did not say what became of it, so this one's word that
		// nothing was changed is only its own.
		return h.settleFailure(ctx, mine, engine.ClassUnknown, "an earlier call may have put it back in part: "+failure.Message)
	}
	return h.undecided(ctx, mine, "it is not known whether all was put back: "+failure.Message, failure.RetryAfter)
}
