package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// resized is a pod as the plan saw it. Its generation counts the changes of its spec.
type resized struct {
	Name       string    `json:"name"`
	UID        types.UID `json:"uid"`
	Generation int64     `json:"generation"`
	Containers []raise   `json:"containers"`
}

// resizing is the work of one task on pods; back is that of its undo.
type resizing struct {
	client *Client
	w      *workload
	pods   []resized
	task   string
	back   bool
}

// podState is how a pod stands to what a task does with it.
type podState int

const (
	podGone podState = iota
	// podAsPlanned was not resized, podOurs was, and podBack was put back.
	podAsPlanned
	podOurs
	podBack
	// podForeign was changed by somebody else since.
	podForeign
)

type podStates []podState

func (s podStates) count(state podState) int {
	n := 0
	for _, each := range s {
		if each == state {
			n++
		}
	}
	return n
}

// hand is the field manager under which a task resizes a pod. The resize takes no
// annotation with it, but the API server notes there, in the same write, whose the
// values are for as long as nobody changes them.
func hand(task string) string {
	return fieldManager + "-" + shortHash(task, 16)
}

// handed reports whether a pod's memory is what a task made it.
func handed(pod *corev1.Pod, task string) bool {
	manager := hand(task)
	return slices.ContainsFunc(pod.ManagedFields, func(f metav1.ManagedFieldsEntry) bool {
		return f.Manager == manager && f.Subresource == "resize"
	})
}

// state judges a pod, nil if it is not there.
func (r resizing) state(pod *corev1.Pod, seen resized) podState {
	switch {
	case pod == nil || pod.UID != seen.UID || pod.DeletionTimestamp != nil:
		return podGone
	case handed(pod, r.task+undoSuffix):
		return podBack
	case handed(pod, r.task) && allStandIn(seen.Containers, pod.Spec.Containers):
		return podOurs
	case pod.Generation == seen.Generation:
		return podAsPlanned
	}
	return podForeign
}

// look judges all pods by one list of them.
func (r resizing) look(ctx context.Context) (podStates, error) {
	pods, err := ownPods(ctx, r.client, r.w)
	if err != nil {
		return nil, err
	}
	states := make(podStates, len(r.pods))
	for i, seen := range r.pods {
		var pod *corev1.Pod
		if at := slices.IndexFunc(pods, func(p corev1.Pod) bool { return p.UID == seen.UID }); at >= 0 {
			pod = &pods[at]
		}
		states[i] = r.state(pod, seen)
	}
	return states, nil
}

// run changes each pod that is yet to be, and returns how many are as they are to be.
// Only an error of an unknown outcome leaves some changed.
func (r resizing) run(ctx context.Context) (int, error) {
	states, err := r.look(ctx)
	if err != nil {
		return 0, err
	}
	before, after := podAsPlanned, podOurs
	if r.back {
		before, after = podOurs, podBack
	}
	made := states.count(after)
	if !r.back {
		made += states.count(podBack)
	}
	if n := states.count(podForeign); n > 0 {
		return made, r.partly(made, remediators.PlanChanged("%s: %d of its pods were changed by somebody else since", r.w, n))
	}
	for i, seen := range r.pods {
		if states[i] != before {
			continue
		}
		end, err := r.one(ctx, seen, before)
		switch {
		case err != nil:
			return made, r.partly(made, err)
		case end == after:
			made++
		}
	}
	return made, nil
}

// partly is an error behind which some pods are changed.
func (r resizing) partly(made int, err error) error {
	if made == 0 || remediators.ClassOf(err) == engine.ClassUnknown {
		return err
	}
	return remediators.UnknownOutcome("%d of %d pods of %s are changed; then: %w", made, len(r.pods), r.w, err)
}

// one changes a pod, again where somebody, mostly its kubelet, wrote its status in
// between.
func (r resizing) one(ctx context.Context, seen resized, before podState) (podState, error) {
	var conflict error
	for try := 1; ; try++ {
		var pod corev1.Pod
		err := r.client.get(ctx, kindPod, r.w.meta.Namespace, seen.Name, &pod)
		switch {
		case notFound(err):
			return podGone, nil
		case err != nil && conflict != nil && remediators.ClassOf(err) == engine.ClassRetryable:
			return podGone, remediators.UnknownOutcome("%w; then: %w", conflict, err)
		case err != nil:
			return podGone, err
		}
		switch state := r.state(&pod, seen); {
		case state == podForeign:
			return state, remediators.PlanChanged("pod %s/%s was changed by somebody else since", pod.Namespace, pod.Name)
		case state != before:
			return state, nil
		case try > writeTries:
			// What was refused stays refused, and the pod does not show the task.
			return podGone, remediators.Retryable(time.Second, "pod %s/%s is written all the time: %w", pod.Namespace, pod.Name, conflict)
		}
		err = seen.patch(ctx, r.client, pod.Namespace, pod.ResourceVersion, r.task, r.back, nil)
		if notFound(err) && r.gone(ctx, seen) {
			return podGone, nil
		}
		var refused bool
		if conflict, refused = errors.AsType[conflictError](err); refused {
			continue
		}
		if r.back {
			return podBack, err
		}
		return podOurs, err
	}
}

// gone reports whether a pod is known not to be there.
func (r resizing) gone(ctx context.Context, seen resized) bool {
	var pod metav1.PartialObjectMetadata
	err := r.client.get(ctx, kindPod, r.w.meta.Namespace, seen.Name, &pod)
	return notFound(err) || err == nil && pod.UID != seen.UID
}

// patch resizes a pod, fenced by a version if one is given. The error is classified,
// or a conflictError.
func (s resized) patch(ctx context.Context, client *Client, namespace, version, task string, back bool, params map[string]string) error {
	metadata := map[string]any{"uid": s.UID}
	if version != "" {
		metadata["resourceVersion"] = version
	}
	body, err := json.Marshal(map[string]any{"metadata": metadata, "spec": map[string]any{"containers": containersPatch(s.Containers, back)}})
	if err != nil {
		return remediators.Terminal("patch does not encode: %w", err)
	}
	if back {
		task += undoSuffix
	}
	r, err := of(client.api.Patch(types.StrategicMergePatchType), kindPod, namespace)
	if err != nil {
		return err
	}
	r = r.Name(s.Name).SubResource("resize").Param("fieldManager", hand(task)).Body(body)
	for k, v := range params {
		r = r.Param(k, v)
	}
	what := fmt.Sprintf("resize Pod %s/%s", namespace, s.Name)
	answer, err := write(ctx, r, what)
	if err != nil {
		return err
	}
	var pod corev1.Pod
	if err := json.Unmarshal(answer, &pod); err != nil {
		return remediators.UnknownOutcome("%s: answered with success, but not with an object: %w", what, err)
	}
	if !handed(&pod, task) {
		return remediators.UnknownOutcome("%s: answered with success, but the pod does not show task %s", what, task)
	}
	return nil
}

const (
	// kubeletWithin is how long is waited for the kubelets to make a resize, which
	// takes them a second or two unless they refuse it.
	kubeletWithin = 15 * time.Second
	kubeletPause  = 250 * time.Millisecond
)

// await waits for the kubelets, and says what they have not made by then. The API
// server has the change, whatever they do, so this is no error.
func (r resizing) await(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, kubeletWithin)
	defer cancel()
	for {
		pods, err := ownPods(ctx, r.client, r.w)
		if err != nil {
			return "; whether their kubelets have made it is not known"
		}
		open, refused := r.open(pods)
		if len(open) == len(refused) {
			return openText(open)
		}
		if !pause(ctx, kubeletPause) {
			return openText(open)
		}
	}
}

// open says of each pod whose kubelet has yet to make the resize why; refused are
// those that it will not as things stand.
func (r resizing) open(pods []corev1.Pod) (open, refused []string) {
	for i := range pods {
		pod := &pods[i]
		at := slices.IndexFunc(r.pods, func(s resized) bool { return s.UID == pod.UID })
		if at < 0 || hasResized(pod, r.pods[at]) {
			continue
		}
		text := pod.Name + " has not made it"
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodResizePending && c.Status == corev1.ConditionTrue {
				text = fmt.Sprintf("%s: %s: %s", pod.Name, c.Reason, c.Message)
				refused = append(refused, text)
				break
			}
		}
		open = append(open, text)
	}
	return open, refused
}

func openText(open []string) string {
	if len(open) == 0 {
		return ""
	}
	return fmt.Sprintf("; but the kubelets of %d have yet to make it: %s", len(open), strings.Join(open[:min(len(open), 3)], "; "))
}

// hasResized goes by what the kubelet says that a running container has.
func hasResized(pod *corev1.Pod, seen resized) bool {
	for _, r := range seen.Containers {
		for i := range pod.Status.ContainerStatuses {
			s := &pod.Status.ContainerStatuses[i]
			if s.Name == r.Container && s.State.Running != nil && s.Resources != nil && !isAmount(s.Resources.Limits, r.LimitTo) {
				return false
			}
		}
	}
	return true
}

// less compares amounts; one that does not read is the least.
func less(a, b string) bool {
	x, errX := resource.ParseQuantity(a)
	y, errY := resource.ParseQuantity(b)
	return errY == nil && (errX != nil || x.Cmp(y) < 0)
}
