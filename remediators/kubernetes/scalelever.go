package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// lever is the one number that scaling a workload writes: its replicas, or, where an
// autoscaler sets those, the least that it keeps.
type lever struct {
	// at is the object that has it.
	at engine.Target
	// field is its place below spec.
	field string
}

// minimumFields are where the autoscalers have their least number.
func minimumFields() map[string]string {
	return map[string]string{kindPodAutoscaler: "minReplicas", kindScaledObject: "minReplicaCount"}
}

const fieldReplicas = "spec.replicas"

func ownLever(at engine.Target) lever { return lever{at: at, field: "replicas"} }

func (a *autoscaler) lever(cluster string) lever {
	return lever{at: a.target(cluster), field: minimumFields()[a.kind]}
}

// own reports whether the number is the workload's own.
func (l lever) own() bool { return l.field == "replicas" }

// name is what a plan calls it.
func (l lever) name() string {
	if l.own() {
		return fieldReplicas
	}
	return fmt.Sprintf("%s %s: spec.%s", l.at.Kind, l.at.Name, l.field)
}

// spec is the change that writes a number, or takes it away.
func (l lever) spec(n *int32) map[string]any {
	if n == nil {
		return map[string]any{l.field: nil}
	}
	return map[string]any{l.field: *n}
}

// read reads the object and the number; nil is none.
func (l lever) read(ctx context.Context, client *Client) (*metav1.ObjectMeta, *int32, error) {
	switch l.at.Kind {
	case kindPodAutoscaler:
		var h autoscalingv2.HorizontalPodAutoscaler
		err := client.get(ctx, l.at.Kind, l.at.Namespace, l.at.Name, &h)
		return &h.ObjectMeta, h.Spec.MinReplicas, err
	case kindScaledObject:
		var s scaledObject
		err := client.get(ctx, l.at.Kind, l.at.Namespace, l.at.Name, &s)
		return &s.ObjectMeta, s.Spec.MinReplicaCount, err
	}
	w, err := getWorkload(ctx, client, l.at.Kind, l.at.Namespace, l.at.Name)
	if err != nil {
		return nil, nil, err
	}
	return &w.meta, w.replicas, nil
}

// scaling is what a plan to scale would write.
type scaling struct {
	lever lever
	from  *int32
	to    int32
}

func (s scaling) change() engine.Change {
	return engine.Change{Field: s.lever.name(), From: number(s.from), To: itoa(s.to)}
}

// up reports whether the number becomes more.
func (s scaling) up() bool { return s.from == nil || s.to > *s.from }

// scalingOf reads it back from the plan's changes: that is what was allowed.
func scalingOf(p engine.Plan) (scaling, error) {
	if len(p.Changes) != 1 {
		return scaling{}, remediators.Terminal("plan for %s: %d changes; want one, of the replicas or of an autoscaler's least", p.Target, len(p.Changes))
	}
	c := p.Changes[0]
	s := scaling{lever: ownLever(p.Target)}
	if c.Field != fieldReplicas {
		object, _, _ := strings.Cut(c.Field, ": ")
		kind, name, _ := strings.Cut(object, " ")
		s.lever = lever{at: p.Target, field: minimumFields()[kind]}
		s.lever.at.Kind, s.lever.at.Name = kind, name
		if s.lever.field == "" || name == "" || s.lever.name() != c.Field {
			return scaling{}, remediators.Terminal("plan for %s: field %q is none that scaling writes", p.Target, c.Field)
		}
	}
	from, errFrom := parseNumber(c.From)
	to, errTo := strconv.ParseInt(c.To, 10, 32)
	if err := errors.Join(errFrom, errTo); err != nil {
		return scaling{}, remediators.Terminal("plan for %s: %s: %w", p.Target, c.Field, err)
	}
	if from == nil && s.lever.own() {
		return scaling{}, remediators.Terminal("plan for %s: %s: from nothing", p.Target, c.Field)
	}
	s.from, s.to = from, int32(to)
	return s, nil
}

func itoa(n int32) string { return strconv.Itoa(int(n)) }

// number is empty for one that is not written.
func number(n *int32) string {
	if n == nil {
		return ""
	}
	return itoa(*n)
}

func parseNumber(text string) (*int32, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // a number that is not written
	}
	n, err := strconv.ParseInt(text, 10, 32)
	return new(int32(n)), err
}
