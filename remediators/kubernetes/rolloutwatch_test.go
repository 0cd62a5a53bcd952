package kubernetes_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators/kubernetes"
)

// watching is a running watch and what it has told.
type watching struct {
	stop func()

	mu     sync.Mutex
	states []kubernetes.RolloutState
	syncs  []kubernetes.SyncState
}

// watch runs one until the test ends or it is stopped.
func watch(t *testing.T, client *kubernetes.Client, o kubernetes.WatchOptions) *watching {
	t.Helper()
	w := &watching{}
	o.OnSync = func(s kubernetes.SyncState) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.syncs = append(w.syncs, s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- client.WatchRollouts(ctx, o, func(s kubernetes.RolloutState) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.states = append(w.states, s)
			return nil
		})
	}()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the watch ended with %v", err)
		}
		forwardOnly(t, w.all())
	})
	t.Cleanup(w.stop)
	return w
}

func (w *watching) all() []kubernetes.RolloutState {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.states)
}

func (w *watching) last(name string) kubernetes.RolloutState {
	of := w.of(name)
	if len(of) == 0 {
		return kubernetes.RolloutState{}
	}
	return of[len(of)-1]
}

func (w *watching) of(name string) []kubernetes.RolloutState {
	return slices.DeleteFunc(w.all(), func(s kubernetes.RolloutState) bool { return s.Name != name })
}

func (w *watching) synced() []kubernetes.SyncState {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.syncs)
}

func (w *watching) current(t *testing.T) {
	t.Helper()
	eventually(t, "the watch to be current", func() bool {
		s := w.synced()
		return len(s) > 0 && s[len(s)-1].Current
	})
}

// reaches waits for a rollout that is none of those before to come to a phase.
func (w *watching) reaches(t *testing.T, name string, phase kubernetes.RolloutPhase, before ...kubernetes.RolloutState) kubernetes.RolloutState {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("told of %s: %+v", name, w.of(name))
		}
	}()
	var last kubernetes.RolloutState
	eventually(t, fmt.Sprintf("a rollout of %s to be %s", name, phase), func() bool {
		last = w.last(name)
		return last.Phase == phase && !slices.ContainsFunc(before, func(s kubernetes.RolloutState) bool { return s.Rollout == last.Rollout })
	})
	return last
}

// forwardOnly is what holds of every watch.
func forwardOnly(t *testing.T, states []kubernetes.RolloutState) {
	t.Helper()
	order := []kubernetes.RolloutPhase{kubernetes.RolloutStarted, kubernetes.RolloutStuck, kubernetes.RolloutComplete}
	at, latest := map[string]kubernetes.RolloutState{}, map[string]string{}
	for _, s := range states {
		if s.Rollout == "" || s.Revision == "" || s.UID == "" || len(s.Images) == 0 || !slices.Contains(order, s.Phase) {
			t.Errorf("state lacks something: %+v", s)
		}
		was, known := at[s.Rollout]
		if known && (was.Gone || slices.Index(order, s.Phase) < slices.Index(order, was.Phase)) {
			t.Errorf("%+v comes after %+v", s, was)
		}
		if known && latest[s.UID] != s.Rollout {
			t.Errorf("told again of an earlier rollout: %+v", s)
		}
		at[s.Rollout], latest[s.UID] = s, s.Rollout
	}
}

const (
	newImage = `{"spec": {"template": {"metadata": {"labels": {"lab.paramedic.dev/behaviour": null}}, "spec": {"containers": [{"name": "main", "image": "registry.invalid/new:2"}]}}}}`
	oldImage = `{"spec": {"template": {"metadata": {"labels": {"lab.paramedic.dev/behaviour": null}}, "spec": {"containers": [{"name": "main", "image": "registry.invalid/old:1"}]}}}}`
	// oldImageOnly takes the marks of a restart away, too.
	oldImageOnly = `{"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": null, "paramedic.dev/task": null}}, "spec": {"containers": [{"name": "main", "image": "registry.invalid/old:1"}]}}}}`
	badImage     = `{"spec": {"template": {"metadata": {"labels": {"lab.paramedic.dev/behaviour": "never-ready"}}}}}`
)

// workloads makes one of each kind, with the old image.
func (b *bed) workloads(t *testing.T, namespace string) []engine.Target {
	t.Helper()
	apps := b.Client().AppsV1()
	image := func(p *corev1.PodTemplateSpec) { p.Spec.Containers[0].Image = "registry.invalid/old:1" }
	d := lab.Deployment(namespace, b.name("service"), 2)
	s := lab.StatefulSet(namespace, b.name("store"), 2)
	s.Spec.PodManagementPolicy = appsv1.ParallelPodManagement
	set := lab.DaemonSet(namespace, b.name("agent"))
	image(&d.Spec.Template)
	image(&s.Spec.Template)
	image(&set.Spec.Template)
	d.Spec.Template.Spec.InitContainers = []corev1.Container{{Name: "init", Image: "registry.invalid/init:1"}}
	must(apps.Deployments(namespace).Create(t.Context(), d, metav1.CreateOptions{}))(t)
	must(apps.StatefulSets(namespace).Create(t.Context(), s, metav1.CreateOptions{}))(t)
	must(apps.DaemonSets(namespace).Create(t.Context(), set, metav1.CreateOptions{}))(t)
	return []engine.Target{
		target("Deployment", namespace, d.Name), target("StatefulSet", namespace, s.Name), target("DaemonSet", namespace, set.Name),
	}
}

func watchTellsRollouts(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	client := b.clusters(t, watcher)[korea]
	first := watch(t, client, kubernetes.WatchOptions{Namespace: namespace})
	first.current(t)
	for _, at := range b.workloads(t, namespace) {
		t.Run(at.Kind, func(t *testing.T) { watchTellsOneKind(t, b, client, first, at) })
	}
	first.stop()
	for _, s := range first.all() {
		if s.Namespace != namespace {
			t.Errorf("told of %+v, which is elsewhere", s)
		}
	}
}

func watchTellsOneKind(t *testing.T, b *bed, client *kubernetes.Client, first *watching, at engine.Target) {
	one := first.reaches(t, at.Name, kubernetes.RolloutComplete)
	if one.Revision != "1" || one.Kind != at.Kind || one.Namespace != at.Namespace {
		t.Errorf("the first rollout: %+v", one)
	}
	images := map[string][]string{"Deployment": {"registry.invalid/init:1", "registry.invalid/old:1"}}[at.Kind]
	if images == nil {
		images = []string{"registry.invalid/old:1"}
	}
	if !slices.Equal(one.Images, images) {
		t.Errorf("images %q, want %q", one.Images, images)
	}

	// Neither more pods nor an annotation is a rollout. Where there would be one, it
	// would come before the next.
	before := len(first.of(at.Name))
	b.grow(t, at)
	b.patch(t, at, `{"metadata": {"annotations": {"somebody": "was here"}}}`)
	b.patchPods(t, at, newImage)
	two := first.reaches(t, at.Name, kubernetes.RolloutComplete, one)
	for _, s := range first.of(at.Name)[before:] {
		if s.Rollout != two.Rollout {
			t.Errorf("told in between: %+v", s)
		}
	}
	if first.of(at.Name)[before].Phase != kubernetes.RolloutStarted {
		t.Errorf("a rollout began as %+v", first.of(at.Name)[before])
	}
	if two.Revision != "2" || !slices.Contains(two.Images, "registry.invalid/new:2") || two.Generation <= one.Generation {
		t.Errorf("the second rollout: %+v", two)
	}

	// A restart is told from it.
	restarted(t, kubernetes.NewRestart(b.clusters(t, restarter), time.Now), "restart-"+at.Name, at)
	again := first.reaches(t, at.Name, kubernetes.RolloutComplete, one, two)
	if one.Restart || two.Restart || !again.Restart || !slices.Equal(again.Images, two.Images) {
		t.Errorf("a restart: %+v", again)
	}

	// Back to the first template is another rollout than the first.
	b.patchPods(t, at, oldImageOnly)
	three := first.reaches(t, at.Name, kubernetes.RolloutComplete, one, two, again)
	if three.Revision != "4" || three.Restart || !slices.Equal(three.Images, images) {
		t.Errorf("the rollout back: %+v", three)
	}

	// Another watch sees the same, and a deadline of its own.
	second := watch(t, client, kubernetes.WatchOptions{Namespace: at.Namespace, Name: at.Name, Kind: at.Kind, Deadline: 5 * time.Second})
	second.current(t)
	if got := second.all(); len(got) != 1 || got[0].Rollout != three.Rollout || got[0].Phase != kubernetes.RolloutComplete || !slices.Equal(got[0].Images, three.Images) {
		t.Errorf("after a restart: %+v, want %+v", got, three)
	}
	if at.Kind == "Deployment" {
		b.patch(t, at, `{"spec": {"progressDeadlineSeconds": 5}}`)
	}
	b.patchPods(t, at, badImage)
	four := second.reaches(t, at.Name, kubernetes.RolloutStuck, three)
	if want := map[string]string{"Deployment": "ProgressDeadlineExceeded"}[at.Kind]; !strings.Contains(four.Reason, want) || four.Reason == "" {
		t.Errorf("the stuck rollout: %+v", four)
	}
	if s := first.last(at.Name); at.Kind != "Deployment" && s.Phase != kubernetes.RolloutStarted {
		t.Errorf("with a longer deadline: %+v", s)
	}
	third := watch(t, client, kubernetes.WatchOptions{Namespace: at.Namespace, Name: at.Name, Deadline: 5 * time.Second})
	third.current(t)
	if got := third.all(); len(got) != 1 || got[0].Rollout != four.Rollout || got[0].Phase != kubernetes.RolloutStuck {
		t.Errorf("after a restart: %+v, want %+v", got, four)
	}

	// Stuck is not the end.
	b.patchPods(t, at, newImage)
	b.deleteBroken(t, at.Namespace)
	five := second.reaches(t, at.Name, kubernetes.RolloutComplete, one, two, again, three, four)
	if five.Revision != "6" {
		t.Errorf("the fifth rollout: %+v", five)
	}
	b.remove(t, at)
	eventually(t, "it to be gone", func() bool { return second.last(at.Name).Gone && third.last(at.Name).Gone && first.last(at.Name).Gone })
	if s := first.last(at.Name); s.Rollout != five.Rollout {
		t.Errorf("gone: %+v", s)
	}
	second.stop()
	third.stop()
}

// grow makes more pods of a workload and waits until they are there.
func (b *bed) grow(t *testing.T, at engine.Target) {
	t.Helper()
	if at.Kind == "DaemonSet" {
		return // it has as many as there are nodes, which other tests count
	}
	b.patch(t, at, `{"spec": {"replicas": 4}}`)
	object := metav1.Object(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: at.Namespace, Name: at.Name}})
	if at.Kind == "StatefulSet" {
		object = &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: at.Namespace, Name: at.Name}}
	}
	if err := b.WaitAvailable(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// patchPods changes the pod template; lists of containers are merged by name.
func (b *bed) patchPods(t *testing.T, at engine.Target, text string) {
	t.Helper()
	apps := b.Client().AppsV1()
	body, kind, options := []byte(text), types.StrategicMergePatchType, metav1.PatchOptions{}
	var err error
	switch at.Kind {
	case "Deployment":
		_, err = apps.Deployments(at.Namespace).Patch(t.Context(), at.Name, kind, body, options)
	case "StatefulSet":
		_, err = apps.StatefulSets(at.Namespace).Patch(t.Context(), at.Name, kind, body, options)
	default:
		_, err = apps.DaemonSets(at.Namespace).Patch(t.Context(), at.Name, kind, body, options)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// deleteBroken does what a person must for a StatefulSet, whose controller waits
// for a pod to get ready before it replaces it (kubernetes/kubernetes#67250).
func (b *bed) deleteBroken(t *testing.T, namespace string) {
	t.Helper()
	err := b.Client().CoreV1().Pods(namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{},
		metav1.ListOptions{LabelSelector: lab.BehaviourLabel + "=" + string(lab.NeverReady)})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bed) remove(t *testing.T, at engine.Target) {
	t.Helper()
	apps := b.Client().AppsV1()
	var err error
	switch at.Kind {
	case "Deployment":
		err = apps.Deployments(at.Namespace).Delete(t.Context(), at.Name, metav1.DeleteOptions{})
	case "StatefulSet":
		err = apps.StatefulSets(at.Namespace).Delete(t.Context(), at.Name, metav1.DeleteOptions{})
	default:
		err = apps.DaemonSets(at.Namespace).Delete(t.Context(), at.Name, metav1.DeleteOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}
