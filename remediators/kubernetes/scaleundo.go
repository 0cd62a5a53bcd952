package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// undoSuffix keeps an undo's mark apart from that of the task that it undoes,
// should both come under one id.
const undoSuffix = "#undo"

// Undo implements [remediators.Undoer]. An outcome that was observed has no
// Before; t.Plan, the plan that was executed, then tells the same. Undo refuses, with the class plan-changed,
// where the replicas are no longer those that Execute wrote.
func (s *Scale) Undo(ctx context.Context, t engine.Task, o engine.Outcome) error {
	done, err := scaledBy(t, o)
	if err != nil {
		return err
	}
	client, err := s.clusters.client(done.Target)
	if err != nil {
		return err
	}
	w, err := getWorkload(ctx, client, done.Target.Kind, done.Target.Namespace, done.Target.Name)
	if err != nil {
		return err
	}
	mark := t.ID + undoSuffix
	seen := preconditionOf(&w.meta)
	switch {
	case w.meta.UID != done.UID:
		return remediators.Terminal("%s is not scaled back: it is another one of the same name", w)
	case w.meta.DeletionTimestamp != nil:
		return remediators.Terminal("%s is being deleted", w)
	case seen.Tasks.has(mark):
		return nil
	case w.replicas == nil || *w.replicas != done.To:
		return remediators.PlanChanged("%s is not scaled back to %d: its replicas were changed since, from the %d that were written", w, done.From, done.To)
	}
	c := change{seen: seen, task: mark, spec: map[string]any{"replicas": done.From}}
	err = c.send(ctx, client, w.kind, w.meta.Namespace, w.meta.Name)
	if conflict, ok := errors.AsType[conflictError](err); ok {
		// Whatever was written, another try reads it first. A controller reports
		// a rollout's status a few times a second.
		return remediators.Retryable(time.Second, "%s was written at the same moment: %w", w, conflict)
	}
	return err
}

// scaledBy is what was done, as the outcome or else the task's plan tells.
func scaledBy(t engine.Task, o engine.Outcome) (scaled, error) {
	var done scaled
	if len(o.Before) == 0 && t.Plan != nil {
		seen, err := decodePrecondition(*t.Plan)
		if err != nil {
			return done, err
		}
		from, to, err := plannedReplicas(*t.Plan)
		return scaled{Target: t.Plan.Target, UID: seen.UID, From: from, To: to}, err
	}
	if err := json.Unmarshal(o.Before, &done); err != nil {
		return done, remediators.Terminal("undo of task %s: what was before, %q: %w", t.ID, o.Before, err)
	}
	if done.UID == "" || done.From < 1 {
		return done, remediators.Terminal("undo of task %s: what was before, %q, names no object or no replicas", t.ID, o.Before)
	}
	return done, nil
}
