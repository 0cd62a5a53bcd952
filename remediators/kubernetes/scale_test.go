package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

func (b *bed) setReplicas(t *testing.T, namespace, name string, n int) {
	t.Helper()
	must(b.Client().AppsV1().Deployments(namespace).Patch(t.Context(), name, types.MergePatchType,
		fmt.Appendf(nil, `{"spec": {"replicas": %d}}`, n), metav1.PatchOptions{}))(t)
}

func scaleConforms(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	remediatortest.Run(t, b.subject(t, scaler, remediatortest.HTTP2, func(clusters kubernetes.Clusters) remediatortest.Bench {
		return remediatortest.Bench{
			Remediator: kubernetes.NewScale(clusters),
			Fresh: func(t *testing.T) remediatortest.Scene {
				d := b.deployment(t, namespace, 2, nil)
				return remediatortest.Scene{
					Task:    engine.Task{Target: target("Deployment", namespace, d.Name), Params: json.RawMessage(`{"factor": 2, "max": 30}`)},
					Effects: func(t *testing.T) int { return b.patches(t, scaler, namespace, d.Name) },
					Change:  func(t *testing.T) { b.setReplicas(t, namespace, d.Name, 3) },
					State: func(t *testing.T) string {
						now := must(b.Client().AppsV1().Deployments(namespace).Get(t.Context(), d.Name, metav1.GetOptions{}))(t)
						return fmt.Sprintf("%d replicas", *now.Spec.Replicas)
					},
				}
			},
			Missing: engine.Task{Target: target("StatefulSet", namespace, "nobody"), Params: json.RawMessage(`{"step": 1}`)},
		}
	}))
}

func scaleRefuses(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	s := kubernetes.NewScale(b.clusters(t, scaler))
	d := b.deployment(t, namespace, 2, nil)
	at := target("Deployment", namespace, d.Name)
	set := must(b.Client().AppsV1().DaemonSets(namespace).Create(t.Context(), lab.DaemonSet(namespace, b.name("agent")), metav1.CreateOptions{}))(t)
	zero := b.deployment(t, namespace, 0, nil)
	auto := b.deployment(t, namespace, 2, nil)
	b.autoscale(t, namespace, auto.Name, "by-load", 5)
	b.autoscale(t, namespace, auto.Name, "by-queue", 5)
	var ofSet string
	eventually(t, "a pod of the DaemonSet", func() bool {
		for _, pod := range b.pods(t, namespace) {
			if metav1.IsControlledBy(&pod, set) {
				ofSet = pod.Name
			}
		}
		return ofSet != ""
	})
	for name, c := range map[string]struct {
		target engine.Target
		params string
		why    string
	}{
		"DaemonSet":           {target("DaemonSet", namespace, set.Name), `{"step": 1}`, "no replicas"},
		"pod of a DaemonSet":  {target("Pod", namespace, ofSet), `{"step": 1}`, ""},
		"two autoscalers":     {target("Deployment", namespace, auto.Name), `{"step": 1}`, "HorizontalPodAutoscaler by-load and HorizontalPodAutoscaler by-queue"},
		"zero":                {target("Deployment", namespace, zero.Name), `{"step": 1}`, "scaled to 0"},
		"at max":              {at, `{"factor": 2, "max": 2}`, "already at max 2"},
		"down by max":         {at, `{"factor": 2, "max": 1}`, "allowDown"},
		"down by step":        {at, `{"step": -1}`, "allowDown"},
		"up by min":           {at, `{"step": -1, "allowDown": true, "min": 3}`, "would be raised"},
		"neither":             {at, `{"max": 3}`, "exactly one of factor, step and replicas"},
		"no parameters":       {at, ``, "exactly one of factor, step and replicas"},
		"factor without max":  {at, `{"factor": 2}`, "without max"},
		"text for a number":   {at, `{"step": "1"}`, "step"},
		"more than one value": {at, `{"step": 1} {}`, "more than one"},
	} {
		_, err := s.Plan(t.Context(), task("x", c.target, c.params))
		if err == nil || remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: error %v, want a terminal one with %q", name, err, c.why)
		}
	}
	if n := b.patches(t, scaler, namespace, d.Name); n != 0 {
		t.Errorf("%d patches", n)
	}
}

// undoOf is an undo task of one whose outcome was observed.
func undoOf(run engine.Task, p engine.Plan) engine.Task {
	undo := run
	undo.ID, undo.Kind, undo.Undoes = "undo-"+run.ID, engine.TaskUndo, run.ID
	undo.Plan, undo.Outcome = &p, &engine.Outcome{Summary: "observed"}
	return undo
}

// scaleUndoesWhatItShows: replicas that happen to be as they were left do not make
// the object that which was left.
func scaleUndoesWhatItShows(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	s := kubernetes.NewScale(b.clusters(t, scaler))
	d := b.deployment(t, namespace, 2, nil)
	at := target("Deployment", namespace, d.Name)
	run := task("up", at, `{"step": 1}`)
	undo := undoOf(run, applied(t, s, run))
	for i := range 12 {
		applied(t, s, task(fmt.Sprintf("down-%d", i), at, `{"step": -1, "allowDown": true}`))
		applied(t, s, task(fmt.Sprintf("up-%d", i), at, `{"step": 1}`))
	}
	err := s.Undo(t.Context(), undo, *undo.Outcome)
	if remediators.ClassOf(err) != engine.ClassPlanChanged || !strings.Contains(err.Error(), "no longer shows task up") {
		t.Errorf("%v", err)
	}
	undo.Undoes = ""
	if err := s.Undo(t.Context(), undo, *undo.Outcome); remediators.ClassOf(err) != engine.ClassTerminal {
		t.Errorf("undo of nothing: %v", err)
	}
}

func scaleUndoesObserved(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	s := kubernetes.NewScale(b.clusters(t, scaler))
	d := b.deployment(t, namespace, 2, nil)
	run := task("up", target("Deployment", namespace, d.Name), `{"step": 3, "max": 4}`)
	p := applied(t, s, run)
	if err := b.WaitAvailable(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	b.settle(t, d)
	undo := undoOf(run, p)
	if err := s.Undo(t.Context(), undo, *undo.Outcome); err != nil {
		t.Fatal(err)
	}
	now := must(b.Client().AppsV1().Deployments(namespace).Get(t.Context(), d.Name, metav1.GetOptions{}))(t)
	if *now.Spec.Replicas != 2 {
		t.Errorf("%d replicas after undo, want 2", *now.Spec.Replicas)
	}
	if got := now.Annotations[kubernetes.EarlierAnnotation]; got != `["up"]` {
		t.Errorf("earlier tasks: %s", got)
	}
	scaleStops(t, b, s, now)
}

// scaleStops takes all pods away for a while, and brings as many back as there were.
func scaleStops(t *testing.T, b *bed, s *kubernetes.Scale, d *appsv1.Deployment) {
	t.Helper()
	at := target("Deployment", d.Namespace, d.Name)
	stopped := func() bool {
		return must(kubernetes.NewRollout(b.clusters(t, prober)).Probe(t.Context(), at, json.RawMessage(`"stopped"`)))(t).OK
	}
	if stopped() {
		t.Error("what runs counts as stopped")
	}
	run := task("stop", at, `{"replicas": 0, "allowDown": true}`)
	p, done := executed(t, s, run)
	eventually(t, "no pods", stopped)
	if again := must(s.Plan(t.Context(), task("stop-again", at, `{"replicas": 0, "allowDown": true}`)))(t); !again.Noop {
		t.Errorf("stops what is stopped: %+v", again)
	}
	undo := undoOf(run, p)
	if err := s.Undo(t.Context(), undo, done); err != nil {
		t.Fatal(err)
	}
	now := must(b.Client().AppsV1().Deployments(d.Namespace).Get(t.Context(), d.Name, metav1.GetOptions{}))(t)
	if *now.Spec.Replicas != 2 {
		t.Errorf("%d replicas after undo, want 2", *now.Spec.Replicas)
	}
}
