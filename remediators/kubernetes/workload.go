package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// workload is what the three controllers' objects have in common, and what of
// their differences an action must know.
type workload struct {
	kind   string
	meta   metav1.ObjectMeta
	labels *metav1.LabelSelector
	pods   corev1.PodTemplateSpec
	// replicas is nil for a DaemonSet.
	replicas *int32
	// made is how many pods there are, well or not, by the status.
	made int32
	// halted says why a changed template would not replace all pods; empty if
	// it would.
	halted string
	health health
}

func (w *workload) String() string {
	return fmt.Sprintf("%s %s/%s", w.kind, w.meta.Namespace, w.meta.Name)
}

func fromDeployment(d *appsv1.Deployment) *workload {
	w := &workload{kind: kindDeployment, meta: d.ObjectMeta, labels: d.Spec.Selector, pods: d.Spec.Template, replicas: replicas(d.Spec.Replicas), made: d.Status.Replicas, health: deploymentHealth(d)}
	if d.Spec.Paused {
		w.halted = "its rollouts are paused (spec.paused); resume them first"
	}
	return w
}

func fromStatefulSet(s *appsv1.StatefulSet) *workload {
	w := &workload{kind: kindStatefulSet, meta: s.ObjectMeta, labels: s.Spec.Selector, pods: s.Spec.Template, replicas: replicas(s.Spec.Replicas), made: s.Status.Replicas, health: statefulSetHealth(s)}
	switch u := s.Spec.UpdateStrategy; {
	case u.Type == appsv1.OnDeleteStatefulSetStrategyType:
		w.halted = onDelete
	case u.RollingUpdate != nil && u.RollingUpdate.Partition != nil && *u.RollingUpdate.Partition > 0:
		w.halted = fmt.Sprintf("spec.updateStrategy.rollingUpdate.partition is %d, so only a part of its pods would be replaced", *u.RollingUpdate.Partition)
	}
	return w
}

func fromDaemonSet(s *appsv1.DaemonSet) *workload {
	w := &workload{kind: kindDaemonSet, meta: s.ObjectMeta, labels: s.Spec.Selector, pods: s.Spec.Template, health: daemonSetHealth(s)}
	if s.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType {
		w.halted = onDelete
	}
	return w
}

const onDelete = "spec.updateStrategy is OnDelete, so a new template replaces no pod"

// replicas is the number with the API's default.
func replicas(n *int32) *int32 {
	if n == nil {
		return new(int32(1))
	}
	return n
}

// target is the canonical target.
func (w *workload) target(cluster string) engine.Target {
	return engine.Target{System: engine.SystemKubernetes, Cluster: cluster, Namespace: w.meta.Namespace, Kind: w.kind, Name: w.meta.Name}
}

// images lists the containers' images, and templateHash stands for all else
// that the pods are made from: a person who approves a restart approves both.
func (w *workload) images() string { return strings.Join(imagesOf(w.pods.Spec.Containers), ", ") }

func (w *workload) templateHash() (string, error) {
	b, err := json.Marshal(w.pods)
	if err != nil {
		return "", remediators.Terminal("%s: pod template does not encode: %w", w, err)
	}
	return shortHash(string(b), 5), nil
}

// getWorkload reads one object of the three kinds. The error is classified.
func getWorkload(ctx context.Context, client *Client, kind, namespace, name string) (*workload, error) {
	switch kind {
	case kindDeployment:
		var d appsv1.Deployment
		if err := client.get(ctx, kind, namespace, name, &d); err != nil {
			return nil, err
		}
		return fromDeployment(&d), nil
	case kindStatefulSet:
		var s appsv1.StatefulSet
		if err := client.get(ctx, kind, namespace, name, &s); err != nil {
			return nil, err
		}
		return fromStatefulSet(&s), nil
	case kindDaemonSet:
		var s appsv1.DaemonSet
		if err := client.get(ctx, kind, namespace, name, &s); err != nil {
			return nil, err
		}
		return fromDaemonSet(&s), nil
	default:
		return nil, remediators.Terminal("%s %s/%s: kind %q cannot be acted on; want Deployment, StatefulSet, DaemonSet, or a ReplicaSet or Pod of theirs",
			kind, namespace, name, kind)
	}
}
