package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
)

// Rollout is the prober behind `rollout: complete` and `rollout: stopped`. The
// first holds when the controller has seen the latest spec and all wanted pods,
// and no others, are from it and available: what `kubectl rollout status` waits
// for, and that nothing is paused, deleted or scaled to nothing. The second holds
// when it is scaled to nothing, and no pod is left.
type Rollout struct{ clusters Clusters }

// NewRollout makes the prober.
func NewRollout(clusters Clusters) *Rollout { return &Rollout{clusters: clusters} }

// Spec implements [verify.Prober].
func (*Rollout) Spec() verify.Spec {
	return verify.Spec{
		Kind:    "rollout",
		System:  engine.SystemKubernetes,
		Summary: "The target's rollout is complete: every replica is up to date and available, and no old one is left. Or stopped: it is scaled to nothing, and nothing is left.",
		Params:  json.RawMessage(`{"enum": ["complete", "stopped"]}`),
	}
}

// Rules is what it needs to be allowed.
func (*Rollout) Rules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		may([]string{"get"}, kindDeployment, kindStatefulSet, kindDaemonSet),
	}
}

// Probe implements [verify.Prober]. The target is canonical.
func (r *Rollout) Probe(ctx context.Context, t engine.Target, params json.RawMessage) (engine.Check, error) {
	check := engine.Check{Kind: r.Spec().Kind}
	var want string
	if err := json.Unmarshal(params, &want); err != nil || want != rolloutComplete && want != rolloutStopped {
		return check, remediators.Terminal("rollout: parameter is %s, want %q or %q", params, rolloutComplete, rolloutStopped)
	}
	client, err := r.clusters.client(t)
	if err != nil {
		return check, err
	}
	var p progress
	switch t.Kind {
	case kindDeployment:
		var d appsv1.Deployment
		if err := client.get(ctx, t.Kind, t.Namespace, t.Name, &d); err != nil {
			return check, err
		}
		p = deploymentProgress(&d)
	case kindStatefulSet:
		var s appsv1.StatefulSet
		if err := client.get(ctx, t.Kind, t.Namespace, t.Name, &s); err != nil {
			return check, err
		}
		p = statefulSetProgress(&s)
	case kindDaemonSet:
		var s appsv1.DaemonSet
		if err := client.get(ctx, t.Kind, t.Namespace, t.Name, &s); err != nil {
			return check, err
		}
		p = daemonSetProgress(&s)
	default:
		return check, remediators.Terminal("rollout: target %s is no Deployment, StatefulSet or DaemonSet", t)
	}
	judge := p.complete
	if want == rolloutStopped {
		judge = p.stopped
	}
	check.OK, check.Detail = judge()
	return check, nil
}

// progress is how far a rollout has come.
type progress struct {
	generation, observed              int64
	wanted, total, updated, available int32
	// open says that the controller has yet to declare the rollout over.
	open bool
	// stuck says why waiting will not help; empty if it may.
	stuck string
}

// What a rollout can be looked at for.
const (
	rolloutComplete = "complete"
	rolloutStopped  = "stopped"
)

func (p progress) stopped() (ok bool, detail string) {
	switch {
	case p.wanted > 0:
		return false, fmt.Sprintf("%d replicas are wanted", p.wanted)
	case p.observed < p.generation:
		return false, fmt.Sprintf("the controller has seen generation %d, not yet %d", p.observed, p.generation)
	case p.total > 0:
		return false, fmt.Sprintf("%d replicas are still there", p.total)
	}
	return true, "no replicas are wanted, and none are left"
}

func (p progress) complete() (ok bool, detail string) {
	switch {
	case p.stuck != "":
		return false, p.stuck
	case p.observed < p.generation:
		return false, fmt.Sprintf("the controller has seen generation %d, not yet %d", p.observed, p.generation)
	case p.wanted == 0:
		return false, "no replicas are wanted, so nothing runs"
	case p.updated < p.wanted:
		return false, fmt.Sprintf("%d of %d replicas are updated", p.updated, p.wanted)
	case p.total > p.wanted:
		return false, fmt.Sprintf("%d replicas too many are still there", p.total-p.wanted)
	case p.available < p.wanted:
		return false, fmt.Sprintf("%d of %d replicas are available", p.available, p.wanted)
	}
	if p.open {
		return false, "all replicas are updated and available, but the controller has not ended the rollout"
	}
	return true, fmt.Sprintf("%d of %d replicas are updated and available", p.available, p.wanted)
}

func deploymentProgress(d *appsv1.Deployment) progress {
	s := &d.Status
	p := progress{
		generation: d.Generation, observed: s.ObservedGeneration, wanted: *replicas(d.Spec.Replicas),
		total: s.Replicas, updated: s.UpdatedReplicas, available: s.AvailableReplicas, stuck: deleted(&d.ObjectMeta),
	}
	if d.Spec.Paused {
		p.stuck = "its rollouts are paused"
	}
	for i := range s.Conditions {
		c := &s.Conditions[i]
		// Before the controller has seen the new spec, this is of the old one.
		if c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse && p.observed >= p.generation {
			p.stuck = fmt.Sprintf("it does not progress: %s: %s", c.Reason, c.Message)
		}
	}
	return p
}

func statefulSetProgress(set *appsv1.StatefulSet) progress {
	s := &set.Status
	p := progress{
		generation: set.Generation, observed: s.ObservedGeneration, wanted: *replicas(set.Spec.Replicas),
		total: s.Replicas, updated: s.UpdatedReplicas, available: s.AvailableReplicas, stuck: deleted(&set.ObjectMeta),
	}
	p.open = s.CurrentRevision != s.UpdateRevision
	return p
}

func daemonSetProgress(set *appsv1.DaemonSet) progress {
	s := &set.Status
	return progress{
		generation: set.Generation, observed: s.ObservedGeneration, wanted: s.DesiredNumberScheduled,
		total: s.CurrentNumberScheduled, updated: s.UpdatedNumberScheduled, available: s.NumberAvailable,
		stuck: deleted(&set.ObjectMeta),
	}
}

func deleted(m *metav1.ObjectMeta) string {
	if m.DeletionTimestamp != nil {
		return "it is being deleted"
	}
	return ""
}
