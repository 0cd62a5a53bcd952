package kubernetes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// autoscale makes a HorizontalPodAutoscaler of a Deployment and waits until it is at
// work. There are no metrics, so it keeps to its bounds and does no more.
func (b *bed) autoscale(t *testing.T, namespace, deployment, name string, most int32) {
	t.Helper()
	autoscalers := b.Client().AutoscalingV2().HorizontalPodAutoscalers(namespace)
	must(autoscalers.Create(t.Context(), horizontal(deployment, name, 1, most), metav1.CreateOptions{}))(t)
	eventually(t, "the autoscaler to look", func() bool {
		return len(must(autoscalers.Get(t.Context(), name, metav1.GetOptions{}))(t).Status.Conditions) > 0
	})
	// They are looked at one after the other, and the fewer there are the sooner.
	t.Cleanup(func() {
		if err := autoscalers.Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
}

func horizontal(deployment, name string, least, most int32) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: deployment},
			MinReplicas:    &least, MaxReplicas: most,
		},
	}
}

func (b *bed) least(t *testing.T, namespace, name string) string {
	t.Helper()
	now := must(b.Client().AutoscalingV2().HorizontalPodAutoscalers(namespace).Get(t.Context(), name, metav1.GetOptions{}))(t)
	return fmt.Sprintf("at least %d", *now.Spec.MinReplicas)
}

func (b *bed) replicas(t *testing.T, namespace, name string) int32 {
	t.Helper()
	return *must(b.Client().AppsV1().Deployments(namespace).Get(t.Context(), name, metav1.GetOptions{}))(t).Spec.Replicas
}

func (b *bed) patchAutoscaler(t *testing.T, namespace, name, text string) {
	t.Helper()
	must(b.Client().AutoscalingV2().HorizontalPodAutoscalers(namespace).Patch(t.Context(), name, types.MergePatchType, []byte(text), metav1.PatchOptions{}))(t)
}

// scaleConformsWithAutoscaler tries the suite on a HorizontalPodAutoscaler.
func scaleConformsWithAutoscaler(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	remediatortest.Run(t, b.subject(t, scaler, remediatortest.HTTP2, func(clusters kubernetes.Clusters) remediatortest.Bench {
		return remediatortest.Bench{
			Remediator: kubernetes.NewScale(clusters),
			Fresh: func(t *testing.T) remediatortest.Scene {
				d := b.deployment(t, namespace, 1, nil)
				b.autoscale(t, namespace, d.Name, d.Name, 30)
				return remediatortest.Scene{
					Task:    engine.Task{Target: target("Deployment", namespace, d.Name), Params: json.RawMessage(`{"step": 1, "max": 30}`)},
					Effects: func(t *testing.T) int { return b.patches(t, scaler, namespace, d.Name) },
					Change:  func(t *testing.T) { b.patchAutoscaler(t, namespace, d.Name, `{"spec": {"minReplicas": 7}}`) },
					State:   func(t *testing.T) string { return b.least(t, namespace, d.Name) },
				}
			},
			Missing: engine.Task{Target: target("Deployment", namespace, "nobody"), Params: json.RawMessage(`{"step": 1}`)},
		}
	}))
}

// scaleConformsWithKeda tries it on a ScaledObject of a workload that is played KEDA's.
func scaleConformsWithKeda(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	b.keda(t, namespace)
	remediatortest.Run(t, b.subject(t, scaler, remediatortest.HTTP2, func(clusters kubernetes.Clusters) remediatortest.Bench {
		return remediatortest.Bench{
			Remediator: kubernetes.NewScale(clusters),
			Fresh: func(t *testing.T) remediatortest.Scene {
				d := b.deployment(t, namespace, 1, nil)
				b.scaledObject(t, namespace, d.Name, `"maxReplicaCount": 30`)
				return remediatortest.Scene{
					Task:    engine.Task{Target: target("Deployment", namespace, d.Name), Params: json.RawMessage(`{"step": 1, "max": 30}`)},
					Effects: func(t *testing.T) int { return b.patches(t, scaler, namespace, d.Name) },
					Change:  func(t *testing.T) { b.patchScaledObject(t, namespace, d.Name, `{"spec": {"minReplicaCount": 7}}`) },
					State:   func(t *testing.T) string { return b.scaledSpec(t, namespace, d.Name, "minReplicaCount") },
				}
			},
			Missing: engine.Task{Target: target("StatefulSet", namespace, "nobody"), Params: json.RawMessage(`{"step": 1}`)},
		}
	}))
}

// scaleRaisesAutoscaler follows one through: the autoscaler heeds the minimum, the
// outcome says so, and the old one comes back.
func scaleRaisesAutoscaler(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	s := kubernetes.NewScale(b.clusters(t, scaler))
	d := b.deployment(t, namespace, 2, nil)
	at := target("Deployment", namespace, d.Name)
	b.autoscale(t, namespace, d.Name, "by-load", 5)
	run := task("up", at, `{"factor": 2, "max": 30}`)
	p := must(s.Plan(t.Context(), run))(t)
	if p.Target != at || len(p.Changes) != 1 || p.Changes[0] != (engine.Change{Field: "HorizontalPodAutoscaler by-load: spec.minReplicas", From: "1", To: "4"}) ||
		!strings.Contains(p.Summary, "HorizontalPodAutoscaler "+namespace+"/by-load") || p.Health == nil || p.Health.Disrupts != 0 {
		t.Errorf("%+v, %+v", p, p.Health)
	}
	p, done := executed(t, s, run)
	if n := b.replicas(t, namespace, d.Name); n != 4 || !strings.Contains(done.Summary, d.Name+" has 4") {
		t.Errorf("%d replicas when it returned; %s", n, done.Summary)
	}
	// From 4 to 8, but the autoscaler has a maximum, and then is at it.
	up := applied(t, s, task("up-again", at, `{"factor": 2, "max": 30}`))
	if up.Changes[0].To != "5" {
		t.Errorf("%+v", up)
	}
	_, err := s.Plan(t.Context(), task("too-far", at, `{"factor": 2, "max": 30}`))
	wantTerminal(t, err, "already at max", "by-load", "raise its maximum")
	_, err = s.Plan(t.Context(), task("too-many", at, `{"replicas": 9}`))
	wantTerminal(t, err, "keeps at most 5", "raise its maximum")
	_, err = s.Plan(t.Context(), task("none", at, `{"replicas": 0, "allowDown": true}`))
	wantTerminal(t, err, "kubernetes.scale-to-zero")

	// Lower, and as it was before all.
	down := must(s.Plan(t.Context(), task("down", at, `{"step": -2, "allowDown": true}`)))(t)
	if down.Changes[0].From != "5" || down.Changes[0].To != "3" || !strings.HasPrefix(down.Summary, "lower") {
		t.Errorf("%+v", down)
	}
	if same := must(s.Plan(t.Context(), task("same", at, `{"replicas": 5}`)))(t); !same.Noop {
		t.Errorf("%+v", same)
	}
	if err := s.Undo(t.Context(), undoOf(task("up", at, ""), p), done); remediators.ClassOf(err) != engine.ClassPlanChanged {
		t.Errorf("undoes what is no longer as it was left: %v", err)
	}
	again := undoOf(task("up-again", at, ""), up)
	if err := s.Undo(t.Context(), again, *again.Outcome); err != nil {
		t.Fatal(err)
	}
	if got := b.least(t, namespace, "by-load"); got != "at least 4" {
		t.Error(got)
	}
}

// scaleRaisesKeda does the same where KEDA's own autoscaler is between.
func scaleRaisesKeda(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	b.keda(t, namespace)
	s := kubernetes.NewScale(b.clusters(t, scaler))
	d := b.deployment(t, namespace, 2, nil)
	at := target("Deployment", namespace, d.Name)
	b.scaledObject(t, namespace, d.Name, `"maxReplicaCount": 6`)
	run := task("up", at, `{"factor": 2, "max": 30}`)
	p := must(s.Plan(t.Context(), run))(t)
	if want := (engine.Change{Field: "ScaledObject " + d.Name + ": spec.minReplicaCount", From: "", To: "4"}); p.Changes[0] != want {
		t.Errorf("%+v", p)
	}
	p, done := executed(t, s, run)
	if n := b.replicas(t, namespace, d.Name); n != 4 {
		t.Errorf("%d replicas when it returned; %s", n, done.Summary)
	}
	if got := must(s.Observe(t.Context(), run, p))(t); got != engine.Applied {
		t.Error(got)
	}
	if err := s.Undo(t.Context(), undoOf(run, p), done); err != nil {
		t.Fatal(err)
	}
	if got := b.scaledSpec(t, namespace, d.Name, "minReplicaCount"); got != "none" {
		t.Errorf("a minimum of %s is left where none was", got)
	}
	b.patchScaledObject(t, namespace, d.Name, `{"metadata": {"annotations": {"autoscaling.keda.sh/paused": "true"}}}`)
	_, err := s.Plan(t.Context(), task("paused", at, `{"step": 1}`))
	wantTerminal(t, err, "paused", `autoscaling.keda.sh/paused: "true"`)
	b.patchScaledObject(t, namespace, d.Name, `{"metadata": {"annotations": {"autoscaling.keda.sh/paused": "false", "autoscaling.keda.sh/paused-replicas": "2"}}}`)
	_, err = s.Plan(t.Context(), task("paused", at, `{"step": 1}`))
	wantTerminal(t, err, `autoscaling.keda.sh/paused-replicas: "2"`)
	b.patchScaledObject(t, namespace, d.Name, `{"metadata": {"annotations": {"autoscaling.keda.sh/paused-replicas": null}}}`)
	must(b.Client().AutoscalingV2().HorizontalPodAutoscalers(namespace).Create(t.Context(), horizontal(d.Name, "by-hand", 1, 5), metav1.CreateOptions{}))(t)
	_, err = s.Plan(t.Context(), task("two", at, `{"step": 1}`))
	wantTerminal(t, err, "ScaledObject "+d.Name+" and HorizontalPodAutoscaler by-hand")
}

// scaleDoesNotWaitForEver: an autoscaler that does not heed is told, and no failure.
func scaleDoesNotWaitForEver(t *testing.T, b *bed) {
	namespace := b.Namespace(t) // without anybody who plays KEDA
	s := kubernetes.NewScale(b.clusters(t, scaler))
	d := b.deployment(t, namespace, 2, nil)
	b.scaledObject(t, namespace, d.Name, `"minReplicaCount": 1`)
	run := task("up", target("Deployment", namespace, d.Name), `{"step": 1}`)
	p := must(s.Plan(t.Context(), run))(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	done, err := s.Execute(ctx, run, p)
	if err != nil || ctx.Err() != nil || !strings.Contains(done.Summary, "had 2 so far") {
		t.Errorf("%+v, %v; %v", done, err, ctx.Err())
	}
}

// executed is like applied, and tells the outcome, too.
func executed(t *testing.T, action remediators.Remediator, run engine.Task) (engine.Plan, engine.Outcome) {
	t.Helper()
	for try := 1; ; try++ {
		p := must(action.Plan(t.Context(), run))(t)
		done, err := action.Execute(t.Context(), run, p)
		if err == nil {
			return p, done
		}
		if try == 20 || remediators.ClassOf(err) != engine.ClassPlanChanged {
			t.Fatal(err)
		}
	}
}

func wantTerminal(t *testing.T, err error, says ...string) {
	t.Helper()
	if err == nil || remediators.ClassOf(err) != engine.ClassTerminal {
		t.Errorf("error %v, want a terminal one with %q", err, says)
		return
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("error %v, want one with %q", err, s)
		}
	}
}

// scaledObjects are KEDA's, of a namespace.
func (b *bed) scaledObjects(t *testing.T, namespace string) dynamic.ResourceInterface {
	t.Helper()
	client := must(dynamic.NewForConfig(b.Config()))(t)
	return client.Resource(schema.GroupVersionResource{Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"}).Namespace(namespace)
}

// scaledObject makes one for the Deployment of its name.
func (b *bed) scaledObject(t *testing.T, namespace, name, spec string) {
	t.Helper()
	const text = `{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"namespace": %q, "name": %q},
		"spec": {"scaleTargetRef": {"name": %q}, %s, "triggers": [{"type": "cpu", "metricType": "Utilization", "metadata": {"value": "60"}}]}}`
	if err := b.Apply(t.Context(), fmt.Appendf(nil, text, namespace, name, name, spec)); err != nil {
		t.Fatal(err)
	}
}

func (b *bed) patchScaledObject(t *testing.T, namespace, name, text string) {
	t.Helper()
	must(b.scaledObjects(t, namespace).Patch(t.Context(), name, types.MergePatchType, []byte(text), metav1.PatchOptions{}))(t)
}

func (b *bed) scaledSpec(t *testing.T, namespace, name, field string) string {
	t.Helper()
	now := must(b.scaledObjects(t, namespace).Get(t.Context(), name, metav1.GetOptions{}))(t)
	n, there, _ := unstructured.NestedInt64(now.Object, "spec", field)
	if !there {
		return "none"
	}
	return strconv.FormatInt(n, 10)
}

// keda plays KEDA's operator in a namespace until the test ends: it has a
// HorizontalPodAutoscaler for each ScaledObject, and scales to what an annotation says
// instead. Its triggers are always active.
func (b *bed) keda(t *testing.T, namespace string) {
	t.Helper()
	objects := b.scaledObjects(t, namespace)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			list, err := objects.List(ctx, metav1.ListOptions{})
			if err == nil {
				for i := range list.Items {
					b.reconcile(ctx, namespace, &list.Items[i])
				}
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	t.Cleanup(func() { stop(); <-ended })
}

// reconcile may fail; the next look mends that.
func (b *bed) reconcile(ctx context.Context, namespace string, o *unstructured.Unstructured) {
	name := "keda-hpa-" + o.GetName()
	autoscalers, deployments := b.Client().AutoscalingV2().HorizontalPodAutoscalers(namespace), b.Client().AppsV1().Deployments(namespace)
	d, err := deployments.Get(ctx, o.GetName(), metav1.GetOptions{})
	if err != nil {
		return
	}
	if paused, ok := o.GetAnnotations()["autoscaling.keda.sh/paused-replicas"]; ok {
		_ = autoscalers.Delete(ctx, name, metav1.DeleteOptions{})
		b.kedaScales(ctx, d, paused)
		return
	}
	least, _, _ := unstructured.NestedInt64(o.Object, "spec", "minReplicaCount")
	most, ok, _ := unstructured.NestedInt64(o.Object, "spec", "maxReplicaCount")
	if !ok {
		most = 100
	}
	made := horizontal(o.GetName(), name, int32(max(least, 1)), int32(most))
	made.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(o, schema.GroupVersionKind{Group: "keda.sh", Version: "v1alpha1", Kind: "ScaledObject"})}
	if has, err := autoscalers.Get(ctx, name, metav1.GetOptions{}); err != nil {
		_, _ = autoscalers.Create(ctx, made, metav1.CreateOptions{})
	} else if *has.Spec.MinReplicas != *made.Spec.MinReplicas {
		_, _ = autoscalers.Patch(ctx, name, types.MergePatchType, fmt.Appendf(nil, `{"spec": {"minReplicas": %d}}`, *made.Spec.MinReplicas), metav1.PatchOptions{})
	}
	if *d.Spec.Replicas == 0 {
		b.kedaScales(ctx, d, strconv.FormatInt(max(least, 1), 10))
	}
}

func (b *bed) kedaScales(ctx context.Context, d *appsv1.Deployment, to string) {
	if strconv.Itoa(int(*d.Spec.Replicas)) != to {
		_, _ = b.Client().AppsV1().Deployments(d.Namespace).Patch(ctx, d.Name, types.MergePatchType, []byte(`{"spec": {"replicas": `+to+`}}`), metav1.PatchOptions{})
	}
}
