package kubernetes

import (
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// decodeParams reads the task's parameters into v and refuses unknown ones. None
// at all are an empty object.
func decodeParams(t engine.Task, v any) error {
	if len(t.Params) == 0 {
		return nil
	}
	if err := remediators.DecodeParams(t.Params, v); err != nil {
		return remediators.Terminal("task %s: parameters of %s: %w", t.ID, t.Action, err)
	}
	return nil
}
