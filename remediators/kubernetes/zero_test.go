package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

const (
	pausedAt = "autoscaling.keda.sh/paused-replicas"
	noted    = `{"metadata": {"annotations": {"paramedic.dev/replicas-before": "{\"replicas\": %d}"}}, "spec": {"replicas": 0}}`
)

func (b *bed) patchDeployment(t *testing.T, namespace, name, text string) {
	t.Helper()
	must(b.Client().AppsV1().Deployments(namespace).Patch(t.Context(), name, types.MergePatchType, []byte(text), metav1.PatchOptions{}))(t)
}

// stoppedState is what stopping changes, and bringing back.
func (b *bed) stoppedState(t *testing.T, namespace, name string) string {
	t.Helper()
	d := must(b.Client().AppsV1().Deployments(namespace).Get(t.Context(), name, metav1.GetOptions{}))(t)
	return fmt.Sprintf("%d replicas, note %s", *d.Spec.Replicas, d.Annotations[kubernetes.ReplicasBeforeAnnotation])
}

func (b *bed) pausedState(t *testing.T, namespace, name string) string {
	t.Helper()
	now := must(b.scaledObjects(t, namespace).Get(t.Context(), name, metav1.GetOptions{}))(t)
	value, there := now.GetAnnotations()[pausedAt]
	return fmt.Sprintf("paused %t at %s, note %s", there, value, now.GetAnnotations()[kubernetes.ReplicasBeforeAnnotation])
}

// stopConforms tries the suite on one workload.
func stopConforms(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	remediatortest.Run(t, b.subject(t, stopper, remediatortest.HTTP2, func(clusters kubernetes.Clusters) remediatortest.Bench {
		return remediatortest.Bench{
			Remediator: kubernetes.NewScaleToZero(clusters),
			Fresh: func(t *testing.T) remediatortest.Scene {
				d := b.deployment(t, namespace, 2, nil)
				return remediatortest.Scene{
					Task:    engine.Task{Target: target("Deployment", namespace, d.Name), Params: json.RawMessage(`{"except": ["ledger"]}`)},
					Effects: func(t *testing.T) int { return b.patches(t, stopper, namespace, d.Name) },
					Change:  func(t *testing.T) { b.setReplicas(t, namespace, d.Name, 3) },
					State:   func(t *testing.T) string { return b.stoppedState(t, namespace, d.Name) },
				}
			},
			Missing: engine.Task{Target: target("Deployment", namespace, "nobody")},
		}
	}))
}

// stopConformsWithKeda tries it on a ScaledObject, of which only annotations are
// written.
func stopConformsWithKeda(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	remediatortest.Run(t, b.subject(t, stopper, remediatortest.HTTP2, func(clusters kubernetes.Clusters) remediatortest.Bench {
		return remediatortest.Bench{
			Remediator: kubernetes.NewScaleToZero(clusters),
			Fresh: func(t *testing.T) remediatortest.Scene {
				d := b.deployment(t, namespace, 1, nil)
				b.scaledObject(t, namespace, d.Name, `"maxReplicaCount": 5`)
				return remediatortest.Scene{
					Task:    engine.Task{Target: target("Deployment", namespace, d.Name)},
					Effects: func(t *testing.T) int { return b.patches(t, stopper, namespace, d.Name) },
					Change: func(t *testing.T) {
						b.patchScaledObject(t, namespace, d.Name, `{"metadata": {"annotations": {"autoscaling.keda.sh/paused-replicas": null, "somebody": "else"}}}`)
					},
					State: func(t *testing.T) string { return b.pausedState(t, namespace, d.Name) },
				}
			},
			Missing: engine.Task{Target: target("StatefulSet", namespace, "nobody")},
		}
	}))
}

// stopConformsOnNamespace has one workload in each namespace, so that each change is
// one; see stopsNamespace for more of them.
func stopConformsOnNamespace(t *testing.T, b *bed) {
	remediatortest.Run(t, b.subject(t, stopper, remediatortest.HTTP2, func(clusters kubernetes.Clusters) remediatortest.Bench {
		return remediatortest.Bench{
			Remediator: kubernetes.NewScaleToZero(clusters),
			Fresh: func(t *testing.T) remediatortest.Scene {
				namespace := b.Namespace(t)
				d := b.deployment(t, namespace, 1, nil)
				return remediatortest.Scene{
					Task:    engine.Task{Target: namespaceTarget(namespace)},
					Effects: func(t *testing.T) int { return b.patches(t, stopper, namespace, d.Name) },
					Change:  func(t *testing.T) { b.setReplicas(t, namespace, d.Name, 3) },
					State:   func(t *testing.T) string { return b.stoppedState(t, namespace, d.Name) },
				}
			},
			Missing: engine.Task{Target: namespaceTarget("nobody")},
		}
	}))
}

func restoreConforms(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	remediatortest.Run(t, b.subject(t, starter, remediatortest.HTTP2, func(clusters kubernetes.Clusters) remediatortest.Bench {
		return remediatortest.Bench{
			Remediator: kubernetes.NewRestore(clusters),
			Fresh: func(t *testing.T) remediatortest.Scene {
				d := b.deployment(t, namespace, 1, nil)
				b.patchDeployment(t, namespace, d.Name, fmt.Sprintf(noted, 1))
				if err := b.WaitAvailable(t.Context(), d); err != nil {
					t.Fatal(err)
				}
				return remediatortest.Scene{
					Task:    engine.Task{Target: target("Deployment", namespace, d.Name)},
					Effects: func(t *testing.T) int { return b.patches(t, starter, namespace, d.Name) },
					Change:  func(t *testing.T) { b.patchDeployment(t, namespace, d.Name, fmt.Sprintf(noted, 2)) },
					State:   func(t *testing.T) string { return b.stoppedState(t, namespace, d.Name) },
				}
			},
			Missing: engine.Task{Target: target("StatefulSet", namespace, "nobody")},
		}
	}))
}

// dev is a namespace with what a team has there.
type dev struct {
	namespace         string
	api, web, queue   *appsv1.Deployment
	critical, labeled *appsv1.Deployment
	store             *appsv1.StatefulSet
}

func (b *bed) dev(t *testing.T) dev {
	t.Helper()
	v := dev{namespace: b.Namespace(t)}
	b.keda(t, v.namespace)
	v.api = b.deployment(t, v.namespace, 2, nil)
	v.web = b.deployment(t, v.namespace, 2, nil)
	v.queue = b.deployment(t, v.namespace, 1, nil)
	v.critical = b.deployment(t, v.namespace, 1, func(d *appsv1.Deployment) {
		d.Annotations = map[string]string{kubernetes.KeepRunningAnnotation: "true"}
	})
	v.labeled = b.deployment(t, v.namespace, 1, func(d *appsv1.Deployment) { d.Labels["tier"] = "shared" })
	v.store = b.statefulSet(t, v.namespace, 1, nil)
	b.autoscale(t, v.namespace, v.web.Name, "web", 5)
	b.scaledObject(t, v.namespace, v.queue.Name, `"minReplicaCount": 1, "maxReplicaCount": 5`)
	return v
}

// state is what each has, by kind and name.
func (v dev) state(t *testing.T, b *bed) []string {
	t.Helper()
	var all []string
	for _, d := range must(b.Client().AppsV1().Deployments(v.namespace).List(t.Context(), metav1.ListOptions{}))(t).Items {
		if d.Name == v.queue.Name {
			continue // KEDA's
		}
		all = append(all, fmt.Sprintf("%s: %d %s", d.Name, *d.Spec.Replicas, d.Annotations[kubernetes.ReplicasBeforeAnnotation]))
	}
	s := must(b.Client().AppsV1().StatefulSets(v.namespace).Get(t.Context(), v.store.Name, metav1.GetOptions{}))(t)
	return append(all, fmt.Sprintf("%s: %d", s.Name, *s.Spec.Replicas), b.pausedState(t, v.namespace, v.queue.Name))
}

// stopsNamespace takes a namespace through a night, and through one whose run is lost.
func stopsNamespace(t *testing.T, b *bed) {
	v := b.dev(t)
	z, r := kubernetes.NewScaleToZero(b.clusters(t, stopper)), kubernetes.NewRestore(b.clusters(t, starter))
	at := namespaceTarget(v.namespace)
	const params = `{"exceptLabels": "tier in (shared, common)"}`
	before := v.state(t, b)
	run := task("night", at, params)
	p := must(z.Plan(t.Context(), run))(t)
	var fields []string
	for _, c := range p.Changes {
		fields = append(fields, c.Field+" "+c.From+"->"+c.To)
	}
	want := []string{
		"Deployment " + v.api.Name + ": spec.replicas 2->0", "Deployment " + v.web.Name + ": spec.replicas 2->0",
		"ScaledObject " + v.queue.Name + ": metadata.annotations[" + pausedAt + "] ->0", "StatefulSet " + v.store.Name + ": spec.replicas 1->0",
	}
	slices.Sort(want)
	slices.Sort(fields)
	if !slices.Equal(fields, want) || p.Target != at || p.Health == nil || p.Health.Disrupts != 6 {
		t.Errorf("%q, want %q; %+v", fields, want, p.Health)
	}
	for _, left := range []string{v.critical.Name + " (annotation paramedic.dev/keep-running", v.labeled.Name + " (exceptLabels", "4 workloads", "together from 6"} {
		if !strings.Contains(p.Summary, left) {
			t.Errorf("%s does not say %s", p.Summary, left)
		}
	}
	if got := must(z.Observe(t.Context(), run, p))(t); got != engine.NotApplied {
		t.Error(got)
	}
	p, done := executed(t, z, run)
	if got := must(z.Observe(t.Context(), run, p))(t); got != engine.Applied {
		t.Error(got)
	}
	eventually(t, "KEDA to stop its own", func() bool { return b.replicas(t, v.namespace, v.queue.Name) == 0 })
	for _, name := range []string{v.api.Name, v.web.Name} {
		if n := b.replicas(t, v.namespace, name); n != 0 {
			t.Errorf("%s has %d", name, n)
		}
	}
	for _, name := range []string{v.critical.Name, v.labeled.Name} {
		if n := b.replicas(t, v.namespace, name); n != 1 {
			t.Errorf("%s, an exception, has %d", name, n)
		}
	}
	if again := must(z.Plan(t.Context(), task("again", at, params)))(t); !again.Noop {
		t.Errorf("%+v", again)
	}
	if err := z.Undo(t.Context(), undoOf(run, p), done); err != nil {
		t.Fatal(err)
	}
	if after := v.state(t, b); !slices.Equal(after, before) {
		t.Errorf("%q, before %q", after, before)
	}
	if err := z.Undo(t.Context(), undoOf(run, p), done); err != nil {
		t.Errorf("a second time: %v", err)
	}
	eventually(t, "KEDA to start its own", func() bool { return b.replicas(t, v.namespace, v.queue.Name) == 1 })

	// Another night, whose run is lost.
	applied(t, z, task("lost", at, params))
	eventually(t, "KEDA to stop its own", func() bool { return b.replicas(t, v.namespace, v.queue.Name) == 0 })
	morning := applied(t, r, task("morning", at, params))
	if len(morning.Changes) != 4 || !strings.Contains(morning.Summary, "together to 6") {
		t.Errorf("%+v", morning)
	}
	if after := v.state(t, b); !slices.Equal(after, before) {
		t.Errorf("%q, before %q", after, before)
	}
	if again := must(r.Plan(t.Context(), task("again", at, params)))(t); !again.Noop || !strings.Contains(again.Summary, "nothing is at 0") {
		t.Errorf("%+v", again)
	}
}

// stopsInPart has somebody write one of many in between: what is told is neither that
// nothing was done nor that all was, and each that was is put back.
func stopsInPart(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	z := kubernetes.NewScaleToZero(b.clusters(t, stopper))
	first, second, third := b.deployment(t, namespace, 1, nil), b.deployment(t, namespace, 1, nil), b.deployment(t, namespace, 1, nil)
	names := []string{first.Name, second.Name, third.Name}
	slices.Sort(names)
	at := namespaceTarget(namespace)

	// Of the first, nothing was done at all.
	run := task("first", at, "")
	p := must(z.Plan(t.Context(), run))(t)
	b.setReplicas(t, namespace, names[0], 2)
	if _, err := z.Execute(t.Context(), run, p); remediators.ClassOf(err) != engine.ClassPlanChanged {
		t.Errorf("%v", err)
	}
	if n := b.patches(t, stopper, namespace, names[0]) + b.patches(t, stopper, namespace, names[1]) + b.patches(t, stopper, namespace, names[2]); n != 0 {
		t.Errorf("%d patches", n)
	}

	// A status that is written makes no other plan of a later one.
	run = task("status", at, "")
	b.settle(t, must(b.Client().AppsV1().Deployments(namespace).Get(t.Context(), names[0], metav1.GetOptions{}))(t))
	p = must(z.Plan(t.Context(), run))(t)
	must(b.Client().AppsV1().Deployments(namespace).Patch(t.Context(), names[2], types.MergePatchType, []byte(`{"status": {"collisionCount": 1}}`), metav1.PatchOptions{}, "status"))(t)
	done := must(z.Execute(t.Context(), run, p))(t)
	if err := z.Undo(t.Context(), undoOf(run, p), done); err != nil {
		t.Fatal(err)
	}

	// Of the third, the outcome is open.
	run = task("third", at, "")
	for try := 1; ; try++ {
		p = must(z.Plan(t.Context(), run))(t)
		b.setReplicas(t, namespace, names[2], 1+try)
		_, err := z.Execute(t.Context(), run, p)
		if err != nil && remediators.ClassOf(err) == engine.ClassUnknown {
			if !strings.Contains(err.Error(), "2 of 3 were written") {
				t.Error(err)
			}
			break
		}
		if err == nil || try == 20 || remediators.ClassOf(err) != engine.ClassPlanChanged {
			t.Fatalf("all was done: %v", err)
		}
	}
	if got := must(z.Observe(t.Context(), run, p))(t); got != engine.Unknown {
		t.Error(got)
	}
	if _, err := z.Plan(t.Context(), run); remediators.ClassOf(err) != engine.ClassUnknown {
		t.Errorf("the task is planned anew: %v", err)
	}
	err := z.Undo(t.Context(), undoOf(run, p), engine.Outcome{})
	if remediators.ClassOf(err) != engine.ClassPlanChanged || !strings.Contains(err.Error(), "2 of 3 objects are put back") || !strings.Contains(err.Error(), names[2]) {
		t.Error(err)
	}
	if b.replicas(t, namespace, names[0]) != 2 || b.replicas(t, namespace, names[1]) != 1 {
		t.Error("what was stopped is not back")
	}

	// What is gone is nothing to put back.
	run = task("gone", at, "")
	p, done = executed(t, z, run)
	if err := b.Client().AppsV1().Deployments(namespace).Delete(t.Context(), names[1], metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it to be gone", func() bool {
		return len(must(b.Client().AppsV1().Deployments(namespace).List(t.Context(), metav1.ListOptions{}))(t).Items) == 2
	})
	if err := z.Undo(t.Context(), undoOf(run, p), done); err != nil {
		t.Error(err)
	}
}

func stopRefuses(t *testing.T, b *bed) {
	namespace, empty := b.Namespace(t), b.Namespace(t)
	z, r := kubernetes.NewScaleToZero(b.clusters(t, stopper)), kubernetes.NewRestore(b.clusters(t, starter))
	d := b.deployment(t, namespace, 1, nil)
	paused := b.deployment(t, namespace, 1, nil)
	b.scaledObject(t, namespace, paused.Name, `"minReplicaCount": 1`)
	b.patchScaledObject(t, namespace, paused.Name, `{"metadata": {"annotations": {"autoscaling.keda.sh/paused-replicas": "1"}}}`)
	spoilt := b.deployment(t, namespace, 1, nil)
	b.patchDeployment(t, namespace, spoilt.Name, `{"metadata": {"annotations": {"paramedic.dev/replicas-before": "many"}}, "spec": {"replicas": 0}}`)
	at := target("Deployment", namespace, d.Name)
	for name, c := range map[string]struct {
		by     remediators.Remediator
		at     engine.Target
		params string
		why    string
	}{
		"paused":                {z, target("Deployment", namespace, paused.Name), ``, `is paused by its annotation autoscaling.keda.sh/paused-replicas: "1"`},
		"one of many is paused": {z, namespaceTarget(namespace), ``, "make it an exception"},
		"nothing there":         {z, namespaceTarget(empty), ``, "no Deployment and no StatefulSet"},
		"nothing left":          {z, namespaceTarget(namespace), `{"exceptLabels": "app"}`, "no Deployment and no StatefulSet"},
		"the cluster's own":     {z, namespaceTarget("kube-system"), ``, "the cluster's own"},
		"DaemonSet":             {z, target("DaemonSet", namespace, "agent"), ``, "no replicas"},
		"empty selector":        {z, at, `{"exceptLabels": " "}`, "empty"},
		"odd selector":          {z, at, `{"exceptLabels": "a in b"}`, "exceptLabels"},
		"no names":              {z, at, `{"except": []}`, "0 names"},
		"odd name":              {z, at, `{"except": ["Cart"]}`, "no name"},
		"note":                  {r, target("Deployment", namespace, spoilt.Name), ``, "cannot be read"},
	} {
		_, err := c.by.Plan(t.Context(), task("x", c.at, c.params))
		if err == nil || remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: error %v, want a terminal one with %q", name, err, c.why)
		}
	}
	for name, c := range map[string]struct{ params, annotation, why string }{
		"named":     {`{"except": ["other", "` + d.Name + `"]}`, "null", "named in except"},
		"labelled":  {`{"exceptLabels": "app=` + d.Name + `"}`, "null", "exceptLabels"},
		"annotated": {``, `"true"`, "paramedic.dev/keep-running"},
		"unclear":   {``, `"please"`, "paramedic.dev/keep-running"},
	} {
		b.patchDeployment(t, namespace, d.Name, `{"metadata": {"annotations": {"paramedic.dev/keep-running": `+c.annotation+`}}}`)
		for _, action := range []remediators.Remediator{z, r} {
			if p := must(action.Plan(t.Context(), task("x", at, c.params)))(t); !p.Noop || !strings.Contains(p.Summary, c.why) {
				t.Errorf("%s: %+v", name, p)
			}
		}
	}
	must(b.Client().CoreV1().Namespaces().Patch(t.Context(), namespace, types.MergePatchType, []byte(`{"metadata": {"annotations": {"paramedic.dev/keep-running": "true"}}}`), metav1.PatchOptions{}))(t)
	if p := must(z.Plan(t.Context(), task("x", namespaceTarget(namespace), "")))(t); !p.Noop || !strings.Contains(p.Summary, "keep-running") {
		t.Errorf("%+v", p)
	}
}
