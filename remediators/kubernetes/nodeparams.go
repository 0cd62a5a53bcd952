package kubernetes

import "github.com/tripgen/paramedic/internal/engine"

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
