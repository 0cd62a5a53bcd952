package kubernetes

import (
	"path"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/tripgen/paramedic/remediators"
)

// The kinds of object, as Kubernetes spells them.
const (
	kindDeployment         = "Deployment"
	kindStatefulSet        = "StatefulSet"
	kindDaemonSet          = "DaemonSet"
	kindReplicaSet         = "ReplicaSet"
	kindControllerRevision = "ControllerRevision"
	kindPod                = "Pod"
	kindNode               = "Node"
	kindService            = "Service"
	kindEndpointSlice      = "EndpointSlice"
	kindJob                = "Job"
	kindCronJob            = "CronJob"
	kindVolume             = "PersistentVolume"
	kindClaim              = "PersistentVolumeClaim"
	kindNamespace          = "Namespace"
	kindQuota              = "ResourceQuota"
	kindLimitRange         = "LimitRange"
	kindDisruptionBudget   = "PodDisruptionBudget"
	kindPodAutoscaler      = "HorizontalPodAutoscaler"
	kindVerticalAutoscaler = "VerticalPodAutoscaler"
	kindScaledObject       = "ScaledObject"
)

// place is where the API server keeps the objects of a kind.
type place struct {
	group    schema.GroupVersion
	resource string
	// clusterWide says that they are in no namespace.
	clusterWide bool
}

// places are those that are used here. Source: the Kubernetes API reference, KEDA's,
// and that of the vertical autoscaler; no two of their kinds share a name.
func places() map[string]place {
	batch := schema.GroupVersion{Group: "batch", Version: "v1"}
	scaling := schema.GroupVersion{Group: "autoscaling", Version: "v2"}
	return map[string]place{
		kindDeployment:         {appsv1.SchemeGroupVersion, "deployments", false},
		kindStatefulSet:        {appsv1.SchemeGroupVersion, "statefulsets", false},
		kindDaemonSet:          {appsv1.SchemeGroupVersion, "daemonsets", false},
		kindReplicaSet:         {appsv1.SchemeGroupVersion, "replicasets", false},
		kindControllerRevision: {appsv1.SchemeGroupVersion, "controllerrevisions", false},
		kindPod:                {corev1.SchemeGroupVersion, "pods", false},
		kindNode:               {corev1.SchemeGroupVersion, "nodes", true},
		kindService:            {corev1.SchemeGroupVersion, "services", false},
		kindVolume:             {corev1.SchemeGroupVersion, "persistentvolumes", true},
		kindClaim:              {corev1.SchemeGroupVersion, "persistentvolumeclaims", false},
		kindNamespace:          {corev1.SchemeGroupVersion, "namespaces", true},
		kindQuota:              {corev1.SchemeGroupVersion, "resourcequotas", false},
		kindLimitRange:         {corev1.SchemeGroupVersion, "limitranges", false},
		kindEndpointSlice:      {schema.GroupVersion{Group: "discovery.k8s.io", Version: "v1"}, "endpointslices", false},
		kindJob:                {batch, "jobs", false},
		kindCronJob:            {batch, "cronjobs", false},
		kindDisruptionBudget:   {schema.GroupVersion{Group: "policy", Version: "v1"}, "poddisruptionbudgets", false},
		kindPodAutoscaler:      {scaling, "horizontalpodautoscalers", false},
		kindVerticalAutoscaler: {schema.GroupVersion{Group: "autoscaling.k8s.io", Version: "v1"}, "verticalpodautoscalers", false},
		kindScaledObject:       {schema.GroupVersion{Group: "keda.sh", Version: "v1alpha1"}, "scaledobjects", false},
	}
}

// placeOf finds a kind's place.
func placeOf(kind string) (place, error) {
	p, ok := places()[kind]
	if !ok {
		return place{}, remediators.Terminal("kind %q is not one that this build knows", kind)
	}
	return p, nil
}

// path leads to the API group.
func (p place) path() string {
	if p.group.Group == "" {
		return path.Join("/api", p.group.Version)
	}
	return path.Join("/apis", p.group.Group, p.group.Version)
}
