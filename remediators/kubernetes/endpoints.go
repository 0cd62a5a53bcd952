package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// followEvery is how often what a controller is about to do is looked at.
const followEvery = 500 * time.Millisecond

// sliceController is who writes the EndpointSlices of a Service with a selector.
const sliceController = "endpointslice-controller.k8s.io"

// service is a Service as messages call it.
type service struct{ corev1.Service }

func (s *service) String() string { return fmt.Sprintf("%s %s/%s", kindService, s.Namespace, s.Name) }

func (c *Client) service(ctx context.Context, at engine.Target) (*service, error) {
	var s service
	if err := c.get(ctx, kindService, at.Namespace, at.Name, &s.Service); err != nil {
		return nil, err
	}
	return &s, nil
}

// endpoints are the pods that a Service leads to, and whether each is ready.
type endpoints map[types.UID]bool

func (e endpoints) ready() int {
	n := 0
	for _, ready := range e {
		if ready {
			n++
		}
	}
	return n
}

// endpoints reads where a Service leads now.
func (c *Client) endpoints(ctx context.Context, s *service) (endpoints, error) {
	var list discoveryv1.EndpointSliceList
	of := labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: s.Name, discoveryv1.LabelManagedBy: sliceController})
	if err := c.list(ctx, kindEndpointSlice, s.Namespace, s, selection{labels: of}, &list); err != nil {
		return nil, err
	}
	all := endpoints{}
	for i := range list.Items {
		for _, e := range list.Items[i].Endpoints {
			if e.TargetRef != nil && e.TargetRef.Kind == kindPod {
				// A pod is in one slice for each family of addresses.
				all[e.TargetRef.UID] = all[e.TargetRef.UID] || e.Conditions.Ready == nil || *e.Conditions.Ready
			}
		}
	}
	return all, nil
}

// podsOf reads the pods that a selector takes.
func (c *Client) podsOf(ctx context.Context, s *service, selector map[string]string) ([]corev1.Pod, error) {
	var list corev1.PodList
	if err := c.list(ctx, kindPod, s.Namespace, s, selection{labels: labels.SelectorFromSet(selector)}, &list); err != nil {
		return nil, err
	}
	return list.Items, nil
}

// colour reads the pods that a Service would lead to with another value of a label.
func (c *Client) colour(ctx context.Context, s *service, label, value string) ([]corev1.Pod, error) {
	pods, err := c.podsOf(ctx, s, withLabel(s.Spec.Selector, label, value))
	return slices.DeleteFunc(pods, func(pod corev1.Pod) bool { return pod.DeletionTimestamp != nil }), err
}

// enough says how many pods of a colour are ready, or why they are not as many as
// needed. Pods that are there may become ready, those that are not will not by waiting.
func enough(s *service, pods []corev1.Pod, colour string, needed int) (int, error) {
	ready := 0
	for i := range pods {
		if !isReady(&pods[i]) {
			continue
		}
		ready++
		if port := missingPort(s, &pods[i]); port != "" {
			return 0, remediators.Terminal("%s cannot lead to %s: its pod %s has no port named %s", s, colour, pods[i].Name, port)
		}
	}
	switch {
	case len(pods) == 0:
		return 0, remediators.Terminal("%s cannot lead to %s: there is no such pod; deploy it first", s, colour)
	case len(pods) < needed:
		return 0, remediators.Terminal("%s cannot lead to %s: it has %d pods, %d of them ready, and %d must be; scale it up first", s, colour, len(pods), ready, needed)
	case ready < needed:
		return 0, remediators.Retryable(0, "%s cannot lead to %s yet: %d of its %d pods are ready, and %d must be", s, colour, ready, len(pods), needed)
	}
	return ready, nil
}

// missingPort is a port that the Service names and a pod does not have: the pod would
// be an endpoint, and get nothing.
func missingPort(s *service, pod *corev1.Pod) string {
	for _, port := range s.Spec.Ports {
		if port.TargetPort.Type != intstr.String {
			continue
		}
		serves := func(c *corev1.Container) bool {
			return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool {
				return p.Name == port.TargetPort.StrVal && p.Protocol == port.Protocol
			})
		}
		has := false
		for i := range pod.Spec.Containers {
			has = has || serves(&pod.Spec.Containers[i])
		}
		for i := range pod.Spec.InitContainers {
			c := &pod.Spec.InitContainers[i]
			has = has || isSidecar(c) && serves(c)
		}
		if !has {
			return port.TargetPort.StrVal
		}
	}
	return ""
}

// followEndpoints waits until a Service leads where its selector says, and tells how
// many endpoints are ready then. That they stay so, or are enough, it does not wait
// for: that is for whoever verifies. If the last task that changed the Service is
// another one than that of the mark, there is nothing to wait for.
func (c *Client) followEndpoints(ctx context.Context, at engine.Target, mark string) (ready int, err error) {
	for {
		var s *service
		if s, err = c.service(ctx, at); err == nil {
			if m := marksOf(s.Annotations); len(m) == 0 || m[0] != mark {
				return 0, nil
			}
			var leads bool
			if ready, leads, err = c.leads(ctx, s); leads {
				return ready, nil
			}
		}
		if err != nil && remediators.ClassOf(err) != engine.ClassRetryable {
			return 0, err
		}
		if !pause(ctx, followEvery) {
			return 0, fmt.Errorf("its endpoints are not those of its selector yet: %w", context.Cause(ctx))
		}
	}
}

// leads says whether the endpoints are those of the selector: none of another pod, and
// all of its own that are ready.
func (c *Client) leads(ctx context.Context, s *service) (ready int, leads bool, err error) {
	pods, err := c.podsOf(ctx, s, s.Spec.Selector)
	if err != nil {
		return 0, false, err
	}
	are, err := c.endpoints(ctx, s)
	if err != nil {
		return 0, false, err
	}
	return are.ready(), are.of(pods), nil
}

func (e endpoints) of(pods []corev1.Pod) bool {
	own := 0
	for i := range pods {
		ready, there := e[pods[i].UID]
		if there {
			own++
		}
		if isReady(&pods[i]) && !ready {
			return false
		}
	}
	return own == len(e)
}

// pause waits; false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
