package kubernetes

import (
	"context"
	"errors"

	"github.com/tripgen/paramedic/internal/engine"
)

// execute makes the one change that a task is for: spec is merged into the
// planned object's.
func (c Clusters) execute(ctx context.Context, t engine.Task, p engine.Plan, spec map[string]any) error {
	return c.carryOut(ctx, t, p, func(context.Context, *Client) (change, error) { return change{spec: spec}, nil })
}

// rehearse has the API server go through what a plan would change, so that what
// validation, admission or the rights refuse is known before anybody decides.
func (c Clusters) rehearse(ctx context.Context, client *Client, t engine.Task, p engine.Plan, made change) error {
	seen, err := decodePrecondition(p)
	if err != nil {
		return err
	}
	made.seen, made.task = seen, t.ID
	return made.rehearse(ctx, client, p.Target)
}

// carryOut makes a change of the planned object, fenced by the version that the
// plan saw and marked with the task. A change that was refused is judged by settle.
// What is to be changed may have to be read first, but not for a task that is done.
func (c Clusters) carryOut(ctx context.Context, t engine.Task, p engine.Plan, what func(context.Context, *Client) (change, error)) error {
	client, err := c.client(p.Target)
	if err != nil {
		return err
	}
	seen, err := decodePrecondition(p)
	if err != nil {
		return err
	}
	if err := seen.Tasks.notYet(t.ID, p.Target); err != nil {
		return err
	}
	made, err := what(ctx, client)
	if err != nil {
		return err
	}
	made.seen, made.task = seen, t.ID
	err = made.send(ctx, client, p.Target.Kind, p.Target.Namespace, p.Target.Name)
	if conflict, ok := errors.AsType[conflictError](err); ok {
		return settle(ctx, client, t.ID, p.Target, conflict)
	}
	return err
}
