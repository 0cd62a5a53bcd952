package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Restart replaces the pods of a workload as `kubectl rollout restart` does: by
// its own rolling update, with the same images.
type Restart struct {
	clusters Clusters
	now      func() time.Time
}

// NewRestart makes the action. The time that now returns is what pods show as
// the restart's.
func NewRestart(clusters Clusters, now func() time.Time) *Restart {
	return &Restart{clusters: clusters, now: now}
}

// Spec implements [remediators.Remediator].
func (*Restart) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    "kubernetes.restart",
		System:  engine.SystemKubernetes,
		Summary: "Replaces the pods of a Deployment, StatefulSet or DaemonSet by its own rolling update.",
		Params:  json.RawMessage(`{"type": "object", "additionalProperties": false}`),
		Fenced:  true,
		Health:  true,
	}
}

// Rules is what it needs to be allowed.
func (*Restart) Rules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		may([]string{"get", "patch"}, kindDeployment, kindStatefulSet, kindDaemonSet),
		may([]string{"get"}, kindReplicaSet),
		may([]string{"get"}, kindPod),
	}
}

// Plan implements [remediators.Remediator].
func (r *Restart) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	if err := decodeParams(t, &struct{}{}); err != nil {
		return engine.Plan{}, err
	}
	client, w, err := r.clusters.unchanged(ctx, t)
	if err != nil {
		return engine.Plan{}, err
	}
	p, err := planRestart(t.Target.Cluster, w)
	if err != nil {
		return engine.Plan{}, err
	}
	return p, r.clusters.rehearse(ctx, client, t, p, change{spec: restarted(t.ID, r.now())})
}

// restarted is what makes a workload's controller replace its pods.
func restarted(task string, at time.Time) map[string]any {
	return map[string]any{"template": map[string]any{"metadata": map[string]any{
		"annotations": map[string]any{RestartedAnnotation: at.UTC().Format(time.RFC3339), TaskAnnotation: task},
	}}}
}

// planRestart says nothing that changes by itself, such as how many pods are
// ready: the plan is compared with what was allowed.
func planRestart(cluster string, w *workload) (engine.Plan, error) {
	if w.halted != "" {
		return engine.Plan{}, remediators.Terminal("%s cannot be restarted: %s", w, w.halted)
	}
	if w.replicas != nil && *w.replicas == 0 {
		return engine.Plan{}, remediators.Terminal("%s cannot be restarted: it is scaled to 0, so it has no pods", w)
	}
	hash, err := w.templateHash()
	if err != nil {
		return engine.Plan{}, err
	}
	seen, err := preconditionOf(&w.meta).encode()
	if err != nil {
		return engine.Plan{}, err
	}
	return engine.Plan{
		Target:  w.target(cluster),
		Summary: fmt.Sprintf("restart %s in %s: replace its pods one after the other, with the same image %s (template %s)", w, cluster, w.images(), hash),
		Changes: []engine.Change{{
			Field: "spec.template.metadata.annotations[" + RestartedAnnotation + "]",
			From:  w.pods.Annotations[RestartedAnnotation], To: "the time of the restart",
		}},
		Health:       w.health.restarted(),
		Precondition: seen,
	}, nil
}

// Execute implements [remediators.Remediator].
func (r *Restart) Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	at := r.now()
	if err := r.clusters.execute(ctx, t, p, restarted(t.ID, at)); err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Summary: fmt.Sprintf("restarted %s %s/%s in %s at %s", p.Target.Kind, p.Target.Namespace, p.Target.Name, p.Target.Cluster, at.UTC().Format(time.RFC3339))}, nil
}

// Observe implements [remediators.Remediator].
func (r *Restart) Observe(ctx context.Context, t engine.Task, p engine.Plan) (engine.Effect, error) {
	client, err := r.clusters.client(p.Target)
	if err != nil {
		return engine.Unknown, err
	}
	return observe(ctx, client, t.ID, p, func(w *workload) bool {
		// Removing the mark from the template would be a second change.
		return w.pods.Annotations[TaskAnnotation] == t.ID
	})
}
