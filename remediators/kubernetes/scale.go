package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Scale changes the number of replicas of a Deployment or StatefulSet, relative
// to what it is, within bounds, or to a given number. It writes the object itself and not its scale
// subresource, so that the task's mark travels in the same write.
type Scale struct{ clusters Clusters }

// NewScale makes the action.
func NewScale(clusters Clusters) *Scale { return &Scale{clusters: clusters} }

// Spec implements [remediators.Remediator].
func (*Scale) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    "kubernetes.scale",
		System:  engine.SystemKubernetes,
		Summary: "Changes the replicas of a Deployment or StatefulSet, by a factor or a step within bounds, or to a number; never down unless that is written.",
		Params:  json.RawMessage(scaleSchema),
		Fenced:  true,
		Health:  true,
	}
}

// Rules is what it needs to be allowed.
func (*Scale) Rules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		may([]string{"get", "patch"}, kindDeployment, kindStatefulSet),
		may([]string{"get"}, kindReplicaSet),
		may([]string{"get"}, kindPod),
		may([]string{"list"}, kindPodAutoscaler),
	}
}

// Plan implements [remediators.Remediator].
func (s *Scale) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	params, err := scaleParamsOf(t)
	if err != nil {
		return engine.Plan{}, err
	}
	client, err := s.clusters.client(t.Target)
	if err != nil {
		return engine.Plan{}, err
	}
	if t.Target.Kind == kindDaemonSet {
		return engine.Plan{}, remediators.Terminal("%s has no replicas: a DaemonSet runs one pod on each of its nodes", t.Target)
	}
	w, err := resolve(ctx, client, t.Target)
	if err != nil {
		return engine.Plan{}, err
	}
	if err := marksOf(w.meta.Annotations).notYet(t.ID, w); err != nil {
		return engine.Plan{}, err
	}
	if err := notAutoscaled(ctx, client, w); err != nil {
		return engine.Plan{}, err
	}
	p, err := planScale(t.Target.Cluster, w, params)
	if err != nil || p.Noop {
		return p, err
	}
	_, to, err := plannedReplicas(p)
	if err != nil {
		return engine.Plan{}, err
	}
	return p, s.clusters.rehearse(ctx, client, t, p, change{spec: map[string]any{"replicas": to}})
}

func planScale(cluster string, w *workload, params scaleParams) (engine.Plan, error) {
	if w.replicas == nil {
		return engine.Plan{}, remediators.Terminal("%s has no replicas: a DaemonSet runs one pod on each of its nodes", w)
	}
	to, err := params.from(*w.replicas)
	if err != nil {
		return engine.Plan{}, remediators.Terminal("%s is not scaled: %w", w, err)
	}
	seen, err := preconditionOf(&w.meta).encode()
	if err != nil {
		return engine.Plan{}, err
	}
	if to == *w.replicas {
		return engine.Plan{
			Target: w.target(cluster), Summary: fmt.Sprintf("%s in %s has %d replicas already", w, cluster, to), Noop: true,
			Health: w.health.scaled(to), Precondition: seen,
		}, nil
	}
	return engine.Plan{
		Target:       w.target(cluster),
		Summary:      fmt.Sprintf("scale %s in %s from %d to %d replicas", w, cluster, *w.replicas, to),
		Changes:      []engine.Change{{Field: fieldReplicas, From: itoa(*w.replicas), To: itoa(to)}},
		Health:       w.health.scaled(to),
		Precondition: seen,
	}, nil
}

const fieldReplicas = "spec.replicas"

func itoa(n int32) string { return strconv.Itoa(int(n)) }

// notAutoscaled refuses a workload whose replicas a HorizontalPodAutoscaler
// sets: it would undo the change within seconds.
func notAutoscaled(ctx context.Context, client *Client, w *workload) error {
	var list autoscalingv2.HorizontalPodAutoscalerList
	if err := client.list(ctx, kindPodAutoscaler, w.meta.Namespace, w, selection{}, &list); err != nil {
		return err
	}
	for i := range list.Items {
		ref := list.Items[i].Spec.ScaleTargetRef
		if ref.Kind == w.kind && ref.Name == w.meta.Name {
			return remediators.Terminal("%s is not scaled: it is controlled by HorizontalPodAutoscaler %s, which would undo it", w, list.Items[i].Name)
		}
	}
	return nil
}

// scaled is an Outcome's Before: what Undo needs.
type scaled struct {
	Target engine.Target `json:"target"`
	UID    types.UID     `json:"uid"`
	From   int32         `json:"from"`
	To     int32         `json:"to"`
}

// Execute implements [remediators.Remediator].
func (s *Scale) Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	seen, err := decodePrecondition(p)
	if err != nil {
		return engine.Outcome{}, err
	}
	from, to, err := plannedReplicas(p)
	if err != nil {
		return engine.Outcome{}, err
	}
	before, err := json.Marshal(scaled{Target: p.Target, UID: seen.UID, From: from, To: to})
	if err != nil {
		return engine.Outcome{}, remediators.Terminal("outcome does not encode: %w", err)
	}
	if err := s.clusters.execute(ctx, t, p, map[string]any{"replicas": to}); err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{
		Summary: fmt.Sprintf("scaled %s %s/%s in %s from %d to %d replicas", p.Target.Kind, p.Target.Namespace, p.Target.Name, p.Target.Cluster, from, to),
		Before:  before,
	}, nil
}

// plannedReplicas reads them back from the plan: that is what was allowed.
func plannedReplicas(p engine.Plan) (from, to int32, err error) {
	if len(p.Changes) != 1 || p.Changes[0].Field != fieldReplicas {
		return 0, 0, remediators.Terminal("plan for %s: want one change, of %s", p.Target, fieldReplicas)
	}
	before, errFrom := strconv.ParseInt(p.Changes[0].From, 10, 32)
	after, errTo := strconv.ParseInt(p.Changes[0].To, 10, 32)
	if err := errors.Join(errFrom, errTo); err != nil {
		return 0, 0, remediators.Terminal("plan for %s: %s: %w", p.Target, fieldReplicas, err)
	}
	return int32(before), int32(after), nil
}

// Observe implements [remediators.Remediator].
func (s *Scale) Observe(ctx context.Context, t engine.Task, p engine.Plan) (engine.Effect, error) {
	client, err := s.clusters.client(p.Target)
	if err != nil {
		return engine.Unknown, err
	}
	_, to, err := plannedReplicas(p)
	if err != nil {
		return engine.Unknown, err
	}
	return observe(ctx, client, t.ID, p, func(w *workload) bool {
		return w.replicas != nil && *w.replicas == to
	})
}
