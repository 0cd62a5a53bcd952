package kubernetes

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// rehearseFlips has the API server try each.
func rehearseFlips(ctx context.Context, client *Client, t engine.Task, at engine.Target, all []flip) error {
	for _, f := range all {
		made := f.write(f.To)
		made.seen, made.task = f.precondition, t.ID
		if err := made.rehearse(ctx, client, f.on(at)); err != nil {
			return err
		}
	}
	return nil
}

// executeFlips makes them one after the other, and stops at the first that fails.
// Then nothing was changed only if that was the first: else the outcome is unknown,
// though each object shows whether it was written.
func (c Clusters) executeFlips(ctx context.Context, t engine.Task, p engine.Plan) ([]flip, error) {
	all, err := flipsOf(p, p.Precondition)
	if err != nil {
		return nil, err
	}
	for i, f := range all {
		err := c.executeFlip(ctx, t, p, f)
		if i > 0 && err != nil && remediators.ClassOf(err) == engine.ClassPlanChanged {
			err = c.executeLater(ctx, t, p, f)
		}
		switch {
		case err != nil && i > 0:
			return nil, remediators.UnknownOutcome("%d of %d were written, up to %s %s, and then: %w", i, len(all), all[i-1].Kind, all[i-1].Name, err)
		case err != nil:
			return nil, err
		}
	}
	return all, nil
}

func (c Clusters) executeFlip(ctx context.Context, t engine.Task, p engine.Plan, f flip) error {
	seen, err := f.encode()
	if err != nil {
		return err
	}
	p.Target, p.Precondition = f.on(p.Target), seen
	return c.carryOut(ctx, t, p, func(context.Context, *Client) (change, error) { return f.write(f.To), nil })
}

// executeLater writes an object that was written since it was planned, while those
// before it were dealt with, if that left alone all that the plan is about: its
// status, as a pod comes and goes.
func (c Clusters) executeLater(ctx context.Context, t engine.Task, p engine.Plan, f flip) error {
	at := f.on(p.Target)
	return c.writeObject(ctx, t.ID, at, func(ctx context.Context, client *Client) (change, bool, error) {
		meta, now, err := f.now(ctx, client, at)
		if err != nil {
			return change{}, false, err
		}
		made := f.write(f.To)
		made.seen = preconditionOf(meta)
		switch {
		case made.seen.Tasks.has(t.ID):
			return made, true, nil
		case meta.UID != f.UID, meta.DeletionTimestamp != nil, now != f.From, f.Generation > 0 && meta.Generation != f.Generation:
			return made, false, remediators.PlanChanged("%s was changed since it was planned", at)
		}
		return made, false, nil
	})
}

// observeFlips says what all objects together show: some written and some not is
// neither the one nor the other.
func (c Clusters) observeFlips(ctx context.Context, t engine.Task, p engine.Plan) (engine.Effect, error) {
	client, err := c.client(p.Target)
	if err != nil {
		return engine.Unknown, err
	}
	all, err := flipsOf(p, p.Precondition)
	if err != nil {
		return engine.Unknown, err
	}
	seen := map[engine.Effect]int{}
	for _, f := range all {
		one := p
		one.Target = f.on(p.Target)
		if one.Precondition, err = f.encode(); err != nil {
			return engine.Unknown, err
		}
		effect, err := observeObject(t.ID, one, func() (*metav1.ObjectMeta, bool, error) {
			meta, now, err := f.now(ctx, client, one.Target)
			return meta, now == f.To, err
		})
		if err != nil {
			return engine.Unknown, err
		}
		seen[effect]++
	}
	switch len(all) {
	case seen[engine.Applied]:
		return engine.Applied, nil
	case seen[engine.NotApplied]:
		return engine.NotApplied, nil
	}
	return engine.Unknown, nil
}
