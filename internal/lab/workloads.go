package lab

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Behaviour is what becomes of a pod instead of becoming ready.
type Behaviour string

// BehaviourLabel on a pod, or on a workload's pod template, chooses a [Behaviour]. Put on a pod that is ready, it
// takes effect at once, which is how a test makes a healthy service fail; its replacement is healthy again.
const BehaviourLabel = "lab.paramedic.dev/behaviour"

const (
	// NeverReady is a pod that runs but fails its readiness.
	NeverReady Behaviour = "never-ready"
	// Crash is a pod whose containers crash again and again: CrashLoopBackOff, after five restarts.
	Crash Behaviour = "crash"
	// Fail is a pod that ends with exit code 3 and a termination message. A pod of a Job completes otherwise.
	Fail Behaviour = "fail"
	// Resizable is a pod that becomes ready, on a node whose kubelet tells the resources of its containers and makes
	// what is asked of pods/resize at once.
	Resizable Behaviour = "resizable"
)

const appLabel = "app"

// Deployment is a workload that the lab can run. Its pods, and the selector, carry the label app with its name.
func Deployment(namespace, name string, replicas int32) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: objectMeta(namespace, name),
		Spec:       appsv1.DeploymentSpec{Replicas: &replicas, Selector: selector(name), Template: template(name)},
	}
}

// StatefulSet is like [Deployment].
func StatefulSet(namespace, name string, replicas int32) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{
		ObjectMeta: objectMeta(namespace, name),
		Spec:       appsv1.StatefulSetSpec{Replicas: &replicas, Selector: selector(name), Template: template(name), ServiceName: name},
	}
}

// DaemonSet is like [Deployment]; it has one pod on each node.
func DaemonSet(namespace, name string) *appsv1.DaemonSet {
	return &appsv1.DaemonSet{
		ObjectMeta: objectMeta(namespace, name),
		Spec:       appsv1.DaemonSetSpec{Selector: selector(name), Template: template(name)},
	}
}

func objectMeta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{appLabel: name}}
}

func selector(name string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{appLabel: name}}
}

func template(name string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{appLabel: name}},
		// Nothing pulls the image; the name is one that cannot exist.
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.invalid/" + name + ":1"}}},
	}
}

// WaitAvailable waits until the workload, looked up by the namespace and name of the given *appsv1.Deployment,
// *appsv1.StatefulSet or *appsv1.DaemonSet, has rolled out its current template to all its replicas and all of them
// are available. If the context ends first, the error says what was still missing.
func (c *Cluster) WaitAvailable(ctx context.Context, workload metav1.Object) error {
	err := poll(ctx, func(ctx context.Context) error {
		seen, err := c.rollout(ctx, workload)
		if err != nil {
			return err
		}
		return seen.complete()
	})
	if err != nil {
		return fmt.Errorf("lab: %T %s/%s: %w", workload, workload.GetNamespace(), workload.GetName(), err)
	}
	return nil
}

// rollout is how far a workload's rollout has come.
type rollout struct {
	generation, observed              int64
	wanted, total, updated, available int32
}

func (c *Cluster) rollout(ctx context.Context, workload metav1.Object) (rollout, error) {
	apps, namespace, name := c.client.AppsV1(), workload.GetNamespace(), workload.GetName()
	switch workload.(type) {
	case *appsv1.Deployment:
		d, err := apps.Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return rollout{}, fmt.Errorf("get: %w", err)
		}
		s := &d.Status
		return rollout{d.Generation, s.ObservedGeneration, replicas(d.Spec.Replicas), s.Replicas, s.UpdatedReplicas, s.AvailableReplicas}, nil
	case *appsv1.StatefulSet:
		set, err := apps.StatefulSets(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return rollout{}, fmt.Errorf("get: %w", err)
		}
		s := &set.Status
		return rollout{set.Generation, s.ObservedGeneration, replicas(set.Spec.Replicas), s.Replicas, s.UpdatedReplicas, s.AvailableReplicas}, nil
	case *appsv1.DaemonSet:
		set, err := apps.DaemonSets(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return rollout{}, fmt.Errorf("get: %w", err)
		}
		s := &set.Status
		return rollout{set.Generation, s.ObservedGeneration, s.DesiredNumberScheduled, s.CurrentNumberScheduled, s.UpdatedNumberScheduled, s.NumberAvailable}, nil
	default:
		return rollout{}, final(fmt.Errorf("%T is no workload that the lab can wait for", workload))
	}
}

func (r rollout) complete() error {
	if r.observed < r.generation {
		return fmt.Errorf("generation %d is not observed yet, only %d", r.generation, r.observed)
	}
	if r.total != r.wanted || r.updated != r.wanted || r.available != r.wanted {
		return fmt.Errorf("%d replicas wanted: %d there, %d updated, %d available", r.wanted, r.total, r.updated, r.available)
	}
	return nil
}

// replicas is the number with the API's default.
func replicas(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}
