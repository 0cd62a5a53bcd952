package kubernetes

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/tripgen/paramedic/remediators"
)

// haveMemory refuses more memory than the namespace's LimitRanges and ResourceQuotas
// allow. Of a resize, the API server's dry run judges one pod at a time.
func haveMemory(ctx context.Context, client *Client, w *workload, wanted []raise, rollout bool) error {
	l, err := readLimits(ctx, client, w.meta.Namespace, w)
	if err != nil {
		return err
	}
	was := withDefaults(withMemory(w.pods.Spec, present(wanted)), l.ranges)
	will := withDefaults(withMemory(w.pods.Spec, wanted), l.ranges)
	for i := range l.ranges {
		if err := inRange(&l.ranges[i], w, &will); err != nil {
			return err
		}
	}
	return l.haveRoom(raising(w, &was, will, rollout))
}

// raising is what pods that become others need. A rollout that takes no pod away first
// needs room for a whole new one as well.
func raising(w *workload, was *corev1.PodSpec, will corev1.PodSpec, rollout bool) demands {
	pods := int64(w.health.wanted)
	more := times(usage(&will), pods)
	add(more, times(usage(was), -pods))
	if rollout && w.health.atOnce == 0 && pods > 0 {
		add(more, usage(&will))
	}
	return demands{all: []demand{{w: w, pod: will, more: more, made: rollout}}, not: "gets no more memory", mend: "set max lower"}
}

// present are raises to what there is.
func present(wanted []raise) []raise {
	same := slices.Clone(wanted)
	for i := range same {
		same[i].LimitTo, same[i].RequestTo = same[i].LimitFrom, same[i].RequestFrom
	}
	return same
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
		var err error
		if item.Type == corev1.LimitTypePod {
			err = memoryInRange(item, "a pod", "these", total(pod, limitsOf), total(pod, requestsOf))
		}
		for j := range pod.Containers {
			if c := &pod.Containers[j]; item.Type == corev1.LimitTypeContainer && err == nil {
				err = memoryInRange(item, "a container", c.Name, c.Resources.Limits, c.Resources.Requests)
			}
		}
		if err != nil {
			return remediators.Terminal("%s gets no more memory: LimitRange %s/%s allows %w", w, l.Namespace, l.Name, err)
		}
	}
	return nil
}

// memoryInRange is the error of what an item of a LimitRange does not allow.
func memoryInRange(item *corev1.LimitRangeItem, what, whose string, limits, requests corev1.ResourceList) error {
	limit, request := limits[corev1.ResourceMemory], requests[corev1.ResourceMemory]
	if most, limited := item.Max[corev1.ResourceMemory]; limited && limit.Cmp(most) > 0 {
		return fmt.Errorf("%s at most %s, and %s would have %s; set max lower", what, most.String(), whose, limit.String())
	}
	ratio, proportioned := item.MaxLimitRequestRatio[corev1.ResourceMemory]
	if proportioned && !request.IsZero() && limit.AsApproximateFloat64() > ratio.AsApproximateFloat64()*request.AsApproximateFloat64() {
		return fmt.Errorf("%s a limit of at most %s times the request, and %s would have %s and %s; have the requests raised, too, or set max lower",
			what, ratio.String(), whose, limit.String(), request.String())
	}
	return nil
}
