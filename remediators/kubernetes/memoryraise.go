package kubernetes

import (
	"cmp"
	"context"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// raise is the memory of one container, as Kubernetes writes it; empty where it has
// none, and, of what is to be, where it stays.
type raise struct {
	Container   string `json:"container"`
	LimitFrom   string `json:"limitFrom,omitempty"`
	LimitTo     string `json:"limitTo,omitempty"`
	RequestFrom string `json:"requestFrom,omitempty"`
	RequestTo   string `json:"requestTo,omitempty"`
}

// changes are a raise's as a plan shows them, below the path of the container.
func (r raise) changes(path string) []engine.Change {
	var all []engine.Change
	for _, c := range []struct{ field, from, to string }{{"limits.memory", r.LimitFrom, r.LimitTo}, {"requests.memory", r.RequestFrom, r.RequestTo}} {
		if c.to != "" {
			all = append(all, engine.Change{Field: path + "[" + r.Container + "].resources." + c.field, From: orNone(c.from), To: c.to})
		}
	}
	return all
}

// resources is what a patch sets; back turns it round. Null takes a value away.
func (r raise) resources(back bool) map[string]any {
	all := map[string]any{}
	for _, c := range []struct{ field, from, to string }{{"limits", r.LimitFrom, r.LimitTo}, {"requests", r.RequestFrom, r.RequestTo}} {
		value := any(c.to)
		if back {
			value = any(c.from)
		}
		if value == "" {
			value = nil
		}
		if c.to != "" {
			all[c.field] = map[string]any{string(corev1.ResourceMemory): value}
		}
	}
	return all
}

// containersPatch is what a strategic merge patch sets of containers.
func containersPatch(all []raise, back bool) []any {
	var list []any
	for _, r := range all {
		list = append(list, map[string]any{"name": r.Container, "resources": r.resources(back)})
	}
	return list
}

// standsIn reports whether a container has what it was to have.
func (r raise) standsIn(all []corev1.Container) bool {
	for i := range all {
		if c := &all[i]; c.Name == r.Container {
			return isAmount(c.Resources.Limits, r.LimitTo) && isAmount(c.Resources.Requests, r.RequestTo)
		}
	}
	return false
}

func allStandIn(raises []raise, all []corev1.Container) bool {
	return !slices.ContainsFunc(raises, func(r raise) bool { return !r.standsIn(all) })
}

// isAmount reports whether a list has so much memory; nothing is asked of it if that
// is empty.
func isAmount(list corev1.ResourceList, text string) bool {
	if text == "" {
		return true
	}
	has, there := list[corev1.ResourceMemory]
	want, err := resource.ParseQuantity(text)
	return there && err == nil && has.Cmp(want) == 0
}

// memory is how much of it a list has in bytes, and as Kubernetes writes that.
func memory(list corev1.ResourceList) (int64, string) {
	q, there := list[corev1.ResourceMemory]
	if !there || q.IsZero() {
		return 0, ""
	}
	return q.Value(), q.String()
}

func orNone(s string) string { return cmp.Or(s, "none") }

// raises works out what each container is to have, from the most that its template
// and its pods have.
func (p memoryParams) raises(w *workload, pods []corev1.Pod) ([]raise, error) {
	var all []raise
	var names, full []string
	for i := range w.pods.Spec.Containers {
		c := &w.pods.Spec.Containers[i]
		names = append(names, c.Name)
		if p.Container != nil && c.Name != *p.Container {
			continue
		}
		limit, request := most(c, pods)
		if limit == 0 {
			if p.Container != nil {
				return nil, remediators.Terminal("%s is left as it is: its container %s has no memory limit to raise; what runs out is its node", w, c.Name)
			}
			continue
		}
		to := p.raisedLimit(limit)
		if to <= limit {
			full = append(full, c.Name+" has "+ofBytes(limit))
			continue
		}
		r := raise{Container: c.Name, LimitFrom: ofBytes(limit), LimitTo: ofBytes(to)}
		if request > 0 && p.requests() {
			r.RequestFrom, r.RequestTo = ofBytes(request), ofBytes(raisedRequest(request, limit, to))
		}
		all = append(all, r)
	}
	switch {
	case len(all) > 0:
		return all, nil
	case len(full) > 0:
		return nil, remediators.Terminal("%s is already at max %s: %s", w, p.Max, strings.Join(full, ", "))
	case p.Container != nil:
		return nil, remediators.Terminal("%s has no container %s; it has %s", w, *p.Container, strings.Join(names, ", "))
	}
	return nil, remediators.Terminal("%s is left as it is: none of its containers has a memory limit to raise; what runs out is its node", w)
}

// most is the highest limit and the highest request that a container has.
func most(c *corev1.Container, pods []corev1.Pod) (limit, request int64) {
	limit, _ = memory(c.Resources.Limits)
	request, _ = memory(c.Resources.Requests)
	for i := range pods {
		if of := containerOf(&pods[i], c.Name); of != nil {
			l, _ := memory(of.Resources.Limits)
			r, _ := memory(of.Resources.Requests)
			limit, request = max(limit, l), max(request, r)
		}
	}
	return limit, request
}

func containerOf(pod *corev1.Pod, name string) *corev1.Container {
	for i := range pod.Spec.Containers {
		if pod.Spec.Containers[i].Name == name {
			return &pod.Spec.Containers[i]
		}
	}
	return nil
}

// from is a raise as it starts from what one container has.
func (r raise) from(c *corev1.Container) raise {
	_, r.LimitFrom = memory(c.Resources.Limits)
	var has string
	if _, has = memory(c.Resources.Requests); has == "" {
		r.RequestTo = "" // the API server takes the limit for it
	}
	if r.RequestFrom = has; r.RequestTo == "" {
		r.RequestFrom = ""
	}
	return r
}

// ownPods reads the pods that a workload has and that are to stay, by name.
func ownPods(ctx context.Context, client *Client, w *workload) ([]corev1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(w.labels)
	if err != nil {
		return nil, remediators.Terminal("%s: selector: %w", w, err)
	}
	owners := map[types.UID]bool{w.meta.UID: true}
	if w.kind == kindDeployment {
		var sets appsv1.ReplicaSetList
		if err := client.list(ctx, kindReplicaSet, w.meta.Namespace, w, selection{labels: selector}, &sets); err != nil {
			return nil, err
		}
		for i := range sets.Items {
			if metav1.IsControlledBy(&sets.Items[i], &w.meta) {
				owners[sets.Items[i].UID] = true
			}
		}
	}
	var list corev1.PodList
	if err := client.list(ctx, kindPod, w.meta.Namespace, w, selection{labels: selector}, &list); err != nil {
		return nil, err
	}
	own := slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool {
		owner := metav1.GetControllerOfNoCopy(&pod)
		return owner == nil || !owners[owner.UID] || pod.DeletionTimestamp != nil || isFinished(&pod)
	})
	slices.SortFunc(own, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return own, nil
}
