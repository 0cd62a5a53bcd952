package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Annotate sets annotations of an object, or takes them away: what other tools go by,
// such as a controller that is to leave the object alone for a while. It acts on the
// very object that the target names, a pod too.
type Annotate struct{ clusters Clusters }

// NewAnnotate makes the action.
func NewAnnotate(clusters Clusters) *Annotate { return &Annotate{clusters: clusters} }

// Spec implements [remediators.Remediator].
func (*Annotate) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    "kubernetes.annotate",
		System:  engine.SystemKubernetes,
		Summary: "Sets annotations of an object, or takes them away; none of Kubernetes' own.",
		Params:  json.RawMessage(annotateSchema),
		Fenced:  true,
	}
}

// annotated are the kinds that a rule's target can name.
func annotated() []string {
	return []string{
		kindDeployment, kindStatefulSet, kindDaemonSet, kindReplicaSet, kindPod, kindJob, kindCronJob, kindService,
		kindClaim, kindNode, kindVolume, kindNamespace,
	}
}

// Rules is what it needs to be allowed for all kinds.
func (a *Annotate) Rules() []rbacv1.PolicyRule {
	var all []rbacv1.PolicyRule
	for _, kind := range annotated() {
		all = append(all, a.RulesFor(kind)...)
	}
	return all
}

// RulesFor implements [RuledFor].
func (*Annotate) RulesFor(kind string) []rbacv1.PolicyRule {
	if !slices.Contains(annotated(), kind) {
		return nil
	}
	return []rbacv1.PolicyRule{may([]string{"get", "patch"}, kind)}
}

// annotation is what an annotation was and is to be; nil means that it is not there.
type annotation struct {
	From *string `json:"from"`
	To   *string `json:"to"`
}

// annotations is what is changed, by key: the plan's precondition and the outcome's
// Before.
type annotations struct {
	precondition

	Target engine.Target         `json:"target"`
	Values map[string]annotation `json:"values"`
}

func decodeAnnotations(raw json.RawMessage, of fmt.Stringer) (annotations, error) {
	var a annotations
	if err := json.Unmarshal(raw, &a); err != nil {
		return a, remediators.Terminal("annotations of %s: %q: %w", of, raw, err)
	}
	if a.UID == "" || len(a.Values) == 0 {
		return a, remediators.Terminal("annotations of %s: %q names no object, or no annotations", of, raw)
	}
	return a, nil
}

// written is what a patch sets; back turns it round.
func (a annotations) written(back bool) map[string]any {
	values := make(map[string]any, len(a.Values))
	for key, v := range a.Values {
		to := v.To
		if back {
			to = v.From
		}
		values[key] = nil
		if to != nil {
			values[key] = *to
		}
	}
	return values
}

// stand reports whether an object has them as they were to be.
func (a annotations) stand(m *metav1.ObjectMeta) bool {
	for key, v := range a.Values {
		if !same(valueOf(m, key), v.To) {
			return false
		}
	}
	return true
}

// valueOf is an annotation's value; nil if it is not there.
func valueOf(m *metav1.ObjectMeta, key string) *string {
	if v, ok := m.Annotations[key]; ok {
		return &v
	}
	return nil
}

func same(a, b *string) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// Plan implements [remediators.Remediator].
func (a *Annotate) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	wanted, err := annotateParamsOf(t)
	if err != nil {
		return engine.Plan{}, err
	}
	client, err := a.clusters.client(t.Target)
	if err != nil {
		return engine.Plan{}, err
	}
	if !slices.Contains(annotated(), t.Target.Kind) {
		return engine.Plan{}, remediators.Terminal("%s: kind %q cannot be annotated; want one of %s", t.Target, t.Target.Kind, strings.Join(annotated(), ", "))
	}
	meta, err := client.meta(ctx, t.Target)
	if err != nil {
		return engine.Plan{}, err
	}
	if meta.DeletionTimestamp != nil {
		return engine.Plan{}, remediators.Terminal("%s is being deleted", t.Target)
	}
	if err := marksOf(meta.Annotations).notYet(t.ID, t.Target); err != nil {
		return engine.Plan{}, err
	}
	p, made, err := planAnnotate(t.Target, meta, wanted)
	if err != nil || p.Noop {
		return p, err
	}
	return p, a.clusters.rehearse(ctx, client, t, p, made)
}

func planAnnotate(at engine.Target, m *metav1.ObjectMeta, wanted map[string]*string) (engine.Plan, change, error) {
	done := annotations{precondition: preconditionOf(m), Target: at, Values: map[string]annotation{}}
	// Most kinds count no change of an annotation as a generation, so an unchanged
	// one proves nothing here.
	done.Generation = 0
	p := engine.Plan{Target: at}
	var sets, removes []string
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		v := annotation{From: valueOf(m, key), To: wanted[key]}
		switch {
		case same(v.From, v.To):
			continue
		case v.To == nil:
			removes = append(removes, key)
		default:
			sets = append(sets, key)
		}
		done.Values[key] = v
		p.Changes = append(p.Changes, engine.Change{Field: "metadata.annotations[" + key + "]", From: shown(v.From), To: shown(v.To)})
	}
	p.Noop = len(p.Changes) == 0
	p.Summary = fmt.Sprintf("annotate %s %s in %s: %s", at.Kind, nameOf(at), at.Cluster, both(sets, removes))
	if p.Noop {
		p.Summary = fmt.Sprintf("%s %s in %s has these annotations already", at.Kind, nameOf(at), at.Cluster)
	}
	var err error
	if p.Precondition, err = encode(done); err != nil {
		return engine.Plan{}, change{}, err
	}
	return p, change{annotations: done.written(false)}, nil
}

// nameOf is how a person finds an object of its kind.
func nameOf(at engine.Target) string {
	if at.Namespace == "" {
		return at.Name
	}
	return at.Namespace + "/" + at.Name
}

func both(sets, removes []string) string {
	var parts []string
	if len(sets) > 0 {
		parts = append(parts, "set "+strings.Join(sets, ", "))
	}
	if len(removes) > 0 {
		parts = append(parts, "remove "+strings.Join(removes, ", "))
	}
	return strings.Join(parts, "; ")
}

// Execute implements [remediators.Remediator].
func (a *Annotate) Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	done, err := decodeAnnotations(p.Precondition, p.Target)
	if err != nil {
		return engine.Outcome{}, err
	}
	before, err := encode(done)
	if err != nil {
		return engine.Outcome{}, err
	}
	err = a.clusters.carryOut(ctx, t, p, func(context.Context, *Client) (change, error) {
		return change{annotations: done.written(false)}, nil
	})
	if err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{
		Summary: fmt.Sprintf("annotated %s %s in %s: %s", p.Target.Kind, nameOf(p.Target), p.Target.Cluster, strings.Join(slices.Sorted(maps.Keys(done.Values)), ", ")),
		Before:  before,
	}, nil
}

// Observe implements [remediators.Remediator].
func (a *Annotate) Observe(ctx context.Context, t engine.Task, p engine.Plan) (engine.Effect, error) {
	client, err := a.clusters.client(p.Target)
	if err != nil {
		return engine.Unknown, err
	}
	return observeObject(t.ID, p, func() (*metav1.ObjectMeta, bool, error) {
		meta, err := client.meta(ctx, p.Target)
		return meta, true, err
	})
}

// Undo implements [remediators.Undoer]: it puts the values back that were there, if
// none of them was changed since. An outcome that was observed has no Before; t.Plan,
// the plan that was executed, then tells the same.
func (a *Annotate) Undo(ctx context.Context, t engine.Task, o engine.Outcome) error {
	raw, err := beforeOf(t, o)
	if err != nil {
		return err
	}
	done, err := decodeAnnotations(raw, t.Target)
	if err != nil {
		return err
	}
	return a.clusters.putBackObject(ctx, t, done.Target, func(ctx context.Context, client *Client) (change, bool, error) {
		meta, err := client.meta(ctx, done.Target)
		if err != nil {
			return change{}, false, err
		}
		back, err := done.isBack(meta, t.Undoes)
		return change{seen: preconditionOf(meta), annotations: done.written(true)}, back, err
	})
}

// isBack reports whether an object shows that a task was undone, or why it cannot
// be.
func (a annotations) isBack(m *metav1.ObjectMeta, task string) (bool, error) {
	changed := ""
	if !a.stand(m) {
		changed = "its annotations were changed since"
	}
	return isBack(m, a.UID, task, a.Target.String()+" is not annotated as before", changed)
}
