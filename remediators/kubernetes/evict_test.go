package kubernetes_test

import (
	"encoding/json"
	nethttp "net/http"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

const evictor = "evictor"

// evictions counts those by user that the API server has accepted.
func (b *bed) evictions(t *testing.T, user, namespace string) int {
	t.Helper()
	n := 0
	for _, e := range must(b.Audit(t.Context(), lab.AuditFilter{User: user, Verb: "create", Subresource: "eviction", Namespace: namespace}))(t) {
		if e.Code == nethttp.StatusCreated {
			n++
		}
	}
	return n
}

// readyPod waits for a pod of that name which is ready.
func (b *bed) readyPod(t *testing.T, namespace, name string) {
	t.Helper()
	eventually(t, "pod "+name, func() bool {
		for _, pod := range b.pods(t, namespace) {
			if pod.Name == name && ready(&pod) {
				return true
			}
		}
		return false
	})
}

func ready(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return pod.DeletionTimestamp == nil
		}
	}
	return false
}

// budget lets no more of an app's pods be evicted than leaves so many, and waits until
// it does.
func (b *bed) budget(t *testing.T, namespace, name, app string, least int, allowed int32) {
	t.Helper()
	budgets := b.Client().PolicyV1().PodDisruptionBudgets(namespace)
	stay := intstr.FromInt32(int32(least))
	must(budgets.Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: &stay, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}},
	}, metav1.CreateOptions{}))(t)
	eventually(t, "the budget", func() bool {
		s := must(budgets.Get(t.Context(), name, metav1.GetOptions{}))(t)
		return s.Status.ObservedGeneration == s.Generation && s.Status.DisruptionsAllowed == allowed && s.Status.ExpectedPods > 0
	})
}

func (b *bed) noBudget(t *testing.T, namespace, name string) {
	t.Helper()
	if err := b.Client().PolicyV1().PodDisruptionBudgets(namespace).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

func evictConforms(t *testing.T, b *bed) {
	remediatortest.Run(t, b.subject(t, evictor, remediatortest.HTTP2, func(clusters kubernetes.Clusters) remediatortest.Bench {
		return remediatortest.Bench{
			Remediator: kubernetes.NewEvict(clusters),
			Fresh: func(t *testing.T) remediatortest.Scene {
				namespace := b.Namespace(t)
				s := b.statefulSet(t, namespace, 1, nil)
				return remediatortest.Scene{
					Task:    engine.Task{Target: target("StatefulSet", namespace, s.Name), Params: json.RawMessage(`{"pod": "` + s.Name + `-0"}`)},
					Effects: func(t *testing.T) int { return b.evictions(t, evictor, namespace) },
					Change:  func(t *testing.T) { b.readyPod(t, namespace, s.Name+"-0") },
				}
			},
			Missing: engine.Task{Target: target("Pod", b.Namespace(t), "nobody")},
		}
	}))
}

func evictReplacesOnePod(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	e := kubernetes.NewEvict(b.clusters(t, evictor))
	d := b.deployment(t, namespace, 2, nil)
	old := b.pods(t, namespace)
	var victim corev1.Pod
	for _, victim = range old {
		break
	}
	run := task("evict", target("Pod", namespace, victim.Name), "")
	p := must(e.Plan(t.Context(), run))(t)
	if p.Target != target("Deployment", namespace, d.Name) || !strings.Contains(p.Summary, victim.Name) || !strings.Contains(p.Changes[0].From, string(victim.UID)) {
		t.Errorf("%+v", p)
	}
	if p.Health == nil || *p.Health != (engine.Health{Total: 2, Healthy: 2, Disrupts: 1}) {
		t.Errorf("health %+v", p.Health)
	}
	// As a worker does right before: the rule's parameters do not name the pod.
	run.Target, run.Plan = p.Target, &p
	if again := must(e.Plan(t.Context(), run))(t); again.Digest() != p.Digest() {
		t.Errorf("before it is executed: %+v", again)
	}
	if got := must(e.Observe(t.Context(), run, p))(t); got != engine.NotApplied {
		t.Errorf("before: %s", got)
	}
	o := must(e.Execute(t.Context(), run, p))(t)
	if !strings.HasPrefix(o.Summary, "evicted Pod "+namespace+"/"+victim.Name) {
		t.Error(o.Summary)
	}
	if got := must(e.Observe(t.Context(), run, p))(t); got != engine.Unknown {
		t.Errorf("after: %s", got)
	}
	eventually(t, "another pod", func() bool {
		now := b.pods(t, namespace)
		_, there := now[victim.UID]
		return !there && len(now) == 2
	})
	if o = must(e.Execute(t.Context(), run, p))(t); !strings.Contains(o.Summary, "is gone") {
		t.Errorf("again: %s", o.Summary)
	}
	if n := b.evictions(t, evictor, namespace); n != 1 {
		t.Errorf("%d evictions", n)
	}

	// Another pod of the same name is never touched.
	s := b.statefulSet(t, namespace, 1, nil)
	run = task("again", target("Pod", namespace, s.Name+"-0"), "")
	p = must(e.Plan(t.Context(), run))(t)
	must(e.Execute(t.Context(), run, p))(t)
	b.readyPod(t, namespace, s.Name+"-0")
	if o = must(e.Execute(t.Context(), run, p))(t); !strings.Contains(o.Summary, "is gone") {
		t.Errorf("the next of its name: %s", o.Summary)
	}
	if got := must(e.Observe(t.Context(), run, p))(t); got != engine.Unknown {
		t.Errorf("the next of its name: %s", got)
	}
	if n := b.evictions(t, evictor, namespace); n != 2 {
		t.Errorf("%d evictions", n)
	}
}

func evictHonoursBudgets(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	e := kubernetes.NewEvict(b.clusters(t, evictor))
	d := b.deployment(t, namespace, 2, nil)
	var name string
	for _, pod := range b.pods(t, namespace) {
		name = pod.Name
	}
	run := task("evict", target("Pod", namespace, name), "")
	p := must(e.Plan(t.Context(), run))(t)
	b.budget(t, namespace, "two-stay", d.Name, 2, 0)
	_, planErr := e.Plan(t.Context(), run)
	_, err := e.Execute(t.Context(), run, p)
	for _, err := range []error{planErr, err} {
		if remediators.ClassOf(err) != engine.ClassRetryable || err == nil || !strings.Contains(err.Error(), "disruption budget two-stay needs 2 healthy pods") {
			t.Errorf("held, but: %v", err)
		}
	}
	if got := must(e.Observe(t.Context(), run, p))(t); got != engine.NotApplied || b.evictions(t, evictor, namespace) != 0 {
		t.Errorf("held, but %s", got)
	}
	b.budget(t, namespace, "one-stays", d.Name, 1, 1)
	_, planErr = e.Plan(t.Context(), run)
	_, err = e.Execute(t.Context(), run, p)
	for _, err := range []error{planErr, err} {
		if remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "more than one PodDisruptionBudget") {
			t.Errorf("two budgets: %v", err)
		}
	}
	b.noBudget(t, namespace, "two-stay")
	eventually(t, "the eviction", func() bool {
		_, err := e.Execute(t.Context(), run, p)
		return err == nil
	})
}

func evictRefuses(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	e := kubernetes.NewEvict(b.clusters(t, evictor))
	d, other := b.deployment(t, namespace, 1, nil), b.deployment(t, namespace, 1, nil)
	agents := must(b.Client().AppsV1().DaemonSets(namespace).Create(t.Context(), lab.DaemonSet(namespace, b.name("agent")), metav1.CreateOptions{}))(t)
	if err := b.WaitAvailable(t.Context(), agents); err != nil {
		t.Fatal(err)
	}
	pods := b.Client().CoreV1().Pods(namespace)
	alone := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "alone"}, Spec: d.Spec.Template.Spec}
	must(pods.Create(t.Context(), alone, metav1.CreateOptions{}))(t)
	static := alone.DeepCopy()
	static.Name, static.Spec.NodeName, static.Annotations = "static", "node-1", map[string]string{corev1.MirrorPodAnnotationKey: "x"}
	must(pods.Create(t.Context(), static, metav1.CreateOptions{}))(t)
	job := must(b.Client().BatchV1().Jobs(namespace).Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "once"},
		Spec:       batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: d.Spec.Template.Spec.Containers}}},
	}, metav1.CreateOptions{}))(t)
	var ofDeployment, ofDaemonSet, ofJob string
	eventually(t, "pods of each", func() bool {
		for _, pod := range b.pods(t, namespace) {
			switch {
			case pod.Labels["app"] == d.Name:
				ofDeployment = pod.Name
			case metav1.IsControlledBy(&pod, agents):
				ofDaemonSet = pod.Name
			case metav1.IsControlledBy(&pod, job):
				ofJob = pod.Name
			}
		}
		return ofDeployment != "" && ofDaemonSet != "" && ofJob != ""
	})
	pod := func(name string) engine.Target { return target("Pod", namespace, name) }
	for name, c := range map[string]struct {
		target engine.Target
		params string
		why    string
	}{
		"no controller":      {pod("alone"), ``, "has no controller"},
		"static":             {pod("static"), ``, "static pod of node node-1"},
		"DaemonSet":          {pod(ofDaemonSet), ``, "daemonSet: true"},
		"Job":                {pod(ofJob), ``, "controlled by Job"},
		"none named":         {target("Deployment", namespace, d.Name), ``, "pod is missing"},
		"another's":          {target("Deployment", namespace, other.Name), `{"pod": "` + ofDeployment + `"}`, "is not one of"},
		"two pods":           {pod(ofDeployment), `{"pod": "x"}`, "but the target is"},
		"gone":               {target("Deployment", namespace, d.Name), `{"pod": "x"}`, "not found"},
		"no StatefulSet's":   {target("StatefulSet", namespace, "x"), `{"pod": "x-0"}`, "not found"},
		"empty":              {pod(ofDeployment), `{"pod": ""}`, "pod is empty"},
		"null":               {pod(ofDeployment), `{"pod": null}`, "pod is null"},
		"null for an object": {pod(ofDeployment), `null`, "want an object"},
	} {
		if _, err := e.Plan(t.Context(), task("x", c.target, c.params)); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v, want a terminal error with %q", name, err, c.why)
		}
	}
	if n := b.evictions(t, evictor, namespace); n != 0 {
		t.Errorf("%d evictions", n)
	}
	if p, err := e.Plan(t.Context(), task("x", pod(ofDaemonSet), `{"daemonSet": true}`)); err != nil || p.Target.Kind != "DaemonSet" {
		t.Errorf("daemonSet: %+v, %v", p, err)
	}
	// What a StatefulSet is about to make again is waited for; one of another number is not.
	s := b.statefulSet(t, namespace, 1, func(s *appsv1.StatefulSet) { s.Spec.Replicas = new(int32(0)) })
	at := target("StatefulSet", namespace, s.Name)
	if _, err := e.Plan(t.Context(), task("x", at, `{"pod": "`+s.Name+`-0"}`)); remediators.ClassOf(err) != engine.ClassTerminal {
		t.Errorf("scaled to 0: %v", err)
	}
}
