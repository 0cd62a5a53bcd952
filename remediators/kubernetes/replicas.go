package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
)

// Replicas is the prober behind `replicas: {ready: 2}` and `replicas: {ready: 50%}`:
// that at least so many pods of a workload are ready, of whatever rollout they are.
// A share is of the pods that are wanted, rounded up. It asks less than [Rollout], and
// holds in the middle of one.
type Replicas struct{ clusters Clusters }

// NewReplicas makes the prober.
func NewReplicas(clusters Clusters) *Replicas { return &Replicas{clusters: clusters} }

// Spec implements [verify.Prober].
func (*Replicas) Spec() verify.Spec {
	return verify.Spec{
		Kind:    "replicas",
		System:  engine.SystemKubernetes,
		Summary: "At least so many pods of the Deployment, StatefulSet or DaemonSet are ready.",
		Params: json.RawMessage(`{
  "type": "object",
  "additionalProperties": false,
  "required": ["ready"],
  "properties": {"ready": {
    "description": "How many, as 2, or which share of those that are wanted, rounded up, as 50%.",
    "oneOf": [{"type": "integer", "minimum": 1, "maximum": 10000}, {"type": "string", "pattern": "^([1-9][0-9]?|100)%$"}]
  }}
}`),
	}
}

// Rules is what it needs to be allowed.
func (*Replicas) Rules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{may([]string{"get"}, kindDeployment, kindStatefulSet, kindDaemonSet)}
}

// Probe implements [verify.Prober]. The target is canonical.
func (r *Replicas) Probe(ctx context.Context, t engine.Target, params json.RawMessage) (engine.Check, error) {
	check := engine.Check{Kind: r.Spec().Kind}
	least, err := readyOf(params)
	if err != nil {
		return check, err
	}
	client, err := r.clusters.client(t)
	if err != nil {
		return check, err
	}
	switch t.Kind {
	case kindDeployment, kindStatefulSet, kindDaemonSet:
	default:
		return check, remediators.Terminal("replicas: target %s is no Deployment, StatefulSet or DaemonSet", t)
	}
	var w podCounts
	if err := client.get(ctx, t.Kind, t.Namespace, t.Name, &w); err != nil {
		return check, err
	}
	check.OK, check.Detail = w.atLeast(t.Kind, least)
	return check, nil
}

// readyOf reads how many pods must be ready.
func readyOf(params json.RawMessage) (engine.Share, error) {
	var p struct {
		Ready json.RawMessage `json:"ready"`
	}
	if err := remediators.DecodeParams(params, &p); err != nil {
		return engine.Share{}, remediators.Terminal("replicas: parameters: %w", err)
	}
	text := strings.Trim(string(p.Ready), `"`)
	percent, isShare := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(percent)
	if err != nil || n < 1 || isShare != (len(text) < len(p.Ready)) || isShare && n > 100 || n > maxReplicas {
		return engine.Share{}, remediators.Terminal("replicas: ready is %s; want a number from 1 to %d, or a share from 1%% to 100%%", p.Ready, maxReplicas)
	}
	if isShare {
		return engine.Share{Percent: n}, nil
	}
	return engine.Share{Count: n}, nil
}

// podCounts is what the three controllers' objects say of how many pods there are.
type podCounts struct {
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		Replicas *int32 `json:"replicas"`
	} `json:"spec"`
	Status struct {
		ObservedGeneration     int64 `json:"observedGeneration"`
		ReadyReplicas          int32 `json:"readyReplicas"`
		NumberReady            int32 `json:"numberReady"`
		DesiredNumberScheduled int32 `json:"desiredNumberScheduled"`
	} `json:"status"`
}

func (w *podCounts) atLeast(kind string, least engine.Share) (ok bool, detail string) {
	wanted, ready := *replicas(w.Spec.Replicas), w.Status.ReadyReplicas
	if kind == kindDaemonSet {
		wanted, ready = w.Status.DesiredNumberScheduled, w.Status.NumberReady
	}
	want := least.Of(int(wanted))
	switch {
	case w.DeletionTimestamp != nil:
		return false, "it is being deleted"
	case w.Status.ObservedGeneration < w.Generation:
		return false, fmt.Sprintf("the controller has seen generation %d, not yet %d", w.Status.ObservedGeneration, w.Generation)
	case wanted == 0:
		return false, "no replicas are wanted"
	}
	return int(ready) >= want, fmt.Sprintf("%d of %d pods are ready, %d must be", ready, wanted, want)
}
