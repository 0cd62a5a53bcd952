package kubernetes_test

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
)

const revisionAnnotation = "deployment.kubernetes.io/revision"

// patch writes as the administrator and returns what the object is then.
func (b *bed) patch(t *testing.T, at engine.Target, text string) metav1.Object {
	t.Helper()
	apps := b.Client().AppsV1()
	body, options := []byte(text), metav1.PatchOptions{}
	switch at.Kind {
	case "Deployment":
		return must(apps.Deployments(at.Namespace).Patch(t.Context(), at.Name, types.MergePatchType, body, options))(t)
	case "StatefulSet":
		return must(apps.StatefulSets(at.Namespace).Patch(t.Context(), at.Name, types.MergePatchType, body, options))(t)
	default:
		return must(apps.DaemonSets(at.Namespace).Patch(t.Context(), at.Name, types.MergePatchType, body, options))(t)
	}
}

// generations holds the API server to what Observe concludes from.
func generations(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	r := kubernetes.NewRestart(b.clusters(t, restarter), time.Now)
	observed := func(at engine.Target, p engine.Plan, want engine.Effect, after string) {
		t.Helper()
		if got := must(r.Observe(t.Context(), task("x", at, ""), p))(t); got != want {
			t.Errorf("%s after %s: %s, want %s", at.Kind, after, got, want)
		}
	}

	// The Deployment's controller writes the revision through the status, which
	// makes no generation, so a rollout by somebody else is one change.
	d := b.deployment(t, namespace, 1, nil)
	at := target("Deployment", namespace, d.Name)
	p := must(r.Plan(t.Context(), task("x", at, "")))(t)
	before := b.patch(t, at, `{}`)
	after := b.patch(t, at, `{"spec": {"template": {"metadata": {"annotations": {"somebody": "else"}}}}}`)
	if after.GetGeneration() != before.GetGeneration()+1 {
		t.Errorf("a change of the spec made generation %d of %d", after.GetGeneration(), before.GetGeneration())
	}
	eventually(t, "the next revision", func() bool {
		now := must(b.Client().AppsV1().Deployments(namespace).Get(t.Context(), d.Name, metav1.GetOptions{}))(t)
		if now.Generation != after.GetGeneration() {
			t.Fatalf("the controller made generation %d of %d", now.Generation, after.GetGeneration())
		}
		return now.Annotations[revisionAnnotation] != before.GetAnnotations()[revisionAnnotation] && now.Status.ObservedGeneration == now.Generation
	})
	observed(at, p, engine.NotApplied, "a rollout")

	// Anybody else's annotation makes one, of a Deployment only.
	const annotate = `{"metadata": {"annotations": {"somebody": "else"}}}`
	if now := b.patch(t, at, annotate); now.GetGeneration() != after.GetGeneration()+1 {
		t.Errorf("an annotation made generation %d of %d", now.GetGeneration(), after.GetGeneration())
	}
	observed(at, p, engine.Unknown, "a rollout and an annotation")
	s := b.statefulSet(t, namespace, 1, nil)
	at = target("StatefulSet", namespace, s.Name)
	p = must(r.Plan(t.Context(), task("x", at, "")))(t)
	if now := b.patch(t, at, annotate); now.GetGeneration() != s.Generation {
		t.Errorf("an annotation made generation %d of %d", now.GetGeneration(), s.Generation)
	}
	observed(at, p, engine.NotApplied, "an annotation")
}

// marksRemoved takes the marks away that Observe looks for: what was applied must
// not become NotApplied by that, whether or not it makes a generation.
func marksRemoved(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	restart, scale := kubernetes.NewRestart(b.clusters(t, restarter), time.Now), kubernetes.NewScale(b.clusters(t, scaler))
	unmark := fmt.Sprintf(`{"metadata": {"annotations": {%q: null, %q: null}}}`, kubernetes.TaskAnnotation, kubernetes.EarlierAnnotation)
	d := b.deployment(t, namespace, 1, nil)
	s := b.statefulSet(t, namespace, 1, nil)
	for _, at := range []engine.Target{target("Deployment", namespace, d.Name), target("StatefulSet", namespace, s.Name)} {
		for id, action := range map[string]remediators.Remediator{"restarted": restart, "scaled": scale} {
			params := ""
			if id == "scaled" {
				params = `{"step": 1}`
			}
			run := task(id, at, params)
			p := applied(t, action, run)
			if got := must(action.Observe(t.Context(), run, p))(t); got != engine.Applied {
				t.Errorf("%s %s: %s", at.Kind, id, got)
			}
			b.patch(t, at, unmark)
			if got := must(action.Observe(t.Context(), run, p))(t); got != engine.Unknown {
				t.Errorf("%s %s, then unmarked: %s", at.Kind, id, got)
			}
		}
	}
}

// applied plans and executes, again where a controller wrote in between.
func applied(t *testing.T, action remediators.Remediator, run engine.Task) engine.Plan {
	t.Helper()
	for try := 1; ; try++ {
		p := must(action.Plan(t.Context(), run))(t)
		_, err := action.Execute(t.Context(), run, p)
		if err == nil {
			return p
		}
		if try == 20 || remediators.ClassOf(err) != engine.ClassPlanChanged {
			t.Fatal(err)
		}
	}
}
