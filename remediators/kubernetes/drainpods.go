package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// drained is what the pods of a node mean to a drain.
type drained struct {
	// evict are to be evicted, sorted by name; leaving are about to be gone.
	evict, leaving []corev1.Pod
	// refused says of each pod that must not be evicted why.
	refused []string
}

// podsOf reads the pods that are on a node.
func podsOf(ctx context.Context, client *Client, node engine.Target, emptyDir bool) (drained, error) {
	var list corev1.PodList
	only := selection{fields: fields.OneTermEqualSelector("spec.nodeName", node.Name)}
	if err := client.list(ctx, kindPod, "", node, only, &list); err != nil {
		return drained{}, err
	}
	return sortPods(list.Items, emptyDir), nil
}

// sortPods does as kubectl drain --ignore-daemonsets, without its --force
// (https://kubernetes.io/docs/reference/kubectl/generated/kubectl_drain).
func sortPods(pods []corev1.Pod, emptyDir bool) drained {
	var d drained
	for i := range pods {
		pod := &pods[i]
		owner := metav1.GetControllerOfNoCopy(pod)
		switch {
		case isMirror(pod), byDaemonSet(owner) && !isFinished(pod):
		case pod.DeletionTimestamp != nil:
			d.leaving = append(d.leaving, *pod)
		case isFinished(pod):
			d.evict = append(d.evict, *pod)
		case owner == nil:
			d.refused = append(d.refused, podName(pod)+" has no controller, and would not come back")
		case hasEmptyDir(pod) && !emptyDir:
			d.refused = append(d.refused, podName(pod)+" has an emptyDir, which would be lost (deleteEmptyDirData)")
		default:
			d.evict = append(d.evict, *pod)
		}
	}
	slices.SortFunc(d.evict, func(a, b corev1.Pod) int { return strings.Compare(podName(&a), podName(&b)) })
	slices.Sort(d.refused)
	return d
}

func byDaemonSet(owner *metav1.OwnerReference) bool {
	return owner != nil && owner.Kind == kindDaemonSet && strings.HasPrefix(owner.APIVersion, "apps/")
}

func hasEmptyDir(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.EmptyDir != nil })
}

// gone reports whether nothing is left that a drain waits for.
func (d drained) gone() bool { return len(d.evict)+len(d.leaving)+len(d.refused) == 0 }

// check refuses pods that must not be evicted, or too many.
func (d drained) check(node engine.Target, most int) error {
	if n := len(d.refused); n > 0 {
		shown := strings.Join(d.refused[:min(n, 5)], "; ")
		if n > 5 {
			shown += fmt.Sprintf("; and %d more", n-5)
		}
		return remediators.Terminal("node %s is not drained: %s", node.Name, shown)
	}
	if len(d.evict) > most {
		return remediators.Terminal("node %s is not drained: %d pods would be evicted, and maxPods is %d", node.Name, len(d.evict), most)
	}
	return nil
}

// changes are the pods to evict, counted by namespace: which ones they are changes by
// itself.
func (d drained) changes() []engine.Change {
	count := map[string]int{}
	var names []string
	for i := range d.evict {
		name := d.evict[i].Namespace
		if count[name] == 0 {
			names = append(names, name)
		}
		count[name]++
	}
	slices.Sort(names)
	var changes []engine.Change
	for _, name := range names {
		changes = append(changes, engine.Change{Field: "pods in namespace " + name, From: fmt.Sprintf("%d on the node", count[name]), To: "evicted"})
	}
	return changes
}

// uids are those of all that is about to be gone.
func (d drained) uids() []types.UID {
	ids := []types.UID{}
	for i := range d.evict {
		ids = append(ids, d.evict[i].UID)
	}
	for i := range d.leaving {
		ids = append(ids, d.leaving[i].UID)
	}
	slices.Sort(ids)
	return ids
}
