package kubernetes

import (
	"context"
	"encoding/json"
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

// Undo implements [remediators.Undoer]. An outcome that was observed has no
// Before; t.Plan, the plan that was executed, then tells the same. Undo refuses,
// with the class plan-changed, where the replicas are no longer those that
// Execute wrote, or the object no longer shows that it did.
func (s *Scale) Undo(ctx context.Context, t engine.Task, o engine.Outcome) error {
	done, err := scaledBy(t, o)
	if err != nil {
		return err
	}
	client, err := s.clusters.client(done.Target)
	if err != nil {
		return err
	}
	var conflict conflictError
	for try := 1; ; try++ {
		w, err := getWorkload(ctx, client, done.Target.Kind, done.Target.Namespace, done.Target.Name)
		switch {
		case err != nil && try > 1:
			return remediators.UnknownOutcome("%w; then: %w", conflict, err)
		case err != nil:
			return err
		}
		if back, err := done.isBack(w, t.Undoes); back || err != nil {
			return err
		}
		if try > undoTries {
			// What was refused stays refused, and the object does not show the mark.
			return remediators.Retryable(time.Second, "%s is written all the time: %w", w, conflict)
		}
		c := change{seen: preconditionOf(&w.meta), task: t.Undoes + undoSuffix, spec: map[string]any{"replicas": done.From}}
		err = c.send(ctx, client, w.kind, w.meta.Namespace, w.meta.Name)
		var refused bool
		if conflict, refused = errors.AsType[conflictError](err); !refused {
			return err
		}
	}
}

// isBack reports whether an object shows that a task was undone, or why it cannot
// be.
func (s scaled) isBack(w *workload, task string) (bool, error) {
	marks := marksOf(w.meta.Annotations)
	switch {
	case w.meta.UID != s.UID:
		return false, remediators.Terminal("%s is not scaled back: it is another one of the same name", w)
	case w.meta.DeletionTimestamp != nil:
		return false, remediators.Terminal("%s is being deleted", w)
	case marks.has(task + undoSuffix):
		return true, nil
	case w.replicas == nil || *w.replicas != s.To:
		return false, remediators.PlanChanged("%s is not scaled back to %d: its replicas were changed since, from the %d that were written", w, s.From, s.To)
	case !marks.has(task):
		return false, remediators.PlanChanged("%s is not scaled back to %d: it was changed so often since that it no longer shows task %s", w, s.From, task)
	}
	return false, nil
}

// scaledBy is what was done, as the outcome or else the task's plan tells.
func scaledBy(t engine.Task, o engine.Outcome) (scaled, error) {
	var done scaled
	if t.Undoes == "" {
		return done, remediators.Terminal("undo task %s does not name the task that it undoes", t.ID)
	}
	if len(o.Before) == 0 && t.Plan != nil {
		seen, err := decodePrecondition(*t.Plan)
		if err != nil {
			return done, err
		}
		from, to, err := plannedReplicas(*t.Plan)
		return scaled{Target: t.Plan.Target, UID: seen.UID, From: from, To: to}, err
	}
	if err := json.Unmarshal(o.Before, &done); err != nil {
		return done, remediators.Terminal("undo of task %s: what was before, %q: %w", t.Undoes, o.Before, err)
	}
	if done.UID == "" || done.From < 1 {
		return done, remediators.Terminal("undo of task %s: what was before, %q, names no object or no replicas", t.Undoes, o.Before)
	}
	return done, nil
}
