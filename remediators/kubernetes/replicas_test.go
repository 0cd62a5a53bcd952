package kubernetes_test

import (
	"encoding/json"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// replicasReady looks in the middle of a rollout that does not come to its end.
func replicasReady(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	r := kubernetes.NewReplicas(b.clusters(t, prober))
	probe := func(kind, name, params string) engine.Check {
		t.Helper()
		return must(r.Probe(t.Context(), target(kind, namespace, name), json.RawMessage(params)))(t)
	}
	apps := b.Client().AppsV1()
	d := b.deployment(t, namespace, 4, nil)
	bad := func(d *appsv1.Deployment) { d.Spec.Template.Labels[lab.BehaviourLabel] = string(lab.NeverReady) }
	now := must(apps.Deployments(namespace).Get(t.Context(), d.Name, metav1.GetOptions{}))(t)
	bad(now)
	must(apps.Deployments(namespace).Update(t.Context(), now, metav1.UpdateOptions{}))(t)
	eventually(t, "a part of the pods to be replaced", func() bool {
		return strings.HasPrefix(probe("Deployment", d.Name, `{"ready": 1}`).Detail, "3 of 4")
	})
	zero := b.deployment(t, namespace, 0, nil)
	set := must(apps.DaemonSets(namespace).Create(t.Context(), lab.DaemonSet(namespace, b.name("agent")), metav1.CreateOptions{}))(t)
	eventually(t, "the DaemonSet's pods", func() bool { return probe("DaemonSet", set.Name, `{"ready": "100%"}`).OK })
	store := b.statefulSet(t, namespace, 2, nil)
	for _, c := range []struct {
		kind, name, params string
		ok                 bool
		detail             string
	}{
		{"Deployment", d.Name, `{"ready": 3}`, true, "3 of 4 pods are ready, 3 must be"},
		{"Deployment", d.Name, `{"ready": 4}`, false, "3 of 4 pods are ready, 4 must be"},
		{"Deployment", d.Name, `{"ready": "75%"}`, true, "3 must be"},
		{"Deployment", d.Name, `{"ready": "76%"}`, false, "4 must be"},
		{"Deployment", zero.Name, `{"ready": 1}`, false, "no replicas are wanted"},
		{"StatefulSet", store.Name, `{"ready": 2}`, true, "2 of 2"},
	} {
		if check := probe(c.kind, c.name, c.params); check.OK != c.ok || check.Kind != "replicas" || !strings.Contains(check.Detail, c.detail) {
			t.Errorf("%s %s: %+v, want %t with %q", c.kind, c.params, check, c.ok, c.detail)
		}
	}
	for name, at := range map[string]engine.Target{
		"missing": target("Deployment", namespace, "nobody"), "a pod": target("Pod", namespace, "nobody"),
		"unknown cluster": {System: "kubernetes", Cluster: "japan", Namespace: "n", Kind: "Deployment", Name: "n"},
	} {
		if check, err := r.Probe(t.Context(), at, json.RawMessage(`{"ready": 1}`)); err == nil || check.OK || remediators.ClassOf(err) != engine.ClassTerminal {
			t.Errorf("%s: %+v, %v", name, check, err)
		}
	}
}

// TestReadyParameters holds the schema and the code to the same.
func TestReadyParameters(t *testing.T) {
	t.Parallel()
	r := kubernetes.NewReplicas(nil)
	schema := remediatortest.Schema(t, r.Spec().Params)
	for params, good := range map[string]bool{
		`{"ready": 1}`: true, `{"ready": 10000}`: true, `{"ready": "1%"}`: true, `{"ready": "100%"}`: true,
		`{}`: false, `{"ready": 0}`: false, `{"ready": -1}`: false, `{"ready": 10001}`: false, `{"ready": "2"}`: false, `{"ready": 1.5}`: false,
		`{"ready": "0%"}`: false, `{"ready": "101%"}`: false, `{"ready": "x%"}`: false, `{"ready": null}`: false, `{"ready": 1, "more": 2}`: false,
	} {
		if remediatortest.Accepts(t, schema, params) != good {
			t.Errorf("the schema on %s: want %t", params, good)
		}
		_, err := r.Probe(t.Context(), target("Deployment", "n", "d"), json.RawMessage(params))
		if refused := err != nil && strings.Contains(err.Error(), "replicas:"); refused == good {
			t.Errorf("the code on %s: %v, want %t", params, err, good)
		}
	}
}
