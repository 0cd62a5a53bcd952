package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// ScaleToZero takes all pods of a workload away, or of all Deployments and
// StatefulSets of a namespace, for a night or a weekend. What was before stands on the
// objects themselves ([ReplicasBeforeAnnotation]).
//
// An autoscaler is switched off by its own means: KEDA's by the annotation that pauses
// a ScaledObject at 0 replicas, a HorizontalPodAutoscaler by the 0 itself, which it
// leaves alone unless its minimum is 0.
//
// Of a namespace the objects are written one after the other, each marked with the
// task and fenced by its own version. That all of them were written, or none, can be
// told; where only some were, the outcome is unknown.
type ScaleToZero struct{ clusters Clusters }

// NewScaleToZero makes the action.
func NewScaleToZero(clusters Clusters) *ScaleToZero { return &ScaleToZero{clusters: clusters} }

// Spec implements [remediators.Remediator].
func (*ScaleToZero) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    "kubernetes.scale-to-zero",
		System:  engine.SystemKubernetes,
		Summary: "Takes all pods of a Deployment or StatefulSet away, or of all in a Namespace but the exceptions, and remembers how many there were.",
		Params:  json.RawMessage(exceptionsSchema),
		Fenced:  true,
		Health:  true,
	}
}

// Rules is what it needs to be allowed.
func (*ScaleToZero) Rules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		may([]string{"get", "list", "patch"}, kindDeployment, kindStatefulSet),
		may([]string{"get"}, kindReplicaSet),
		may([]string{"get"}, kindPod, kindNamespace),
		may([]string{"list"}, kindPodAutoscaler),
		may([]string{"get", "list", "patch"}, kindScaledObject),
	}
}

// Plan implements [remediators.Remediator].
func (z *ScaleToZero) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	client, s, err := z.clusters.survey(ctx, t)
	if err != nil {
		return engine.Plan{}, err
	}
	if s.why != "" {
		return s.noop(s.why)
	}
	if len(s.all) == 0 {
		return engine.Plan{}, remediators.Terminal("%s has no Deployment and no StatefulSet that is no exception", s.name())
	}
	p, all, err := s.stop()
	if err != nil || p.Noop {
		return p, err
	}
	return p, rehearseFlips(ctx, client, t, p.Target, all)
}

// stop plans to take the pods away of those that have not been stopped.
func (s scene) stop() (engine.Plan, []flip, error) {
	var all []flip
	var pods int32
	health := &engine.Health{}
	for _, f := range s.all {
		made, err := f.stop()
		if err != nil {
			return engine.Plan{}, nil, err
		}
		if made == nil {
			continue
		}
		all, pods = append(all, *made), pods+*f.replicas
		health = plus(health, f.health.scaled(0))
	}
	if len(all) == 0 {
		p, err := s.noop("it is at 0 replicas already")
		return p, nil, err
	}
	what := fmt.Sprintf("scale %s in %s from %d to 0 replicas", s.name(), s.target.Cluster, pods)
	if s.target.Kind == kindNamespace {
		what = fmt.Sprintf("scale %d workloads of %s in %s to 0 replicas, together from %d", len(all), s.name(), s.target.Cluster, pods)
	}
	p, err := s.plan(what, all)
	p.Health = health
	return p, all, err
}

// stop is the change that takes a workload's pods away; nil if it has none to have.
func (f found) stop() (*flip, error) {
	before := remembered{Replicas: *f.replicas}
	if a := f.auto; a != nil {
		before.Autoscaler = &rememberedBound{Kind: a.kind, Name: a.meta.Name, Min: a.min, Max: a.max}
	}
	note, err := json.Marshal(before)
	if err != nil {
		return nil, remediators.Terminal("what is to be remembered of %s does not encode: %w", f, err)
	}
	to := setting{Value: "0", Before: string(note)}
	if f.byKeda() {
		from := pausedSetting(&f.auto.meta)
		if from.Value == "0" {
			return nil, nil //nolint:nilnil // there is nothing to change
		}
		if why := f.auto.paused(); why != "" {
			return nil, remediators.Terminal("%s is not stopped: %s is paused by its annotation %s; remove that first, or make it an exception", f, f.auto, why)
		}
		return new(newFlip(kindScaledObject, &f.auto.meta, from, to)), nil
	}
	if *f.replicas == 0 {
		return nil, nil //nolint:nilnil // there is nothing to change
	}
	if f.auto != nil && f.auto.least() == 0 {
		return nil, remediators.Terminal("%s is not stopped: %s may itself scale it to 0, and from there again; raise its minimum to 1, or make it an exception", f, f.auto)
	}
	return new(newFlip(f.kind, &f.meta, f.setting(), to)), nil
}

// Execute implements [remediators.Remediator].
func (z *ScaleToZero) Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	all, err := z.clusters.executeFlips(ctx, t, p)
	if err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Summary: fmt.Sprintf("%s: %s to 0 replicas", p.Target, counted(all)), Before: p.Precondition}, nil
}

// counted says how many objects were written.
func counted(all []flip) string {
	if len(all) == 1 {
		return fmt.Sprintf("%s %s is set", all[0].Kind, all[0].Name)
	}
	return fmt.Sprintf("%d objects are set", len(all))
}

// Observe implements [remediators.Remediator].
func (z *ScaleToZero) Observe(ctx context.Context, t engine.Task, p engine.Plan) (engine.Effect, error) {
	return z.clusters.observeFlips(ctx, t, p)
}

// Undo implements [remediators.Undoer].
func (z *ScaleToZero) Undo(ctx context.Context, t engine.Task, o engine.Outcome) error {
	return z.clusters.undoFlips(ctx, t, o)
}
