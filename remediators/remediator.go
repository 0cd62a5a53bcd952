// Package remediators holds the interface that every action implements, the
// errors by which it says what may be done next, and the registry that workers
// and the rule language look actions up in.
//
// A remediator is one action on one kind of target. It is safe for concurrent
// use. Package remediatortest is the suite that every one of them passes.
package remediators

import (
	"context"
	"encoding/json"

	"github.com/tripgen/paramedic/internal/engine"
)

// Remediator is one action on one kind of target.
type Remediator interface {
	Spec() Spec
	// Plan works out what Execute would change, and changes nothing. It makes
	// the target canonical. A target that does not exist, or resolves to
	// nothing, is a terminal error.
	Plan(ctx context.Context, t engine.Task) (engine.Plan, error)
	// Execute makes the change that p describes, at most once per t.ID. Where
	// the target can refuse a change of something else than p saw (by a
	// resourceVersion, an ETag) it hands over p.Precondition. An error is of
	// one of this package's types; any other error counts as unknown.
	//
	// It returns when the target has made the change, not when it has accepted it.
	// In between it has kept, by Checkpoint, what Observe can follow it with.
	Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error)
	// Observe finds out, by reading only, whether an Execute of t.ID with p has
	// changed the target. It says Unknown rather than guess. CheckpointOf is what
	// that Execute had kept; while the target is still making the change, Observe
	// waits for it, and when ctx ends it returns a retryable error.
	Observe(ctx context.Context, t engine.Task, p engine.Plan) (engine.Effect, error)
}

// Undoer is implemented by a remediator whose effect can be put back.
type Undoer interface {
	// Undo puts back what o says was before, and only if the target is still as
	// the Execute of t.Undoes left it. It is safe to call again with the same t:
	// once put back, it says so and changes nothing. Where nothing fences the
	// target (see Spec.Fenced) it goes by what it reads right before: it does not
	// see a change that comes in between, nor one that was made anew and is the same.
	Undo(ctx context.Context, t engine.Task, o engine.Outcome) error
}

// Spec describes a remediator: what it is called, what it takes, and what it
// can promise after a crash.
type Spec struct {
	// Name is as written in a rule: kubernetes.restart.
	Name string
	// System is the engine.Target.System that it works on.
	System string
	// Summary is one sentence for the documentation.
	Summary string
	// Params is a JSON Schema (draft 2020-12) of the parameters: an object that
	// allows no others.
	Params json.RawMessage
	// Fenced says that the target itself refuses an Execute whose precondition
	// is older than the last change, so that one found not applied may be
	// executed again.
	Fenced bool
	// Health says that Plan fills in engine.Plan.Health.
	Health bool
	// Idempotent says that executing twice is the same as once.
	Idempotent bool
}
