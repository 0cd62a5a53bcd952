package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// verticalAutoscaler is what matters of a VerticalPodAutoscaler. Source: the API
// autoscaling.k8s.io/v1 of k8s.io/autoscaler.
type verticalAutoscaler struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     struct {
		TargetRef struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Name       string `json:"name"`
		} `json:"targetRef"`
		UpdatePolicy struct {
			UpdateMode string `json:"updateMode"`
		} `json:"updatePolicy"`
		ResourcePolicy struct {
			ContainerPolicies []json.RawMessage `json:"containerPolicies"`
		} `json:"resourcePolicy"`
	} `json:"spec"`
}

// verticalPolicy is its policy for a container, or for all others ("*").
type verticalPolicy struct {
	ContainerName       string                 `json:"containerName"`
	Mode                string                 `json:"mode"`
	MinAllowed          corev1.ResourceList    `json:"minAllowed"`
	MaxAllowed          corev1.ResourceList    `json:"maxAllowed"`
	ControlledResources *[]corev1.ResourceName `json:"controlledResources"`
	ControlledValues    string                 `json:"controlledValues"`
}

const (
	verticalOff     = "Off"
	verticalInitial = "Initial"
	// onlyRequests leaves the limits to others.
	onlyRequests = "RequestsOnly"
	anyContainer = "*"
)

func (v *verticalAutoscaler) String() string { return kindVerticalAutoscaler + " " + v.Metadata.Name }

// of reports whether it is for a workload.
func (v *verticalAutoscaler) of(w *workload) bool {
	ref := v.Spec.TargetRef
	group, err := schema.ParseGroupVersion(ref.APIVersion)
	return ref.Kind == w.kind && ref.Name == w.meta.Name && err == nil && (group.Group == "apps" || ref.APIVersion == "")
}

// policy finds that of a container: its own, or else the one for all others; -1 if
// there is none.
func (v *verticalAutoscaler) policy(container string) (int, verticalPolicy, error) {
	found, general := -1, -1
	var own, others verticalPolicy
	for i, raw := range v.Spec.ResourcePolicy.ContainerPolicies {
		var p verticalPolicy
		if err := json.Unmarshal(raw, &p); err != nil {
			return -1, p, remediators.Terminal("%s: its policy %d: %w", v, i, err)
		}
		switch p.ContainerName {
		case container:
			found, own = i, p
		case anyContainer:
			general, others = i, p
		}
	}
	if found >= 0 {
		return found, own, nil
	}
	return general, others, nil
}

// sets reports whether it sets the memory limit of containers with a policy.
func (p verticalPolicy) sets() bool {
	return p.Mode != verticalOff && p.ControlledValues != onlyRequests &&
		(p.ControlledResources == nil || slices.Contains(*p.ControlledResources, corev1.ResourceMemory))
}

// verticalOf finds the VerticalPodAutoscaler that has the say on the memory of
// containers: nil if none has. The note is what else there is to know. Where it sets
// the requests alone, these are left to it. A cluster without the kind has none.
func verticalOf(ctx context.Context, client *Client, w *workload, wanted []raise) (*verticalAutoscaler, string, error) {
	var list struct {
		Items []verticalAutoscaler `json:"items"`
	}
	err := client.list(ctx, kindVerticalAutoscaler, w.meta.Namespace, w, selection{}, &list)
	switch {
	case notFound(err):
		return nil, "", nil
	case err != nil:
		return nil, "", err
	}
	var on []*verticalAutoscaler
	note := ""
	for i := range list.Items {
		switch v := &list.Items[i]; {
		case !v.of(w):
		case v.Spec.UpdatePolicy.UpdateMode == verticalOff:
			note += fmt.Sprintf("; %s only recommends (updateMode Off)", v)
		default:
			on = append(on, v)
		}
	}
	if len(on) == 0 {
		return nil, note, nil
	}
	if len(on) > 1 {
		return nil, "", remediators.Terminal("%s is controlled by two, %s and %s; leave one", w, on[0], on[1])
	}
	var set []string
	for i := range wanted {
		r := &wanted[i]
		_, policy, err := on[0].policy(r.Container)
		if err != nil {
			return nil, "", err
		}
		switch {
		case policy.sets():
			set = append(set, r.Container)
		case policy.Mode != verticalOff && policy.ControlledValues == onlyRequests && r.RequestTo != "":
			r.RequestFrom, r.RequestTo = "", ""
			note += fmt.Sprintf("; the requests of %s are left to %s", r.Container, on[0])
		}
	}
	switch len(set) {
	case 0:
		return nil, note, nil
	case len(wanted):
		return on[0], note, nil
	}
	return nil, "", remediators.Terminal("%s sets the memory of some containers of %s and not of others; name one by container", on[0], w)
}

// autoscaler plans to raise the least that an autoscaler gives.
func (p planning) autoscaler(ctx context.Context, v *verticalAutoscaler) (engine.Plan, error) {
	if err := marksOf(v.Metadata.Annotations).notYet(p.task.ID, v); err != nil {
		return engine.Plan{}, err
	}
	done := raised{
		precondition: preconditionOf(&v.Metadata), Target: p.at(), How: howAutoscaler, Autoscaler: v.Metadata.Name, Added: map[string]json.RawMessage{},
	}
	var changes []engine.Change
	var given []raise
	for _, r := range p.wanted {
		at, policy, err := v.policy(r.Container)
		if err != nil {
			return engine.Plan{}, err
		}
		least, err := p.least(v, policy, r)
		if err != nil {
			return engine.Plan{}, err
		}
		if isAmount(policy.MinAllowed, least.RequestTo) {
			given = append(given, least)
			continue
		}
		if at < 0 || policy.ContainerName != r.Container {
			if done.Added[r.Container], err = v.added(at, least); err != nil {
				return engine.Plan{}, err
			}
		}
		done.Containers = append(done.Containers, least)
		changes = append(changes, engine.Change{
			Field: kindVerticalAutoscaler + " " + v.Metadata.Name + ": spec.resourcePolicy.containerPolicies[" + r.Container + "].minAllowed.memory",
			From:  orNone(least.RequestFrom), To: least.RequestTo,
		})
	}
	if len(done.Containers) == 0 {
		planned, err := p.plan(done, fmt.Sprintf("%s already requests at least %s for %s in %s", v, leastWords(given), p.w, p.task.Target.Cluster), nil, p.w.health.with(0))
		planned.Noop = true
		return planned, err
	}
	summary := fmt.Sprintf("raise the memory of %s in %s through %s, which requests at least %s from now on", p.w, p.task.Target.Cluster, v, leastWords(done.Containers))
	// Its updater evicts up to half of the pods at once (--eviction-tolerance).
	health := p.w.health.with((p.w.health.healthy() + 1) / 2)
	if v.Spec.UpdatePolicy.UpdateMode == verticalInitial {
		summary, health = summary+", and for pods made from now on alone (updateMode Initial)", p.w.health.with(0)
	}
	planned, err := p.plan(done, summary, changes, health)
	if err != nil {
		return planned, err
	}
	made, err := done.policies(v, false)
	if err != nil {
		return planned, err
	}
	return planned, p.clusters.rehearse(ctx, p.client, p.task, onAutoscaler(planned, done), made)
}

// least is the lower bound of an autoscaler by which a container's limit becomes what
// it is to be: it sets requests, and keeps the limits in proportion.
func (p planning) least(v *verticalAutoscaler, policy verticalPolicy, r raise) (raise, error) {
	has, written := memory(policy.MinAllowed)
	container := corev1.Container{}
	for i := range p.w.pods.Spec.Containers {
		if p.w.pods.Spec.Containers[i].Name == r.Container {
			container = p.w.pods.Spec.Containers[i]
		}
	}
	limit, request := most(&container, p.pods)
	if request == 0 {
		request = limit // as the API server has it
	}
	to, err := resource.ParseQuantity(r.LimitTo)
	if err != nil {
		return raise{}, remediators.Terminal("%s: %w", r.LimitTo, err)
	}
	want := max(raisedRequest(request, limit, to.Value()), has)
	if ceiling, text := memory(policy.MaxAllowed); ceiling > 0 && want > ceiling {
		return raise{}, remediators.Terminal("container %s of %s needs at least %s, and %s allows at most %s (maxAllowed); raise that, or set max lower", r.Container, p.w, ofBytes(want), v, text)
	}
	return raise{Container: r.Container, RequestFrom: written, RequestTo: ofBytes(want)}, nil
}

func leastWords(all []raise) string {
	var parts []string
	for _, r := range all {
		parts = append(parts, r.RequestTo+" for "+r.Container)
	}
	return strings.Join(parts, ", ")
}

// added is a policy for a container that had none of its own: what holds for all
// others, with a lower bound.
func (v *verticalAutoscaler) added(general int, r raise) (json.RawMessage, error) {
	policy := map[string]any{}
	if general >= 0 {
		if err := json.Unmarshal(v.Spec.ResourcePolicy.ContainerPolicies[general], &policy); err != nil {
			return nil, remediators.Terminal("%s: %w", v, err)
		}
	}
	policy["containerName"] = r.Container
	setLeast(policy, r.RequestTo)
	return json.Marshal(policy)
}

// setLeast writes a policy's lower bound of memory; empty takes it away.
func setLeast(policy map[string]any, amount string) {
	least, _ := policy["minAllowed"].(map[string]any)
	if least == nil {
		least = map[string]any{}
	}
	least[string(corev1.ResourceMemory)] = amount
	if amount == "" {
		delete(least, string(corev1.ResourceMemory))
	}
	policy["minAllowed"] = least
	if len(least) == 0 {
		delete(policy, "minAllowed")
	}
}
