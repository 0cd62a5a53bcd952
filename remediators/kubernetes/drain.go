package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Drain closes a node for new pods and evicts those on it, as `kubectl drain
// --ignore-daemonsets` does, and waits until they are gone.
//
// It may be done again: what was evicted is gone, and the rest is gone on with. So a
// drain that a budget holds, or whose worker died, is continued by the next call. The
// mark of the task is written with the cordon, before any pod is evicted.
type Drain struct {
	clusters Clusters
	after    After
}

// NewDrain makes the action; time.After is what it waits by.
func NewDrain(clusters Clusters, after After) *Drain {
	return &Drain{clusters: clusters, after: after}
}

// Spec implements [remediators.Remediator].
func (*Drain) Spec() remediators.Spec {
	return remediators.Spec{
		Name:       "kubernetes.drain",
		System:     engine.SystemKubernetes,
		Summary:    "Closes a node for new pods and evicts those on it, but a DaemonSet's; waits for PodDisruptionBudgets and until the pods are gone. What puts it back opens the node, and brings no pod back to it.",
		Params:     json.RawMessage(drainSchema),
		Idempotent: true,
	}
}

const drainSchema = `{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "maxPods": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50, "description": "A node with more pods to evict is not drained."},
    "deleteEmptyDirData": {"type": "boolean", "default": false, "description": "Must be true where pods have an emptyDir: what is in it is lost."},
    ` + minReadyProperty + `
  }
}`

const (
	defaultPods = 50
	mostPods    = 500
)

type drainParams struct {
	readyParams
	MaxPods   *int `json:"maxPods"`
	EmptyDirs bool `json:"deleteEmptyDirData"`

	most, leastReady int
}

func drainParamsOf(t engine.Task) (drainParams, error) {
	p := drainParams{most: defaultPods}
	_, err := wholeParams(t, &p)
	if err != nil {
		return p, err
	}
	if p.MaxPods != nil {
		if p.most = *p.MaxPods; p.most < 1 || p.most > mostPods {
			return p, badParams(t, "maxPods is %d: want 1 to %d", p.most, mostPods)
		}
	}
	p.leastReady, err = p.least(t)
	return p, err
}

// Rules is what it needs to be allowed.
func (*Drain) Rules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		may([]string{"get", "list", "patch"}, kindNode),
		may([]string{"get", "list"}, kindPod),
		mayEvict(),
	}
}

// Plan implements [remediators.Remediator]. It has the API server rehearse the cordon
// and every eviction; that a budget holds a pod at this moment is no reason not to begin.
func (d *Drain) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	params, err := drainParamsOf(t)
	if err != nil {
		return engine.Plan{}, err
	}
	client, err := d.clusters.nodeClient(t.Target)
	if err != nil {
		return engine.Plan{}, err
	}
	node, err := planNode(ctx, client, t)
	if err != nil {
		return engine.Plan{}, err
	}
	pods, err := podsOf(ctx, client, t.Target, params.EmptyDirs)
	if err != nil {
		return engine.Plan{}, err
	}
	seen := nodeSeenOf(node)
	p, err := planDrain(t.Target, seen, pods, params.most)
	if err != nil || p.Noop {
		return p, err
	}
	if err := leaves(ctx, client, t.Target, params.leastReady); err != nil {
		return engine.Plan{}, err
	}
	if err := closed(node, t.ID).rehearse(ctx, client, p.Target); err != nil {
		return engine.Plan{}, err
	}
	for i := range pods.evict {
		if err := evictionOf(&pods.evict[i]).rehearse(ctx, client); err != nil && remediators.ClassOf(err) == engine.ClassTerminal && !notFound(err) {
			return engine.Plan{}, err
		}
	}
	return p, nil
}

func planDrain(at engine.Target, seen nodeSeen, pods drained, most int) (engine.Plan, error) {
	p := engine.Plan{Target: at}
	var err error
	if p.Precondition, err = seen.encode(); err != nil {
		return engine.Plan{}, err
	}
	if seen.Cordoned && pods.gone() {
		p.Noop, p.Summary = true, fmt.Sprintf("node %s in %s is cordoned already, and no pod is left to evict", at.Name, at.Cluster)
		return p, nil
	}
	if err := pods.check(at, most); err != nil {
		return engine.Plan{}, err
	}
	p.Summary = fmt.Sprintf("drain node %s in %s: cordon it, and evict %d pods", at.Name, at.Cluster, len(pods.evict))
	p.Changes = pods.changes()
	if seen.Cordoned {
		p.Summary = fmt.Sprintf("drain node %s in %s, which is cordoned already: evict %d pods", at.Name, at.Cluster, len(pods.evict))
	} else {
		p.Changes = append([]engine.Change{{Field: fieldUnschedulable, From: "false", To: "true"}}, p.Changes...)
	}
	return p, nil
}

// Execute implements [remediators.Remediator]. Once the node is closed, whatever fails
// leaves an outcome that is in part.
func (d *Drain) Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	params, err := drainParamsOf(t)
	if err != nil {
		return engine.Outcome{}, err
	}
	client, err := d.clusters.nodeClient(p.Target)
	if err != nil {
		return engine.Outcome{}, err
	}
	pods, err := podsOf(ctx, client, p.Target, params.EmptyDirs)
	if err != nil {
		return engine.Outcome{}, err
	}
	if err := pods.check(p.Target, params.most); err != nil {
		return engine.Outcome{}, remediators.PlanChanged("%w", err)
	}
	if err := d.clusters.cordon(ctx, t, p, params.leastReady); err != nil {
		return engine.Outcome{}, err
	}
	e := emptying{client: client, at: p.Target, params: params, after: d.after}
	if err := e.run(ctx); err != nil {
		return engine.Outcome{}, err
	}
	return cordonOutcome(p, fmt.Sprintf("drained node %s in %s: evicted %d pods, and all are gone", p.Target.Name, p.Target.Cluster, len(e.accepted)))
}

// Observe implements [remediators.Remediator]. The checkpoint says that every eviction
// was accepted, so those pods are only waited for. Without one, a node that is closed by
// the task and has no pod left is drained, and one that has pods to evict is to be gone
// on with.
func (d *Drain) Observe(ctx context.Context, t engine.Task, p engine.Plan) (engine.Effect, error) {
	client, err := d.clusters.nodeClient(p.Target)
	if err != nil {
		return engine.Unknown, err
	}
	if checkpoint := remediators.CheckpointOf(ctx); checkpoint != nil {
		var k leavingPods
		if err := json.Unmarshal(checkpoint, &k); err != nil || len(k.Pods) == 0 {
			return engine.Unknown, nil //nolint:nilerr // another version's tells nothing
		}
		return d.awaited(ctx, client, p.Target, k.has)
	}
	effect, node, err := observeNode(ctx, client, t, p)
	if err != nil || effect != engine.Applied {
		return effect, err
	}
	if !node.Spec.Unschedulable {
		return engine.Unknown, nil
	}
	return d.awaited(ctx, client, p.Target, nil)
}

// Undo implements [remediators.Undoer]. It opens the node, if it was open before, unless
// somebody has opened it since, or has closed it anew. The pods stay where they are by
// now.
func (d *Drain) Undo(ctx context.Context, t engine.Task, o engine.Outcome) error {
	return d.clusters.uncordon(ctx, t, o)
}
