package kubernetes

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// The annotations by which KEDA is told to leave a workload alone. Source: KEDA's
// documentation, "Pausing autoscaling".
const (
	pausedAnnotation         = "autoscaling.keda.sh/paused"
	pausedReplicasAnnotation = "autoscaling.keda.sh/paused-replicas"
	pausedOutAnnotation      = "autoscaling.keda.sh/paused-scale-out"
)

// kedaMaximum is what KEDA takes for spec.maxReplicaCount if that is not written.
const kedaMaximum = 100

// scaledObject is what of a ScaledObject matters here; KEDA's own types would bring
// all that KEDA imports.
type scaledObject struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		ScaleTargetRef struct {
			Kind string `json:"kind"`
			Name string `json:"name"`
		} `json:"scaleTargetRef"`
		MinReplicaCount  *int32 `json:"minReplicaCount"`
		MaxReplicaCount  *int32 `json:"maxReplicaCount"`
		IdleReplicaCount *int32 `json:"idleReplicaCount"`
	} `json:"spec"`
	Status struct {
		HPAName string `json:"hpaName"`
	} `json:"status"`
}

// autoscaler is what sets a workload's replicas.
type autoscaler struct {
	kind string
	meta metav1.ObjectMeta
	// min is the least number, as it is written; nil if it is not.
	min *int32
	max int32
	// idle is the number that KEDA keeps instead while no trigger is active.
	idle *int32
}

func (a *autoscaler) String() string {
	return fmt.Sprintf("%s %s/%s", a.kind, a.meta.Namespace, a.meta.Name)
}

// least is the number that holds where none is written.
func (a *autoscaler) least() int32 {
	switch {
	case a.min != nil:
		return *a.min
	case a.kind == kindPodAutoscaler:
		return 1
	}
	return 0
}

// paused says how KEDA was told to leave the workload alone; empty if it was not.
func (a *autoscaler) paused() string {
	if a.kind != kindScaledObject {
		return ""
	}
	if n, ok := a.meta.Annotations[pausedReplicasAnnotation]; ok {
		return fmt.Sprintf("%s: %q", pausedReplicasAnnotation, n)
	}
	return a.told(pausedAnnotation)
}

// told reads an annotation as KEDA does: what is not a boolean counts as true.
func (a *autoscaler) told(annotation string) string {
	value, ok := a.meta.Annotations[annotation]
	if !ok {
		return ""
	}
	if yes, err := strconv.ParseBool(value); err == nil && !yes {
		return ""
	}
	return fmt.Sprintf("%s: %q", annotation, value)
}

// autoscalers are those of a namespace.
type autoscalers struct {
	own  []autoscalingv2.HorizontalPodAutoscaler
	keda []scaledObject
}

// readAutoscalers reads those of a namespace. A cluster without KEDA has none of its.
func readAutoscalers(ctx context.Context, client *Client, namespace string, whose fmt.Stringer) (autoscalers, error) {
	var own autoscalingv2.HorizontalPodAutoscalerList
	if err := client.list(ctx, kindPodAutoscaler, namespace, whose, selection{}, &own); err != nil {
		return autoscalers{}, err
	}
	var keda struct {
		Items []scaledObject `json:"items"`
	}
	if err := client.list(ctx, kindScaledObject, namespace, whose, selection{}, &keda); err != nil && !notFound(err) {
		return autoscalers{}, err
	}
	return autoscalers{own.Items, keda.Items}, nil
}

// of finds the one that sets a workload's replicas; nil if none does. Two are an
// error: nobody can tell which of them would prevail.
func (all autoscalers) of(w *workload) (*autoscaler, error) {
	var found []*autoscaler
	kedas := map[string]bool{} // the names of the HorizontalPodAutoscalers that KEDA made for them
	owners := map[string]bool{}
	for i := range all.keda {
		s := &all.keda[i]
		kind := s.Spec.ScaleTargetRef.Kind
		if kind == "" {
			kind = kindDeployment
		}
		if kind != w.kind || s.Spec.ScaleTargetRef.Name != w.meta.Name {
			continue
		}
		found = append(found, s.autoscaler())
		kedas[s.Status.HPAName] = true
		owners[string(s.UID)] = true
	}
	for i := range all.own {
		h := &all.own[i]
		if ref := h.Spec.ScaleTargetRef; ref.Kind != w.kind || ref.Name != w.meta.Name {
			continue
		}
		owner := metav1.GetControllerOfNoCopy(h)
		switch {
		case kedas[h.Name], owner != nil && owners[string(owner.UID)]:
			continue
		case owner != nil:
			return nil, remediators.Terminal("%s is scaled by HorizontalPodAutoscaler %s, which %s %s made, and would write again", w, h.Name, owner.Kind, owner.Name)
		}
		found = append(found, &autoscaler{kind: kindPodAutoscaler, meta: h.ObjectMeta, min: h.Spec.MinReplicas, max: h.Spec.MaxReplicas})
	}
	switch len(found) {
	case 0:
		return nil, nil //nolint:nilnil // no autoscaler is a good answer
	case 1:
		if found[0].meta.DeletionTimestamp != nil {
			return nil, remediators.Terminal("%s, which scales %s, is being deleted", found[0], w)
		}
		return found[0], nil
	}
	names := make([]string, 0, len(found))
	for _, a := range found {
		names = append(names, a.kind+" "+a.meta.Name)
	}
	return nil, remediators.Terminal("%s is scaled by more than one, which undo each other's work: %s; remove all but one", w, strings.Join(names, " and "))
}

func (s *scaledObject) autoscaler() *autoscaler {
	a := &autoscaler{kind: kindScaledObject, meta: s.ObjectMeta, min: s.Spec.MinReplicaCount, max: kedaMaximum, idle: s.Spec.IdleReplicaCount}
	if s.Spec.MaxReplicaCount != nil {
		a.max = *s.Spec.MaxReplicaCount
	}
	return a
}

// target is the autoscaler itself.
func (a *autoscaler) target(cluster string) engine.Target {
	return engine.Target{System: engine.SystemKubernetes, Cluster: cluster, Namespace: a.meta.Namespace, Kind: a.kind, Name: a.meta.Name}
}
