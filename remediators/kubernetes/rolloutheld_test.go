package kubernetes_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators/kubernetes"
)

func watchTellsHeldUp(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	client := b.clusters(t, watcher)[korea]
	w := watch(t, client, kubernetes.WatchOptions{Namespace: namespace, Deadline: time.Millisecond})
	w.current(t)

	// A paused Deployment takes no template up.
	paused := target("Deployment", namespace, b.deployment(t, namespace, 2, nil).Name)
	one := w.reaches(t, paused.Name, kubernetes.RolloutComplete)
	b.patch(t, paused, `{"spec": {"paused": true}}`)
	b.patchPods(t, paused, newImage)
	eventually(t, "the controller to see it", func() bool {
		d := must(b.Client().AppsV1().Deployments(namespace).Get(t.Context(), paused.Name, metav1.GetOptions{}))(t)
		return d.Status.ObservedGeneration == d.Generation && d.Status.UpdatedReplicas == 0
	})
	again := watch(t, client, kubernetes.WatchOptions{Namespace: namespace, Name: paused.Name})
	again.current(t)
	if got := again.all(); len(got) != 1 || got[0].Rollout != one.Rollout || !slices.Equal(got[0].Images, one.Images) || !strings.Contains(got[0].Reason, "paused") {
		t.Errorf("a watch that finds it paused: %+v", got)
	}
	if s := w.last(paused.Name); s.Rollout != one.Rollout || s.Phase != kubernetes.RolloutComplete {
		t.Errorf("paused: %+v", s)
	}
	b.patch(t, paused, `{"spec": {"paused": false}}`)
	two := w.reaches(t, paused.Name, kubernetes.RolloutComplete, one)
	if s := again.reaches(t, paused.Name, kubernetes.RolloutComplete, one); s.Rollout != two.Rollout {
		t.Errorf("resumed: %+v and %+v", s, two)
	}

	// Pods that wait for a person are no stuck rollout, however long it takes.
	manual := target("StatefulSet", namespace, b.statefulSet(t, namespace, 2, func(s *appsv1.StatefulSet) {
		s.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType
	}).Name)
	canary := target("StatefulSet", namespace, b.statefulSet(t, namespace, 2, func(s *appsv1.StatefulSet) {
		s.Spec.UpdateStrategy = appsv1.StatefulSetUpdateStrategy{
			Type: appsv1.RollingUpdateStatefulSetStrategyType, RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: new(int32(1))},
		}
	}).Name)
	for name, why := range map[string]string{manual.Name: "OnDelete", canary.Name: "partition is 1"} {
		one := w.reaches(t, name, kubernetes.RolloutComplete)
		b.patchPods(t, target("StatefulSet", namespace, name), newImage)
		if s := w.reaches(t, name, kubernetes.RolloutStarted, one); !strings.Contains(s.Reason, why) {
			t.Errorf("%s: %+v, want reason %q", why, s, why)
		}
	}
	b.patch(t, canary, `{"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}}`)
	w.reaches(t, canary.Name, kubernetes.RolloutComplete)
	if err := b.Client().CoreV1().Pods(namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{},
		metav1.ListOptions{LabelSelector: "app=" + manual.Name}); err != nil {
		t.Fatal(err)
	}
	w.reaches(t, manual.Name, kubernetes.RolloutComplete)

	// Where no pods are wanted there is nothing to wait for.
	zero := target("Deployment", namespace, b.deployment(t, namespace, 0, nil).Name)
	none := w.reaches(t, zero.Name, kubernetes.RolloutComplete)
	b.patchPods(t, zero, newImage)
	s := w.reaches(t, zero.Name, kubernetes.RolloutComplete, none)
	if !strings.Contains(s.Reason, "no replicas are wanted") {
		t.Errorf("scaled to zero: %+v", s)
	}
	w.stop()
	for _, s := range w.all() {
		if s.Phase == kubernetes.RolloutStuck && s.Name != canary.Name && (s.Name != manual.Name || s.Revision != "1") {
			t.Errorf("stuck: %+v", s)
		}
	}
}

// watchTakesNoRolloutForAnother has what the controller writes for a moment about
// two rollouts at once.
func watchTakesNoRolloutForAnother(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	// The API server refuses the pods of the bad template, so that all there ever are
	// belong to the good one, and its numbers are those of a complete rollout.
	strict := []byte(`{"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}`)
	must(b.Client().CoreV1().Namespaces().Patch(t.Context(), namespace, types.MergePatchType, strict, metav1.PatchOptions{}))(t)
	w := watch(t, b.clusters(t, watcher)[korea], kubernetes.WatchOptions{Namespace: namespace, Kind: "Deployment", Deadline: 10 * time.Second})
	w.current(t)
	for range 5 {
		at := target("Deployment", namespace, b.deployment(t, namespace, 2, func(d *appsv1.Deployment) {
			d.Spec.ProgressDeadlineSeconds = new(int32(2))
		}).Name)
		good := w.reaches(t, at.Name, kubernetes.RolloutComplete)
		b.patchPods(t, at, `{"spec": {"template": {"spec": {"hostNetwork": true}}}}`)
		bad := w.reaches(t, at.Name, kubernetes.RolloutStuck, good)
		if !strings.Contains(bad.Reason, "ProgressDeadlineExceeded") || !strings.Contains(bad.Reason, "PodSecurity") {
			t.Errorf("the bad rollout: %+v", bad)
		}
		b.patchPods(t, at, `{"spec": {"template": {"spec": {"hostNetwork": null}}}}`)
		back := w.reaches(t, at.Name, kubernetes.RolloutComplete, good, bad)
		for _, s := range w.of(at.Name) {
			if s.Rollout == bad.Rollout && s.Phase == kubernetes.RolloutComplete || s.Rollout == back.Rollout && s.Phase == kubernetes.RolloutStuck {
				t.Errorf("told of the bad and the good rollout as one: %+v", s)
			}
		}

		// The controller first scales, and then takes the template up.
		b.patchPods(t, at, strings.Replace(newImage, `{"spec": {`, `{"spec": {"replicas": 3, `, 1))
		both := w.reaches(t, at.Name, kubernetes.RolloutComplete, good, bad, back)
		// On a busy machine it may be stuck for a moment, before it is complete.
		s := w.of(at.Name)
		first := s[slices.IndexFunc(s, func(s kubernetes.RolloutState) bool { return s.Rollout == both.Rollout })]
		if first.Phase != kubernetes.RolloutStarted {
			t.Errorf("a rollout that is scaled as well began as %+v", first)
		}
	}

	// The controller's word that a rollout is stuck outlives it where it goes back to
	// a template that has no pods.
	for range 3 {
		at := target("Deployment", namespace, b.deployment(t, namespace, 2, func(d *appsv1.Deployment) {
			d.Spec.ProgressDeadlineSeconds = new(int32(2))
			d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
		}).Name)
		good := w.reaches(t, at.Name, kubernetes.RolloutComplete)
		b.patchPods(t, at, badImage)
		bad := w.reaches(t, at.Name, kubernetes.RolloutStuck, good)
		b.patchPods(t, at, `{"spec": {"template": {"metadata": {"labels": {"lab.paramedic.dev/behaviour": null}}}}}`)
		back := w.reaches(t, at.Name, kubernetes.RolloutComplete, good, bad)
		for _, s := range w.of(at.Name) {
			if s.Rollout == back.Rollout && s.Phase == kubernetes.RolloutStuck || s.Rollout == bad.Rollout && s.Phase == kubernetes.RolloutComplete {
				t.Errorf("told of the bad and the good rollout as one: %+v", s)
			}
		}
	}

	// Whoever deletes the history makes the controller count anew, even to the same
	// number, and all pods are replaced.
	at := target("Deployment", namespace, b.deployment(t, namespace, 1, nil).Name)
	one := w.reaches(t, at.Name, kubernetes.RolloutComplete)
	b.patchPods(t, at, newImage)
	two := w.reaches(t, at.Name, kubernetes.RolloutComplete, one)
	if err := b.Client().AppsV1().ReplicaSets(namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{},
		metav1.ListOptions{LabelSelector: "app=" + at.Name}); err != nil {
		t.Fatal(err)
	}
	again := w.reaches(t, at.Name, kubernetes.RolloutComplete, one, two)
	if other := watch(t, b.clusters(t, watcher)[korea], kubernetes.WatchOptions{Namespace: namespace, Name: at.Name}); other != nil {
		other.current(t)
		if s := other.last(at.Name); s.Rollout != again.Rollout {
			t.Errorf("found %+v, want %+v", s, again)
		}
	}
}

// watchTellsOldFromStuck breaks a pod long after its rollout.
func watchTellsOldFromStuck(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	client := b.clusters(t, watcher)[korea]
	all := b.workloads(t, namespace)
	// So short, on this watch some may be stuck before they are complete.
	w := watch(t, client, kubernetes.WatchOptions{Namespace: namespace, Deadline: time.Millisecond})
	var complete []kubernetes.RolloutState
	for _, at := range all {
		complete = append(complete, w.reaches(t, at.Name, kubernetes.RolloutComplete))
	}
	before := len(w.all())
	for _, at := range all {
		pods := must(b.Client().CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + at.Name}))(t)
		label := []byte(`{"metadata": {"labels": {"` + lab.BehaviourLabel + `": "` + string(lab.NeverReady) + `"}}}`)
		must(b.Client().CoreV1().Pods(namespace).Patch(t.Context(), pods.Items[0].Name, types.MergePatchType, label, metav1.PatchOptions{}))(t)
		r := kubernetes.NewRollout(b.clusters(t, prober))
		eventually(t, at.Name+" to lack a pod", func() bool {
			return !must(r.Probe(t.Context(), at, []byte(`"complete"`)))(t).OK
		})
	}
	// The first list may be of a moment ago, when nothing was missing.
	eventually(t, "a watch to find them so", func() bool {
		again := watch(t, client, kubernetes.WatchOptions{Namespace: namespace, Deadline: time.Millisecond})
		again.current(t)
		again.stop()
		found := 0
		for i, at := range all {
			s := again.of(at.Name)[0]
			if s.Rollout != complete[i].Rollout || s.Phase != kubernetes.RolloutComplete {
				t.Fatalf("found with a pod missing: %+v", s)
			}
			if strings.Contains(s.Reason, "are available") {
				found++
			}
		}
		return found == len(all)
	})
	if now := w.all(); len(now) != before {
		t.Errorf("a broken pod was told as %+v", now[before:])
	}
}
