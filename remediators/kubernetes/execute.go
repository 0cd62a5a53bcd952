package kubernetes

import (
	"context"
	"errors"

	"github.com/tripgen/paramedic/internal/engine"
)

// execute makes the one change that a task is for: spec is merged into the
// planned object's, fenced by the version that the plan saw and marked with the
// task. A change that was refused is judged by settle.
func (c Clusters) execute(ctx context.Context, t engine.Task, p engine.Plan, spec map[string]any) error {
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
	err = change{seen: seen, task: t.ID, spec: spec}.send(ctx, client, p.Target.Kind, p.Target.Namespace, p.Target.Name)
	if conflict, ok := errors.AsType[conflictError](err); ok {
		return settle(ctx, client, t.ID, p.Target, conflict)
	}
	return err
}
