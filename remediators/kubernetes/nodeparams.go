package kubernetes

import (
	"encoding/json"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// wholeParams is decodeParams for parameters whose schema allows no null: to Go a null
// is what was not written.
func wholeParams(t engine.Task, v any) error {
	if err := decodeParams(t, v); err != nil || len(t.Params) == 0 {
		return err
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(t.Params, &given); err != nil || given == nil {
		return badParams(t, "want an object")
	}
	for name, value := range given {
		if string(value) == "null" {
			return badParams(t, "%s is null", name)
		}
	}
	return nil
}

func badParams(t engine.Task, format string, args ...any) error {
	return remediators.Terminal("task %s: parameters of %s: "+format, append([]any{t.ID, t.Action}, args...)...)
}

// The other nodes that must be left, for new pods and those that are moved.
const (
	minReadyProperty = `"minReadyNodes": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1, "description": "How many other nodes must be ready and take pods; a node with a NoSchedule or NoExecute taint is not counted."}`
	mostReadyNodes   = 1000
)

// readyParams are those of everything that closes a node.
type readyParams struct {
	MinReadyNodes *int `json:"minReadyNodes"`
}

// least is how many other nodes must be left.
func (p readyParams) least(t engine.Task) (int, error) {
	switch {
	case p.MinReadyNodes == nil:
		return 1, nil
	case *p.MinReadyNodes < 1 || *p.MinReadyNodes > mostReadyNodes:
		return 0, badParams(t, "minReadyNodes is %d: want 1 to %d", *p.MinReadyNodes, mostReadyNodes)
	}
	return *p.MinReadyNodes, nil
}
