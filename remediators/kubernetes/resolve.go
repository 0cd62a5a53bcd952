package kubernetes

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// unchanged finds the workload that a task's target means, and refuses one that bears
// the task's mark already.
func (c Clusters) unchanged(ctx context.Context, t engine.Task) (*Client, *workload, error) {
	client, err := c.client(t.Target)
	if err != nil {
		return nil, nil, err
	}
	w, err := resolve(ctx, client, t.Target)
	if err != nil {
		return nil, nil, err
	}
	return client, w, marksOf(w.meta.Annotations).notYet(t.ID, w)
}

// resolve finds the workload that a target means: itself, or for a pod or a
// ReplicaSet the controller on top. One that is being deleted is refused.
func resolve(ctx context.Context, client *Client, t engine.Target) (w *workload, err error) {
	kind, name := t.Kind, t.Name
	var owner *metav1.OwnerReference
	if kind == kindPod {
		var pod corev1.Pod
		if err = client.get(ctx, kind, t.Namespace, name, &pod); err != nil {
			return nil, err
		}
		if owner, err = controller(kind, &pod.ObjectMeta); err != nil {
			return nil, err
		}
		kind, name = owner.Kind, owner.Name
	}
	if kind == kindReplicaSet {
		var set appsv1.ReplicaSet
		if err = client.get(ctx, kind, t.Namespace, name, &set); err != nil {
			return nil, err
		}
		if err = sameObject(owner, &set.ObjectMeta); err != nil {
			return nil, err
		}
		if owner, err = controller(kind, &set.ObjectMeta); err != nil {
			return nil, err
		}
		kind, name = owner.Kind, owner.Name
	}
	if w, err = getWorkload(ctx, client, kind, t.Namespace, name); err != nil {
		return nil, err
	}
	if err = sameObject(owner, &w.meta); err != nil {
		return nil, err
	}
	if w.meta.DeletionTimestamp != nil {
		return nil, remediators.Terminal("%s is being deleted", w)
	}
	return w, nil
}

// controller is the owner that manages an object, if it is one of this API's.
func controller(kind string, m *metav1.ObjectMeta) (*metav1.OwnerReference, error) {
	if m.DeletionTimestamp != nil && kind != kindPod {
		return nil, remediators.Terminal("%s %s/%s is being deleted", kind, m.Namespace, m.Name)
	}
	owner := metav1.GetControllerOfNoCopy(m)
	if owner == nil {
		return nil, remediators.Terminal("%s %s/%s has no controller that would replace it; name a Deployment, StatefulSet or DaemonSet", kind, m.Namespace, m.Name)
	}
	if owner.APIVersion != appsv1.SchemeGroupVersion.String() {
		return nil, remediators.Terminal("%s %s/%s is controlled by %s %s of %s, which cannot be acted on; want a Deployment, StatefulSet or DaemonSet",
			kind, m.Namespace, m.Name, owner.Kind, owner.Name, owner.APIVersion)
	}
	return owner, nil
}

// sameObject refuses an object that only has the name of the owner.
func sameObject(owner *metav1.OwnerReference, m *metav1.ObjectMeta) error {
	if owner != nil && owner.UID != m.UID {
		return remediators.Terminal("%s %s/%s is another one than the owner, which is gone", owner.Kind, m.Namespace, m.Name)
	}
	return nil
}
