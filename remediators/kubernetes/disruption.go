package kubernetes

import (
	"context"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/tripgen/paramedic/remediators"
)

// mayLose refuses to leave a workload fewer pods than a PodDisruptionBudget demands.
// Kubernetes itself asks the budgets only for evictions, but whoever wrote one meant
// that so many pods are needed.
func mayLose(ctx context.Context, client *Client, w *workload, to int32) error {
	var list policyv1.PodDisruptionBudgetList
	if err := client.list(ctx, kindDisruptionBudget, w.meta.Namespace, w, selection{}, &list); err != nil {
		return err
	}
	for i := range list.Items {
		b := &list.Items[i]
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil {
			return remediators.Terminal("%s is not scaled: selector of PodDisruptionBudget %s: %w", w, b.Name, err)
		}
		if !selector.Matches(labels.Set(w.pods.Labels)) {
			continue
		}
		if err := leavesEnough(b, w, to); err != nil {
			return err
		}
	}
	return nil
}

// leavesEnough works out, as the disruption controller does, how many pods a budget
// demands once the workload has the new number, and how many would be well.
func leavesEnough(b *policyv1.PodDisruptionBudget, w *workload, to int32) error {
	if b.Status.ObservedGeneration < b.Generation {
		return remediators.Retryable(0, "%s is not scaled: PodDisruptionBudget %s is too new to have been judged by its controller", w, b.Name)
	}
	for _, c := range b.Status.Conditions {
		if c.Type == policyv1.DisruptionAllowedCondition && c.Reason == policyv1.SyncFailedReason {
			return remediators.Terminal("%s is not scaled: PodDisruptionBudget %s cannot be judged: %s", w, b.Name, c.Message)
		}
	}
	health := w.health.scaled(to)
	if health == nil {
		return remediators.Retryable(0, "%s is not scaled: its controller has yet to look at its latest change, and PodDisruptionBudget %s goes by its pods", w, b.Name)
	}
	// The budget may be about pods of others, too.
	expected := max(b.Status.ExpectedPods-*w.replicas, 0) + to
	well := b.Status.CurrentHealthy - int32(health.Disrupts) //nolint:gosec // at most the number of its pods
	demanded, what, err := demanded(b, expected)
	if err != nil {
		return remediators.Terminal("%s is not scaled: PodDisruptionBudget %s: %w", w, b.Name, err)
	}
	if well < demanded {
		return remediators.Terminal("%s is not scaled to %d: PodDisruptionBudget %s (%s) demands %d healthy pods of %d, and %d would be left; change the budget if fewer are enough",
			w, to, b.Name, what, demanded, expected, max(well, 0))
	}
	return nil
}

// demanded is how many of the expected pods a budget wants to be well. Source: the
// disruption controller, which rounds both percentages up.
func demanded(b *policyv1.PodDisruptionBudget, expected int32) (n int32, what string, err error) {
	share := func(v *intstr.IntOrString) (int32, error) {
		n, err := intstr.GetScaledValueFromIntOrPercent(v, int(expected), true)
		return int32(n), err //nolint:gosec // of a 32-bit number, or a share of one
	}
	if v := b.Spec.MaxUnavailable; v != nil {
		n, err := share(v)
		return max(expected-n, 0), "maxUnavailable " + v.String(), err
	}
	if v := b.Spec.MinAvailable; v != nil {
		n, err := share(v)
		return n, "minAvailable " + v.String(), err
	}
	return 0, "neither minAvailable nor maxUnavailable", nil
}
