package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Restore brings back what [ScaleToZero] took away, by what that left on the objects:
// for a morning that is a rule of its own, or after the run that would have put it back
// is lost. What is not at zero any more, somebody has brought back already.
type Restore struct{ clusters Clusters }

// NewRestore makes the action.
func NewRestore(clusters Clusters) *Restore { return &Restore{clusters: clusters} }

// Spec implements [remediators.Remediator].
func (*Restore) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    "kubernetes.restore",
		System:  engine.SystemKubernetes,
		Summary: "Brings back the pods that kubernetes.scale-to-zero took away from a Deployment or StatefulSet, or from all in a Namespace but the exceptions.",
		Params:  json.RawMessage(exceptionsSchema),
		Fenced:  true,
		Health:  true,
	}
}

// Rules is what it needs to be allowed.
func (*Restore) Rules() []rbacv1.PolicyRule {
	return append((&ScaleToZero{}).Rules(), may([]string{"list"}, kindQuota, kindLimitRange))
}

// Plan implements [remediators.Remediator].
func (r *Restore) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	client, s, err := r.clusters.survey(ctx, t)
	if err != nil {
		return engine.Plan{}, err
	}
	if s.why != "" {
		return s.noop(s.why)
	}
	var all []flip
	var grow []growth
	var pods int32
	health := &engine.Health{}
	for _, f := range s.all {
		made, to, err := f.start()
		if err != nil {
			return engine.Plan{}, err
		}
		if made != nil {
			all, grow, pods = append(all, *made), append(grow, growth{f.workload, to}), pods+to
			health = plus(health, f.health.scaled(max(to, *f.replicas)))
		}
	}
	if len(all) == 0 {
		return s.noop("nothing is at 0 replicas that kubernetes.scale-to-zero has left a note on (annotation " + ReplicasBeforeAnnotation + ")")
	}
	if err := haveRoom(ctx, client, grow[0].w.meta.Namespace, grow); err != nil {
		return engine.Plan{}, err
	}
	what := fmt.Sprintf("bring %s in %s back to %d replicas", s.name(), s.target.Cluster, pods)
	if s.target.Kind == kindNamespace {
		what = fmt.Sprintf("bring %d workloads of %s in %s back, together to %d replicas", len(all), s.name(), s.target.Cluster, pods)
	}
	p, err := s.plan(what, all)
	if err != nil {
		return engine.Plan{}, err
	}
	p.Health = health
	return p, rehearseFlips(ctx, client, t, p.Target, all)
}

// start is the change that brings a workload back, and to how many replicas; nil if
// there is nothing to bring back. KEDA finds the number itself.
func (f found) start() (*flip, int32, error) {
	kind, meta, now := f.kind, &f.meta, f.setting()
	if f.byKeda() {
		kind, meta, now = kindScaledObject, &f.auto.meta, pausedSetting(&f.auto.meta)
	}
	if now.Value != "0" || now.Before == "" {
		return nil, 0, nil
	}
	var before remembered
	if err := json.Unmarshal([]byte(now.Before), &before); err != nil {
		return nil, 0, f.unreadable(now.Before, err)
	}
	if before.Replicas < 0 || before.Replicas > maxReplicas || before.Replicas == 0 && !f.byKeda() {
		return nil, 0, f.unreadable(now.Before, fmt.Errorf("%d replicas", before.Replicas))
	}
	to := setting{Value: itoa(before.Replicas)}
	if f.byKeda() {
		to.Value = ""
	}
	return new(newFlip(kind, meta, now, to)), before.Replicas, nil
}

func (f found) unreadable(note string, err error) error {
	return remediators.Terminal("%s is not brought back: its annotation %s, %q, cannot be read: %w; scale it by hand and remove the annotation, or make it an exception",
		f, ReplicasBeforeAnnotation, note, err)
}

// Execute implements [remediators.Remediator].
func (r *Restore) Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	all, err := r.clusters.executeFlips(ctx, t, p)
	if err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Summary: fmt.Sprintf("%s: %s back to what was before", p.Target, counted(all)), Before: p.Precondition}, nil
}

// Observe implements [remediators.Remediator].
func (r *Restore) Observe(ctx context.Context, t engine.Task, p engine.Plan) (engine.Effect, error) {
	return r.clusters.observeFlips(ctx, t, p)
}

// Undo implements [remediators.Undoer]: it is stopped again.
func (r *Restore) Undo(ctx context.Context, t engine.Task, o engine.Outcome) error {
	return r.clusters.undoFlips(ctx, t, o)
}
