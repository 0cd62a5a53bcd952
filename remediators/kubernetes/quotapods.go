package kubernetes

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// withDefaults is what the pods of a template become: the API server takes a limit
// for a request that is missing, and a LimitRange fills in the rest.
func withDefaults(pod corev1.PodSpec, ranges []corev1.LimitRange) corev1.PodSpec {
	pod = *pod.DeepCopy()
	each := func(c *corev1.Container) {
		r := &c.Resources
		if r.Requests == nil {
			r.Requests = corev1.ResourceList{}
		}
		if r.Limits == nil {
			r.Limits = corev1.ResourceList{}
		}
		fill(r.Requests, r.Limits)
		for i := range ranges {
			for j := range ranges[i].Spec.Limits {
				if l := &ranges[i].Spec.Limits[j]; l.Type == corev1.LimitTypeContainer {
					fill(r.Limits, l.Default)
					fill(r.Requests, l.DefaultRequest)
				}
			}
		}
	}
	for i := range pod.Containers {
		each(&pod.Containers[i])
	}
	for i := range pod.InitContainers {
		each(&pod.InitContainers[i])
	}
	return pod
}

// fill adds what is missing.
func fill(list, from corev1.ResourceList) {
	for name, n := range from {
		if _, there := list[name]; !there {
			list[name] = n.DeepCopy()
		}
	}
}

// usage is what one pod counts for, by the names that quotas have for it. Source:
// the quota evaluator of pods, pkg/quota/v1/evaluator/core/pods.go.
func usage(pod *corev1.PodSpec) corev1.ResourceList {
	one := *resource.NewQuantity(1, resource.DecimalSI)
	used := corev1.ResourceList{corev1.ResourcePods: one, "count/pods": one}
	for name, n := range total(pod, requestsOf) {
		used["requests."+name] = n
		if native(name) {
			used[name] = n
		}
	}
	for name, n := range total(pod, limitsOf) {
		used["limits."+name] = n
	}
	return used
}

func requestsOf(r *corev1.ResourceRequirements) corev1.ResourceList { return r.Requests }

func limitsOf(r *corev1.ResourceRequirements) corev1.ResourceList { return r.Limits }

// native are the resources that a quota may name without requests before it.
func native(name corev1.ResourceName) bool {
	return !strings.Contains(string(name), "/")
}

// total is what a pod asks for: its containers together, or what starting it takes if
// that is more, and what a pod of its own asks for as a whole in place of that.
func total(pod *corev1.PodSpec, of func(*corev1.ResourceRequirements) corev1.ResourceList) corev1.ResourceList {
	sum, sidecars, starting := corev1.ResourceList{}, corev1.ResourceList{}, corev1.ResourceList{}
	for i := range pod.Containers {
		add(sum, of(&pod.Containers[i].Resources))
	}
	for i := range pod.InitContainers {
		c := &pod.InitContainers[i]
		if isSidecar(c) {
			add(sum, of(&c.Resources))
			add(sidecars, of(&c.Resources))
			atLeast(starting, sidecars)
			continue
		}
		now := sidecars.DeepCopy()
		add(now, of(&c.Resources))
		atLeast(starting, now)
	}
	atLeast(sum, starting)
	if pod.Resources != nil {
		for name, n := range of(pod.Resources) {
			sum[name] = n.DeepCopy()
		}
	}
	add(sum, pod.Overhead)
	return sum
}

// times is what so many pods count for.
func times(each corev1.ResourceList, n int64) corev1.ResourceList {
	all := each.DeepCopy()
	for name, q := range all {
		q.Mul(n)
		all[name] = q
	}
	return all
}

// isSidecar reports whether an init container goes on beside the others.
func isSidecar(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

func add(sum, more corev1.ResourceList) {
	for name, n := range more {
		has := sum[name]
		has.Add(n)
		sum[name] = has
	}
}

func atLeast(list, least corev1.ResourceList) {
	for name, n := range least {
		if has, there := list[name]; !there || has.Cmp(n) < 0 {
			list[name] = n.DeepCopy()
		}
	}
}

// complete refuses pods that lack what a quota counts: the API server would make none.
func complete(q *corev1.ResourceQuota, pod *corev1.PodSpec) error {
	for name := range q.Spec.Hard {
		kind, what, ok := strings.Cut(string(name), ".")
		if !ok {
			kind, what = "requests", string(name)
		}
		if kind != "requests" && kind != "limits" || what != string(corev1.ResourceCPU) && what != string(corev1.ResourceMemory) {
			continue
		}
		list := requestsOf
		if kind == "limits" {
			list = limitsOf
		}
		of := func(r *corev1.ResourceRequirements) bool {
			_, there := list(r)[corev1.ResourceName(what)]
			return there
		}
		if pod.Resources != nil && of(pod.Resources) {
			continue
		}
		for _, c := range slices.Concat(pod.Containers, pod.InitContainers) {
			if !of(&c.Resources) {
				return fmt.Errorf("ResourceQuota %s/%s counts %s, for which container %s says nothing: no pod would be made; state it in the template, or a default in a LimitRange",
					q.Namespace, q.Name, name, c.Name)
			}
		}
	}
	return nil
}

// bestEffort reports whether a pod asks for no CPU and no memory.
func bestEffort(pod *corev1.PodSpec) bool {
	asks := func(r *corev1.ResourceRequirements) bool {
		for _, list := range []corev1.ResourceList{r.Requests, r.Limits} {
			for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
				if n, there := list[name]; there && !n.IsZero() {
					return true
				}
			}
		}
		return false
	}
	if pod.Resources != nil && asks(pod.Resources) {
		return false
	}
	return !slices.ContainsFunc(slices.Concat(pod.Containers, pod.InitContainers), func(c corev1.Container) bool { return asks(&c.Resources) })
}
