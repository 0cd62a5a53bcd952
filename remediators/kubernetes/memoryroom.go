package kubernetes

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/tripgen/paramedic/remediators"
)

// haveMemory refuses more memory than the namespace's LimitRanges and ResourceQuotas
// allow. The API server would take the template, and refuse the pods to their
// controller, which nobody sees; of a resize, its dry run judges one pod at a time.
// A rollout that takes no pod away first needs room for a whole new one as well.
func haveMemory(ctx context.Context, client *Client, w *workload, wanted []raise, rollout bool) error {
	var ranges corev1.LimitRangeList
	if err := client.list(ctx, kindLimitRange, w.meta.Namespace, w, selection{}, &ranges); err != nil {
		return err
	}
	was := withDefaults(withMemory(w.pods.Spec, present(wanted)), ranges.Items)
	will := withDefaults(withMemory(w.pods.Spec, wanted), ranges.Items)
	for i := range ranges.Items {
		if err := inRange(&ranges.Items[i], w, &will); err != nil {
			return err
		}
	}
	var quotas corev1.ResourceQuotaList
	if err := client.list(ctx, kindQuota, w.meta.Namespace, w, selection{}, &quotas); err != nil {
		return err
	}
	before, after := usage(&was), usage(&will)
	for i := range quotas.Items {
		q := &quotas.Items[i]
		counted, err := inScope(q, &will, ranges.Items)
		if err != nil {
			return remediators.Terminal("%s gets no more memory: whether ResourceQuota %s counts its pods cannot be judged: %w", w, q.Name, err)
		}
		for _, name := range []corev1.ResourceName{corev1.ResourceMemory, corev1.ResourceRequestsMemory, corev1.ResourceLimitsMemory} {
			limit, limited := q.Spec.Hard[name]
			if !counted || !limited {
				continue
			}
			hard := q.Status.Hard[name]
			if hard.Cmp(limit) != 0 {
				return remediators.Retryable(0, "%s gets no more memory yet: ResourceQuota %s is too new for %s to have been counted", w, q.Name, name)
			}
			need := after[name].DeepCopy()
			need.Sub(before[name])
			need.Mul(int64(w.health.wanted))
			if rollout && w.health.atOnce == 0 {
				need.Add(after[name])
			}
			left := hard.DeepCopy()
			left.Sub(q.Status.Used[name])
			if need.Sign() > 0 && need.Cmp(left) > 0 {
				return remediators.Terminal("%s gets no more memory: ResourceQuota %s leaves %s of %s, and %s are needed; raise the quota, or set max lower",
					w, q.Name, atLeastZero(left).String(), name, need.String())
			}
		}
	}
	return nil
}

// present are raises to what there is.
func present(wanted []raise) []raise {
	same := slices.Clone(wanted)
	for i := range same {
		same[i].LimitTo, same[i].RequestTo = same[i].LimitFrom, same[i].RequestFrom
	}
	return same
}

func atLeastZero(q resource.Quantity) *resource.Quantity {
	if q.Sign() < 0 {
		return &resource.Quantity{}
	}
	return &q
}

// withMemory is a pod with what its containers are to have.
func withMemory(pod corev1.PodSpec, wanted []raise) corev1.PodSpec {
	pod = *pod.DeepCopy()
	for i := range pod.Containers {
		c := &pod.Containers[i]
		at := slices.IndexFunc(wanted, func(r raise) bool { return r.Container == c.Name })
		if at < 0 {
			continue
		}
		for _, set := range []struct {
			list *corev1.ResourceList
			to   string
		}{{&c.Resources.Limits, wanted[at].LimitTo}, {&c.Resources.Requests, wanted[at].RequestTo}} {
			if q, err := resource.ParseQuantity(set.to); err == nil {
				if *set.list == nil {
					*set.list = corev1.ResourceList{}
				}
				(*set.list)[corev1.ResourceMemory] = q
			}
		}
	}
	return pod
}

// inRange refuses what a LimitRange forbids to containers or to a pod.
func inRange(l *corev1.LimitRange, w *workload, pod *corev1.PodSpec) error {
	for i := range l.Spec.Limits {
		item := &l.Spec.Limits[i]
		most, limited := item.Max[corev1.ResourceMemory]
		ratio, proportioned := item.MaxLimitRequestRatio[corev1.ResourceMemory]
		var sum resource.Quantity
		for j := range pod.Containers {
			c := &pod.Containers[j]
			limit, request := c.Resources.Limits[corev1.ResourceMemory], c.Resources.Requests[corev1.ResourceMemory]
			sum.Add(limit)
			if item.Type != corev1.LimitTypeContainer {
				continue
			}
			if limited && limit.Cmp(most) > 0 {
				return remediators.Terminal("%s gets no more memory: LimitRange %s allows a container at most %s, and %s would have %s; set max lower", w, l.Name, most.String(), c.Name, limit.String())
			}
			if proportioned && !request.IsZero() && limit.AsApproximateFloat64() > ratio.AsApproximateFloat64()*request.AsApproximateFloat64() {
				return remediators.Terminal("%s gets no more memory: LimitRange %s allows a limit of at most %s times the request, and %s would have %s and %s", w, l.Name, ratio.String(), c.Name, limit.String(), request.String())
			}
		}
		if item.Type == corev1.LimitTypePod && limited && sum.Cmp(most) > 0 {
			return remediators.Terminal("%s gets no more memory: LimitRange %s allows a pod at most %s, and these would have %s; set max lower", w, l.Name, most.String(), sum.String())
		}
	}
	return nil
}
