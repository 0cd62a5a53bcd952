package kubernetes

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/tripgen/paramedic/remediators"
)

// limits are the rules of a namespace for what its pods may have. The API server would
// take a number of replicas or a template that they are against, and refuse the pods to
// their controller, which nobody sees.
type limits struct {
	quotas []corev1.ResourceQuota
	ranges []corev1.LimitRange
}

func readLimits(ctx context.Context, client *Client, namespace string, whose fmt.Stringer) (limits, error) {
	var quotas corev1.ResourceQuotaList
	if err := client.list(ctx, kindQuota, namespace, whose, selection{}, &quotas); err != nil {
		return limits{}, err
	}
	var ranges corev1.LimitRangeList
	err := client.list(ctx, kindLimitRange, namespace, whose, selection{}, &ranges)
	return limits{quotas.Items, ranges.Items}, err
}

// demand is what the pods of a workload are about to ask of a quota.
type demand struct {
	w *workload
	// pod is one of them as it is to be, with its defaults.
	pod corev1.PodSpec
	// more is what they need in all beyond what they have; empty asks nothing.
	more corev1.ResourceList
	// pods is how many more there are to be.
	pods int64
	// made says that some are made, and not only changed.
	made bool
}

// demands are those of one action. Not is what becomes of a workload that there is no
// room for, and mend what helps.
type demands struct {
	all       []demand
	not, mend string
}

// haveRoom refuses what a quota leaves no room for.
func (l limits) haveRoom(d demands) error {
	for i := range l.quotas {
		if err := d.fit(&l.quotas[i]); err != nil {
			return err
		}
	}
	return nil
}

// fit judges one quota.
func (d demands) fit(q *corev1.ResourceQuota) error {
	sum := demand{more: corev1.ResourceList{}}
	settled := true
	var names []string
	for i := range d.all {
		one := &d.all[i]
		counted, err := inScope(q, &one.pod)
		if err != nil {
			return remediators.Terminal("%s %s: whether ResourceQuota %s/%s counts its pods cannot be judged: %w", one.w, d.not, q.Namespace, q.Name, err)
		}
		if !counted || len(one.more) == 0 {
			continue
		}
		if one.made {
			if err := complete(q, &one.pod); err != nil {
				return remediators.Terminal("%s %s: %w", one.w, d.not, err)
			}
		}
		add(sum.more, one.more)
		sum.pods += one.pods
		settled = settled && one.w.health.seen
		names = append(names, one.w.String())
	}
	whose := strings.Join(names, ", ")
	for _, name := range slices.Sorted(maps.Keys(q.Spec.Hard)) {
		short, err := sum.short(q, name)
		switch {
		case err != nil:
			return remediators.Retryable(0, "%s %s: %w", whose, d.not, err)
		case short != "" && !settled: // its pods may be counted already
			return remediators.Retryable(0, "%s %s: %s; raise the quota, or %s", whose, d.not, short, d.mend)
		case short != "":
			return remediators.Terminal("%s %s: %s; raise the quota, or %s", whose, d.not, short, d.mend)
		}
	}
	return nil
}

// short says of what a quota leaves too little; empty if it leaves enough. The error is
// that this has yet to be counted.
func (d demand) short(q *corev1.ResourceQuota, name corev1.ResourceName) (string, error) {
	need := d.more[name]
	if need.Sign() <= 0 {
		return "", nil
	}
	hard, has := q.Status.Hard[name]
	used, counted := q.Status.Used[name]
	if limit := q.Spec.Hard[name]; !has || !counted || hard.Cmp(limit) != 0 {
		return "", fmt.Errorf("ResourceQuota %s/%s is too new for %s to have been counted", q.Namespace, q.Name, name)
	}
	left := hard.DeepCopy()
	left.Sub(used)
	if left.Sign() < 0 {
		left = resource.Quantity{}
	}
	if need.Cmp(left) <= 0 {
		return "", nil
	}
	asked := need.String() + " are needed"
	if d.pods > 0 {
		asked = fmt.Sprintf("%d more pods need %s", d.pods, need.String())
	}
	return fmt.Sprintf("ResourceQuota %s/%s leaves %s of %s, and %s (used %s of %s)", q.Namespace, q.Name, left.String(), name, asked, used.String(), hard.String()), nil
}

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

// haveRoom refuses more pods than the namespace's quotas leave room for.
func haveRoom(ctx context.Context, client *Client, namespace string, all []growth) error {
	l, err := readLimits(ctx, client, namespace, all[0].w)
	if err != nil {
		return err
	}
	return l.haveRoom(growing(all, l.ranges))
}

func growing(all []growth, ranges []corev1.LimitRange) demands {
	d := demands{not: "is not scaled", mend: "make room"}
	for _, g := range all {
		one := demand{w: g.w, pod: withDefaults(g.w.pods.Spec, ranges), pods: g.more(), made: true}
		if one.pods > 0 {
			one.more = times(usage(&one.pod), one.pods)
		}
		d.all = append(d.all, one)
	}
	return d
}
