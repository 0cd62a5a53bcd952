package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

const onCall = "example.com/on-call"

// annotateConforms tries it on a StatefulSet, of which an annotation makes no
// generation.
func annotateConforms(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	remediatortest.Run(t, b.subject(t, annotator, remediatortest.HTTP2, func(clusters kubernetes.Clusters) remediatortest.Bench {
		return remediatortest.Bench{
			Remediator: kubernetes.NewAnnotate(clusters),
			Fresh: func(t *testing.T) remediatortest.Scene {
				s := b.statefulSet(t, namespace, 0, nil)
				at := target("StatefulSet", namespace, s.Name)
				hand := 0
				return remediatortest.Scene{
					Task:    engine.Task{Target: at, Params: json.RawMessage(`{"annotations": {"` + onCall + `": "kim", "untouched": null}}`)},
					Effects: func(t *testing.T) int { return b.patches(t, annotator, namespace, s.Name) },
					Change: func(t *testing.T) {
						hand++
						b.patch(t, at, fmt.Sprintf(`{"metadata": {"annotations": {%q: "lee-%d"}}}`, onCall, hand))
					},
					State: func(t *testing.T) string {
						now := must(b.Client().AppsV1().StatefulSets(namespace).Get(t.Context(), s.Name, metav1.GetOptions{}))(t)
						return fmt.Sprintf("%q", now.Annotations[onCall])
					},
				}
			},
			Missing: engine.Task{Target: target("Service", namespace, "nobody"), Params: json.RawMessage(`{"annotations": {"a": "b"}}`)},
		}
	}))
}

// annotateEveryKind sets, observes and puts back an annotation of objects with and
// without a namespace or a generation.
func annotateEveryKind(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	core := b.Client().CoreV1()
	d := b.deployment(t, namespace, 1, nil)
	var pod string
	for _, p := range b.pods(t, namespace) {
		pod = p.Name
	}
	service := must(core.Services(namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: b.name("front")}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{}))(t)
	node := must(core.Nodes().Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: b.name("still")}}, metav1.CreateOptions{}))(t)
	cluster := func(kind, name string) engine.Target {
		return engine.Target{System: engine.SystemKubernetes, Cluster: korea, Kind: kind, Name: name}
	}
	a := kubernetes.NewAnnotate(b.clusters(t, annotator))
	for _, at := range []engine.Target{
		target("Deployment", namespace, d.Name), target("Pod", namespace, pod), target("Service", namespace, service.Name),
		cluster("Node", node.Name), cluster("Namespace", namespace),
	} {
		run := task("note-"+at.Kind, at, `{"annotations": {"`+onCall+`": "kim", "absent": null}}`)
		p := applied(t, a, run)
		if p.Target != at {
			t.Errorf("%s became %s", at, p.Target)
		}
		if got := must(a.Observe(t.Context(), run, p))(t); got != engine.Applied {
			t.Errorf("%s: %s", at.Kind, got)
		}
		if again := must(a.Plan(t.Context(), task("again", at, `{"annotations": {"`+onCall+`": "kim"}}`)))(t); !again.Noop || !strings.Contains(again.Summary, "already") {
			t.Errorf("%s again: %+v", at.Kind, again)
		}
		undo := undoOf(run, p)
		if err := a.Undo(t.Context(), undo, *undo.Outcome); err != nil {
			t.Errorf("%s: %v", at.Kind, err)
		}
		if again := must(a.Plan(t.Context(), task("anew", at, `{"annotations": {"`+onCall+`": null}}`)))(t); !again.Noop {
			t.Errorf("%s still has it: %+v", at.Kind, again)
		}
		// Whoever takes the marks away leaves nothing that proves anything.
		b.annotate(t, at, kubernetes.TaskAnnotation, kubernetes.EarlierAnnotation)
		if got := must(a.Observe(t.Context(), run, p))(t); got != engine.Unknown {
			t.Errorf("%s, unmarked: %s", at.Kind, got)
		}
	}
	for name, c := range map[string]struct {
		at     engine.Target
		params string
		why    string
	}{
		"another kind":  {target("ConfigMap", namespace, "x"), `{"annotations": {"a": "b"}}`, "cannot be annotated"},
		"not its own":   {target("Deployment", namespace, d.Name), `{"annotations": {"paramedic.dev/task": "x"}}`, "belong to"},
		"too long":      {target("Deployment", namespace, d.Name), `{"annotations": {"` + strings.Repeat("a.", 140) + `com/b": "x"}}`, "dry run"},
		"no such thing": {target("Deployment", namespace, "nobody"), `{"annotations": {"a": "b"}}`, "not found"},
	} {
		_, err := a.Plan(t.Context(), task("x", c.at, c.params))
		if remediators.ClassOf(err) != engine.ClassTerminal || name != "too long" && !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// annotate takes annotations away as the administrator.
func (b *bed) annotate(t *testing.T, at engine.Target, keys ...string) {
	t.Helper()
	values := map[string]any{}
	for _, k := range keys {
		values[k] = nil
	}
	body := must(json.Marshal(map[string]any{"metadata": map[string]any{"annotations": values}}))(t)
	core := b.Client().CoreV1()
	var err error
	switch at.Kind {
	case "Pod":
		_, err = core.Pods(at.Namespace).Patch(t.Context(), at.Name, types.MergePatchType, body, metav1.PatchOptions{})
	case "Service":
		_, err = core.Services(at.Namespace).Patch(t.Context(), at.Name, types.MergePatchType, body, metav1.PatchOptions{})
	case "Node":
		_, err = core.Nodes().Patch(t.Context(), at.Name, types.MergePatchType, body, metav1.PatchOptions{})
	case "Namespace":
		_, err = core.Namespaces().Patch(t.Context(), at.Name, types.MergePatchType, body, metav1.PatchOptions{})
	default:
		b.patch(t, at, string(body))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// annotateOnlyWhatItMay: the rights for one kind are none for another.
func annotateOnlyWhatItMay(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	d := b.deployment(t, namespace, 0, nil)
	s := b.statefulSet(t, namespace, 0, nil)
	a := kubernetes.NewAnnotate(b.clusters(t, noter))
	params := `{"annotations": {"` + onCall + `": "kim"}}`
	applied(t, a, task("note", target("Deployment", namespace, d.Name), params))
	_, err := a.Plan(t.Context(), task("x", target("StatefulSet", namespace, s.Name), params))
	if remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "forbidden") {
		t.Error(err)
	}
}
