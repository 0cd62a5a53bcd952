package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
)

// resizesEachPod: all pods get the same, without a restart, and the template stays.
func resizesEachPod(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	m := kubernetes.NewMemory(b.clusters(t, raiser))
	d := b.resizable(t, namespace, 3, nil)
	at := target("Deployment", namespace, d.Name)
	before := b.podsOf(t, d)
	// By a pod, its workload is meant.
	run := task("more", target("Pod", namespace, before[0].Name), `{"factor": 2, "max": "1Gi"}`)
	p := must(m.Plan(t.Context(), run))(t)
	want := "resize the pods of Deployment " + namespace + "/" + d.Name + " in korea in place, without a restart, for as long as they last: main from 256Mi to 512Mi"
	if p.Target != at || p.Summary != want || p.Health == nil || p.Health.Disrupts != 0 || len(p.Changes) != 2 {
		t.Errorf("%+v", p)
	}
	run.Target = at
	o := must(m.Execute(t.Context(), run, p))(t)
	if strings.Contains(o.Summary, "yet to make") {
		t.Error(o.Summary)
	}
	after := b.podsOf(t, d)
	if got := memories(after); got != "512Mi/256Mi 512Mi/256Mi 512Mi/256Mi" {
		t.Errorf("pods have %s", got)
	}
	for i := range after {
		if after[i].UID != before[i].UID || after[i].Status.ContainerStatuses[0].Resources.Limits.Memory().String() != "512Mi" {
			t.Errorf("pod %s: %+v", after[i].Name, after[i].Status.ContainerStatuses)
		}
	}
	now := must(b.Client().AppsV1().Deployments(namespace).Get(t.Context(), d.Name, metav1.GetOptions{}))(t)
	if now.Annotations[kubernetes.TaskAnnotation] != "more" || now.Spec.Template.Spec.Containers[0].Resources.Limits.Memory().String() != "256Mi" {
		t.Errorf("the workload: %v, %+v", now.Annotations, now.Spec.Template.Spec.Containers)
	}
	if _, err := m.Plan(t.Context(), run); remediators.ClassOf(err) != engine.ClassUnknown {
		t.Errorf("the same task again: %v", err)
	}

	// A pod that came since starts from the template; what is raised is the most.
	if err := b.Client().CoreV1().Pods(namespace).Delete(t.Context(), after[0].Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a pod of the template", func() bool {
		pods := b.podsOf(t, d)
		return len(pods) == 3 && strings.Contains(memories(pods), "256Mi/128Mi")
	})
	b.settle(t, d)
	second := task("much-more", at, `{"factor": 2, "max": "768Mi"}`)
	undoSecond := undoOf(second, applied(t, m, second))
	if got := memories(b.podsOf(t, d)); got != "768Mi/384Mi 768Mi/384Mi 768Mi/384Mi" {
		t.Errorf("pods have %s", got)
	}
	if _, err := m.Plan(t.Context(), task("still", at, `{"factor": 2, "max": "768Mi"}`)); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "already at max 768Mi: main has 768Mi") {
		t.Errorf("at max: %v", err)
	}
	if err := m.Undo(t.Context(), undoOf(run, p), o); remediators.ClassOf(err) != engine.ClassPlanChanged {
		t.Errorf("undo of what was raised since: %v", err)
	}
	// Each goes back to its own.
	if err := m.Undo(t.Context(), undoSecond, engine.Outcome{Summary: "observed"}); err != nil {
		t.Fatal(err)
	}
	if got := memories(b.podsOf(t, d)); strings.Count(got, "512Mi/256Mi") != 2 || strings.Count(got, "256Mi/128Mi") != 1 {
		t.Errorf("pods have %s", got)
	}
}

// resizeIsTakenUp: a worker that died among the pods leaves the rest to another.
func resizeIsTakenUp(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	clusters := b.clusters(t, raiser)
	m := kubernetes.NewMemory(clusters)
	d := b.resizable(t, namespace, 3, nil)
	run := task("more", target("Deployment", namespace, d.Name), `{"factor": 2, "max": "1Gi"}`)
	p := must(m.Plan(t.Context(), run))(t)
	observed := func(want engine.Effect, after string) {
		t.Helper()
		if got := must(m.Observe(t.Context(), run, p))(t); got != want {
			t.Errorf("after %s: %s, want %s", after, got, want)
		}
	}
	observed(engine.NotApplied, "nothing")
	// The first pod as its plan alone would have it.
	var seen map[string]any
	var list struct{ Pods []any }
	for _, into := range []any{&seen, &list} {
		if err := json.Unmarshal(p.Precondition, into); err != nil {
			t.Fatal(err)
		}
	}
	seen["pods"] = list.Pods[:1]
	part := p
	part.Precondition = must(json.Marshal(seen))(t)
	must(m.Execute(t.Context(), run, part))(t)
	at := target("Deployment", namespace, d.Name)
	b.patch(t, at, fmt.Sprintf(`{"metadata": {"annotations": {%q: null, %q: null}}}`, kubernetes.TaskAnnotation, kubernetes.EarlierAnnotation))
	observed(engine.NotApplied, "one pod of three")
	must(m.Execute(t.Context(), run, p))(t)
	observed(engine.Applied, "all")
	if n := b.resizes(t, raiser, d); n != 3 {
		t.Errorf("%d resizes of three pods", n)
	}
	if got := memories(b.podsOf(t, d)); got != "512Mi/256Mi 512Mi/256Mi 512Mi/256Mi" {
		t.Errorf("pods have %s", got)
	}
	// Without the mark, the pods tell by themselves, until somebody changes one.
	b.patch(t, at, fmt.Sprintf(`{"metadata": {"annotations": {%q: null, %q: null}}}`, kubernetes.TaskAnnotation, kubernetes.EarlierAnnotation))
	observed(engine.Applied, "the mark is gone")
	b.resize(t, &b.podsOf(t, d)[0], "600Mi")
	observed(engine.Unknown, "somebody else's hand")
	if _, err := m.Execute(t.Context(), run, p); remediators.ClassOf(err) != engine.ClassUnknown {
		t.Errorf("execute beside somebody else's hand: %v", err)
	}
}

// resizeTellsKubelets: what a kubelet does not make is said, and no failure.
func resizeTellsKubelets(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	m := kubernetes.NewMemory(b.clusters(t, raiser))
	d := b.resizable(t, namespace, 1, nil)
	pod := b.podsOf(t, d)[0]
	core := b.Client().CoreV1()
	// From here on, its kubelet is played by hand.
	must(core.Pods(namespace).Patch(t.Context(), pod.Name, types.MergePatchType, fmt.Appendf(nil, `{"metadata": {"labels": {%q: null}}}`, lab.BehaviourLabel), metav1.PatchOptions{}))(t)
	must(core.Pods(namespace).Patch(t.Context(), pod.Name, types.StrategicMergePatchType,
		[]byte(`{"status": {"conditions": [{"type": "PodResizePending", "status": "True", "reason": "Infeasible", "message": "Node has no room"}]}}`), metav1.PatchOptions{}, "status"))(t)
	run := task("more", target("Deployment", namespace, d.Name), `{"factor": 2, "max": "1Gi"}`)
	o := must(m.Execute(t.Context(), run, must(m.Plan(t.Context(), run))(t)))(t)
	if !strings.Contains(o.Summary, "kubelets of 1 have yet to make it: "+pod.Name+": Infeasible: Node has no room") {
		t.Error(o.Summary)
	}
}
