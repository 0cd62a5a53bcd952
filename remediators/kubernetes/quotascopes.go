package kubernetes

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// errUnknownScope is what fails closed.
var errUnknownScope = errors.New("this build does not know such a scope")

// inScope reports whether a quota counts such pods, their defaults filled in. Source: the quota evaluator of
// pods, pkg/quota/v1/evaluator/core/pods.go.
func inScope(q *corev1.ResourceQuota, pod *corev1.PodSpec) (bool, error) {
	var all []corev1.ScopedResourceSelectorRequirement
	for _, scope := range q.Spec.Scopes {
		all = append(all, corev1.ScopedResourceSelectorRequirement{ScopeName: scope, Operator: corev1.ScopeSelectorOpExists})
	}
	if q.Spec.ScopeSelector != nil {
		all = append(all, q.Spec.ScopeSelector.MatchExpressions...)
	}
	for _, scope := range all {
		matches, err := matchesScope(scope, pod)
		if err != nil {
			return false, fmt.Errorf("scope %s: %w", scope.ScopeName, err)
		}
		if !matches {
			return false, nil
		}
	}
	return true, nil
}

func matchesScope(scope corev1.ScopedResourceSelectorRequirement, pod *corev1.PodSpec) (bool, error) {
	terminating := pod.ActiveDeadlineSeconds != nil && *pod.ActiveDeadlineSeconds >= 0
	switch scope.ScopeName {
	case corev1.ResourceQuotaScopeTerminating:
		return terminating, nil
	case corev1.ResourceQuotaScopeNotTerminating:
		return !terminating, nil
	case corev1.ResourceQuotaScopeBestEffort, corev1.ResourceQuotaScopeNotBestEffort:
		return bestEffort(pod) == (scope.ScopeName == corev1.ResourceQuotaScopeBestEffort), nil
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
