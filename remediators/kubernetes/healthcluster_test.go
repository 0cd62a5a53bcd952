package kubernetes_test

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
)

// plansTellHealth plans on real workloads whose controllers report how they are.
func plansTellHealth(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	restart := kubernetes.NewRestart(b.clusters(t, restarter), time.Now)
	scale := kubernetes.NewScale(b.clusters(t, scaler))
	rolling := b.deployment(t, namespace, 4, func(d *appsv1.Deployment) {
		d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxUnavailable: new(intstr.FromString("50%"))}
	})
	recreated := b.deployment(t, namespace, 3, func(d *appsv1.Deployment) {
		d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
	})
	store := b.statefulSet(t, namespace, 2, nil)
	set := must(b.Client().AppsV1().DaemonSets(namespace).Create(t.Context(), lab.DaemonSet(namespace, b.name("agent")), metav1.CreateOptions{}))(t)
	if err := b.WaitAvailable(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	set = must(b.Client().AppsV1().DaemonSets(namespace).Get(t.Context(), set.Name, metav1.GetOptions{}))(t)
	nodes := int(set.Status.DesiredNumberScheduled)
	for name, c := range map[string]struct {
		remediator remediators.Remediator
		target     engine.Target
		params     string
		want       engine.Health
	}{
		"restart, rolling":     {restart, target("Deployment", namespace, rolling.Name), "", engine.Health{Total: 4, Healthy: 4, Disrupts: 2}},
		"restart, recreated":   {restart, target("Deployment", namespace, recreated.Name), "", engine.Health{Total: 3, Healthy: 3, Disrupts: 3}},
		"restart, StatefulSet": {restart, target("StatefulSet", namespace, store.Name), "", engine.Health{Total: 2, Healthy: 2, Disrupts: 1}},
		"restart, DaemonSet":   {restart, target("DaemonSet", namespace, set.Name), "", engine.Health{Total: nodes, Healthy: nodes, Disrupts: 1}},
		"scale up":             {scale, target("Deployment", namespace, rolling.Name), `{"step": 1}`, engine.Health{Total: 4, Healthy: 4}},
		"scale down":           {scale, target("Deployment", namespace, rolling.Name), `{"step": -3, "allowDown": true}`, engine.Health{Total: 4, Healthy: 4, Disrupts: 3}},
		"StatefulSet down":     {scale, target("StatefulSet", namespace, store.Name), `{"step": -1, "allowDown": true}`, engine.Health{Total: 2, Healthy: 2, Disrupts: 1}},
	} {
		if !c.remediator.Spec().Health {
			t.Errorf("%s: the spec does not promise health", name)
		}
		var got *engine.Health
		// A StatefulSet is available before its controller has said so of the latest spec.
		eventually(t, name, func() bool {
			p := must(c.remediator.Plan(t.Context(), task("health", c.target, c.params)))(t)
			got = p.Health
			return got != nil && *got == c.want
		})
	}
}
