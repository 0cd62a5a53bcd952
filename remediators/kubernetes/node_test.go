package kubernetes_test

import (
	"fmt"
	nethttp "net/http"
	"strings"
	"testing"
	"time"

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

const cordoner = "cordoner"

// poolLabel is on the nodes of a test's own, and the key of the taint that keeps the
// other tests' pods off them.
const poolLabel = "lab.paramedic.dev/pool"

// node makes one in a pool, and waits until it is ready.
func (b *bed) node(t *testing.T, pool string) string {
	t.Helper()
	name := b.name("pool-node")
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("32"), corev1.ResourceMemory: resource.MustParse("256Gi"), corev1.ResourcePods: resource.MustParse("1000"),
	}
	nodes := b.Client().CoreV1().Nodes()
	must(nodes.Create(t.Context(), &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name, poolLabel: pool, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64"}},
		Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: poolLabel, Value: pool, Effect: corev1.TaintEffectNoSchedule}}},
		Status:     corev1.NodeStatus{Allocatable: room, Capacity: room},
	}, metav1.CreateOptions{}))(t)
	eventually(t, "node "+name, func() bool {
		n := must(nodes.Get(t.Context(), name, metav1.GetOptions{}))(t)
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				return len(n.Spec.Taints) == 1
			}
		}
		return false
	})
	return name
}

// inPool has a workload's pods run on a pool's nodes.
func inPool(pool string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.NodeSelector = map[string]string{poolLabel: pool}
		d.Spec.Template.Spec.Tolerations = []corev1.Toleration{{Key: poolLabel, Operator: corev1.TolerationOpExists}}
	}
}

func nodeTarget(name string) engine.Target {
	return engine.Target{System: engine.SystemKubernetes, Cluster: korea, Kind: "Node", Name: name}
}

// nodePatches counts those by user that the API server has accepted.
func (b *bed) nodePatches(t *testing.T, user, name string) int {
	t.Helper()
	n := 0
	for _, e := range must(b.Audit(t.Context(), lab.AuditFilter{User: user, Verb: "patch", Resource: "nodes", Name: name}))(t) {
		if e.Code == nethttp.StatusOK {
			n++
		}
	}
	return n
}

func (b *bed) unschedulable(t *testing.T, name string) bool {
	t.Helper()
	return must(b.Client().CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{}))(t).Spec.Unschedulable
}

// setCordon does as kubectl cordon and uncordon.
func (b *bed) setCordon(t *testing.T, name string, to bool) {
	t.Helper()
	must(b.Client().CoreV1().Nodes().Patch(t.Context(), name, types.StrategicMergePatchType,
		fmt.Appendf(nil, `{"spec": {"unschedulable": %t}}`, to), metav1.PatchOptions{FieldManager: "kubectl-cordon"}))(t)
}

func (b *bed) nodeScene(user, name string) remediatortest.Scene {
	return remediatortest.Scene{
		Task:    engine.Task{Target: nodeTarget(name)},
		Effects: func(t *testing.T) int { return b.nodePatches(t, user, name) },
		Change:  func(t *testing.T) { b.setCordon(t, name, false) },
		State:   func(t *testing.T) string { return fmt.Sprintf("unschedulable %t", b.unschedulable(t, name)) },
	}
}

func cordonConforms(t *testing.T, b *bed) {
	pool := b.name("pool")
	remediatortest.Run(t, b.subject(t, cordoner, remediatortest.HTTP2, func(clusters kubernetes.Clusters) remediatortest.Bench {
		return remediatortest.Bench{
			Remediator: kubernetes.NewCordon(clusters),
			Fresh:      func(t *testing.T) remediatortest.Scene { return b.nodeScene(cordoner, b.node(t, pool)) },
			Missing:    engine.Task{Target: nodeTarget("nobody")},
		}
	}))
}

func cordonPlans(t *testing.T, b *bed) {
	c := kubernetes.NewCordon(b.clusters(t, cordoner))
	name := b.node(t, b.name("pool"))
	at := nodeTarget(name)
	p := must(c.Plan(t.Context(), task("t", at, "")))(t)
	if len(p.Changes) != 1 || p.Health != nil || b.unschedulable(t, name) {
		t.Errorf("%+v", p)
	}
	for params, why := range map[string]string{
		`{"minReadyNodes": 1000}`: "of the others", `{"minReadyNodes": 0}`: "want 1 to 1000", `{"minReadyNodes": 1001}`: "want 1 to 1000",
		`{"minReadyNodes": null}`: "null", `{"taint": true}`: "unknown field",
	} {
		if _, err := c.Plan(t.Context(), task("t", at, params)); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %s", params, err, why)
		}
	}
	if _, err := c.Plan(t.Context(), task("t", target("Pod", b.Namespace(t), "x"), "")); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "want Node") {
		t.Errorf("a pod: %v", err)
	}
	// Written by its kubelet since: that is no change. Cordoned by somebody since: that is.
	must(b.Client().CoreV1().Nodes().Patch(t.Context(), name, types.MergePatchType, []byte(`{"metadata": {"labels": {"x": "y"}}}`), metav1.PatchOptions{}))(t)
	b.setCordon(t, name, true)
	if _, err := c.Execute(t.Context(), task("t", at, ""), p); remediators.ClassOf(err) != engine.ClassPlanChanged {
		t.Errorf("cordoned by somebody: %v", err)
	}
	if p := must(c.Plan(t.Context(), task("t", at, "")))(t); !p.Noop {
		t.Errorf("cordoned by somebody: %+v", p)
	}
	b.setCordon(t, name, false)
	must(c.Execute(t.Context(), task("t", at, ""), p))(t)
	if !b.unschedulable(t, name) {
		t.Error("a node that was written since was not cordoned")
	}
}

// cordonUndo: who closes a node by hand may still need that.
func cordonUndo(t *testing.T, b *bed) {
	c := kubernetes.NewCordon(b.clusters(t, cordoner))
	name := b.node(t, b.name("pool"))
	at := nodeTarget(name)
	run := task("t", at, "")
	undo := undoOf(run, applied(t, c, run))
	// What somebody else writes beside it does not matter.
	must(b.Client().CoreV1().Nodes().Patch(t.Context(), name, types.MergePatchType, []byte(`{"metadata": {"labels": {"x": "y"}}}`), metav1.PatchOptions{}))(t)
	b.setCordon(t, name, true)
	if err := c.Undo(t.Context(), undo, *undo.Outcome); err != nil || b.unschedulable(t, name) {
		t.Errorf("not put back: %v", err)
	}
	n := must(b.Client().CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{}))(t)
	if _, still := n.Annotations[kubernetes.CordonAnnotation]; still {
		t.Errorf("annotations %v", n.Annotations)
	}

	run = task("u", at, "")
	undo = undoOf(run, applied(t, c, run))
	b.setCordon(t, name, false)
	b.setCordon(t, name, true)
	if err := c.Undo(t.Context(), undo, *undo.Outcome); remediators.ClassOf(err) != engine.ClassPlanChanged || !b.unschedulable(t, name) {
		t.Errorf("cordoned anew by somebody: %v", err)
	}
	b.setCordon(t, name, false)
	applied(t, c, task("v", at, ""))
	if err := c.Undo(t.Context(), undo, *undo.Outcome); remediators.ClassOf(err) != engine.ClassPlanChanged || !b.unschedulable(t, name) {
		t.Errorf("cordoned anew by another task: %v", err)
	}
	if got := must(c.Observe(t.Context(), run, *undo.Plan))(t); got != engine.Applied {
		t.Errorf("observed as %s", got)
	}
	if _, err := c.Execute(t.Context(), run, *undo.Plan); err != nil {
		t.Errorf("again, while it is cordoned: %v", err)
	}
	b.setCordon(t, name, false)
	if _, err := c.Execute(t.Context(), run, *undo.Plan); remediators.ClassOf(err) != engine.ClassUnknown || b.unschedulable(t, name) {
		t.Errorf("again, after somebody has opened it: %v", err)
	}
}

// quick is time.After that does not wait so long.
func quick(time.Duration) <-chan time.Time { return time.After(50 * time.Millisecond) }
