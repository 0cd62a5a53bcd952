package kubernetes_test

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
)

// scaleRespectsBudgets does not go below what a PodDisruptionBudget demands.
func scaleRespectsBudgets(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	s := kubernetes.NewScale(b.clusters(t, scaler))
	d := b.deployment(t, namespace, 3, nil)
	budgets := b.Client().PolicyV1().PodDisruptionBudgets(namespace)
	must(budgets.Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "two-at-least"},
		Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: new(intstr.FromInt32(2)), Selector: d.Spec.Selector},
	}, metav1.CreateOptions{}))(t)
	eventually(t, "the budget to be judged", func() bool {
		now := must(budgets.Get(t.Context(), "two-at-least", metav1.GetOptions{}))(t)
		return now.Status.ObservedGeneration == now.Generation && now.Status.CurrentHealthy == 3
	})
	at := target("Deployment", namespace, d.Name)
	must(s.Plan(t.Context(), task("one", at, `{"step": -1, "allowDown": true}`)))(t)
	for _, params := range []string{`{"step": -2, "allowDown": true}`, `{"replicas": 0, "allowDown": true}`} {
		_, err := s.Plan(t.Context(), task("more", at, params))
		wantTerminal(t, err, "PodDisruptionBudget two-at-least", "minAvailable 2", "demands 2 healthy pods")
	}
	// Stopping is what it was not written for.
	must(kubernetes.NewScaleToZero(b.clusters(t, stopper)).Plan(t.Context(), task("stop", at, "")))(t)
	b.autoscale(t, namespace, d.Name, "by-load", 5)
	b.patchAutoscaler(t, namespace, "by-load", `{"spec": {"minReplicas": 3}}`)
	_, err := s.Plan(t.Context(), task("minimum", at, `{"step": -2, "allowDown": true}`))
	wantTerminal(t, err, "PodDisruptionBudget two-at-least")
}

// scaleRespectsQuotas goes as far as a ResourceQuota has room, to the pod, with what a
// LimitRange adds; the API server itself shows that one more would not be made.
func scaleRespectsQuotas(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	core := b.Client().CoreV1()
	must(core.LimitRanges(namespace).Create(t.Context(), &corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Name: "defaults"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer, DefaultRequest: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")},
		}}},
	}, metav1.CreateOptions{}))(t)
	for name, spec := range map[string]corev1.ResourceQuotaSpec{
		"team":  {Hard: corev1.ResourceList{corev1.ResourceRequestsCPU: resource.MustParse("450m"), corev1.ResourcePods: resource.MustParse("10")}},
		"cheap": {Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}, Scopes: []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeBestEffort}},
	} {
		must(core.ResourceQuotas(namespace).Create(t.Context(), &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}, metav1.CreateOptions{}))(t)
		eventually(t, "the quota to be counted", func() bool {
			return len(must(core.ResourceQuotas(namespace).Get(t.Context(), name, metav1.GetOptions{}))(t).Status.Used) == len(spec.Hard)
		})
	}
	d := b.deployment(t, namespace, 1, func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{
			Name: "proxy", Image: "registry.invalid/proxy:1",
			Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m")}},
		})
	})
	used := func(want string) {
		t.Helper()
		eventually(t, want+" of CPU to be used", func() bool {
			now := must(core.ResourceQuotas(namespace).Get(t.Context(), "team", metav1.GetOptions{}))(t).Status.Used[corev1.ResourceRequestsCPU]
			return now.Cmp(resource.MustParse(want)) == 0
		})
	}
	used("150m")
	s := kubernetes.NewScale(b.clusters(t, scaler))
	at := target("Deployment", namespace, d.Name)
	_, err := s.Plan(t.Context(), task("far", at, `{"step": 3}`))
	wantTerminal(t, err, "ResourceQuota "+namespace+"/team", "leaves 300m of requests.cpu", "3 more pods need 450m")
	applied(t, s, task("up", at, `{"step": 2}`))
	if err := b.WaitAvailable(t.Context(), d); err != nil {
		t.Fatalf("what was said to fit does not: %v", err)
	}
	used("450m")
	_, err = s.Plan(t.Context(), task("further", at, `{"step": 1}`))
	wantTerminal(t, err, "leaves 0 of requests.cpu")
	b.setReplicas(t, namespace, d.Name, 4)
	eventually(t, "the API server to refuse the fourth pod", func() bool {
		now := must(b.Client().AppsV1().Deployments(namespace).Get(t.Context(), d.Name, metav1.GetOptions{}))(t)
		for _, c := range now.Status.Conditions {
			if c.Type == appsv1.DeploymentReplicaFailure && strings.Contains(c.Message, "exceeded quota: team") {
				return true
			}
		}
		return false
	})

	// An autoscaler's minimum needs the same room, and so does what comes back.
	b.setReplicas(t, namespace, d.Name, 3)
	b.settle(t, d)
	b.autoscale(t, namespace, d.Name, "by-load", 9)
	_, err = s.Plan(t.Context(), task("minimum", at, `{"step": 1}`))
	wantTerminal(t, err, "ResourceQuota "+namespace+"/team")
	z := kubernetes.NewScaleToZero(b.clusters(t, stopper))
	applied(t, z, task("stop", at, ""))
	used("0")
	r := kubernetes.NewRestore(b.clusters(t, starter))
	// While its controller has yet to look, nobody can tell how many pods are counted.
	plan := func() (err error) {
		eventually(t, "its controller to look", func() bool {
			_, err = r.Plan(t.Context(), task("start", at, ""))
			return err == nil || remediators.ClassOf(err) != engine.ClassRetryable
		})
		return err
	}
	if err := plan(); err != nil {
		t.Error(err)
	}
	b.patchDeployment(t, namespace, d.Name, `{"metadata": {"annotations": {"paramedic.dev/replicas-before": "{\"replicas\": 4}"}}}`)
	wantTerminal(t, plan(), "ResourceQuota "+namespace+"/team", "4 more pods need 600m")
}
