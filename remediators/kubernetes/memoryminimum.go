package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// onAutoscaler is a plan as it is carried out: on the autoscaler, on behalf of the
// workload.
func onAutoscaler(p engine.Plan, done raised) engine.Plan {
	p.Target = done.autoscalerAt()
	return p
}

func (r raised) autoscalerAt() engine.Target {
	at := r.Target
	at.Kind, at.Name = kindVerticalAutoscaler, r.Autoscaler
	return at
}

func getVertical(ctx context.Context, client *Client, at engine.Target) (*verticalAutoscaler, error) {
	var v verticalAutoscaler
	return &v, client.get(ctx, at.Kind, at.Namespace, at.Name, &v)
}

// policies is the change of an autoscaler's policies, all of which a merge patch has
// to name; back turns it round.
func (r raised) policies(v *verticalAutoscaler, back bool) (change, error) {
	var list []map[string]any
	for i, raw := range v.Spec.ResourcePolicy.ContainerPolicies {
		var policy map[string]any
		if err := json.Unmarshal(raw, &policy); err != nil {
			return change{}, remediators.Terminal("%s: its policy %d: %w", v, i, err)
		}
		list = append(list, policy)
	}
	for _, least := range r.Containers {
		at, _, err := v.policy(least.Container)
		if err != nil {
			return change{}, err
		}
		own := at >= 0 && list[at]["containerName"] == least.Container
		var added map[string]any
		if raw := r.Added[least.Container]; raw != nil {
			if err := json.Unmarshal(raw, &added); err != nil {
				return change{}, remediators.Terminal("%s: the policy that was added: %w", v, err)
			}
		}
		switch {
		case !back && !own && added != nil:
			list = append(list, added)
		case !own:
			return change{}, remediators.PlanChanged("%s no longer has a policy for container %s", v, least.Container)
		case !back:
			setLeast(list[at], least.RequestTo)
		case added != nil && reflect.DeepEqual(list[at], added):
			list[at] = nil // left out below
		default:
			setLeast(list[at], least.RequestFrom)
		}
	}
	kept := []any{}
	for _, policy := range list {
		if policy != nil {
			kept = append(kept, policy)
		}
	}
	return change{spec: map[string]any{"resourcePolicy": map[string]any{"containerPolicies": kept}}}, nil
}

// inPolicies reports whether an autoscaler has what it was given.
func (r raised) inPolicies(v *verticalAutoscaler) bool {
	for _, least := range r.Containers {
		at, policy, err := v.policy(least.Container)
		if err != nil || at < 0 || policy.ContainerName != least.Container || !isAmount(policy.MinAllowed, least.RequestTo) {
			return false
		}
	}
	return true
}

func (m *Memory) raiseMinimum(ctx context.Context, t engine.Task, p engine.Plan, done raised) (string, error) {
	err := m.clusters.carryOut(ctx, t, onAutoscaler(p, done), func(ctx context.Context, client *Client) (change, error) {
		v, err := getVertical(ctx, client, done.autoscalerAt())
		if err != nil {
			return change{}, err
		}
		// What this read of the object has, the plan's version fences.
		return done.policies(v, false)
	})
	return fmt.Sprintf("%s %s in %s requests at least %s for %s %s", kindVerticalAutoscaler, done.Autoscaler, p.Target.Cluster,
		leastWords(done.Containers), p.Target.Kind, nameOf(p.Target)), err
}

func observeMinimum(ctx context.Context, client *Client, task string, p engine.Plan, done raised) (engine.Effect, error) {
	return observeObject(task, onAutoscaler(p, done), func() (*metav1.ObjectMeta, bool, error) {
		v, err := getVertical(ctx, client, done.autoscalerAt())
		return &v.Metadata, done.inPolicies(v), err
	})
}

// lowerMinimum puts the lower bound back, or takes it away where there was none. What
// the pods have by then, the autoscaler lowers when it sees fit.
func (m *Memory) lowerMinimum(ctx context.Context, t engine.Task, done raised) error {
	at := done.autoscalerAt()
	return m.clusters.putBackObject(ctx, t, at, func(ctx context.Context, client *Client) (change, bool, error) {
		v, err := getVertical(ctx, client, at)
		if err != nil {
			return change{}, false, err
		}
		if back, err := done.minimumIsBack(v, t.Undoes); back || err != nil {
			return change{}, back, err
		}
		made, err := done.policies(v, true)
		made.seen = preconditionOf(&v.Metadata)
		return made, false, err
	})
}

func (r raised) minimumIsBack(v *verticalAutoscaler, task string) (bool, error) {
	changed := ""
	if !r.inPolicies(v) {
		changed = "its minAllowed was changed since, from " + leastWords(r.Containers)
	}
	return isBack(&v.Metadata, r.UID, task, v.String()+" is not put back", changed)
}
