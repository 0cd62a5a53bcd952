package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Cordon closes a node for new pods, as `kubectl cordon` does. Those on it stay.
//
// A node's status is written all the time, so the plan's version would seldom be the
// node's any more; what fences a write is the node as it is read right before. It may
// be done again, since that changes nothing.
type Cordon struct{ clusters Clusters }

// NewCordon makes the action.
func NewCordon(clusters Clusters) *Cordon { return &Cordon{clusters: clusters} }

// Spec implements [remediators.Remediator].
func (*Cordon) Spec() remediators.Spec {
	return remediators.Spec{
		Name:       "kubernetes.cordon",
		System:     engine.SystemKubernetes,
		Summary:    "Closes a node for new pods, unless too few others are left; those on it stay.",
		Params:     json.RawMessage(`{"type": "object", "additionalProperties": false, "properties": {` + minReadyProperty + `}}`),
		Idempotent: true,
	}
}

func cordonParamsOf(t engine.Task) (least int, err error) {
	var p readyParams
	if _, err := wholeParams(t, &p); err != nil {
		return 0, err
	}
	return p.least(t)
}

// Rules is what it needs to be allowed.
func (*Cordon) Rules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{may([]string{"get", "list", "patch"}, kindNode)}
}

// Plan implements [remediators.Remediator].
func (c *Cordon) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	least, err := cordonParamsOf(t)
	if err != nil {
		return engine.Plan{}, err
	}
	client, err := c.clusters.nodeClient(t.Target)
	if err != nil {
		return engine.Plan{}, err
	}
	node, err := planNode(ctx, client, t)
	if err != nil {
		return engine.Plan{}, err
	}
	p := engine.Plan{Target: t.Target}
	if p.Precondition, err = nodeSeenOf(node).encode(); err != nil {
		return engine.Plan{}, err
	}
	if node.Spec.Unschedulable {
		p.Noop, p.Summary = true, fmt.Sprintf("node %s in %s is cordoned already", node.Name, t.Target.Cluster)
		return p, nil
	}
	if err := leaves(ctx, client, t.Target, least); err != nil {
		return engine.Plan{}, err
	}
	p.Summary = fmt.Sprintf("cordon node %s in %s: it takes no new pods, and keeps those that it has", node.Name, t.Target.Cluster)
	p.Changes = []engine.Change{{Field: fieldUnschedulable, From: "false", To: "true"}}
	return p, closed(node, t.ID).rehearse(ctx, client, p.Target)
}

// Execute implements [remediators.Remediator].
func (c *Cordon) Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	least, err := cordonParamsOf(t)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := c.clusters.cordon(ctx, t, p, least); err != nil {
		return engine.Outcome{}, err
	}
	return cordonOutcome(p, fmt.Sprintf("cordoned node %s in %s", p.Target.Name, p.Target.Cluster))
}

func cordonOutcome(p engine.Plan, summary string) (engine.Outcome, error) {
	done, err := cordonedBy(p)
	if err != nil {
		return engine.Outcome{}, err
	}
	before, err := json.Marshal(done)
	if err != nil {
		return engine.Outcome{}, remediators.UnknownOutcome("%s, but the outcome does not encode: %w", summary, err)
	}
	return engine.Outcome{Summary: summary, Before: before}, nil
}

// Observe implements [remediators.Remediator].
func (c *Cordon) Observe(ctx context.Context, t engine.Task, p engine.Plan) (engine.Effect, error) {
	client, err := c.clusters.nodeClient(p.Target)
	if err != nil {
		return engine.Unknown, err
	}
	effect, _, err := observeNode(ctx, client, t, p)
	return effect, err
}

// Undo implements [remediators.Undoer]. It opens the node, unless somebody has opened it
// since, or has closed it anew.
func (c *Cordon) Undo(ctx context.Context, t engine.Task, o engine.Outcome) error {
	return c.clusters.uncordon(ctx, t, o)
}
