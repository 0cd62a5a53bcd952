package kubernetes_test

import (
	"encoding/json"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators/kubernetes"
)

func rollouts(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	r := kubernetes.NewRollout(b.clusters(t, prober))
	complete := json.RawMessage(`"complete"`)
	probe := func(kind, name string) engine.Check {
		t.Helper()
		check := must(r.Probe(t.Context(), target(kind, namespace, name), complete))(t)
		if check.Kind != "rollout" || check.Detail == "" {
			t.Errorf("check %+v", check)
		}
		return check
	}
	want := func(kind, name string, ok bool, detail string) {
		t.Helper()
		if check := probe(kind, name); check.OK != ok || !strings.Contains(check.Detail, detail) {
			t.Errorf("%s %s: %+v, want %t with %q", kind, name, check, ok, detail)
		}
	}
	apps := b.Client().AppsV1()

	good := b.deployment(t, namespace, 3, nil)
	want("Deployment", good.Name, true, "3 of 3")
	store := b.statefulSet(t, namespace, 2, nil)
	eventually(t, "the StatefulSet to be complete", func() bool { return probe("StatefulSet", store.Name).OK })
	set := must(apps.DaemonSets(namespace).Create(t.Context(), lab.DaemonSet(namespace, b.name("agent")), metav1.CreateOptions{}))(t)
	eventually(t, "the DaemonSet to be complete", func() bool { return probe("DaemonSet", set.Name).OK })

	// A new template whose pods never get ready: complete it is not, at no time,
	// though the old pods still serve.
	change := func(d *appsv1.Deployment) *appsv1.Deployment {
		d.Spec.ProgressDeadlineSeconds = new(int32(1))
		d.Spec.Template.Labels[lab.BehaviourLabel] = string(lab.NeverReady)
		return d
	}
	now := must(apps.Deployments(namespace).Get(t.Context(), good.Name, metav1.GetOptions{}))(t)
	must(apps.Deployments(namespace).Update(t.Context(), change(now), metav1.UpdateOptions{}))(t)
	eventually(t, "the rollout to be given up", func() bool {
		check := probe("Deployment", good.Name)
		if check.OK {
			t.Fatalf("complete with pods that never get ready: %+v", check)
		}
		return strings.Contains(check.Detail, "ProgressDeadlineExceeded")
	})

	zero := b.deployment(t, namespace, 0, nil)
	want("Deployment", zero.Name, false, "no replicas are wanted")
	dying := b.deployment(t, namespace, 1, func(d *appsv1.Deployment) { d.Finalizers = []string{keep} })
	if err := apps.Deployments(namespace).Delete(t.Context(), dying.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	want("Deployment", dying.Name, false, "being deleted")

	for name, c := range map[string]struct {
		target engine.Target
		params string
	}{
		"missing":         {target("Deployment", namespace, "nobody"), `"complete"`},
		"not canonical":   {target("Pod", namespace, "nobody"), `"complete"`},
		"another want":    {target("Deployment", namespace, good.Name), `"begun"`},
		"no want":         {target("Deployment", namespace, good.Name), ``},
		"unknown cluster": {engine.Target{System: "kubernetes", Cluster: "japan", Namespace: "n", Kind: "Deployment", Name: "n"}, `"complete"`},
	} {
		if check, err := r.Probe(t.Context(), c.target, json.RawMessage(c.params)); err == nil || check.OK {
			t.Errorf("%s: %+v, %v", name, check, err)
		}
	}
}
