package kubernetes

import (
	"context"
	"fmt"
	"maps"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Undo implements [remediators.Undoer]: it leads the Service back, unless somebody has
// changed its selector since, or the colour that it was on has no ready pod any more:
// a Service that leads nowhere is worse than any. An outcome that was observed has no
// Before; t.Plan, the plan that was executed, then tells the same.
func (s *Switch) Undo(ctx context.Context, t engine.Task, o engine.Outcome) error {
	raw, err := beforeOf(t, o)
	if err != nil {
		return err
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
	changed := ""
	if !maps.Equal(is.Spec.Selector, s.Selector) {
		changed = "its selector was changed since it was switched to " + s.To
	}
	return isBack(&is.ObjectMeta, s.UID, task, fmt.Sprintf("%s is not switched back to %s=%s", is, s.Label, s.From), changed)
}
