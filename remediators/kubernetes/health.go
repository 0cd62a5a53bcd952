package kubernetes

import (
	"cmp"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/tripgen/paramedic/internal/engine"
)

// health is how the pods of a workload are, by its status, and how its controller
// replaces them.
type health struct {
	// seen says that the status is of the latest spec.
	seen bool
	// wanted is how many pods there should be, available how many are well.
	wanted, available int32
	// atOnce is how many pods a rolling update may have unavailable.
	atOnce int32
	// blind says that a pod is taken whether it is well or not: a StatefulSet's
	// go by their number. The other controllers take those that are not well
	// first, and count them among the unavailable ones.
	blind bool
}

func deploymentHealth(d *appsv1.Deployment) health {
	h := health{
		seen:   d.Status.ObservedGeneration >= d.Generation,
		wanted: *replicas(d.Spec.Replicas), available: d.Status.AvailableReplicas,
	}
	if d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		h.atOnce = h.wanted
		return h
	}
	quarter := intstr.FromString("25%") // the API's default for both
	unavailable, surge := &quarter, &quarter
	if u := d.Spec.Strategy.RollingUpdate; u != nil {
		unavailable, surge = cmp.Or(u.MaxUnavailable, &quarter), cmp.Or(u.MaxSurge, &quarter)
	}
	h.atOnce = h.share(unavailable, false)
	if h.atOnce == 0 && h.share(surge, true) == 0 {
		h.atOnce = 1 // as its controller does, or nothing would ever move
	}
	return h
}

func statefulSetHealth(s *appsv1.StatefulSet) health {
	h := health{
		seen:   s.Status.ObservedGeneration >= s.Generation,
		wanted: *replicas(s.Spec.Replicas), available: s.Status.AvailableReplicas, atOnce: 1, blind: true,
	}
	if u := s.Spec.UpdateStrategy.RollingUpdate; u != nil && u.MaxUnavailable != nil {
		h.atOnce = max(1, h.share(u.MaxUnavailable, true))
	}
	return h
}

func daemonSetHealth(s *appsv1.DaemonSet) health {
	h := health{
		seen:   s.Status.ObservedGeneration >= s.Generation,
		wanted: s.Status.DesiredNumberScheduled, available: s.Status.NumberAvailable, atOnce: 1,
	}
	if u := s.Spec.UpdateStrategy.RollingUpdate; u != nil && u.MaxUnavailable != nil {
		h.atOnce = h.share(u.MaxUnavailable, true)
	}
	return h
}

// share is a number, or a percentage of the wanted pods. What the API server would
// not have accepted may mean all of them.
func (h health) share(v *intstr.IntOrString, up bool) int32 {
	n, err := intstr.GetScaledValueFromIntOrPercent(v, int(h.wanted), up)
	if err != nil {
		return h.wanted
	}
	return int32(min(max(n, 0), int(h.wanted))) //nolint:gosec // from 0 to an int32
}

// healthy is never more than wanted: a rollout may have more for a while.
func (h health) healthy() int32 { return min(h.available, h.wanted) }

// restarted is the health of a plan that replaces all pods.
func (h health) restarted() *engine.Health {
	if h.blind {
		return h.with(h.atOnce)
	}
	return h.with(h.healthy() - (h.wanted - h.atOnce))
}

// scaled is the health of a plan that leaves so many pods.
func (h health) scaled(to int32) *engine.Health {
	if h.blind {
		return h.with(h.wanted - to)
	}
	return h.with(h.healthy() - to)
}

// with is nil while the controller has yet to look at the latest spec: nobody can
// tell then what it is about to take away.
func (h health) with(disrupts int32) *engine.Health {
	if !h.seen {
		return nil
	}
	return &engine.Health{
		Total: int(h.wanted), Healthy: int(h.healthy()), Disrupts: int(min(max(disrupts, 0), h.healthy())),
	}
}
