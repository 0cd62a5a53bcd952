package remediators

import (
	"context"
	"encoding/json"
	"errors"
)

// A target may accept a change at once and need minutes to make it. What it gave to
// ask for the end with, such as the resume token of a long-running operation, would
// be lost with the worker that made the call. So Execute hands it over with
// [Checkpoint] as soon as it has it, the worker keeps it beside its claim on the
// task, and whoever observes the task finds it with [CheckpointOf]: it proves that
// the call was accepted, and tells how it ended.

// ErrNotKept says that a checkpoint is not stored, or that nobody knows.
var ErrNotKept = errors.New("the checkpoint is not kept")

type keeperKey struct{}

type keptKey struct{}

// Checkpoint has kept what Observe needs to follow a change that the target has
// accepted and not yet made. It returns once that is stored. The last one counts.
//
// It is for Execute alone. An error, [ErrNotKept] where nobody listens, is no reason
// to stop: the change is under way, and only a crash would leave it in doubt.
func Checkpoint(ctx context.Context, kept json.RawMessage) error {
	keep, ok := ctx.Value(keeperKey{}).(func(json.RawMessage) error)
	if !ok {
		return ErrNotKept
	}
	return keep(kept)
}

// CheckpointOf is what the Execute that is observed last had kept; nil if it had
// nothing kept.
func CheckpointOf(ctx context.Context) json.RawMessage {
	kept, _ := ctx.Value(keptKey{}).(json.RawMessage)
	return kept
}

// WithKeeper is the context of an Execute whose checkpoints keep stores.
func WithKeeper(ctx context.Context, keep func(json.RawMessage) error) context.Context {
	return context.WithValue(ctx, keeperKey{}, keep)
}

// WithCheckpoint is the context of an Observe of a call that had kept checkpointed.
func WithCheckpoint(ctx context.Context, kept json.RawMessage) context.Context {
	return context.WithValue(ctx, keptKey{}, kept)
}
