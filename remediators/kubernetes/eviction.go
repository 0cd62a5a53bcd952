package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/remediators"
)

// eviction asks the API server to delete one pod, if its PodDisruptionBudgets allow it
// (https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction). The uid keeps
// it from ever touching another pod of the same name, so that it does no more twice or
// late than once.
type eviction struct {
	namespace, pod string
	uid            types.UID
}

func evictionOf(pod *corev1.Pod) eviction { return eviction{pod.Namespace, pod.Name, pod.UID} }

// mayEvict is the right to.
func mayEvict() rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/eviction"}, Verbs: []string{"create"}}
}

// make evicts the pod, and reports whether it was gone already. The error is
// classified; it is retryable where a budget holds the pod.
func (e eviction) make(ctx context.Context, client *Client) (gone bool, err error) {
	err = e.send(ctx, client, nil)
	_, conflict := errors.AsType[conflictError](err)
	if err == nil || !conflict && !notFound(err) {
		return false, err
	}
	// It says so of a pod that is gone, and of other things.
	var pod corev1.Pod
	switch readErr := client.get(ctx, kindPod, e.namespace, e.pod, &pod); {
	case notFound(readErr), readErr == nil && pod.UID != e.uid:
		return true, nil
	case readErr != nil:
		return false, remediators.UnknownOutcome("%w; then: %w", err, readErr)
	case conflict:
		return false, remediators.Retryable(0, "%w", err)
	}
	return false, err
}

// rehearse has the API server go through it without evicting: rights, admission, and
// the budgets as they are at this moment. An error is never of an unknown outcome.
func (e eviction) rehearse(ctx context.Context, client *Client) error {
	return rehearsed(e.send(ctx, client, map[string]string{"dryRun": metav1.DryRunAll}))
}

// send sends it once. The error is classified, or a conflictError.
func (e eviction) send(ctx context.Context, client *Client, params map[string]string) error {
	what := "evict Pod " + e.namespace + "/" + e.pod
	body, err := json.Marshal(policyv1.Eviction{
		TypeMeta:      metav1.TypeMeta{APIVersion: policyv1.SchemeGroupVersion.String(), Kind: "Eviction"},
		ObjectMeta:    metav1.ObjectMeta{Namespace: e.namespace, Name: e.pod},
		DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &e.uid}},
	})
	if err != nil {
		return remediators.Terminal("%s: it does not encode: %w", what, err)
	}
	r, err := of(client.api.Post(), kindPod, e.namespace)
	if err != nil {
		return err
	}
	r = r.Name(e.pod).SubResource("eviction").SetHeader("Content-Type", "application/json").Body(body)
	for k, v := range params {
		r = r.Param(k, v)
	}
	answer, err := write(ctx, r, what)
	if err != nil {
		return held(err)
	}
	// Something else on the way can answer with success as well.
	var said metav1.Status
	if err := json.Unmarshal(answer, &said); err != nil || said.Status != metav1.StatusSuccess {
		return remediators.UnknownOutcome("%s: answered with success, but not with a Status that says so", what)
	}
	return nil
}

// held names the budget that holds a pod, where the answer does.
func held(err error) error {
	var s apierrors.APIStatus
	if !errors.As(err, &s) {
		return err
	}
	said := s.Status()
	if said.Code == http.StatusInternalServerError && strings.Contains(said.Message, "more than one PodDisruptionBudget") {
		// The API server's word for it, before it has done anything.
		return remediators.Terminal("%w Let one only select it", err)
	}
	if said.Code != http.StatusTooManyRequests || said.Details == nil {
		return err
	}
	for _, cause := range said.Details.Causes {
		if cause.Type == policyv1.DisruptionBudgetCause {
			return remediators.Retryable(retryAfter(err), "%w %s", err, cause.Message)
		}
	}
	return err
}

// isMirror reports whether a pod is the shadow of one that its node's kubelet runs from
// a file: deleting the shadow ends nothing.
func isMirror(pod *corev1.Pod) bool {
	_, is := pod.Annotations[corev1.MirrorPodAnnotationKey]
	return is
}

// isFinished reports whether nothing of a pod runs any more.
func isFinished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// isReady reports whether a pod takes requests, and is to go on to.
func isReady(pod *corev1.Pod) bool {
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue && pod.DeletionTimestamp == nil
		}
	}
	return false
}

func podName(pod *corev1.Pod) string { return fmt.Sprintf("Pod %s/%s", pod.Namespace, pod.Name) }
