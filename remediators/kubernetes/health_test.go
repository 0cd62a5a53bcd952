package kubernetes

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func ofDeployment(wanted, available int32, change func(*appsv1.Deployment)) health {
	d := &appsv1.Deployment{}
	d.Spec.Replicas, d.Status.AvailableReplicas = &wanted, available
	if change != nil {
		change(d)
	}
	return deploymentHealth(d)
}

func rolling(unavailable, surge string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{
			MaxUnavailable: new(intstr.Parse(unavailable)), MaxSurge: new(intstr.Parse(surge)),
		}
	}
}

func ofStatefulSet(wanted, available int32, unavailable string) health {
	s := &appsv1.StatefulSet{}
	s.Spec.Replicas, s.Status.AvailableReplicas = &wanted, available
	if unavailable != "" {
		s.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{MaxUnavailable: new(intstr.Parse(unavailable))}
	}
	return statefulSetHealth(s)
}

func ofDaemonSet(wanted, available int32, unavailable string) health {
	s := &appsv1.DaemonSet{}
	s.Status.DesiredNumberScheduled, s.Status.NumberAvailable = wanted, available
	if unavailable != "" {
		s.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateDaemonSet{MaxUnavailable: new(intstr.Parse(unavailable))}
	}
	return daemonSetHealth(s)
}

func recreate(d *appsv1.Deployment) { d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType }

func TestHealthOfARestart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		health health
		want   string // total healthy disrupts
	}{
		"by default, few":            {ofDeployment(3, 3, nil), "3 3 0"},
		"by default, more":           {ofDeployment(10, 10, nil), "10 10 2"},
		"a number":                   {ofDeployment(5, 5, rolling("3", "0")), "5 5 3"},
		"a percentage":               {ofDeployment(5, 5, rolling("50%", "0")), "5 5 2"},
		"neither moves":              {ofDeployment(3, 3, rolling("0", "0")), "3 3 1"},
		"only surge":                 {ofDeployment(3, 3, rolling("0", "1")), "3 3 0"},
		"percentages of nothing":     {ofDeployment(3, 3, rolling("10%", "0%")), "3 3 1"},
		"more than there are":        {ofDeployment(3, 3, rolling("9", "0")), "3 3 3"},
		"no percentage":              {ofDeployment(4, 4, rolling("many", "0")), "4 4 4"},
		"all at once":                {ofDeployment(4, 3, recreate), "4 3 3"},
		"those that are gone count":  {ofDeployment(4, 3, rolling("2", "0")), "4 3 1"},
		"fewer than it keeps":        {ofDeployment(4, 1, rolling("2", "0")), "4 1 0"},
		"none is well":               {ofDeployment(4, 0, recreate), "4 0 0"},
		"more than wanted":           {ofDeployment(4, 5, rolling("1", "1")), "4 4 1"},
		"StatefulSet":                {ofStatefulSet(3, 3, ""), "3 3 1"},
		"StatefulSet takes by order": {ofStatefulSet(3, 1, ""), "3 1 1"},
		"StatefulSet, none is well":  {ofStatefulSet(3, 0, ""), "3 0 0"},
		"StatefulSet, percentage":    {ofStatefulSet(5, 5, "30%"), "5 5 2"},
		"StatefulSet, of nothing":    {ofStatefulSet(5, 5, "0%"), "5 5 1"},
		"DaemonSet":                  {ofDaemonSet(7, 7, ""), "7 7 1"},
		"DaemonSet, percentage":      {ofDaemonSet(7, 7, "20%"), "7 7 2"},
		"DaemonSet, only surge":      {ofDaemonSet(7, 7, "0"), "7 7 0"},
		"DaemonSet, one is gone":     {ofDaemonSet(7, 6, ""), "7 6 0"},
		"DaemonSet without nodes":    {ofDaemonSet(0, 0, ""), "0 0 0"},
	} {
		c.health.seen = true
		h := c.health.restarted()
		if got := fmt.Sprint(h.Total, h.Healthy, h.Disrupts); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestHealthOfScaling(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		health health
		to     int32
		want   string
	}{
		"up":                         {ofDeployment(2, 2, nil), 4, "2 2 0"},
		"down":                       {ofDeployment(6, 6, nil), 4, "6 6 2"},
		"down by the unwell":         {ofDeployment(6, 4, nil), 4, "6 4 0"},
		"down by some of both":       {ofDeployment(6, 4, nil), 3, "6 4 1"},
		"StatefulSet up":             {ofStatefulSet(2, 2, ""), 3, "2 2 0"},
		"StatefulSet by order":       {ofStatefulSet(6, 4, ""), 4, "6 4 2"},
		"StatefulSet, more than are": {ofStatefulSet(6, 1, ""), 1, "6 1 1"},
	} {
		c.health.seen = true
		h := c.health.scaled(c.to)
		if got := fmt.Sprint(h.Total, h.Healthy, h.Disrupts); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestHealthOfAnOldStatus: nobody can tell what a controller is about to do that
// has not seen the spec.
func TestHealthOfAnOldStatus(t *testing.T) {
	t.Parallel()
	h := ofDeployment(3, 3, func(d *appsv1.Deployment) { d.Generation, d.Status.ObservedGeneration = 2, 1 })
	if got := h.restarted(); got != nil {
		t.Errorf("%+v", got)
	}
	h = ofDeployment(3, 3, func(d *appsv1.Deployment) { d.Generation, d.Status.ObservedGeneration = 2, 2 })
	if got := h.scaled(1); got == nil || got.Disrupts != 2 {
		t.Errorf("%+v", got)
	}
}
