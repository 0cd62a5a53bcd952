package kubernetes_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

const drainer = "drainer"

// on is the pods of a namespace that are on a node and are not about to go.
func (b *bed) on(t *testing.T, namespace, node string) []string {
	t.Helper()
	var names []string
	for _, pod := range b.pods(t, namespace) {
		if pod.Spec.NodeName == node && pod.DeletionTimestamp == nil {
			names = append(names, pod.Name)
		}
	}
	return names
}

func drainConforms(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	remediatortest.Run(t, b.subject(t, drainer, remediatortest.HTTP2, func(clusters kubernetes.Clusters) remediatortest.Bench {
		return remediatortest.Bench{
			Remediator: kubernetes.NewDrain(clusters, quick),
			Fresh: func(t *testing.T) remediatortest.Scene {
				pool := b.name("pool")
				name := b.node(t, pool)
				d := b.deployment(t, namespace, 1, inPool(pool))
				scene := b.nodeScene(drainer, name)
				scene.Change = func(t *testing.T) {
					b.setCordon(t, name, false)
					b.settle(t, d)
				}
				return scene
			},
			Missing: engine.Task{Target: nodeTarget("nobody")},
		}
	}))
}

// drainEmptiesANode: all but a DaemonSet's and static pods, as fast as a budget allows.
func drainEmptiesANode(t *testing.T, b *bed) {
	namespace, pool := b.Namespace(t), b.name("pool")
	name := b.node(t, pool)
	d := b.deployment(t, namespace, 2, inPool(pool))
	agent := lab.DaemonSet(namespace, b.name("agent"))
	shape := &appsv1.Deployment{}
	inPool(pool)(shape)
	agent.Spec.Template.Spec.NodeSelector, agent.Spec.Template.Spec.Tolerations = shape.Spec.Template.Spec.NodeSelector, shape.Spec.Template.Spec.Tolerations
	agent = must(b.Client().AppsV1().DaemonSets(namespace).Create(t.Context(), agent, metav1.CreateOptions{}))(t)
	eventually(t, "the DaemonSet's pod", func() bool { return len(b.on(t, namespace, name)) == 3 })
	must(b.Client().CoreV1().Pods(namespace).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "static", Annotations: map[string]string{corev1.MirrorPodAnnotationKey: "x"}},
		Spec:       corev1.PodSpec{NodeName: name, Containers: d.Spec.Template.Spec.Containers},
	}, metav1.CreateOptions{}))(t)
	b.node(t, pool) // where they can go
	b.budget(t, namespace, "all-stay", d.Name, 2, 0)

	var paused []time.Duration
	dr := kubernetes.NewDrain(b.clusters(t, drainer), func(d time.Duration) <-chan time.Time {
		if paused = append(paused, d); len(paused) == 1 {
			b.noBudget(t, namespace, "all-stay")
		}
		return quick(d)
	})
	run := task("t", nodeTarget(name), "")
	p := must(dr.Plan(t.Context(), run))(t)
	if !strings.Contains(p.Summary, "cordon it, and evict 2 pods") || len(p.Changes) != 2 || p.Changes[1].Field != "pods in namespace "+namespace || p.Changes[1].From != "2 on the node" || p.Health != nil {
		t.Errorf("%+v", p)
	}
	if b.unschedulable(t, name) || b.evictions(t, drainer, namespace) != 0 {
		t.Error("the plan changed something")
	}
	if got := must(dr.Observe(t.Context(), run, p))(t); got == engine.Applied {
		t.Error("observed before it was done")
	}
	o := must(dr.Execute(t.Context(), run, p))(t)
	if !strings.Contains(o.Summary, "evicted 2 pods, and all are gone") {
		t.Error(o.Summary)
	}
	left := b.on(t, namespace, name)
	if len(left) != 2 || !b.unschedulable(t, name) || !strings.Contains(strings.Join(left, " "), "static") || !strings.Contains(strings.Join(left, " "), agent.Name) {
		t.Errorf("left are %v", left)
	}
	if len(paused) == 0 || paused[0] != 5*time.Second {
		t.Errorf("a budget held one, and the pauses were %v", paused)
	}
	if got := must(dr.Observe(t.Context(), run, p))(t); got != engine.Applied {
		t.Errorf("observed as %s", got)
	}
	if again := must(dr.Plan(t.Context(), task("u", nodeTarget(name), "")))(t); !again.Noop {
		t.Errorf("again: %+v", again)
	}
	b.settle(t, d)
	undo := undoOf(run, p)
	undo.Outcome = &o
	if err := dr.Undo(t.Context(), undo, o); err != nil || b.unschedulable(t, name) || len(b.on(t, namespace, name)) != 2 {
		t.Errorf("put back: %v", err)
	}
}

// drainGoesOn: what a budget holds, and what a call left when its worker died, is for the
// next call.
func drainGoesOn(t *testing.T, b *bed) {
	namespace, pool := b.Namespace(t), b.name("pool")
	name := b.node(t, pool)
	d := b.deployment(t, namespace, 2, inPool(pool))
	b.budget(t, namespace, "two-stay", d.Name, 2, 0)
	ctx, die := context.WithCancel(t.Context())
	dying := kubernetes.NewDrain(b.clusters(t, drainer), func(time.Duration) <-chan time.Time {
		die()
		return nil
	})
	run := task("t", nodeTarget(name), "")
	p := must(dying.Plan(t.Context(), run))(t)
	_, err := dying.Execute(remediators.WithKeeper(ctx, func(kept json.RawMessage) error {
		t.Errorf("kept %s, while a budget holds the pods", kept)
		return nil
	}), run, p)
	if remediators.ClassOf(err) != engine.ClassUnknown || !strings.Contains(err.Error(), "is cordoned and 0 of its pods are evicted, but 2 were still there") ||
		!strings.Contains(err.Error(), "two-stay needs 2 healthy pods") {
		t.Errorf("held: %v", err)
	}
	dr := kubernetes.NewDrain(b.clusters(t, drainer), quick)
	if got := must(dr.Observe(t.Context(), run, p))(t); got != engine.Unknown || !b.unschedulable(t, name) {
		t.Errorf("in part: %s", got)
	}
	b.noBudget(t, namespace, "two-stay")
	must(dr.Execute(t.Context(), run, p))(t)
	if got := must(dr.Observe(t.Context(), run, p))(t); got != engine.Applied || len(b.on(t, namespace, name)) != 0 {
		t.Errorf("gone on with: %s, and %v are left", got, b.on(t, namespace, name))
	}
	if n := b.nodePatches(t, drainer, name); n != 1 {
		t.Errorf("%d patches", n)
	}

	// It was closed before the next one, which therefore does not open it.
	other := b.node(t, pool)
	b.settle(t, d)
	b.setCordon(t, other, true)
	run = task("u", nodeTarget(other), "")
	p = must(dr.Plan(t.Context(), run))(t)
	if len(p.Changes) != 1 || !strings.Contains(p.Summary, "cordoned already") {
		t.Errorf("%+v", p)
	}
	o := must(dr.Execute(t.Context(), run, p))(t)
	undo := undoOf(run, p)
	if err := dr.Undo(t.Context(), undo, o); err != nil || !b.unschedulable(t, other) {
		t.Errorf("put back: %v", err)
	}
	if err := dr.Undo(t.Context(), undo, *undo.Outcome); err != nil || !b.unschedulable(t, other) {
		t.Errorf("put back what was observed: %v", err)
	}
}

func drainRefuses(t *testing.T, b *bed) {
	namespace, pool := b.Namespace(t), b.name("pool")
	name := b.node(t, pool)
	dr := kubernetes.NewDrain(b.clusters(t, drainer), quick)
	at := nodeTarget(name)
	d := b.deployment(t, namespace, 2, func(d *appsv1.Deployment) {
		inPool(pool)(d)
		d.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	})
	refused := func(what, params, why string) {
		t.Helper()
		if _, err := dr.Plan(t.Context(), task("x", at, params)); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %s", what, err, why)
		}
	}
	refused("an emptyDir", ``, "has an emptyDir")
	refused("too many", `{"maxPods": 1, "deleteEmptyDirData": true}`, "2 pods would be evicted, and maxPods is 1")
	refused("no other node", `{"minReadyNodes": 1000, "deleteEmptyDirData": true}`, "minReadyNodes is 1000")
	refused("force", `{"force": true}`, "unknown field")
	b.budget(t, namespace, "one", d.Name, 1, 1)
	b.budget(t, namespace, "two", d.Name, 1, 1)
	refused("two budgets", `{"deleteEmptyDirData": true}`, "more than one PodDisruptionBudget")
	b.noBudget(t, namespace, "two")
	run := task("t", at, `{"deleteEmptyDirData": true}`)
	p := must(dr.Plan(t.Context(), run))(t)
	must(b.Client().CoreV1().Pods(namespace).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "alone"}, Spec: corev1.PodSpec{NodeName: name, Containers: d.Spec.Template.Spec.Containers},
	}, metav1.CreateOptions{}))(t)
	refused("a pod of nobody's", `{"deleteEmptyDirData": true}`, "Pod "+namespace+"/alone has no controller")
	if _, err := dr.Execute(t.Context(), run, p); remediators.ClassOf(err) != engine.ClassPlanChanged {
		t.Errorf("a pod of nobody's since: %v", err)
	}
	if b.unschedulable(t, name) || b.evictions(t, drainer, namespace) != 0 || b.nodePatches(t, drainer, name) != 0 {
		t.Error("what was refused changed something")
	}
}
