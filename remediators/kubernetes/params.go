package kubernetes

import (
	"encoding/json"

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
		return badParams(t, "%w", err)
	}
	return nil
}

// wholeParams is decodeParams for parameters whose schema allows no null: to Go a null
// is what was not written. Given are those that were written, by name.
func wholeParams(t engine.Task, v any) (given map[string]json.RawMessage, err error) {
	if err := decodeParams(t, v); err != nil || len(t.Params) == 0 {
		return nil, err
	}
	if err := json.Unmarshal(t.Params, &given); err != nil || given == nil {
		return nil, badParams(t, "%s is none; want an object", t.Params)
	}
	for name, value := range given {
		if string(value) == "null" {
			return nil, badParams(t, "%s is null; leave it out, or give it a value", name)
		}
	}
	return given, nil
}

func badParams(t engine.Task, format string, args ...any) error {
	return remediators.Terminal("task %s: parameters of %s: "+format, append([]any{t.ID, t.Action}, args...)...)
}
