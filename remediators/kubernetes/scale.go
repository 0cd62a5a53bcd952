package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Scale changes the number of replicas of a Deployment or StatefulSet, relative
// to what it is, within bounds, or to a given number. It writes the object itself and not its scale
// subresource, so that the task's mark travels in the same write.
//
// Where an autoscaler sets the replicas, it changes the least number that this keeps,
// and the autoscaler does the rest. The target is the workload all the same: guards
// are about what has the pods. The mark and the fence are the autoscaler's, since that
// is what is written.
type Scale struct{ clusters Clusters }

// NewScale makes the action.
func NewScale(clusters Clusters) *Scale { return &Scale{clusters: clusters} }

// Spec implements [remediators.Remediator].
func (*Scale) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    "kubernetes.scale",
		System:  engine.SystemKubernetes,
		Summary: "Changes the replicas of a Deployment or StatefulSet, by a factor or a step within bounds, or to a number, or the least of them that its autoscaler keeps; never down unless that is written.",
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
		may([]string{"get", "list", "patch"}, kindPodAutoscaler),
		may([]string{"get", "list", "patch"}, kindScaledObject),
		may([]string{"list"}, kindDisruptionBudget),
		may([]string{"list"}, kindQuota, kindLimitRange),
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
	w, err := scalable(ctx, client, t.Target)
	if err != nil {
		return engine.Plan{}, err
	}
	return s.plan(ctx, client, t, w, params)
}

func (s *Scale) plan(ctx context.Context, client *Client, t engine.Task, w *workload, params scaleParams) (engine.Plan, error) {
	all, err := readAutoscalers(ctx, client, w.meta.Namespace, w)
	if err != nil {
		return engine.Plan{}, err
	}
	auto, err := all.of(w)
	if err != nil {
		return engine.Plan{}, err
	}
	written := &w.meta
	if auto != nil {
		written = &auto.meta
	}
	if err := marksOf(written.Annotations).notYet(t.ID, w); err != nil {
		return engine.Plan{}, err
	}
	var p engine.Plan
	if auto != nil {
		p, err = planMinimum(t.Target.Cluster, w, auto, params)
	} else {
		p, err = planScale(t.Target.Cluster, w, params)
	}
	if err != nil || p.Noop {
		return p, err
	}
	made, err := scalingOf(p)
	if err != nil {
		return engine.Plan{}, err
	}
	if err := mayHave(ctx, client, w, made.to); err != nil {
		return engine.Plan{}, err
	}
	return p, change{spec: made.lever.spec(&made.to), seen: preconditionOf(written), task: t.ID}.rehearse(ctx, client, made.lever.at)
}

// scalable is resolve for what has a number of replicas.
func scalable(ctx context.Context, client *Client, at engine.Target) (*workload, error) {
	if at.Kind == kindDaemonSet {
		return nil, remediators.Terminal("%s has no replicas: a DaemonSet runs one pod on each of its nodes", at)
	}
	w, err := resolve(ctx, client, at)
	if err == nil && w.replicas == nil {
		err = remediators.Terminal("%s has no replicas: a DaemonSet runs one pod on each of its nodes", w)
	}
	return w, err
}

// mayHave refuses a number of replicas that the namespace's rules are against:
// nobody would tell afterwards that pods are not made, or were too many to go.
func mayHave(ctx context.Context, client *Client, w *workload, to int32) error {
	if to < *w.replicas {
		return mayLose(ctx, client, w, to)
	}
	return haveRoom(ctx, client, w.meta.Namespace, []growth{{w, to}})
}

func planScale(cluster string, w *workload, params scaleParams) (engine.Plan, error) {
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
		Changes:      []engine.Change{scaling{ownLever(w.target(cluster)), w.replicas, to}.change()},
		Health:       w.health.scaled(to),
		Precondition: seen,
	}, nil
}

// scaled is an Outcome's Before: what Undo needs.
type scaled struct {
	// Target is the object that was written.
	Target engine.Target `json:"target"`
	UID    types.UID     `json:"uid"`
	// From is null where no number was written.
	From *int32 `json:"from"`
	To   int32  `json:"to"`
}

// Execute implements [remediators.Remediator]. What it changes of an autoscaler is
// there when the API server has answered. It then waits for a moment until the
// autoscaler has heeded that, lest whoever verifies looks too early and takes the old
// number of pods for the new one.
func (s *Scale) Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	seen, err := decodePrecondition(p)
	if err != nil {
		return engine.Outcome{}, err
	}
	made, err := scalingOf(p)
	if err != nil {
		return engine.Outcome{}, err
	}
	at := made.lever.at
	before, err := encode(scaled{Target: at, UID: seen.UID, From: made.from, To: made.to})
	if err != nil {
		return engine.Outcome{}, err
	}
	written := p
	written.Target = at
	if err := s.clusters.execute(ctx, t, written, made.lever.spec(&made.to)); err != nil {
		return engine.Outcome{}, err
	}
	if made.lever.own() {
		return engine.Outcome{
			Summary: fmt.Sprintf("scaled %s %s/%s in %s from %s to %d replicas", at.Kind, at.Namespace, at.Name, at.Cluster, number(made.from), made.to),
			Before:  before,
		}, nil
	}
	return engine.Outcome{
		Summary: fmt.Sprintf("set the least replicas that %s %s/%s in %s keeps to %d%s", at.Kind, at.Namespace, at.Name, at.Cluster, made.to, s.heeded(ctx, p.Target, made)),
		Before:  before,
	}, nil
}

// Observe implements [remediators.Remediator].
func (s *Scale) Observe(ctx context.Context, t engine.Task, p engine.Plan) (engine.Effect, error) {
	client, err := s.clusters.client(p.Target)
	if err != nil {
		return engine.Unknown, err
	}
	made, err := scalingOf(p)
	if err != nil {
		return engine.Unknown, err
	}
	return observeObject(t.ID, p, func() (*metav1.ObjectMeta, bool, error) {
		meta, now, err := made.lever.read(ctx, client)
		return meta, now != nil && *now == made.to, err
	})
}
