package kubernetes

import (
	"context"
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// precondition is the object as the plan saw it, all of one read.
type precondition struct {
	UID             types.UID `json:"uid"`
	ResourceVersion string    `json:"resourceVersion"`
	Generation      int64     `json:"generation"`
	Tasks           marks     `json:"tasks,omitempty"`
}

func preconditionOf(m *metav1.ObjectMeta) precondition {
	return precondition{UID: m.UID, ResourceVersion: m.ResourceVersion, Generation: m.Generation, Tasks: marksOf(m.Annotations)}
}

func (p precondition) encode() (json.RawMessage, error) { return encode(p) }

// encode makes a plan's precondition or an outcome's Before of what an action keeps.
func encode(kept any) (json.RawMessage, error) {
	b, err := json.Marshal(kept)
	if err != nil {
		return nil, remediators.Terminal("what is to be kept does not encode: %w", err)
	}
	return b, nil
}

func decodePrecondition(p engine.Plan) (precondition, error) {
	var seen precondition
	if err := json.Unmarshal(p.Precondition, &seen); err != nil {
		return seen, remediators.Terminal("plan for %s: precondition %q: %w", p.Target, p.Precondition, err)
	}
	if seen.ResourceVersion == "" || seen.UID == "" {
		// Without it the API server would accept the change whatever was there.
		return seen, remediators.Terminal("plan for %s: precondition %q lacks uid or resourceVersion", p.Target, p.Precondition)
	}
	return seen, nil
}

// settle judges a refused change: whether it was made nonetheless, by an earlier
// call of the task. It returns nil if so.
//
// The other answer is that the plan has changed, also where only the status was
// written and a new plan will be the same: with this plan's precondition, neither
// this call nor any earlier one that is still on its way will ever be accepted.
func settle(ctx context.Context, client *Client, task string, at engine.Target, conflict error) error {
	meta, err := client.meta(ctx, at)
	if err != nil {
		if remediators.ClassOf(err) == engine.ClassTerminal {
			return err
		}
		return remediators.UnknownOutcome("%w; then: %w", conflict, err)
	}
	if marksOf(meta.Annotations).has(task) {
		return nil
	}
	return remediators.PlanChanged("%s was written since it was planned: %w", at, conflict)
}

// meta reads what all objects have.
func (c *Client) meta(ctx context.Context, at engine.Target) (*metav1.ObjectMeta, error) {
	var object metav1.PartialObjectMetadata
	if err := c.get(ctx, at.Kind, at.Namespace, at.Name, &object); err != nil {
		return nil, err
	}
	return &object.ObjectMeta, nil
}

// observe reads whether a task has changed a workload. single reports whether
// the one change since the plan can be the task's.
func observe(ctx context.Context, client *Client, task string, p engine.Plan, single func(*workload) bool) (engine.Effect, error) {
	return observeObject(task, p, func() (*metav1.ObjectMeta, bool, error) {
		w, err := getWorkload(ctx, client, p.Target.Kind, p.Target.Namespace, p.Target.Name)
		if err != nil {
			return nil, false, err
		}
		return &w.meta, single(w), nil
	})
}

// observeObject concludes from an object whether a task has changed it. read tells,
// too, whether the one change of its spec since the plan can be the task's.
//
// An object that counts no generations is as the plan saw it only while nothing at
// all was written to it.
func observeObject(task string, p engine.Plan, read func() (meta *metav1.ObjectMeta, single bool, err error)) (engine.Effect, error) {
	seen, err := decodePrecondition(p)
	if err != nil {
		return engine.Unknown, err
	}
	meta, single, err := read()
	if err != nil {
		if notFound(err) {
			// Gone, and with it the answer.
			return engine.Unknown, nil
		}
		return engine.Unknown, err
	}
	counts := seen.Generation > 0
	switch {
	case meta.UID != seen.UID:
		return engine.Unknown, nil
	case marksOf(meta.Annotations).has(task):
		return engine.Applied, nil
	case meta.ResourceVersion == seen.ResourceVersion:
		return engine.NotApplied, nil
	case counts && meta.Generation == seen.Generation:
		return engine.NotApplied, nil
	case counts && meta.Generation == seen.Generation+1 && !single:
		return engine.NotApplied, nil
	default:
		// Several changes: one of them may have been the task's, and a later
		// one may have replaced the whole object, marks and all.
		return engine.Unknown, nil
	}
}
