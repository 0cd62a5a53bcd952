package kubernetes_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// release gives a Deployment another template: an image, and with it what a template
// has else, so that what is to go is seen to go.
func (b *bed) release(t *testing.T, d *appsv1.Deployment, version int) *appsv1.Deployment {
	t.Helper()
	patch := fmt.Sprintf(`{"spec": {"template": {
		"metadata": {"annotations": {"only-in/%[1]d": "x", "version": "%[1]d"}},
		"spec": {"nodeSelector": null, "terminationGracePeriodSeconds": %[1]d, "containers": [{"name": "main", "image": "registry.invalid/app:%[1]d", "env": [{"name": "V", "value": "value-of-%[1]d"}]}]}}}}`, version)
	d = must(b.Client().AppsV1().Deployments(d.Namespace).Patch(t.Context(), d.Name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}))(t)
	b.settle(t, d)
	// Until the old pods are gone, the controller counts them now and then.
	eventually(t, "the old pods to be gone", func() bool {
		d = must(b.Client().AppsV1().Deployments(d.Namespace).Get(t.Context(), d.Name, metav1.GetOptions{}))(t)
		pods := must(b.Client().CoreV1().Pods(d.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(d.Spec.Selector)}))(t)
		return len(pods.Items) == int(*d.Spec.Replicas) && (d.Status.TerminatingReplicas == nil || *d.Status.TerminatingReplicas == 0)
	})
	return d
}

// templateText is a template as the API server has it.
func templateText(pods corev1.PodTemplateSpec) string { return pods.String() }

func rollbackConforms(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	remediatortest.Run(t, b.subject(t, roller, remediatortest.HTTP2, func(clusters kubernetes.Clusters) remediatortest.Bench {
		return remediatortest.Bench{
			Remediator: kubernetes.NewRollback(clusters),
			Fresh: func(t *testing.T) remediatortest.Scene {
				// A second rollback of it goes further back.
				d := b.release(t, b.release(t, b.deployment(t, namespace, 1, nil), 2), 3)
				return remediatortest.Scene{
					Task:    engine.Task{Target: target("Deployment", namespace, d.Name)},
					Effects: func(t *testing.T) int { return b.patches(t, roller, namespace, d.Name) },
					Change:  func(t *testing.T) { b.release(t, d, 4) },
					State: func(t *testing.T) string {
						return templateText(must(b.Client().AppsV1().Deployments(namespace).Get(t.Context(), d.Name, metav1.GetOptions{}))(t).Spec.Template)
					},
				}
			},
			Missing: engine.Task{Target: target("Deployment", namespace, "nobody")},
		}
	}))
}

// rollbackConformsOnDaemonSet is for the history that is kept elsewhere.
func rollbackConformsOnDaemonSet(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	sets := b.Client().AppsV1().DaemonSets(namespace)
	remediatortest.Run(t, b.subject(t, roller, remediatortest.HTTPS1, func(clusters kubernetes.Clusters) remediatortest.Bench {
		r := kubernetes.NewRollback(clusters)
		return remediatortest.Bench{
			Remediator: r,
			Fresh: func(t *testing.T) remediatortest.Scene {
				set := must(sets.Create(t.Context(), lab.DaemonSet(namespace, b.name("agent")), metav1.CreateOptions{}))(t)
				// Its controller must have counted the first template before the next comes.
				if err := b.WaitAvailable(t.Context(), set); err != nil {
					t.Fatal(err)
				}
				at := target("DaemonSet", namespace, set.Name)
				release := func(t *testing.T, image string) {
					b.patchPods(t, at, strings.Replace(newImage, "new:2", image, 1))
					if err := b.WaitAvailable(t.Context(), set); err != nil {
						t.Fatal(err)
					}
				}
				release(t, "one:1")
				release(t, "two:2")
				return remediatortest.Scene{
					Task:    engine.Task{Target: at},
					Effects: func(t *testing.T) int { return b.patches(t, roller, namespace, set.Name) },
					Change:  func(t *testing.T) { release(t, "three:3") },
					State: func(t *testing.T) string {
						return templateText(must(sets.Get(t.Context(), set.Name, metav1.GetOptions{}))(t).Spec.Template)
					},
				}
			},
			Missing: engine.Task{Target: target("DaemonSet", namespace, "nobody")},
		}
	}))
}

// rollbackGoesBack: the whole template, to the revision that was asked for, and
// forward again.
func rollbackGoesBack(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	r := kubernetes.NewRollback(b.clusters(t, roller))
	first := b.deployment(t, namespace, 2, nil)
	second := b.release(t, first, 2)
	third := b.release(t, second, 3)
	at := target("Deployment", namespace, first.Name)
	now := func(want *appsv1.Deployment, revision string) {
		t.Helper()
		got := must(b.Client().AppsV1().Deployments(namespace).Get(t.Context(), first.Name, metav1.GetOptions{}))(t)
		if have, wanted := templateText(got.Spec.Template), templateText(want.Spec.Template); have != wanted {
			t.Errorf("the template is\n%s\nwant\n%s", have, wanted)
		}
		b.settle(t, got)
		got = must(b.Client().AppsV1().Deployments(namespace).Get(t.Context(), first.Name, metav1.GetOptions{}))(t)
		if got.Annotations[revisionAnnotation] != revision || *got.Spec.Replicas != 2 {
			t.Errorf("revision %s with %d replicas, want %s with 2", got.Annotations[revisionAnnotation], *got.Spec.Replicas, revision)
		}
	}

	run := task("back", at, "")
	p := must(r.Plan(t.Context(), run))(t)
	if want := "from revision 3 to 2"; !strings.Contains(p.Summary, want) || p.Changes[0] != (engine.Change{Field: "revision", From: "3", To: "2"}) {
		t.Errorf("plan %+v", p)
	}
	image := engine.Change{Field: "spec.template.spec.containers[main].image", From: "registry.invalid/app:3", To: "registry.invalid/app:2"}
	if !slices.Contains(p.Changes, image) {
		t.Errorf("plan %+v lacks %+v", p, image)
	}
	out := must(r.Execute(t.Context(), run, p))(t)
	now(second, "4")
	sets := must(b.Client().AppsV1().ReplicaSets(namespace).List(t.Context(), metav1.ListOptions{}))(t)
	if len(sets.Items) != 3 {
		t.Errorf("there are %d ReplicaSets: the rollback made one of its own", len(sets.Items))
	}
	for _, text := range []string{string(p.Precondition), string(out.Before), fmt.Sprint(p.Changes)} {
		if strings.Contains(text, "value-of-3") || strings.Contains(text, "value-of-2") {
			t.Errorf("values of the environment, which may be secrets, are in %s", text)
		}
	}

	// Told again, it goes further back, not forward to what it has left.
	again := must(r.Plan(t.Context(), task("further", at, "")))(t)
	if want := "from revision 4 to 1"; !strings.Contains(again.Summary, want) || !strings.Contains(again.Summary, "not to 3, which a rollback has left") {
		t.Errorf("plan %+v", again)
	}
	// Undone, it was no good reason to leave it.
	undo := undoOf(run, p)
	undo.Outcome = &out
	for range 2 { // it is safe to call again
		if err := r.Undo(t.Context(), undo, out); err != nil {
			t.Fatal(err)
		}
	}
	now(third, "5")
	if d := must(b.Client().AppsV1().Deployments(namespace).Get(t.Context(), first.Name, metav1.GetOptions{}))(t); d.Annotations[kubernetes.LeftAnnotation] != "" {
		t.Errorf("undone, but left is %s", d.Annotations[kubernetes.LeftAnnotation])
	}
	if back := must(r.Plan(t.Context(), task("again", at, "")))(t); !strings.Contains(back.Summary, "from revision 5 to 4") || strings.Contains(back.Summary, "left") {
		t.Errorf("plan %+v", back)
	}

	// By number, to the first; only from what is there.
	if _, err := r.Plan(t.Context(), task("x", at, `{"revision": 1, "from": "3"}`)); remediators.ClassOf(err) != engine.ClassTerminal {
		t.Errorf("from revision 3, which is gone: %v", err)
	}
	run = task("first", at, `{"revision": 1, "from": "5"}`)
	p = applied(t, r, run)
	now(first, "6")
	// What was only observed is put back by its plan, but not over somebody's change.
	if err := r.Undo(t.Context(), undoOf(run, p), engine.Outcome{}); err != nil {
		t.Error(err)
	}
	now(third, "7")
	p = applied(t, r, task("last", at, ""))
	b.settle(t, first) // or its controller may never count it
	other := b.release(t, first, 9)
	if err := r.Undo(t.Context(), undoOf(task("last", at, ""), p), engine.Outcome{}); remediators.ClassOf(err) != engine.ClassPlanChanged {
		t.Errorf("undone over another's change: %v", err)
	}
	now(other, other.Annotations[revisionAnnotation])

	// After a restart, which makes a revision, it still goes to another template.
	restarted(t, kubernetes.NewRestart(b.clusters(t, restarter), time.Now), "restart", at)
	b.settle(t, other)
	p = applied(t, r, task("after a restart", at, ""))
	if other.Annotations[revisionAnnotation] != "9" || !strings.Contains(p.Summary, "from revision 10 to 8") {
		t.Errorf("after a restart: %s", p.Summary)
	}
	b.settle(t, other)
	if p := must(r.Plan(t.Context(), task("once more", at, "")))(t); !strings.Contains(p.Summary, "not to 7, 9, 10, which") {
		t.Errorf("after a restart, once more: %s", p.Summary)
	}
}

// rollbackOfTheOthers: a StatefulSet and a DaemonSet keep their history elsewhere.
func rollbackOfTheOthers(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	r := kubernetes.NewRollback(b.clusters(t, roller))
	apps := b.Client().AppsV1()
	for _, at := range b.workloads(t, namespace)[1:] {
		template := func() string {
			if at.Kind == "StatefulSet" {
				return templateText(must(apps.StatefulSets(namespace).Get(t.Context(), at.Name, metav1.GetOptions{}))(t).Spec.Template)
			}
			return templateText(must(apps.DaemonSets(namespace).Get(t.Context(), at.Name, metav1.GetOptions{}))(t).Spec.Template)
		}
		complete := func() {
			t.Helper()
			prober := kubernetes.NewRollout(b.clusters(t, prober))
			eventually(t, "the rollout of "+at.Name, func() bool { return must(prober.Probe(t.Context(), at, []byte(`"complete"`)))(t).OK })
		}
		complete()
		first := template()
		b.patchPods(t, at, `{"spec": {"template": {"metadata": {"annotations": {"only": "here"}}, "spec": {"containers": [{"name": "main", "image": "registry.invalid/new:2", "env": [{"name": "V", "value": "2"}]}]}}}}`)
		complete()
		second := template()
		run := task("back-"+at.Kind, at, "")
		p := applied(t, r, run)
		if !strings.Contains(p.Summary, "from revision 2 to 1") {
			t.Error(p.Summary)
		}
		if got := template(); got != first {
			t.Errorf("%s: the template is\n%s\nwant\n%s", at.Kind, got, first)
		}
		complete()
		if _, err := r.Plan(t.Context(), task("x", at, "")); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "has left every revision") {
			t.Errorf("%s: told again: %v", at.Kind, err)
		}
		if err := r.Undo(t.Context(), undoOf(run, p), engine.Outcome{}); err != nil {
			t.Error(err)
		}
		if got := template(); got != second {
			t.Errorf("%s: after the undo the template is\n%s\nwant\n%s", at.Kind, got, second)
		}
	}
}

func rollbackRefuses(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	r := kubernetes.NewRollback(b.clusters(t, roller))
	only := b.deployment(t, namespace, 1, nil)
	two := b.release(t, b.deployment(t, namespace, 1, nil), 2)
	paused := b.release(t, b.deployment(t, namespace, 1, nil), 2)
	must(b.Client().AppsV1().Deployments(namespace).Patch(t.Context(), paused.Name, types.MergePatchType, []byte(`{"spec": {"paused": true}}`), metav1.PatchOptions{}))(t)
	for i, c := range []struct{ name, params, want string }{
		{only.Name, ``, "there is no revision before 1"},
		{only.Name, `{"revision": 1}`, "is the one that is rolled out"},
		{two.Name, `{"revision": 7}`, "there is no revision 7; there are 1"},
		{two.Name, `{"revison": 1}`, "revison"},
		{paused.Name, ``, "are paused"},
	} {
		p, err := r.Plan(t.Context(), task(strconv.Itoa(i), target("Deployment", namespace, c.name), c.params))
		if remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %+v, %v; want %q", c.name, c.params, p, err, c.want)
		}
	}
	// A revision that is gone by then is not guessed.
	at := target("Deployment", namespace, two.Name)
	p := must(r.Plan(t.Context(), task("late", at, "")))(t)
	sets := must(b.Client().AppsV1().ReplicaSets(namespace).List(t.Context(), metav1.ListOptions{}))(t)
	for i := range sets.Items {
		if s := &sets.Items[i]; metav1.IsControlledBy(s, two) && s.Annotations[revisionAnnotation] == "1" {
			other := []byte(`{"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "registry.invalid/other:1"}]}}}}`)
			must(b.Client().AppsV1().ReplicaSets(namespace).Patch(t.Context(), s.Name, types.StrategicMergePatchType, other, metav1.PatchOptions{}))(t)
			if _, err := r.Execute(t.Context(), task("late", at, ""), p); remediators.ClassOf(err) != engine.ClassPlanChanged || !strings.Contains(err.Error(), "has another template now") {
				t.Errorf("with another template: %v", err)
			}
			if err := b.Client().AppsV1().ReplicaSets(namespace).Delete(t.Context(), s.Name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "the revision to be gone", func() bool {
		_, err := r.Execute(t.Context(), task("late", at, ""), p)
		if err == nil {
			t.Fatal("it was rolled back to a revision that is being deleted")
		}
		return remediators.ClassOf(err) == engine.ClassPlanChanged && strings.Contains(err.Error(), "no longer in its history")
	})
	if n := b.patches(t, roller, namespace, two.Name); n != 0 {
		t.Errorf("%d patches", n)
	}
}
