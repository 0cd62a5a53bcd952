package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Memory raises the memory limits of a workload's containers, and their requests in
// the same proportion. There are three ways, and the plan says which it is:
//
// In place, the pods that run are resized, without a restart where their resizePolicy
// has none. The template stays: a stop-gap that lasts as long as these pods do. By
// rollout, the template is changed, which lasts, and replaces all pods. A
// VerticalPodAutoscaler that has the say on a container would take either back, so
// there its own lower bound is raised, and it does the rest.
//
// What is raised is the most that the template and the pods have: a rollout after a
// resize goes on from there.
type Memory struct{ clusters Clusters }

// NewMemory makes the action.
func NewMemory(clusters Clusters) *Memory { return &Memory{clusters: clusters} }

// Spec implements [remediators.Remediator].
func (*Memory) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    "kubernetes.memory",
		System:  engine.SystemKubernetes,
		Summary: "Raises the memory of a Deployment's, StatefulSet's or DaemonSet's containers by a factor up to a maximum: in place where the cluster can, else by a rollout, or through their VerticalPodAutoscaler.",
		Params:  json.RawMessage(memorySchema),
		Fenced:  true,
		Health:  true,
	}
}

// Rules is what it needs to be allowed.
func (*Memory) Rules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		may([]string{"get", "patch"}, kindDeployment, kindStatefulSet, kindDaemonSet),
		may([]string{"get", "list"}, kindReplicaSet),
		may([]string{"get", "list"}, kindPod),
		{APIGroups: []string{""}, Resources: []string{"pods/resize"}, Verbs: []string{"patch"}},
		may([]string{"get", "list", "patch"}, kindVerticalAutoscaler),
		may([]string{"list"}, kindQuota, kindLimitRange),
	}
}

// raised is what was done or is to be: the plan's precondition and the outcome's
// Before. The object of the precondition is the one that is written, or, of pods that
// are resized, their workload.
type raised struct {
	precondition

	Target engine.Target `json:"target"`
	How    string        `json:"how"`
	// Containers are those of the template, or of the autoscaler's policies.
	Containers []raise `json:"containers,omitempty"`
	// Pods are resized, each from what it had.
	Pods []resized `json:"pods,omitempty"`
	// Autoscaler has the say; Added are the policies that it got for this.
	Autoscaler string                     `json:"autoscaler,omitempty"`
	Added      map[string]json.RawMessage `json:"added,omitempty"`
}

func (r raised) encode() (json.RawMessage, error) { return encode(r) }

func decodeRaised(raw json.RawMessage, of fmt.Stringer) (raised, error) {
	var r raised
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, remediators.Terminal("memory of %s: %q: %w", of, raw, err)
	}
	known := r.How == howRollout && len(r.Containers) > 0 || r.How == howInPlace && len(r.Pods) > 0 ||
		r.How == howAutoscaler && len(r.Containers) > 0 && r.Autoscaler != ""
	if r.UID == "" || !known {
		return r, remediators.Terminal("memory of %s: %q does not say what was raised, and how", of, raw)
	}
	return r, nil
}

// Plan implements [remediators.Remediator].
func (m *Memory) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	params, err := memoryParamsOf(t)
	if err != nil {
		return engine.Plan{}, err
	}
	client, w, err := m.clusters.unchanged(ctx, t)
	if err != nil {
		return engine.Plan{}, err
	}
	pods, err := ownPods(ctx, client, w)
	if err != nil {
		return engine.Plan{}, err
	}
	wanted, err := params.raises(w, pods)
	if err != nil {
		return engine.Plan{}, err
	}
	auto, note, err := verticalOf(ctx, client, w, wanted)
	if err != nil {
		return engine.Plan{}, err
	}
	plan := planning{Memory: m, client: client, task: t, w: w, pods: pods, wanted: wanted, note: note}
	if auto != nil {
		return plan.autoscaler(ctx, auto)
	}
	return plan.choose(ctx, params.how())
}

// planning is what a plan is made of.
type planning struct {
	*Memory

	client *Client
	task   engine.Task
	w      *workload
	pods   []corev1.Pod
	wanted []raise
	// note is what else a person should know.
	note string
}

// choose plans in the way that is asked for.
func (p planning) choose(ctx context.Context, how string) (engine.Plan, error) {
	if how == howRollout {
		return p.rollout(ctx)
	}
	planned, err := p.inPlace(ctx, how == howAuto)
	reason, not := errors.AsType[notInPlaceError](err)
	switch {
	case !not:
		return planned, err
	case how == howInPlace:
		return engine.Plan{}, remediators.Terminal("%s is not resized in place: %w; how: rollout replaces its pods", p.w, reason)
	}
	p.note += "; not in place, since " + reason.short
	return p.rollout(ctx)
}

// at is the canonical target.
func (p planning) at() engine.Target { return p.w.target(p.task.Target.Cluster) }

// plan completes one.
func (p planning) plan(done raised, summary string, changes []engine.Change, health *engine.Health) (engine.Plan, error) {
	done.Target = p.at()
	seen, err := done.encode()
	if err != nil {
		return engine.Plan{}, err
	}
	return engine.Plan{
		Target: done.Target, Summary: summary + p.note, Changes: changes, Health: health, Precondition: seen,
	}, nil
}

// inWords is what is raised, for people.
func inWords(all []raise) string {
	var parts []string
	for _, r := range all {
		parts = append(parts, fmt.Sprintf("%s from %s to %s", r.Container, orNone(r.LimitFrom), r.LimitTo))
	}
	return strings.Join(parts, ", ")
}

// Execute implements [remediators.Remediator].
func (m *Memory) Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	done, err := decodeRaised(p.Precondition, p.Target)
	if err != nil {
		return engine.Outcome{}, err
	}
	if done.Target != p.Target {
		return engine.Outcome{}, remediators.Terminal("plan for %s: its precondition is of %s", p.Target, done.Target)
	}
	before, err := done.encode()
	if err != nil {
		return engine.Outcome{}, err
	}
	var summary string
	switch done.How {
	case howInPlace:
		summary, err = m.resize(ctx, t, done)
	case howAutoscaler:
		summary, err = m.raiseMinimum(ctx, t, p, done)
	default:
		summary, err = m.rollOut(ctx, t, p, done)
	}
	if err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Summary: summary, Before: before}, nil
}

// Observe implements [remediators.Remediator].
func (m *Memory) Observe(ctx context.Context, t engine.Task, p engine.Plan) (engine.Effect, error) {
	client, err := m.clusters.client(p.Target)
	if err != nil {
		return engine.Unknown, err
	}
	done, err := decodeRaised(p.Precondition, p.Target)
	if err != nil {
		return engine.Unknown, err
	}
	switch done.How {
	case howInPlace:
		return observeResize(ctx, client, t.ID, done)
	case howAutoscaler:
		return observeMinimum(ctx, client, t.ID, p, done)
	default:
		return observe(ctx, client, t.ID, p, done.inTemplate)
	}
}

// Undo implements [remediators.Undoer]: it puts back what was there, if that is still
// as it was written. An outcome that was observed has no Before; t.Plan, the plan that
// was executed, then tells the same.
func (m *Memory) Undo(ctx context.Context, t engine.Task, o engine.Outcome) error {
	raw, err := beforeOf(t, o)
	if err != nil {
		return err
	}
	done, err := decodeRaised(raw, t.Target)
	if err != nil {
		return err
	}
	switch done.How {
	case howInPlace:
		return m.resizeBack(ctx, t, done)
	case howAutoscaler:
		return m.lowerMinimum(ctx, t, done)
	default:
		return m.rollBack(ctx, t, done)
	}
}
