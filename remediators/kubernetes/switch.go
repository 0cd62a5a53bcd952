package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Switch leads a Service to the pods of another colour, by one label of its selector:
// the switch of a blue-green deployment. It does so only while enough of those pods
// are ready, and is done once the Service's endpoints are theirs.
type Switch struct{ clusters Clusters }

// NewSwitch makes the action.
func NewSwitch(clusters Clusters) *Switch { return &Switch{clusters: clusters} }

// Spec implements [remediators.Remediator].
func (*Switch) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    "kubernetes.switch",
		System:  engine.SystemKubernetes,
		Summary: "Leads a Service to the pods of another colour (blue-green), by a label of its selector, if enough of them are ready.",
		Params:  json.RawMessage(switchSchema),
		Fenced:  true,
		Health:  true,
	}
}

// Rules is what it needs to be allowed.
func (*Switch) Rules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		may([]string{"get", "patch"}, kindService),
		may([]string{"list"}, kindPod),
		may([]string{"list"}, kindEndpointSlice),
	}
}

// switched is what a switch is: the plan's precondition and the outcome's Before.
type switched struct {
	precondition

	Target engine.Target `json:"target"`
	Label  string        `json:"label"`
	From   string        `json:"from"`
	To     string        `json:"to"`
	// Selector is the whole selector as the switch leaves it.
	Selector map[string]string `json:"selector"`
	// Needed is how many pods must be ready.
	Needed int `json:"needed"`
}

func decodeSwitched(raw json.RawMessage, of fmt.Stringer) (switched, error) {
	var s switched
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, remediators.Terminal("switch of %s: %q: %w", of, raw, err)
	}
	if s.UID == "" || s.Label == "" || s.From == "" || s.To == "" || s.Selector[s.Label] != s.To || s.Needed < 1 {
		return s, remediators.Terminal("switch of %s: %q names no object, or no colours", of, raw)
	}
	return s, nil
}

// Plan implements [remediators.Remediator].
func (s *Switch) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	params, err := switchParamsOf(t)
	if err != nil {
		return engine.Plan{}, err
	}
	client, err := s.clusters.client(t.Target)
	if err != nil {
		return engine.Plan{}, err
	}
	if t.Target.Kind != kindService {
		return engine.Plan{}, remediators.Terminal("%s cannot be switched: want a Service", t.Target)
	}
	is, err := client.service(ctx, t.Target)
	if err != nil {
		return engine.Plan{}, err
	}
	if err = switchable(is, params.Label); err != nil {
		return engine.Plan{}, err
	}
	if err = marksOf(is.Annotations).notYet(t.ID, is); err != nil {
		return engine.Plan{}, err
	}
	from := is.Spec.Selector[params.Label]
	to, err := params.choose(from)
	if err != nil {
		return engine.Plan{}, remediators.Terminal("%s is not switched: %w", is, err)
	}
	now, err := client.endpoints(ctx, is)
	if err != nil {
		return engine.Plan{}, err
	}
	done := switched{
		precondition: preconditionOf(&is.ObjectMeta), Target: t.Target, Label: params.Label,
		From: from, To: to, Selector: withLabel(is.Spec.Selector, params.Label, to), Needed: params.needed(now.ready()),
	}
	p, err := planSwitch(done, now)
	if err != nil || p.Noop {
		return p, err
	}
	there, err := done.enough(ctx, client, is)
	if err != nil {
		return engine.Plan{}, err
	}
	p.Health.Disrupts = max(0, now.ready()-there)
	return p, s.clusters.rehearse(ctx, client, t, p, done.change(to))
}

// enough says how many pods of the colour that a Service is switched to are ready, or
// why it is not.
func (s switched) enough(ctx context.Context, client *Client, is *service) (int, error) {
	pods, err := client.colour(ctx, is, s.Label, s.To)
	if err != nil {
		return 0, err
	}
	return enough(is, pods, s.Label+"="+s.To, s.Needed)
}

// planSwitch says nothing that changes by itself, such as how many pods are ready: the
// plan is compared with what was allowed.
func planSwitch(done switched, now endpoints) (engine.Plan, error) {
	seen, err := encode(done)
	if err != nil {
		return engine.Plan{}, err
	}
	p := engine.Plan{
		Target: done.Target, Precondition: seen,
		Health: &engine.Health{Total: len(now), Healthy: now.ready()},
	}
	service := fmt.Sprintf("%s %s/%s in %s", kindService, done.Target.Namespace, done.Target.Name, done.Target.Cluster)
	if done.From == done.To {
		p.Noop, p.Summary = true, fmt.Sprintf("%s leads to %s=%s already", service, done.Label, done.To)
		return p, nil
	}
	p.Summary = fmt.Sprintf("switch %s from %s=%s to %s", service, done.Label, done.From, done.To)
	p.Changes = []engine.Change{{Field: "spec.selector[" + done.Label + "]", From: done.From, To: done.To}}
	return p, nil
}

// managedByRollouts is what Argo Rollouts marks a Service with whose selector it
// writes. Source: https://argo-rollouts.readthedocs.io/en/stable/features/bluegreen/
const managedByRollouts = "argo-rollouts.argoproj.io/managed-by-rollouts"

// switchable refuses a Service whose selector is not there, or is another's to write.
func switchable(s *service, label string) error {
	owner := metav1.GetControllerOfNoCopy(s)
	_, has := s.Spec.Selector[label]
	switch {
	case s.DeletionTimestamp != nil:
		return remediators.Terminal("%s is being deleted", s)
	case owner != nil:
		return remediators.Terminal("%s is not switched: it is managed by %s %s, which would switch it back; switch it there", s, owner.Kind, owner.Name)
	case s.Annotations[managedByRollouts] != "":
		return remediators.Terminal("%s is not switched: it is managed by the Rollout %s, which would switch it back; promote or abort that", s, s.Annotations[managedByRollouts])
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		return remediators.Terminal("%s is not switched: it is of type ExternalName, which leads to no pods", s)
	case len(s.Spec.Selector) == 0:
		return remediators.Terminal("%s is not switched: it has no selector; give it one that has the label %s, with the colour that it is on", s, label)
	case !has:
		return remediators.Terminal("%s is not switched: its selector %s has no label %s; add it, with the colour that it is on", s, labels.Set(s.Spec.Selector), label)
	}
	return nil
}

func withLabel(selector map[string]string, label, value string) map[string]string {
	selector = maps.Clone(selector)
	selector[label] = value
	return selector
}

// change leads the Service to a colour.
func (s switched) change(colour string) change {
	return change{spec: map[string]any{"selector": map[string]any{s.Label: colour}}}
}

// Execute implements [remediators.Remediator]. The Service bears the task once it is
// switched, by which Observe follows it: nothing else need be kept.
func (s *Switch) Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	done, err := decodeSwitched(p.Precondition, p.Target)
	if err != nil {
		return engine.Outcome{}, err
	}
	before, err := encode(done)
	if err != nil {
		return engine.Outcome{}, err
	}
	client, err := s.clusters.client(p.Target)
	if err != nil {
		return engine.Outcome{}, err
	}
	err = s.clusters.carryOut(ctx, t, p, func(ctx context.Context, client *Client) (change, error) {
		is, err := client.service(ctx, p.Target)
		if err != nil {
			return change{}, err
		}
		if marksOf(is.Annotations).has(t.ID) {
			return done.change(done.To), nil // it is refused, and then found to be made
		}
		// Those that were ready for the plan need not be any more.
		_, err = done.enough(ctx, client, is)
		return done.change(done.To), err
	})
	if err != nil {
		return engine.Outcome{}, err
	}
	ready, err := client.followEndpoints(ctx, p.Target, t.ID)
	if err != nil {
		return engine.Outcome{}, remediators.UnknownOutcome("%s: its selector is switched to %s=%s, but then: %w", p.Target, done.Label, done.To, err)
	}
	return engine.Outcome{
		Summary: fmt.Sprintf("switched %s %s/%s in %s from %s=%s to %s, which has %d ready endpoints",
			kindService, p.Target.Namespace, p.Target.Name, p.Target.Cluster, done.Label, done.From, done.To, ready),
		Before: before,
	}, nil
}

// Observe implements [remediators.Remediator].
func (s *Switch) Observe(ctx context.Context, t engine.Task, p engine.Plan) (engine.Effect, error) {
	client, err := s.clusters.client(p.Target)
	if err != nil {
		return engine.Unknown, err
	}
	done, err := decodeSwitched(p.Precondition, p.Target)
	if err != nil {
		return engine.Unknown, err
	}
	effect, err := observeObject(t.ID, p, func() (*metav1.ObjectMeta, bool, error) {
		is, err := client.service(ctx, p.Target)
		if err != nil {
			return nil, false, err
		}
		return &is.ObjectMeta, is.Spec.Selector[done.Label] == done.To, nil
	})
	if err != nil || effect != engine.Applied {
		return effect, err
	}
	if _, err := client.followEndpoints(ctx, p.Target, t.ID); err != nil {
		return engine.Unknown, remediators.Retryable(0, "%s: its selector is switched to %s=%s, but then: %w", p.Target, done.Label, done.To, err)
	}
	return engine.Applied, nil
}
