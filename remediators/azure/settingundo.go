package azure

import (
	"context"
	"errors"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Observe implements [remediators.Remediator].
func (s setter) Observe(ctx context.Context, t engine.Task, p engine.Plan) (engine.Effect, error) {
	at, target, in, err := s.found(p.Target, p.Precondition)
	if err != nil {
		return engine.Unknown, err
	}
	if checkpoint := remediators.CheckpointOf(ctx); checkpoint != nil {
		effect, err := at.resumed(ctx, target.String(), checkpoint)
		if err != nil || effect == engine.Applied {
			return effect, err
		}
	}
	if in.From.ETag == "" {
		// That it is as it should be says nothing: others can want the same.
		return at.activity(ctx, t.ID), nil
	}
	return at.shownBy(ctx, target, in.From, t.ID)
}

// shownBy reads from a setting's marks whether a task has changed it, and waits while
// Azure is still at it.
func (a *Account) shownBy(ctx context.Context, target setting, from state, task string) (engine.Effect, error) {
	for {
		now, err := target.read(ctx)
		switch {
		case errors.Is(err, errNotFound):
			return engine.Unknown, nil // gone, and with it the answer
		case err != nil:
			return engine.Unknown, err
		case !now.Marks.has(task) && now.ETag == from.ETag:
			return engine.NotApplied, nil
		case !now.Marks.has(task), now.failed != "":
			return engine.Unknown, nil
		case now.busy == "":
			return engine.Applied, nil
		}
		if !pause(ctx, a.poll) {
			return engine.Unknown, remediators.Retryable(0, "azure: %s: Azure is at it: %s", target, now.busy)
		}
	}
}

// pause returns after d, or false as soon as ctx ends.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// undoSuffix, behind the id of the task that is undone, is what an undo marks a
// resource with: the same for every undo task of that one.
const undoSuffix = "#undo"

// undoTries is how often one call tries to write what others write too.
const undoTries = 5

// Undo implements [remediators.Undoer]. It refuses, with the class plan-changed, where
// the target is no longer as Execute left it. An outcome that was observed has no
// Before; t.Plan then tells the same.
func (s setter) Undo(ctx context.Context, t engine.Task, o engine.Outcome) error {
	before := o.Before
	if len(before) == 0 && t.Plan != nil {
		before = t.Plan.Precondition
	}
	at, target, in, err := s.found(t.Target, before)
	if err != nil {
		return err
	}
	if t.Undoes == "" {
		return remediators.Terminal("undo task %s does not name the task that it undoes", t.ID)
	}
	var refused error
	for try := 1; ; try++ {
		now, err := target.read(ctx)
		switch {
		case err != nil && refused != nil:
			return remediators.UnknownOutcome("%w; then: %w", refused, err)
		case err != nil:
			return err
		}
		if back, err := in.isBack(target, now, t.Undoes); back || err != nil {
			return err
		}
		if try > undoTries {
			return remediators.Retryable(time.Second, "azure: %s is written all the time: %w", target, refused)
		}
		refused = at.set(ctx, target, now, in.From.Value, t.Undoes+undoSuffix)
		if refused == nil || !errors.Is(refused, errStale) {
			return refused
		}
	}
}

// isBack reports whether a setting shows that a task was undone, or why it cannot be.
func (in intent) isBack(target setting, now state, task string) (bool, error) {
	fenced, done := now.ETag != "", now.Marks.has(task+undoSuffix)
	switch {
	case now.busy != "":
		return false, remediators.Retryable(0, "azure: %s: Azure is at it: %s", target, now.busy)
	case fenced && done, !fenced && now.is(in.From.Value, in.From.Rest):
		return true, nil
	case !now.is(in.To, in.From.Rest):
		return false, remediators.PlanChanged("azure: %s is not put back: it was changed since, to %s", target, now.Value)
	case fenced && !now.Marks.has(task):
		return false, remediators.PlanChanged("azure: %s is not put back: it was changed so often since that it no longer shows task %s", target, task)
	}
	return false, nil
}
