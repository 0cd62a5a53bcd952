package kubernetes_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

func restartConforms(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	remediatortest.Run(t, b.subject(t, restarter, remediatortest.HTTP2, func(clusters kubernetes.Clusters) remediatortest.Bench {
		return remediatortest.Bench{
			Remediator: kubernetes.NewRestart(clusters, time.Now),
			Fresh: func(t *testing.T) remediatortest.Scene {
				d := b.deployment(t, namespace, 1, nil)
				return remediatortest.Scene{
					Task:    engine.Task{Target: target("Deployment", namespace, d.Name)},
					Effects: func(t *testing.T) int { return b.patches(t, restarter, namespace, d.Name) },
					Change: func(t *testing.T) {
						image := `{"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "registry.invalid/new:2"}]}}}}`
						must(b.Client().AppsV1().Deployments(namespace).Patch(t.Context(), d.Name, types.StrategicMergePatchType, []byte(image), metav1.PatchOptions{}))(t)
					},
				}
			},
			Missing: engine.Task{Target: target("Deployment", namespace, "nobody")},
		}
	}))
}

func restartConformsOnStatefulSet(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	remediatortest.Run(t, b.subject(t, restarter, remediatortest.HTTPS1, func(clusters kubernetes.Clusters) remediatortest.Bench {
		return remediatortest.Bench{
			Remediator: kubernetes.NewRestart(clusters, time.Now),
			Fresh: func(t *testing.T) remediatortest.Scene {
				s := b.statefulSet(t, namespace, 1, nil)
				return remediatortest.Scene{
					Task:    engine.Task{Target: target("StatefulSet", namespace, s.Name)},
					Effects: func(t *testing.T) int { return b.patches(t, restarter, namespace, s.Name) },
					Change: func(t *testing.T) {
						image := `{"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "registry.invalid/new:2"}]}}}}`
						must(b.Client().AppsV1().StatefulSets(namespace).Patch(t.Context(), s.Name, types.StrategicMergePatchType, []byte(image), metav1.PatchOptions{}))(t)
					},
				}
			},
			Missing: engine.Task{Target: target("Pod", namespace, "nobody")},
		}
	}))
}

func restarted(t *testing.T, r *kubernetes.Restart, id string, at engine.Target) engine.Plan {
	t.Helper()
	return applied(t, r, task(id, at, ""))
}

func restartReplacesPods(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := kubernetes.NewRestart(b.clusters(t, restarter), func() time.Time { return at })
	d := b.deployment(t, namespace, 2, nil)
	s := b.statefulSet(t, namespace, 2, nil)
	set := must(b.Client().AppsV1().DaemonSets(namespace).Create(t.Context(), lab.DaemonSet(namespace, b.name("agent")), metav1.CreateOptions{}))(t)
	if err := b.WaitAvailable(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	old := b.pods(t, namespace)
	for kind, name := range map[string]string{"Deployment": d.Name, "StatefulSet": s.Name, "DaemonSet": set.Name} {
		p := restarted(t, r, "restart-"+kind, target(kind, namespace, name))
		if p.Target != target(kind, namespace, name) {
			t.Errorf("%s became %s", name, p.Target)
		}
	}
	for _, w := range []metav1.Object{d, s, set} {
		if err := b.WaitAvailable(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the old pods to go", func() bool { return len(b.pods(t, namespace)) == len(old) })
	for uid, pod := range b.pods(t, namespace) {
		if _, kept := old[uid]; kept {
			t.Errorf("pod %s was not replaced", pod.Name)
		}
		if got := pod.Annotations[kubernetes.RestartedAnnotation]; got != "2026-01-02T03:04:05Z" {
			t.Errorf("pod %s was restarted at %q", pod.Name, got)
		}
		if got := pod.Annotations[kubernetes.TaskAnnotation]; !strings.HasPrefix(got, "restart-") {
			t.Errorf("pod %s has the task %q", pod.Name, got)
		}
	}
}

func (b *bed) pods(t *testing.T, namespace string) map[types.UID]corev1.Pod {
	t.Helper()
	list := must(b.Client().CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{}))(t)
	pods := map[types.UID]corev1.Pod{}
	for i := range list.Items {
		pods[list.Items[i].UID] = list.Items[i]
	}
	return pods
}

func restartFindsController(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	r := kubernetes.NewRestart(b.clusters(t, restarter), time.Now)
	d := b.deployment(t, namespace, 2, nil)
	sets := must(b.Client().AppsV1().ReplicaSets(namespace).List(t.Context(), metav1.ListOptions{}))(t)
	froms := []engine.Target{target("Deployment", namespace, d.Name), target("ReplicaSet", namespace, sets.Items[0].Name)}
	for _, pod := range b.pods(t, namespace) {
		froms = append(froms, target("Pod", namespace, pod.Name))
	}
	digests := map[string]bool{}
	for _, from := range froms {
		p := must(r.Plan(t.Context(), task("x", from, "")))(t)
		if p.Target != froms[0] {
			t.Errorf("%s resolves to %s, want %s", from, p.Target, froms[0])
		}
		digests[p.Digest()] = true
	}
	if len(froms) != 4 || len(digests) != 1 {
		t.Errorf("%d ways to one Deployment have %d plans", len(froms), len(digests))
	}
	s := b.statefulSet(t, namespace, 1, nil)
	p := must(r.Plan(t.Context(), task("x", target("Pod", namespace, s.Name+"-0"), "")))(t)
	if want := target("StatefulSet", namespace, s.Name); p.Target != want {
		t.Errorf("%s-0 resolves to %s, want %s", s.Name, p.Target, want)
	}
}

func restartRefuses(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	r := kubernetes.NewRestart(b.clusters(t, restarter), time.Now)
	apps, core := b.Client().AppsV1(), b.Client().CoreV1()

	paused := b.deployment(t, namespace, 1, nil)
	must(apps.Deployments(namespace).Patch(t.Context(), paused.Name, types.MergePatchType, []byte(`{"spec": {"paused": true}}`), metav1.PatchOptions{}))(t)
	dying := b.deployment(t, namespace, 1, func(d *appsv1.Deployment) { d.Finalizers = []string{keep} })
	if err := apps.Deployments(namespace).Delete(t.Context(), dying.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	empty := b.deployment(t, namespace, 0, nil)
	manual := b.statefulSet(t, namespace, 1, func(s *appsv1.StatefulSet) {
		s.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType
	})
	canary := b.statefulSet(t, namespace, 2, func(s *appsv1.StatefulSet) {
		s.Spec.UpdateStrategy = appsv1.StatefulSetUpdateStrategy{
			Type:          appsv1.RollingUpdateStatefulSetStrategyType,
			RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: new(int32(1))},
		}
	})
	template := lab.Deployment(namespace, "x", 1).Spec.Template
	bare := must(core.Pods(namespace).Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "bare"}, Spec: template.Spec}, metav1.CreateOptions{}))(t)
	jobPod := template.DeepCopy()
	jobPod.Spec.RestartPolicy = corev1.RestartPolicyNever
	job := must(b.Client().BatchV1().Jobs(namespace).Create(t.Context(),
		&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "job"}, Spec: batchv1.JobSpec{Template: *jobPod}}, metav1.CreateOptions{}))(t)
	var ofJob string
	eventually(t, "the job's pod", func() bool {
		for _, pod := range b.pods(t, namespace) {
			if metav1.IsControlledBy(&pod, job) {
				ofJob = pod.Name
			}
		}
		return ofJob != ""
	})
	live := b.deployment(t, namespace, 1, nil)

	elsewhere := target("Deployment", namespace, live.Name)
	elsewhere.Cluster = "japan"
	for name, c := range map[string]struct {
		target engine.Target
		why    string
	}{
		"paused":            {target("Deployment", namespace, paused.Name), "paused"},
		"being deleted":     {target("Deployment", namespace, dying.Name), "being deleted"},
		"scaled to zero":    {target("Deployment", namespace, empty.Name), "scaled to 0"},
		"on delete":         {target("StatefulSet", namespace, manual.Name), "OnDelete"},
		"partition":         {target("StatefulSet", namespace, canary.Name), "partition is 1"},
		"bare pod":          {target("Pod", namespace, bare.Name), "no controller"},
		"pod of a job":      {target("Pod", namespace, ofJob), "Job job of batch/v1"},
		"missing":           {target("StatefulSet", namespace, live.Name), "not found"},
		"missing pod":       {target("Pod", namespace, "nobody"), "not found"},
		"missing namespace": {target("Deployment", "nowhere", live.Name), "not found"},
		"unknown kind":      {target("Service", namespace, live.Name), `kind "Service"`},
		"kind in small":     {target("deployment", namespace, live.Name), `kind "deployment"`},
		"unknown cluster":   {elsewhere, "known are: korea"},
		"no name":           {target("Deployment", namespace, ""), "no name"},
	} {
		_, err := r.Plan(t.Context(), task("x", c.target, ""))
		if err == nil || remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: error %v, want a terminal one with %q", name, err, c.why)
		}
	}
}

func restartKnowsItsTask(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	r := kubernetes.NewRestart(b.clusters(t, restarter), time.Now)
	d := b.deployment(t, namespace, 1, nil)
	at := target("Deployment", namespace, d.Name)
	p := restarted(t, r, "first", at)
	// Whoever plans anew what was done already must not take it for undone.
	if _, err := r.Plan(t.Context(), task("first", at, "")); remediators.ClassOf(err) != engine.ClassUnknown {
		t.Errorf("planned again after it was applied: %v", err)
	}
	fresh := must(r.Plan(t.Context(), task("another", at, "")))(t)
	if _, err := r.Execute(t.Context(), task("first", at, ""), fresh); remediators.ClassOf(err) != engine.ClassUnknown {
		t.Errorf("executed again with a fresh plan: %v", err)
	}
	// The marks of many later tasks push it out, and then nobody can tell.
	for i := range 23 {
		restarted(t, r, strconv.Itoa(i), at)
	}
	if effect := must(r.Observe(t.Context(), task("first", at, ""), p))(t); effect != engine.Applied {
		t.Errorf("after 23 others: %s", effect)
	}
	restarted(t, r, "last", at)
	if effect := must(r.Observe(t.Context(), task("first", at, ""), p))(t); effect != engine.Unknown {
		t.Errorf("after 24 others: %s", effect)
	}
	// Nor can they once the object is another, or gone.
	deployments := b.Client().AppsV1().Deployments(namespace)
	if err := deployments.Delete(t.Context(), d.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if effect := must(r.Observe(t.Context(), task("7", at, ""), p))(t); effect != engine.Unknown {
		t.Errorf("deleted: %s", effect)
	}
	must(deployments.Create(t.Context(), lab.Deployment(namespace, d.Name, 1), metav1.CreateOptions{}))(t)
	if effect := must(r.Observe(t.Context(), task("first", at, ""), p))(t); effect != engine.Unknown {
		t.Errorf("made anew: %s", effect)
	}
}

// statusInBetween has the controller write between plan and execution: that is
// refused, but what was allowed stays allowed.
func statusInBetween(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	r := kubernetes.NewRestart(b.clusters(t, restarter), time.Now)
	d := b.deployment(t, namespace, 2, nil)
	at := target("Deployment", namespace, d.Name)
	p := must(r.Plan(t.Context(), task("x", at, "")))(t)
	deployments := b.Client().AppsV1().Deployments(namespace)
	must(deployments.Patch(t.Context(), d.Name, types.MergePatchType, []byte(`{"status": {"observedGeneration": 0, "collisionCount": 7}}`), metav1.PatchOptions{}, "status"))(t)
	_, err := r.Execute(t.Context(), task("x", at, ""), p)
	if remediators.ClassOf(err) != engine.ClassPlanChanged {
		t.Errorf("executed on another version: %v", err)
	}
	again := must(r.Plan(t.Context(), task("x", at, "")))(t)
	if again.Digest() != p.Digest() {
		t.Errorf("the plan is another: %+v", again)
	}
	if effect := must(r.Observe(t.Context(), task("x", at, ""), p))(t); effect != engine.NotApplied {
		t.Errorf("observed: %s", effect)
	}
	// One change of the spec, by somebody else, proves as much.
	must(deployments.Patch(t.Context(), d.Name, types.MergePatchType, []byte(`{"spec": {"minReadySeconds": 1}}`), metav1.PatchOptions{}))(t)
	if effect := must(r.Observe(t.Context(), task("x", at, ""), p))(t); effect != engine.NotApplied {
		t.Errorf("observed after one change of the spec: %s", effect)
	}
	must(deployments.Patch(t.Context(), d.Name, types.MergePatchType, []byte(`{"spec": {"minReadySeconds": 2}}`), metav1.PatchOptions{}))(t)
	if effect := must(r.Observe(t.Context(), task("x", at, ""), p))(t); effect != engine.Unknown {
		t.Errorf("observed after two changes of the spec: %s", effect)
	}
	if n := b.patches(t, restarter, namespace, d.Name); n != 0 {
		t.Errorf("%d patches", n)
	}
}

func noRights(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	d := b.deployment(t, namespace, 1, nil)
	at := target("Deployment", namespace, d.Name)
	outsider := kubernetes.NewRestart(b.clusters(t, lab.Outsider), time.Now)
	if _, err := outsider.Plan(t.Context(), task("x", at, "")); remediators.ClassOf(err) != engine.ClassTerminal {
		t.Errorf("plan without rights: %v", err)
	}
	// The prober may read, and no more.
	reader := kubernetes.NewRestart(b.clusters(t, prober), time.Now)
	if _, err := reader.Plan(t.Context(), task("x", at, "")); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "cannot patch") {
		t.Errorf("plan without the right to patch: %v", err)
	}
	p := must(kubernetes.NewRestart(b.clusters(t, restarter), time.Now).Plan(t.Context(), task("x", at, "")))(t)
	if _, err := reader.Execute(t.Context(), task("x", at, ""), p); remediators.ClassOf(err) != engine.ClassTerminal {
		t.Errorf("execute without rights: %v", err)
	}
}
