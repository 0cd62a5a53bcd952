package kubernetes_test

import (
	"fmt"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
)

// autoscalerMarksRemoved takes the marks off autoscalers: what was applied must not
// become NotApplied by that. One kind counts no generations, and of the other one
// annotations make none.
func autoscalerMarksRemoved(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	scale, stop := kubernetes.NewScale(b.clusters(t, scaler)), kubernetes.NewScaleToZero(b.clusters(t, stopper))
	own, keda := b.deployment(t, namespace, 1, nil), b.deployment(t, namespace, 1, nil)
	b.autoscale(t, namespace, own.Name, own.Name, 9)
	b.scaledObject(t, namespace, keda.Name, `"minReplicaCount": 1`)
	unmark := fmt.Sprintf(`{"metadata": {"annotations": {%q: null, %q: null}}}`, kubernetes.TaskAnnotation, kubernetes.EarlierAnnotation)
	for _, c := range []struct {
		id     string
		action remediators.Remediator
		name   string
		params string
		unmark func()
	}{
		{"own", scale, own.Name, `{"replicas": 1, "min": 2}`, func() { b.patchAutoscaler(t, namespace, own.Name, unmark) }},
		{"stopped", stop, keda.Name, ``, func() { b.patchScaledObject(t, namespace, keda.Name, unmark) }},
	} {
		run := task(c.id, target("Deployment", namespace, c.name), c.params)
		p := applied(t, c.action, run)
		if got := must(c.action.Observe(t.Context(), run, p))(t); got != engine.Applied {
			t.Errorf("%s: %s", c.id, got)
		}
		c.unmark()
		if got := must(c.action.Observe(t.Context(), run, p))(t); got != engine.Unknown {
			t.Errorf("%s, then unmarked: %s", c.id, got)
		}
	}
}
