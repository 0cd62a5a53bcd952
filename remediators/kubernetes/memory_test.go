package kubernetes_test

import (
	"encoding/json"
	"fmt"
	nethttp "net/http"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// remembers gives a template's container memory, and its pods a kubelet that resizes.
func remembers(template *corev1.PodTemplateSpec, limit, request string) {
	template.Labels[lab.BehaviourLabel] = string(lab.Resizable)
	r := &template.Spec.Containers[0].Resources
	r.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(limit)}
	r.Requests = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(request)}
}

func withMemory(limit, request string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) { remembers(&d.Spec.Template, limit, request) }
}

// resizable makes a Deployment and waits until the kubelets tell what its pods have.
func (b *bed) resizable(t *testing.T, namespace string, replicas int32, change func(*appsv1.Deployment)) *appsv1.Deployment {
	t.Helper()
	d := b.deployment(t, namespace, replicas, func(d *appsv1.Deployment) {
		withMemory("256Mi", "128Mi")(d)
		if change != nil {
			change(d)
		}
	})
	eventually(t, "kubelets that tell resources", func() bool {
		for _, pod := range b.podsOf(t, d) {
			if len(pod.Status.ContainerStatuses) == 0 || pod.Status.ContainerStatuses[0].Resources == nil {
				return false
			}
		}
		return true
	})
	return d
}

// podsOf are the pods that carry a workload's label, and are to stay.
func (b *bed) podsOf(t *testing.T, d metav1.Object) []corev1.Pod {
	t.Helper()
	list := must(b.Client().CoreV1().Pods(d.GetNamespace()).List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + d.GetName()}))(t)
	var pods []corev1.Pod
	for i := range list.Items {
		if list.Items[i].DeletionTimestamp == nil {
			pods = append(pods, list.Items[i])
		}
	}
	return pods
}

// memories are what the containers of a workload's pods have: limit/request.
func memories(pods []corev1.Pod) string {
	var all []string
	for i := range pods {
		for _, c := range pods[i].Spec.Containers {
			all = append(all, c.Resources.Limits.Memory().String()+"/"+c.Resources.Requests.Memory().String())
		}
	}
	return strings.Join(all, " ")
}

// resizes counts those that the API server has made for a user, by its audit log.
func (b *bed) resizes(t *testing.T, user string, d metav1.Object) int {
	t.Helper()
	n := 0
	for _, e := range must(b.Audit(t.Context(), lab.AuditFilter{User: user, Namespace: d.GetNamespace(), Resource: "pods", Subresource: "resize"}))(t) {
		if e.Code == nethttp.StatusOK && strings.HasPrefix(e.Name, d.GetName()+"-") {
			n++
		}
	}
	return n
}

// resize sets the limit of a pod as the administrator.
func (b *bed) resize(t *testing.T, pod *corev1.Pod, limit string) {
	t.Helper()
	body := fmt.Sprintf(`{"spec": {"containers": [{"name": "main", "resources": {"limits": {"memory": %q}}}]}}`, limit)
	must(b.Client().CoreV1().Pods(pod.Namespace).Patch(t.Context(), pod.Name, types.StrategicMergePatchType, []byte(body), metav1.PatchOptions{}, "resize"))(t)
}

func resizeConforms(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	remediatortest.Run(t, b.subject(t, raiser, remediatortest.HTTP2, func(clusters kubernetes.Clusters) remediatortest.Bench {
		return remediatortest.Bench{
			Remediator: kubernetes.NewMemory(clusters),
			Fresh: func(t *testing.T) remediatortest.Scene {
				d := b.resizable(t, namespace, 1, nil)
				hand := 0
				return remediatortest.Scene{
					Task:    engine.Task{Target: target("Deployment", namespace, d.Name), Params: json.RawMessage(`{"factor": 1.5, "max": "64Gi", "how": "inPlace"}`)},
					Effects: func(t *testing.T) int { return b.resizes(t, raiser, d) },
					Change: func(t *testing.T) {
						hand++
						b.resize(t, &b.podsOf(t, d)[0], fmt.Sprintf("%dMi", 700+hand))
					},
					State: func(t *testing.T) string { return memories(b.podsOf(t, d)) },
				}
			},
			Missing: engine.Task{Target: target("StatefulSet", namespace, "nobody"), Params: json.RawMessage(`{"factor": 2, "max": "1Gi"}`)},
		}
	}))
}

func rolloutOfMemoryConforms(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	remediatortest.Run(t, b.subject(t, raiser, remediatortest.HTTP2, func(clusters kubernetes.Clusters) remediatortest.Bench {
		return remediatortest.Bench{
			Remediator: kubernetes.NewMemory(clusters),
			Fresh: func(t *testing.T) remediatortest.Scene {
				d := b.deployment(t, namespace, 1, withMemory("256Mi", "128Mi"))
				at := target("Deployment", namespace, d.Name)
				hand := 0
				return remediatortest.Scene{
					Task:    engine.Task{Target: at, Params: json.RawMessage(`{"factor": 1.5, "max": "64Gi", "how": "rollout"}`)},
					Effects: func(t *testing.T) int { return b.patches(t, raiser, namespace, d.Name) },
					Change: func(t *testing.T) {
						hand++
						must(b.Client().AppsV1().Deployments(namespace).Patch(t.Context(), d.Name, types.StrategicMergePatchType, fmt.Appendf(nil,
							`{"spec": {"template": {"spec": {"containers": [{"name": "main", "resources": {"limits": {"memory": "%dMi"}}}]}}}}`, 700+hand), metav1.PatchOptions{}))(t)
					},
					State: func(t *testing.T) string {
						now := must(b.Client().AppsV1().Deployments(namespace).Get(t.Context(), d.Name, metav1.GetOptions{}))(t)
						r := now.Spec.Template.Spec.Containers[0].Resources
						return r.Limits.Memory().String() + "/" + r.Requests.Memory().String()
					},
				}
			},
			Missing: engine.Task{Target: target("DaemonSet", namespace, "nobody"), Params: json.RawMessage(`{"factor": 2, "max": "1Gi"}`)},
		}
	}))
}

// memoryChoosesTheWay: in place only where that needs no restart and can be done.
func memoryChoosesTheWay(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	m := kubernetes.NewMemory(b.clusters(t, raiser))
	plan := func(at engine.Target, how string) (engine.Plan, error) {
		return m.Plan(t.Context(), task(b.name("x"), at, fmt.Sprintf(`{"factor": 2, "max": "4Gi", "how": %q}`, how)))
	}
	restart := b.resizable(t, namespace, 1, func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.Containers[0].ResizePolicy = []corev1.ContainerResizePolicy{{ResourceName: corev1.ResourceMemory, RestartPolicy: corev1.RestartContainer}}
	})
	mute := b.deployment(t, namespace, 1, func(d *appsv1.Deployment) {
		withMemory("256Mi", "256Mi")(d)
		delete(d.Spec.Template.Labels, lab.BehaviourLabel) // a kubelet that does not tell resources
	})
	empty := b.deployment(t, namespace, 0, withMemory("256Mi", "128Mi"))
	for name, c := range map[string]struct {
		d   *appsv1.Deployment
		why string
	}{
		"a restart":   {restart, "not in place, since the resizePolicy of its containers asks for a restart"},
		"old kubelet": {mute, "not in place, since its pods cannot be resized so"},
		"no pods":     {empty, "not in place, since it has no pods"},
	} {
		at := target("Deployment", namespace, c.d.Name)
		p, err := plan(at, "auto")
		if err != nil || !strings.Contains(p.Summary, "by a rollout") || !strings.HasSuffix(p.Summary, c.why) {
			t.Errorf("%s: %q, %v", name, p.Summary, err)
		}
		p, err = plan(at, "inPlace")
		switch {
		case name == "a restart":
			if err != nil || !strings.Contains(p.Summary, "which restarts their containers") || p.Health.Disrupts != 1 {
				t.Errorf("%s: %+v, %v", name, p, err)
			}
		case remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "not resized in place"):
			t.Errorf("%s: %v", name, err)
		}
	}
	// The other kinds have pods of their own.
	s := b.statefulSet(t, namespace, 2, func(s *appsv1.StatefulSet) { remembers(&s.Spec.Template, "256Mi", "256Mi") })
	set := lab.DaemonSet(namespace, b.name("agent"))
	remembers(&set.Spec.Template, "256Mi", "128Mi")
	set = must(b.Client().AppsV1().DaemonSets(namespace).Create(t.Context(), set, metav1.CreateOptions{}))(t)
	if err := b.WaitAvailable(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[engine.Target]string{
		target("StatefulSet", namespace, s.Name): "512Mi/512Mi", target("DaemonSet", namespace, set.Name): "512Mi/256Mi",
	} {
		applied(t, m, task("more-"+at.Kind, at, `{"factor": 2, "max": "4Gi", "how": "inPlace"}`))
		pods := b.podsOf(t, &metav1.ObjectMeta{Namespace: namespace, Name: at.Name})
		if got := memories(pods); len(pods) < 2 || strings.Count(got, want) != len(pods) {
			t.Errorf("%s: pods have %s", at, got)
		}
	}
}

// memoryRollsOut: the template changes, the pods follow, and undo brings the old
// template back, of which there was no request.
func memoryRollsOut(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	m := kubernetes.NewMemory(b.clusters(t, raiser))
	d := b.deployment(t, namespace, 2, func(d *appsv1.Deployment) {
		withMemory("1000Mi", "1Mi")(d)
		d.Spec.Template.Spec.Containers[0].Resources.Requests = nil
	})
	at := target("Deployment", namespace, d.Name)
	run := task("more", at, `{"factor": 1.5, "max": "2Gi", "how": "rollout", "container": "main"}`)
	p := applied(t, m, run)
	if err := b.WaitAvailable(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	b.settle(t, d)
	if got := memories(b.podsOf(t, d)); got != "1500Mi/1500Mi 1500Mi/1500Mi" {
		t.Errorf("pods have %s", got)
	}
	undo := undoOf(run, p)
	if err := m.Undo(t.Context(), undo, *undo.Outcome); err != nil {
		t.Fatal(err)
	}
	now := must(b.Client().AppsV1().Deployments(namespace).Get(t.Context(), d.Name, metav1.GetOptions{}))(t)
	if r := now.Spec.Template.Spec.Containers[0].Resources; r.Limits.Memory().String() != "1000Mi" || len(r.Requests) != 0 {
		t.Errorf("the template has %+v", r)
	}
	if p.Changes[0].From != "1000Mi" || p.Changes[0].To != "1500Mi" || len(p.Changes) != 1 {
		t.Errorf("changes %+v", p.Changes)
	}
}

func memoryRefuses(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	m := kubernetes.NewMemory(b.clusters(t, raiser))
	d := b.resizable(t, namespace, 2, nil)
	at := target("Deployment", namespace, d.Name)
	none := b.deployment(t, namespace, 1, nil)
	paused := b.deployment(t, namespace, 1, func(d *appsv1.Deployment) {
		withMemory("256Mi", "256Mi")(d)
		d.Spec.Template.Spec.Containers[0].ResizePolicy = []corev1.ContainerResizePolicy{{ResourceName: corev1.ResourceMemory, RestartPolicy: corev1.RestartContainer}}
	})
	b.patch(t, target("Deployment", namespace, paused.Name), `{"spec": {"paused": true}}`)
	core := b.Client().CoreV1()
	must(core.LimitRanges(namespace).Create(t.Context(), &corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Name: "at-most"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer, Max: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("600Mi")},
		}}},
	}, metav1.CreateOptions{}))(t)
	tight := b.Namespace(t)
	small := b.resizable(t, tight, 2, nil)
	must(core.ResourceQuotas(tight).Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "team"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourceLimitsMemory: resource.MustParse("900Mi")}},
	}, metav1.CreateOptions{}))(t)
	eventually(t, "the quota to be counted", func() bool {
		q := must(core.ResourceQuotas(tight).Get(t.Context(), "team", metav1.GetOptions{}))(t)
		used := q.Status.Used[corev1.ResourceLimitsMemory]
		return used.String() == "512Mi"
	})
	for name, c := range map[string]struct {
		at     engine.Target
		params string
		why    string
	}{
		"at max":               {at, `{"factor": 2, "max": "256Mi"}`, "already at max 256Mi"},
		"beyond max":           {at, `{"factor": 2, "max": "100Mi"}`, "already at max 100Mi"},
		"no limit":             {target("Deployment", namespace, none.Name), `{"factor": 2, "max": "1Gi"}`, "none of its containers has a memory limit"},
		"no limit, by name":    {target("Deployment", namespace, none.Name), `{"factor": 2, "max": "1Gi", "container": "main"}`, "main has no memory limit"},
		"no such container":    {at, `{"factor": 2, "max": "1Gi", "container": "side"}`, "has no container side; it has main"},
		"LimitRange":           {at, `{"factor": 3, "max": "1Gi"}`, "/at-most allows a container at most 600Mi"},
		"LimitRange, rollout":  {at, `{"factor": 3, "max": "1Gi", "how": "rollout"}`, "/at-most allows"},
		"quota":                {target("Deployment", tight, small.Name), `{"factor": 2, "max": "1Gi"}`, "/team leaves 388Mi of limits.memory, and 512Mi are needed"},
		"quota, rollout":       {target("Deployment", tight, small.Name), `{"factor": 1.25, "max": "1Gi", "how": "rollout"}`, "448Mi are needed"},
		"paused":               {target("Deployment", namespace, paused.Name), `{"factor": 2, "max": "512Mi"}`, "rollouts are paused"},
		"another kind":         {target("Job", namespace, "x"), `{"factor": 2, "max": "1Gi"}`, "cannot be acted on"},
		"limit without factor": {at, `{"max": "1Gi"}`, "factor is 0"},
	} {
		_, err := m.Plan(t.Context(), task("x", c.at, c.params))
		if remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v, want %q", name, err, c.why)
		}
	}
	if n := b.resizes(t, raiser, d) + b.patches(t, raiser, namespace, d.Name); n != 0 {
		t.Errorf("%d changes", n)
	}
}
