package kubernetes

import (
	"context"
	"encoding/json"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Undo implements [remediators.Undoer]. An outcome that was observed has no
// Before; t.Plan, the plan that was executed, then tells the same. Undo refuses,
// with the class plan-changed, where the replicas are no longer those that
// Execute wrote, or the object no longer shows that it did.
func (s *Scale) Undo(ctx context.Context, t engine.Task, o engine.Outcome) error {
	done, err := scaledBy(t, o)
	if err != nil {
		return err
	}
	return s.clusters.putBack(ctx, t, done.Target, func(_ context.Context, _ *Client, w *workload) (change, bool, error) {
		back, err := done.isBack(w, t.Undoes)
		return change{spec: map[string]any{"replicas": done.From}}, back, err
	})
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
