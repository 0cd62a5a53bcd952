package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

func (b *bed) verticals(t *testing.T, namespace string) dynamic.ResourceInterface {
	t.Helper()
	client := must(dynamic.NewForConfig(b.Config()))(t)
	return client.Resource(schema.GroupVersionResource{Group: "autoscaling.k8s.io", Version: "v1", Resource: "verticalpodautoscalers"}).Namespace(namespace)
}

// vertical makes a VerticalPodAutoscaler of a workload, as its own definition has it;
// nobody acts on it.
func (b *bed) vertical(t *testing.T, namespace, kind, workload, mode, policies string) string {
	t.Helper()
	name := b.name("vertical")
	spec := fmt.Sprintf(`{"apiVersion": "autoscaling.k8s.io/v1", "kind": "VerticalPodAutoscaler", "metadata": {"name": %q, "namespace": %q},
		"spec": {"targetRef": {"apiVersion": "apps/v1", "kind": %q, "name": %q}, "updatePolicy": {"updateMode": %q}, "resourcePolicy": {"containerPolicies": %s}}}`,
		name, namespace, kind, workload, mode, policies)
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON([]byte(spec)); err != nil {
		t.Fatal(err)
	}
	must(b.verticals(t, namespace).Create(t.Context(), &object, metav1.CreateOptions{}))(t)
	return name
}

// policies are those of a VerticalPodAutoscaler, as JSON.
func (b *bed) policies(t *testing.T, namespace, name string) string {
	t.Helper()
	now := must(b.verticals(t, namespace).Get(t.Context(), name, metav1.GetOptions{}))(t)
	list, _, err := unstructured.NestedSlice(now.Object, "spec", "resourcePolicy", "containerPolicies")
	if err != nil {
		t.Fatal(err)
	}
	return string(must(json.Marshal(list))(t))
}

func (b *bed) setPolicies(t *testing.T, namespace, name, policies string) {
	t.Helper()
	body := fmt.Sprintf(`{"spec": {"resourcePolicy": {"containerPolicies": %s}}}`, policies)
	must(b.verticals(t, namespace).Patch(t.Context(), name, types.MergePatchType, []byte(body), metav1.PatchOptions{}))(t)
}

func autoscalerConforms(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	remediatortest.Run(t, b.subject(t, raiser, remediatortest.HTTP2, func(clusters kubernetes.Clusters) remediatortest.Bench {
		return remediatortest.Bench{
			Remediator: kubernetes.NewMemory(clusters),
			Fresh: func(t *testing.T) remediatortest.Scene {
				// The limit stays, so that there is always something to do: what the autoscaler
				// requests at least grows with max.
				d := lab.Deployment(namespace, b.name("service"), 0)
				withMemory("256Mi", "128Mi")(d)
				d = must(b.Client().AppsV1().Deployments(namespace).Create(t.Context(), d, metav1.CreateOptions{}))(t)
				name := b.vertical(t, namespace, "Deployment", d.Name, "Recreate", `[{"containerName": "main", "minAllowed": {"memory": "100Mi"}}]`)
				hand := 0
				return remediatortest.Scene{
					Task:    engine.Task{Target: target("Deployment", namespace, d.Name), Params: json.RawMessage(`{"factor": 2, "max": "64Gi"}`)},
					Effects: func(t *testing.T) int { return b.patches(t, raiser, namespace, name) },
					Change: func(t *testing.T) {
						hand++
						b.setPolicies(t, namespace, name, fmt.Sprintf(`[{"containerName": "main", "minAllowed": {"memory": "%dMi"}}]`, 100+hand))
					},
					State: func(t *testing.T) string { return b.policies(t, namespace, name) },
				}
			},
			Missing: engine.Task{Target: target("StatefulSet", namespace, "nobody"), Params: json.RawMessage(`{"factor": 2, "max": "1Gi"}`)},
		}
	}))
}

// memoryThroughAutoscaler: its least is raised so that the limit becomes what it is to
// be, all else of it stays, and undo leaves it as it was.
func memoryThroughAutoscaler(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	m := kubernetes.NewMemory(b.clusters(t, raiser))
	for name, c := range map[string]struct{ before, after string }{
		"its own policy": {
			`[{"containerName":"main","controlledResources":["memory"],"maxAllowed":{"cpu":"2","memory":"4Gi"}},{"containerName":"*","mode":"Off"}]`,
			`[{"containerName":"main","controlledResources":["memory"],"maxAllowed":{"cpu":"2","memory":"4Gi"},"minAllowed":{"memory":"256Mi"}},{"containerName":"*","mode":"Off"}]`,
		},
		"a least of its own": {
			`[{"containerName":"main","minAllowed":{"cpu":"10m","memory":"50M"}}]`,
			`[{"containerName":"main","minAllowed":{"cpu":"10m","memory":"256Mi"}}]`,
		},
		"the one for all": {
			`[{"containerName":"*","maxAllowed":{"memory":"1Gi"},"minAllowed":{"cpu":"10m"}}]`,
			`[{"containerName":"*","maxAllowed":{"memory":"1Gi"},"minAllowed":{"cpu":"10m"}},{"containerName":"main","maxAllowed":{"memory":"1Gi"},"minAllowed":{"cpu":"10m","memory":"256Mi"}}]`,
		},
		"none": {`[]`, `[{"containerName":"main","minAllowed":{"memory":"256Mi"}}]`},
	} {
		d := b.deployment(t, namespace, 0, withMemory("256Mi", "128Mi"))
		at := target("Deployment", namespace, d.Name)
		vertical := b.vertical(t, namespace, "Deployment", d.Name, "InPlaceOrRecreate", c.before)
		run := task("more-"+vertical, at, `{"factor": 2, "max": "1Gi"}`)
		p := must(m.Plan(t.Context(), run))(t)
		if p.Target != at || !strings.Contains(p.Summary, "through VerticalPodAutoscaler "+vertical+", which requests at least 256Mi for main from now on") || len(p.Changes) != 1 {
			t.Errorf("%s: %+v", name, p)
		}
		o := must(m.Execute(t.Context(), run, p))(t)
		if got := b.policies(t, namespace, vertical); got != c.after {
			t.Errorf("%s:\n%s, want\n%s", name, got, c.after)
		}
		if got := must(m.Observe(t.Context(), run, p))(t); got != engine.Applied {
			t.Errorf("%s: %s", name, got)
		}
		// Nothing acts on it here, so that the pods have yet to get what it gives.
		if again := must(m.Plan(t.Context(), task("again", at, `{"factor": 2, "max": "1Gi"}`)))(t); !again.Noop || !strings.Contains(again.Summary, "already requests at least 256Mi for main") {
			t.Errorf("%s again: %+v", name, again)
		}
		for range 2 {
			if err := m.Undo(t.Context(), undoOf(run, p), o); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := b.policies(t, namespace, vertical); got != c.before {
			t.Errorf("%s, undone:\n%s, want\n%s", name, got, c.before)
		}
		if n := b.patches(t, raiser, namespace, d.Name); n != 0 {
			t.Errorf("%s: the workload was patched %d times", name, n)
		}
	}
}

// memoryBesideAutoscaler: whose say it is.
func memoryBesideAutoscaler(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	m := kubernetes.NewMemory(b.clusters(t, raiser))
	const more = `{"factor": 2, "max": "1Gi"}`
	for name, c := range map[string]struct {
		mode, policies, params string
		says                   []string
		refused                bool
	}{
		"off":            {"Off", `[]`, more, []string{"by a rollout", "only recommends (updateMode Off)"}, false},
		"off for it":     {"Auto", `[{"containerName": "main", "mode": "Off"}]`, more, []string{"by a rollout"}, false},
		"not its memory": {"Auto", `[{"containerName": "*", "controlledResources": ["cpu"]}]`, more, []string{"by a rollout"}, false},
		"requests alone": {"Auto", `[{"containerName": "main", "controlledValues": "RequestsOnly"}]`, more, []string{"by a rollout", "the requests of main are left to VerticalPodAutoscaler"}, false},
		"initial":        {"Initial", `[]`, more, []string{"for pods made from now on alone"}, false},
		"beyond maxAllowed": {
			"Auto", `[{"containerName": "main", "maxAllowed": {"memory": "200Mi"}}]`, more, []string{"needs at least 256Mi", "allows at most 200Mi (maxAllowed)"}, true,
		},
		"up to maxAllowed": {"Auto", `[{"containerName": "main", "maxAllowed": {"memory": "256Mi"}}]`, more, []string{"at least 256Mi"}, false},
		"up to max":        {"Auto", `[]`, `{"factor": 8, "max": "300Mi"}`, []string{"at least 150Mi"}, false},
	} {
		d := b.deployment(t, namespace, 0, withMemory("256Mi", "128Mi"))
		b.vertical(t, namespace, "Deployment", d.Name, c.mode, c.policies)
		p, err := m.Plan(t.Context(), task("x", target("Deployment", namespace, d.Name), c.params))
		text := p.Summary
		if err != nil {
			text = err.Error()
		}
		if (err != nil) != c.refused || c.refused && remediators.ClassOf(err) != engine.ClassTerminal {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		for _, want := range c.says {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q, want %q", name, text, want)
			}
		}
		if name == "requests alone" && len(p.Changes) != 1 {
			t.Errorf("%s: %+v", name, p.Changes)
		}
	}
	// One of another workload has no say, and two are one too many.
	d := b.deployment(t, namespace, 0, withMemory("256Mi", "128Mi"))
	at := target("Deployment", namespace, d.Name)
	b.vertical(t, namespace, "StatefulSet", d.Name, "Auto", `[]`)
	if p, err := m.Plan(t.Context(), task("x", at, more)); err != nil || !strings.Contains(p.Summary, "by a rollout") {
		t.Errorf("%+v, %v", p, err)
	}
	b.vertical(t, namespace, "Deployment", d.Name, "Auto", `[]`)
	b.vertical(t, namespace, "Deployment", d.Name, "Auto", `[]`)
	if _, err := m.Plan(t.Context(), task("x", at, more)); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "controlled by two") {
		t.Errorf("two: %v", err)
	}
}
