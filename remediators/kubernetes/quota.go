package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/tripgen/paramedic/remediators"
)

// growth is a workload and how many replicas it is to have.
type growth struct {
	w  *workload
	to int32
}

// more is how many pods are to be made: of a workload in the middle of something, at
// least as many as it lacks.
func (g growth) more() int64 {
	return int64(max(g.to-*g.w.replicas, g.to-g.w.made, 0))
}

// haveRoom refuses more pods than the namespace's ResourceQuotas leave room for. The
// API server would take the number, and refuse the pods to their controller, which
// nobody sees.
func haveRoom(ctx context.Context, client *Client, namespace string, all []growth) error {
	var quotas corev1.ResourceQuotaList
	if err := client.list(ctx, kindQuota, namespace, all[0].w, selection{}, &quotas); err != nil || len(quotas.Items) == 0 {
		return err
	}
	var ranges corev1.LimitRangeList
	if err := client.list(ctx, kindLimitRange, namespace, all[0].w, selection{}, &ranges); err != nil {
		return err
	}
	for i := range quotas.Items {
		if err := fits(&quotas.Items[i], ranges.Items, all); err != nil {
			return err
		}
	}
	return nil
}

// fits judges one quota.
func fits(q *corev1.ResourceQuota, ranges []corev1.LimitRange, all []growth) error {
	needs := map[corev1.ResourceName]resource.Quantity{}
	settled := true
	var whose []string
	var pods int64
	for _, g := range all {
		counted, err := inScope(q, &g.w.pods.Spec, ranges)
		if err != nil {
			return remediators.Terminal("%s is not scaled: whether ResourceQuota %s counts its pods cannot be judged: %w", g.w, q.Name, err)
		}
		if !counted || g.more() == 0 {
			continue
		}
		spec := withDefaults(g.w.pods.Spec, ranges)
		if err := complete(q, &spec); err != nil {
			return remediators.Terminal("%s is not scaled: %w", g.w, err)
		}
		for name, each := range usage(&spec) {
			each.Mul(g.more())
			sum := needs[name]
			sum.Add(each)
			needs[name] = sum
		}
		whose, pods = append(whose, g.w.String()), pods+g.more()
		settled = settled && g.w.health.seen
	}
	for _, name := range slices.Sorted(maps.Keys(q.Spec.Hard)) {
		need, asked := needs[name]
		if !asked || need.IsZero() {
			continue
		}
		hard, has := q.Status.Hard[name]
		used, counted := q.Status.Used[name]
		if limit := q.Spec.Hard[name]; !has || !counted || hard.Cmp(limit) != 0 {
			return remediators.Retryable(0, "%s is not scaled: ResourceQuota %s is too new for %s to have been counted", strings.Join(whose, ", "), q.Name, name)
		}
		left := hard.DeepCopy()
		left.Sub(used)
		if left.Sign() < 0 {
			left = resource.Quantity{}
		}
		if need.Cmp(left) <= 0 {
			continue
		}
		err := fmt.Errorf("%s is not scaled: ResourceQuota %s/%s leaves %s of %s, and %d more pods need %s (used %s of %s); raise the quota, or make room",
			strings.Join(whose, ", "), q.Namespace, q.Name, left.String(), name, pods, need.String(), used.String(), hard.String())
		if !settled {
			return remediators.Retryable(0, "%w", err) // its pods may be counted already
		}
		return remediators.Terminal("%w", err)
	}
	return nil
}

// errUnknownScope is what fails closed.
var errUnknownScope = errors.New("this build does not know such a scope")

// inScope reports whether a quota counts such pods. Source: the quota evaluator of
// pods, pkg/quota/v1/evaluator/core/pods.go.
func inScope(q *corev1.ResourceQuota, pod *corev1.PodSpec, ranges []corev1.LimitRange) (bool, error) {
	var all []corev1.ScopedResourceSelectorRequirement
	for _, scope := range q.Spec.Scopes {
		all = append(all, corev1.ScopedResourceSelectorRequirement{ScopeName: scope, Operator: corev1.ScopeSelectorOpExists})
	}
	if q.Spec.ScopeSelector != nil {
		all = append(all, q.Spec.ScopeSelector.MatchExpressions...)
	}
	for _, scope := range all {
		matches, err := matchesScope(scope, pod, ranges)
		if err != nil {
			return false, fmt.Errorf("scope %s: %w", scope.ScopeName, err)
		}
		if !matches {
			return false, nil
		}
	}
	return true, nil
}

func matchesScope(scope corev1.ScopedResourceSelectorRequirement, pod *corev1.PodSpec, ranges []corev1.LimitRange) (bool, error) {
	terminating := pod.ActiveDeadlineSeconds != nil && *pod.ActiveDeadlineSeconds >= 0
	switch scope.ScopeName {
	case corev1.ResourceQuotaScopeTerminating:
		return terminating, nil
	case corev1.ResourceQuotaScopeNotTerminating:
		return !terminating, nil
	case corev1.ResourceQuotaScopeBestEffort, corev1.ResourceQuotaScopeNotBestEffort:
		spec := withDefaults(*pod, ranges)
		return bestEffort(&spec) == (scope.ScopeName == corev1.ResourceQuotaScopeBestEffort), nil
	case corev1.ResourceQuotaScopePriorityClass:
		return ofPriority(scope, pod.PriorityClassName)
	case corev1.ResourceQuotaScopeCrossNamespacePodAffinity:
		return crossesNamespaces(pod.Affinity), nil
	case corev1.ResourceQuotaScopeVolumeAttributesClass:
		return false, nil // it is about claims of volumes
	}
	return false, errUnknownScope
}

// ofPriority judges a scope of priority classes. A pod that names none gets the
// cluster's default one, and which that is, is not read here.
func ofPriority(scope corev1.ScopedResourceSelectorRequirement, class string) (bool, error) {
	if class == "" {
		return false, errors.New("the pods name no priority class, and may get the cluster's default one; name one in the template")
	}
	switch scope.Operator {
	case corev1.ScopeSelectorOpExists:
		return true, nil
	case corev1.ScopeSelectorOpDoesNotExist:
		return false, nil
	case corev1.ScopeSelectorOpIn:
		return slices.Contains(scope.Values, class), nil
	case corev1.ScopeSelectorOpNotIn:
		return !slices.Contains(scope.Values, class), nil
	}
	return false, fmt.Errorf("operator %q is not known", scope.Operator)
}

func crossesNamespaces(a *corev1.Affinity) bool {
	if a == nil {
		return false
	}
	var terms []corev1.PodAffinityTerm
	weighted := func(all []corev1.WeightedPodAffinityTerm) {
		for i := range all {
			terms = append(terms, all[i].PodAffinityTerm)
		}
	}
	if p := a.PodAffinity; p != nil {
		terms = append(terms, p.RequiredDuringSchedulingIgnoredDuringExecution...)
		weighted(p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if p := a.PodAntiAffinity; p != nil {
		terms = append(terms, p.RequiredDuringSchedulingIgnoredDuringExecution...)
		weighted(p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	return slices.ContainsFunc(terms, func(t corev1.PodAffinityTerm) bool { return len(t.Namespaces) > 0 || t.NamespaceSelector != nil })
}
