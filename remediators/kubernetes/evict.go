package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Evict deletes one pod of a workload, whose controller makes another, as soon as the
// PodDisruptionBudgets allow it.
//
// Its canonical target is the controller: pods come under ever new names, and guards
// that count by the pod would never hold. Which pod it is stands in the plan, by uid.
//
// A pod that is gone tells nobody who took it away, so after a crash that is unknown,
// and the same eviction is simply made again: of a uid that is gone there is nothing
// left to do.
type Evict struct{ clusters Clusters }

// NewEvict makes the action.
func NewEvict(clusters Clusters) *Evict { return &Evict{clusters: clusters} }

// Spec implements [remediators.Remediator].
func (*Evict) Spec() remediators.Spec {
	return remediators.Spec{
		Name:       "kubernetes.evict",
		System:     engine.SystemKubernetes,
		Summary:    "Evicts one pod of a Deployment, StatefulSet or DaemonSet, which makes another; PodDisruptionBudgets are honoured.",
		Params:     json.RawMessage(evictSchema),
		Health:     true,
		Idempotent: true,
	}
}

const evictSchema = `{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "pod": {"type": "string", "minLength": 1, "description": "The pod's name; needed where the target is its workload, and by default the target."},
    "daemonSet": {"type": "boolean", "default": false, "description": "Must be true for a pod of a DaemonSet, which comes back on the same node."}
  }
}`

type evictParams struct {
	Pod       *string `json:"pod"`
	DaemonSet bool    `json:"daemonSet"`
}

func evictParamsOf(t engine.Task) (evictParams, error) {
	var p evictParams
	if _, err := wholeParams(t, &p); err != nil {
		return p, err
	}
	if p.Pod != nil && *p.Pod == "" {
		return p, badParams(t, "pod is empty")
	}
	return p, nil
}

// pod is the name of the pod that is meant. For a task that is to be executed the plan
// that was allowed tells.
func (p evictParams) pod(t engine.Task) (string, error) {
	switch {
	case p.Pod != nil && t.Target.Kind == kindPod && t.Target.Name != *p.Pod:
		return "", badParams(t, "pod is %q, but the target is the pod %q", *p.Pod, t.Target.Name)
	case p.Pod != nil:
		return *p.Pod, nil
	case t.Target.Kind == kindPod:
		return t.Target.Name, nil
	case t.Plan != nil:
		seen, err := decodeEvicted(*t.Plan)
		return seen.Pod, err
	}
	return "", badParams(t, "pod is missing, and the target is a %s: write which of its pods", t.Target.Kind)
}

// evicted is the precondition of this action's plans.
type evicted struct {
	Pod string    `json:"pod"`
	UID types.UID `json:"uid"`
}

func decodeEvicted(p engine.Plan) (evicted, error) {
	var seen evicted
	if err := json.Unmarshal(p.Precondition, &seen); err != nil || seen.Pod == "" || seen.UID == "" {
		return seen, remediators.Terminal("plan for %s: precondition %q names no pod", p.Target, p.Precondition)
	}
	return seen, nil
}

// Rules is what it needs to be allowed.
func (*Evict) Rules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		may([]string{"get"}, kindDeployment, kindStatefulSet, kindDaemonSet, kindReplicaSet),
		may([]string{"get"}, kindPod),
		mayEvict(),
	}
}

// Plan implements [remediators.Remediator]. It has the API server rehearse the
// eviction, so a pod that a budget holds is not planned either.
func (e *Evict) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	params, err := evictParamsOf(t)
	if err != nil {
		return engine.Plan{}, err
	}
	client, err := e.clusters.client(t.Target)
	if err != nil {
		return engine.Plan{}, err
	}
	name, err := params.pod(t)
	if err != nil {
		return engine.Plan{}, err
	}
	var pod corev1.Pod
	if err := client.get(ctx, kindPod, t.Target.Namespace, name, &pod); err != nil {
		return engine.Plan{}, missing(ctx, client, t.Target, name, err)
	}
	w, err := ownerOf(ctx, client, t.Target, &pod)
	if err != nil { // it may have ended in between
		return engine.Plan{}, missing(ctx, client, t.Target, name, err)
	}
	p, err := planEvict(t.Target.Cluster, w, &pod, params)
	if err != nil || p.Noop {
		return p, err
	}
	return p, evictionOf(&pod).rehearse(ctx, client)
}

// missing is the error of a pod that cannot be read. One that a StatefulSet is to have
// comes back under its name.
func missing(ctx context.Context, client *Client, at engine.Target, pod string, err error) error {
	if !notFound(err) || at.Kind != kindStatefulSet {
		return err
	}
	w, werr := resolve(ctx, client, at)
	if werr != nil {
		return werr
	}
	for i := range *w.replicas {
		if pod == w.meta.Name+"-"+itoa(i) {
			return remediators.Retryable(time.Second, "%s has yet to make its pod again: %w", w, err)
		}
	}
	return err
}

// ownerOf finds the workload of a pod, which a target that is none must be.
func ownerOf(ctx context.Context, client *Client, at engine.Target, pod *corev1.Pod) (*workload, error) {
	if isMirror(pod) {
		return nil, remediators.Terminal("%s is a static pod of node %s: only its kubelet can end it", podName(pod), pod.Spec.NodeName)
	}
	asPod := at
	asPod.Kind, asPod.Name = kindPod, pod.Name
	w, err := resolve(ctx, client, asPod)
	if err != nil || at.Kind == kindPod {
		return w, err
	}
	stated, err := resolve(ctx, client, at)
	if err == nil && stated.meta.UID != w.meta.UID {
		err = remediators.Terminal("%s is not one of %s: it is one of %s", podName(pod), at, w)
	}
	return w, err
}

func planEvict(cluster string, w *workload, pod *corev1.Pod, params evictParams) (engine.Plan, error) {
	if w.kind == kindDaemonSet && !params.DaemonSet {
		return engine.Plan{}, remediators.Terminal("%s is one of %s, and would come back on the same node; write daemonSet: true if that is meant", podName(pod), w)
	}
	seen, err := encode(evicted{Pod: pod.Name, UID: pod.UID})
	if err != nil {
		return engine.Plan{}, err
	}
	p := engine.Plan{Target: w.target(cluster), Precondition: seen}
	disrupts := int32(0)
	if isReady(pod) {
		disrupts = 1
	}
	p.Health = w.health.with(disrupts)
	if pod.DeletionTimestamp != nil {
		p.Noop, p.Summary = true, fmt.Sprintf("%s of %s in %s is being deleted already", podName(pod), w, cluster)
		return p, nil
	}
	p.Summary = fmt.Sprintf("evict %s of %s in %s, which makes another", podName(pod), w, cluster)
	p.Changes = []engine.Change{{Field: "pod " + pod.Name, From: "uid " + string(pod.UID), To: "evicted"}}
	return p, nil
}

// Execute implements [remediators.Remediator]. It returns when the API server has
// accepted the eviction, which nothing takes back; the pod may need its time to end.
func (e *Evict) Execute(ctx context.Context, _ engine.Task, p engine.Plan) (engine.Outcome, error) {
	client, seen, err := e.planned(p)
	if err != nil {
		return engine.Outcome{}, err
	}
	gone, err := eviction{p.Target.Namespace, seen.Pod, seen.UID}.make(ctx, client)
	if err != nil {
		return engine.Outcome{}, err
	}
	what := fmt.Sprintf("%s/%s of %s %s in %s", p.Target.Namespace, seen.Pod, p.Target.Kind, p.Target.Name, p.Target.Cluster)
	if gone {
		return engine.Outcome{Summary: "Pod " + what + " is gone, so nothing was left to evict"}, nil
	}
	return engine.Outcome{Summary: "evicted Pod " + what}, nil
}

func (e *Evict) planned(p engine.Plan) (*Client, evicted, error) {
	client, err := e.clusters.client(p.Target)
	if err != nil {
		return nil, evicted{}, err
	}
	seen, err := decodeEvicted(p)
	return client, seen, err
}

// Observe implements [remediators.Remediator].
func (e *Evict) Observe(ctx context.Context, _ engine.Task, p engine.Plan) (engine.Effect, error) {
	client, seen, err := e.planned(p)
	if err != nil {
		return engine.Unknown, err
	}
	var pod corev1.Pod
	err = client.get(ctx, kindPod, p.Target.Namespace, seen.Pod, &pod)
	switch {
	case notFound(err), err == nil && (pod.UID != seen.UID || pod.DeletionTimestamp != nil):
		return engine.Unknown, nil // by whom, it does not tell
	case err != nil:
		return engine.Unknown, err
	}
	return engine.NotApplied, nil
}
