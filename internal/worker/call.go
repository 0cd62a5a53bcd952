package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// errPanic is what a panic of a plug-in becomes. What it said is in the log
// only, since nobody knows what is in it.
var errPanic = errors.New("panicked; the worker's log has the stack")

// protect calls f and turns a panic into an error, which no remediator
// classified and which therefore counts as unknown.
func protect[T any](log *slog.Logger, what string, f func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("panic", "in", what, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("%s %w", what, errPanic)
		}
	}()
	return f()
}

// plan answers a plan task.
func (h *handling) plan(ctx context.Context) ending {
	p, failure := h.planned(ctx)
	switch {
	case failure == nil:
		return answered(engine.Result{Plan: &p})
	case ctx.Err() != nil:
		return later("drain", 0)
	}
	return failed(failure)
}

// planned calls Plan. Its failures promise that nothing was changed.
func (h *handling) planned(ctx context.Context) (engine.Plan, *engine.Failure) {
	ctx, cancel := context.WithTimeout(ctx, h.task.Timeout)
	defer cancel()
	p, err := protect(h.log, h.task.Action+" Plan", func() (engine.Plan, error) {
		return h.remediator.Plan(ctx, h.task)
	})
	if err == nil {
		err = p.Target.Validate()
	}
	if err != nil {
		return engine.Plan{}, readFailure(err)
	}
	return p, nil
}

// verify answers a verify task. It ends with ctx, without an answer.
func (h *handling) verify(ctx context.Context) ending {
	// The verifier keeps to the deadline by itself; the last probe may have
	// begun right before it.
	return h.ask(ctx, h.task.Deadline.Sub(h.cfg.Now())+h.task.Timeout, h.cfg.Verifier.Verify)
}

// lookOnce answers a check task.
func (h *handling) lookOnce(ctx context.Context) ending {
	return h.ask(ctx, h.task.Timeout, h.cfg.Verifier.Check)
}

// ask answers with what the verifier finds out.
func (h *handling) ask(ctx context.Context, within time.Duration, ask func(context.Context, engine.Task) (bool, []engine.Check, error)) ending {
	bounded, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	r, err := protect(h.log, "verifier", func() (engine.Result, error) {
		ok, checks, err := ask(bounded, h.task)
		for i := range checks {
			checks[i].Detail = clip(checks[i].Detail)
		}
		return engine.Result{Verified: ok, Checks: checks}, err
	})
	switch {
	case err == nil:
		return answered(r)
	case ctx.Err() != nil:
		return later("drain", 0)
	}
	f := failed(readFailure(err))
	f.result.Checks = r.Checks
	return f
}

// readFailure is the failure of a call that only reads: an error that nobody
// classified is worth another try, and a panic is not.
func readFailure(err error) *engine.Failure {
	f := remediators.Failure(err)
	f.Message = clip(f.Message)
	switch {
	case errors.Is(err, errPanic):
		f.Class = engine.ClassTerminal
	case !promisesNoChange(f.Class):
		f.Class = engine.ClassRetryable
	}
	return f
}

// promisesNoChange names the classes by which a remediator says that its call
// changed nothing. The others are not a remediator's to say, or say nothing.
func promisesNoChange(c engine.Class) bool {
	return c == engine.ClassRetryable || c == engine.ClassTerminal || c == engine.ClassPlanChanged
}

// call calls Execute once, as c announces it. What the call has kept is in the
// claim, and in c, when it returns.
func (h *handling) call(ctx context.Context, c *held) (engine.Outcome, error) {
	return h.announced(ctx, *c, "Execute", func(bounded context.Context) (engine.Outcome, error) {
		bounded = remediators.WithKeeper(bounded, func(kept json.RawMessage) error { return h.keep(ctx, c, kept) })
		return h.remediator.Execute(bounded, h.task, *c.Plan)
	})
}

// keep stores a checkpoint in the claim. Whoever has lost the claim keeps nothing:
// another one answers for the call by now.
func (h *handling) keep(ctx context.Context, c *held, kept json.RawMessage) error {
	h.cfg.Hook(KeepBefore)
	mine, won, err := h.write(ctx, *c, claim{State: started, Calls: c.Calls, Plan: c.Plan, Kept: kept})
	if err != nil || !won {
		h.log.Warn("a checkpoint is not kept: if this worker dies, what becomes of the call may stay unknown", "won", won, "error", err)
		return errors.Join(remediators.ErrNotKept, err)
	}
	*c = mine
	h.cfg.Hook(KeepAfter)
	return nil
}

// announced makes a call that c announces. It ends by the time by which others
// take the call to have ended: a timeout after the announcement.
func (h *handling) announced(ctx context.Context, c held, name string, f func(context.Context) (engine.Outcome, error)) (engine.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, c.At.Add(h.task.Timeout).Sub(h.cfg.Now()))
	defer cancel()
	h.cfg.Hook(CallBefore)
	o, err := protect(h.log, h.task.Action+" "+name, func() (engine.Outcome, error) { return f(ctx) })
	h.cfg.Hook(CallAfter)
	return o, err
}

// observe calls Observe once, of the call that c announces.
func (h *handling) observe(ctx context.Context, c held) (engine.Effect, error) {
	ctx, cancel := context.WithTimeout(ctx, h.task.Timeout)
	defer cancel()
	if c.Kept != nil {
		ctx = remediators.WithCheckpoint(ctx, c.Kept)
	}
	effect, err := protect(h.log, h.task.Action+" Observe", func() (engine.Effect, error) {
		return h.remediator.Observe(ctx, h.task, *c.Plan)
	})
	label := string(effect)
	switch {
	case err != nil:
		label = "error"
	case effect != engine.Applied && effect != engine.NotApplied:
		effect, label = engine.Unknown, string(engine.Unknown)
	}
	h.metrics.observed.WithLabelValues(h.task.Action, label).Inc()
	return effect, err
}

// fenced says that the target refuses the second of two calls with p.
func (h *handling) fenced(p engine.Plan) bool {
	return h.remediator.Spec().Fenced && len(p.Precondition) > 0
}

// repeatable says whether a call with p that is not seen to be applied may be
// made again, although the first may still be on its way.
func (h *handling) repeatable(p engine.Plan) bool {
	return h.fenced(p) || remediators.Idempotent(h.remediator, h.task)
}
