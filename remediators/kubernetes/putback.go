package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// undoSuffix, behind the id of the task that is undone, is what an undo marks the
// object with. It is the same for every undo task of that one, so that none of
// them puts back what another already has.
const undoSuffix = "#undo"

// writeTries is how often one call tries to write an object that its controllers
// write too: they report a rollout's status a few times a second.
const writeTries = 5

// beforeOf is what an undo task goes by. An outcome that was observed has no Before; the
// plan that was executed then tells the same, where its precondition is of that form.
func beforeOf(t engine.Task, o engine.Outcome) (json.RawMessage, error) {
	switch {
	case t.Undoes == "":
		return nil, remediators.Terminal("undo task %s does not name the task that it undoes", t.ID)
	case len(o.Before) == 0 && t.Plan != nil:
		return t.Plan.Precondition, nil
	}
	return o.Before, nil
}

// isBack reports whether an object shows that a task was undone, or why it cannot be.
// Not says so of the object, and changed, empty if it stands as the task has left it, why.
func isBack(m *metav1.ObjectMeta, uid types.UID, task, not, changed string) (bool, error) {
	marks := marksOf(m.Annotations)
	switch {
	case m.UID != uid:
		return false, remediators.Terminal("%s: it is another one of the same name", not)
	case m.DeletionTimestamp != nil:
		return false, remediators.Terminal("%s: it is being deleted", not)
	case marks.has(task + undoSuffix):
		return true, nil
	case changed != "":
		return false, remediators.PlanChanged("%s: %s", not, changed)
	case !marks.has(task):
		return false, remediators.PlanChanged("%s: it was changed so often since that it no longer shows task %s", not, task)
	}
	return false, nil
}

// putBack makes the change that undoes a task of a workload, unless that shows that
// it was undone: what tells which of both by the object as it is, or why neither can
// be.
func (c Clusters) putBack(ctx context.Context, t engine.Task, at engine.Target, what func(context.Context, *Client, *workload) (made change, back bool, err error)) error {
	return c.putBackObject(ctx, t, at, func(ctx context.Context, client *Client) (change, bool, error) {
		w, err := getWorkload(ctx, client, at.Kind, at.Namespace, at.Name)
		if err != nil {
			return change{}, false, err
		}
		made, back, err := what(ctx, client, w)
		made.seen = preconditionOf(&w.meta)
		return made, back, err
	})
}

// putBackObject makes the change that undoes a task: what reads the object, and
// tells the change with the precondition of that read, or that it is back already.
func (c Clusters) putBackObject(ctx context.Context, t engine.Task, at engine.Target, what func(context.Context, *Client) (made change, back bool, err error)) error {
	return c.writeObject(ctx, t.Undoes+undoSuffix, at, what)
}

// writeObject makes a change that is worked out of the object as it is, marked with
// task, and again where the object was written since it was read: what reads it, and
// tells the change with the precondition of that read, or that there is none to make.
func (c Clusters) writeObject(ctx context.Context, task string, at engine.Target, what func(context.Context, *Client) (made change, done bool, err error)) error {
	client, err := c.client(at)
	if err != nil {
		return err
	}
	var conflict conflictError
	for try := 1; ; try++ {
		made, done, err := what(ctx, client)
		switch {
		case err != nil && try > 1 && (status(err) != 0 || remediators.ClassOf(err) == engine.ClassRetryable):
			return remediators.UnknownOutcome("%w; then: %w", conflict, err)
		case done || err != nil:
			return err
		case try > writeTries:
			// What was refused stays refused, and the object does not show the mark.
			return remediators.Retryable(time.Second, "%s is written all the time: %w", at, conflict)
		}
		made.task = task
		err = made.send(ctx, client, at.Kind, at.Namespace, at.Name)
		var refused bool
		if conflict, refused = errors.AsType[conflictError](err); !refused {
			return err
		}
	}
}
