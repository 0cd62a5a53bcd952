package kubernetes

import (
	"context"
	"maps"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Undo implements [remediators.Undoer]: it leads the Service back, unless somebody has
// changed its selector since, or the colour that it was on has no ready pod any more:
// a Service that leads nowhere is worse than any. An outcome that was observed has no
// Before; t.Plan, the plan that was executed, then tells the same.
func (s *Switch) Undo(ctx context.Context, t engine.Task, o engine.Outcome) error {
	if t.Undoes == "" {
		return remediators.Terminal("undo task %s does not name the task that it undoes", t.ID)
	}
	raw := o.Before
	if len(raw) == 0 && t.Plan != nil {
		raw = t.Plan.Precondition
	}
	done, err := decodeSwitched(raw, t.Target)
	if err != nil {
		return err
	}
	client, err := s.clusters.client(done.Target)
	if err != nil {
		return err
	}
	err = s.clusters.putBackObject(ctx, t, done.Target, func(ctx context.Context, client *Client) (change, bool, error) {
		is, err := client.service(ctx, done.Target)
		if err != nil {
			return change{}, false, err
		}
		if back, err := done.isBack(is, t.Undoes); back || err != nil {
			return change{}, back, err
		}
		pods, err := client.colour(ctx, is, done.Label, done.From)
		if err != nil {
			return change{}, false, err
		}
		if _, err := enough(is, pods, done.Label+"="+done.From, 1); err != nil {
			return change{}, false, remediators.Terminal("not switched back: %w", err)
		}
		made := done.change(done.From)
		made.seen = preconditionOf(&is.ObjectMeta)
		return made, false, nil
	})
	if err != nil {
		return err
	}
	if _, err := client.followEndpoints(ctx, done.Target, t.Undoes+undoSuffix); err != nil {
		return remediators.UnknownOutcome("%s: its selector is switched back to %s=%s, but then: %w", done.Target, done.Label, done.From, err)
	}
	return nil
}

// isBack reports whether a Service shows that a task was undone, or why it cannot be.
func (s switched) isBack(is *service, task string) (bool, error) {
	marks := marksOf(is.Annotations)
	switch {
	case is.UID != s.UID:
		return false, remediators.Terminal("%s is not switched back: it is another one of the same name", is)
	case is.DeletionTimestamp != nil:
		return false, remediators.Terminal("%s is being deleted", is)
	case marks.has(task + undoSuffix):
		return true, nil
	case !maps.Equal(is.Spec.Selector, s.Selector):
		return false, remediators.PlanChanged("%s is not switched back to %s=%s: its selector was changed since it was switched to %s", is, s.Label, s.From, s.To)
	case !marks.has(task):
		return false, remediators.PlanChanged("%s is not switched back to %s=%s: it was changed so often since that it no longer shows task %s", is, s.Label, s.From, task)
	}
	return false, nil
}
