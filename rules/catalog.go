package rules

import (
	"encoding/json"

	"github.com/tripgen/paramedic/internal/engine"
)

// DefaultGroup is the worker group of an action whose spec names none.
const DefaultGroup = "default"

// Catalog says what rules may call. It is only read.
type Catalog struct {
	// Actions by name, such as kubernetes.restart.
	Actions map[string]ActionSpec
	// Probes by kind, such as http or rollout. The kind "alert" is the
	// language's own.
	Probes map[string]ProbeSpec
	// Reporters are the names that report and otherwise may use.
	Reporters []string
	// Triggers are the kinds of trigger that the build can run. Rules with others
	// compile, with a warning.
	Triggers []string
	// Groups are the worker groups of what targets are in.
	Groups Groups
}

// Groups are worker groups by the name of a cluster, a Redis and an Azure account: all
// tasks about a target there go to its group. Others go to the action's.
type Groups struct{ Clusters, Redis, Azure map[string]string }

// groupOf is the worker group of what a target is in; empty if it has none.
func (c Catalog) groupOf(t engine.Target) string {
	switch {
	case t.Cluster != "":
		return c.Groups.Clusters[t.Cluster]
	case t.System == engine.SystemRedis:
		return c.Groups.Redis[t.Name]
	case t.System == engine.SystemAzure:
		return c.Groups.Azure[t.Account]
	}
	return ""
}

// ActionSpec describes one action.
type ActionSpec struct {
	// System is the only engine.Target.System that it works on; empty if it
	// works on any.
	System string
	// Schema is the JSON Schema (draft 2020-12) of its parameters.
	Schema json.RawMessage
	// Group is the worker group that takes it where the target's cluster has none;
	// empty means DefaultGroup.
	Group string
	// Undoable says that its effect can be put back, Health that its plans tell
	// how many of the target's instances are healthy.
	Undoable, Health bool
}

// ProbeSpec describes one probe.
type ProbeSpec struct {
	// System is the only engine.Target.System that it can look at; empty if any.
	System string
	// Schema is the JSON Schema (draft 2020-12) of what stands behind its kind:
	// {"const": "complete"} for rollout: complete.
	Schema json.RawMessage
}
