package kubernetes

import (
	"context"
	"errors"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// undoSuffix, behind the id of the task that is undone, is what an undo marks the
// object with. It is the same for every undo task of that one, so that none of
// them puts back what another already has.
const undoSuffix = "#undo"

// undoTries is how often one call tries to write an object that its controllers
// write too: they report a rollout's status a few times a second.
const undoTries = 5

// putBack makes the change that undoes a task, unless the object shows that it was
// undone: what tells which of both by the object as it is, or why neither can be.
func (c Clusters) putBack(ctx context.Context, t engine.Task, at engine.Target, what func(context.Context, *Client, *workload) (made change, back bool, err error)) error {
	client, err := c.client(at)
	if err != nil {
		return err
	}
	var conflict conflictError
	for try := 1; ; try++ {
		w, err := getWorkload(ctx, client, at.Kind, at.Namespace, at.Name)
		switch {
		case err != nil && try > 1:
			return remediators.UnknownOutcome("%w; then: %w", conflict, err)
		case err != nil:
			return err
		}
		made, back, err := what(ctx, client, w)
		if back || err != nil {
			return err
		}
		if try > undoTries {
			// What was refused stays refused, and the object does not show the mark.
			return remediators.Retryable(time.Second, "%s is written all the time: %w", w, conflict)
		}
		made.seen, made.task = preconditionOf(&w.meta), t.Undoes+undoSuffix
		err = made.send(ctx, client, w.kind, w.meta.Namespace, w.meta.Name)
		var refused bool
		if conflict, refused = errors.AsType[conflictError](err); !refused {
			return err
		}
	}
}
