package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// ReplicasBeforeAnnotation holds, on what was scaled to zero, how it was before: JSON,
// as remembered has it. So it comes back also where nobody knows any more who did it.
const ReplicasBeforeAnnotation = "paramedic.dev/replicas-before"

// remembered is the value of that annotation.
type remembered struct {
	Replicas   int32            `json:"replicas"`
	Autoscaler *rememberedBound `json:"autoscaler,omitempty"`
}

// rememberedBound is for people: the bounds are still the autoscaler's own.
type rememberedBound struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	Min  *int32 `json:"min,omitempty"`
	Max  int32  `json:"max"`
}

// setting is what keeps a workload at zero, or does not.
type setting struct {
	// Value is the number of replicas; of a ScaledObject, the annotation that pauses
	// it at a number, empty if there is none.
	Value string `json:"value"`
	// Before is [ReplicasBeforeAnnotation], empty if there is none.
	Before string `json:"before,omitempty"`
}

// flip changes the setting of one object, by one write, fenced and marked as any
// other. An action on a namespace makes many, one after the other.
type flip struct {
	precondition

	Kind string  `json:"kind"`
	Name string  `json:"name"`
	From setting `json:"from"`
	To   setting `json:"to"`
}

// newFlip is planned on what was read. The one of a ScaledObject writes annotations
// alone, which make no generation: an unchanged one proves nothing.
func newFlip(kind string, meta *metav1.ObjectMeta, from, to setting) flip {
	f := flip{precondition: preconditionOf(meta), Kind: kind, Name: meta.Name, From: from, To: to}
	if kind == kindScaledObject {
		f.Generation = 0
	}
	return f
}

// flips are those of a plan, in its precondition and in the outcome.
type flips struct {
	Flips []flip `json:"flips"`
}

func flipsOf(p engine.Plan, raw json.RawMessage) ([]flip, error) {
	var all flips
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, remediators.Terminal("plan for %s: %q: %w", p.Target, raw, err)
	}
	for _, f := range all.Flips {
		if f.UID == "" || f.ResourceVersion == "" || f.Name == "" {
			return nil, remediators.Terminal("plan for %s: %q names an object without name, uid or resourceVersion", p.Target, raw)
		}
	}
	if len(all.Flips) == 0 {
		return nil, remediators.Terminal("plan for %s: %q names no object", p.Target, raw)
	}
	return all.Flips, nil
}

// on is the object, as a target beside the plan's own.
func (f flip) on(t engine.Target) engine.Target {
	if t.Kind == kindNamespace {
		t.Namespace = t.Name
	}
	t.Kind, t.Name = f.Kind, f.Name
	return t
}

func (f flip) field() string {
	if f.Kind == kindScaledObject {
		return "metadata.annotations[" + pausedReplicasAnnotation + "]"
	}
	return fieldReplicas
}

func (f flip) change() engine.Change {
	return engine.Change{Field: fmt.Sprintf("%s %s: %s", f.Kind, f.Name, f.field()), From: f.From.Value, To: f.To.Value}
}

// write is the change that makes the object have a setting.
func (f flip) write(s setting) change {
	orNone := func(v string) any {
		if v == "" {
			return nil
		}
		return v
	}
	made := change{annotations: map[string]any{ReplicasBeforeAnnotation: orNone(s.Before)}}
	if f.Kind == kindScaledObject {
		made.annotations[pausedReplicasAnnotation] = orNone(s.Value)
	} else {
		made.spec = map[string]any{"replicas": json.Number(s.Value)}
	}
	return made
}

// now reads the object and its setting.
func (f flip) now(ctx context.Context, client *Client, at engine.Target) (*metav1.ObjectMeta, setting, error) {
	if f.Kind == kindScaledObject {
		meta, err := client.meta(ctx, at)
		if err != nil {
			return nil, setting{}, err
		}
		return meta, pausedSetting(meta), nil
	}
	w, err := getWorkload(ctx, client, at.Kind, at.Namespace, at.Name)
	if err != nil {
		return nil, setting{}, err
	}
	return &w.meta, w.setting(), nil
}

func (w *workload) setting() setting {
	return setting{Value: number(w.replicas), Before: w.meta.Annotations[ReplicasBeforeAnnotation]}
}

func pausedSetting(meta *metav1.ObjectMeta) setting {
	return setting{Value: meta.Annotations[pausedReplicasAnnotation], Before: meta.Annotations[ReplicasBeforeAnnotation]}
}
