package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

const cleaner = "cleaner"

// nextMonth is when everything of today is old.
func nextMonth() time.Time { return time.Now().Add(30 * 24 * time.Hour) }

func namespaceTarget(name string) engine.Target {
	return engine.Target{System: engine.SystemKubernetes, Cluster: korea, Kind: "Namespace", Name: name}
}

// volume makes one whose claim in the namespace is gone, and waits until its controller
// has seen that.
func (b *bed) volume(t *testing.T, namespace string, change func(*corev1.PersistentVolume)) string {
	t.Helper()
	v := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: b.name("volume")},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
			PersistentVolumeSource:        corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/nowhere"}},
			ClaimRef:                      &corev1.ObjectReference{Namespace: namespace, Name: "data", UID: "gone"},
		},
	}
	if change != nil {
		change(v)
	}
	volumes := b.Client().CoreV1().PersistentVolumes()
	must(volumes.Create(t.Context(), v, metav1.CreateOptions{}))(t)
	want := corev1.VolumeReleased
	if v.Spec.ClaimRef == nil || v.Spec.ClaimRef.UID == "" {
		want = corev1.VolumeAvailable
	}
	eventually(t, "the volume to be "+string(want), func() bool {
		return must(volumes.Get(t.Context(), v.Name, metav1.GetOptions{}))(t).Status.Phase == want
	})
	return v.Name
}

func (b *bed) volumes(t *testing.T, namespace string) []string {
	t.Helper()
	var names []string
	list := must(b.Client().CoreV1().PersistentVolumes().List(t.Context(), metav1.ListOptions{}))(t)
	for i := range list.Items {
		if v := &list.Items[i]; v.Spec.ClaimRef != nil && v.Spec.ClaimRef.Namespace == namespace && v.DeletionTimestamp == nil {
			names = append(names, v.Name)
		}
	}
	return names
}

// balancer makes a Service for an app that may have no pods, and waits for its
// EndpointSlice.
func (b *bed) balancer(t *testing.T, namespace, app string, change func(*corev1.Service)) string {
	t.Helper()
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: b.name("front")},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Selector: map[string]string{"app": app}, Ports: []corev1.ServicePort{{Port: 80}}},
	}
	if change != nil {
		change(s)
	}
	must(b.Client().CoreV1().Services(namespace).Create(t.Context(), s, metav1.CreateOptions{}))(t)
	eventually(t, "the EndpointSlice of "+s.Name, func() bool {
		return s.Spec.Selector == nil || len(b.slices(t, namespace, s.Name)) > 0
	})
	return s.Name
}

// slices tells how many endpoints each of a Service's EndpointSlices has.
func (b *bed) slices(t *testing.T, namespace, service string) []int {
	t.Helper()
	list := must(b.Client().DiscoveryV1().EndpointSlices(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + service}))(t)
	var n []int
	for i := range list.Items {
		n = append(n, len(list.Items[i].Endpoints))
	}
	return n
}

func (b *bed) services(t *testing.T, namespace string) []string {
	t.Helper()
	var names []string
	list := must(b.Client().CoreV1().Services(namespace).List(t.Context(), metav1.ListOptions{}))(t)
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names
}

func cleanupConforms(t *testing.T, b *bed) {
	for what, kind := range map[string]struct {
		add  func(*testing.T, string)
		list func(*testing.T, string) []string
	}{
		"volumes":        {func(t *testing.T, namespace string) { b.volume(t, namespace, nil) }, b.volumes},
		"load-balancers": {func(t *testing.T, namespace string) { b.balancer(t, namespace, "nobody", nil) }, b.services},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			params := json.RawMessage(`{"what": "` + what + `", "max": 3}`)
			remediatortest.Run(t, b.subject(t, cleaner, remediatortest.HTTP2, func(clusters kubernetes.Clusters) remediatortest.Bench {
				return remediatortest.Bench{
					Remediator: kubernetes.NewCleanup(clusters, nextMonth),
					Fresh: func(t *testing.T) remediatortest.Scene {
						namespace, made := b.Namespace(t), 0
						add := func(t *testing.T) {
							kind.add(t, namespace)
							made++
						}
						add(t)
						return remediatortest.Scene{
							Task: engine.Task{Target: namespaceTarget(namespace), Params: params}, Change: add,
							Effects: func(t *testing.T) int { return made - len(kind.list(t, namespace)) },
						}
					},
					Missing: engine.Task{Target: namespaceTarget("nobody"), Params: params},
				}
			}))
		})
	}
}

func cleanup(t *testing.T, c *kubernetes.Cleanup, namespace, params string, between func(engine.Plan)) (engine.Plan, engine.Outcome, error) {
	t.Helper()
	run := task("t", namespaceTarget(namespace), params)
	p, err := c.Plan(t.Context(), run)
	if err != nil || p.Noop {
		return p, engine.Outcome{}, err
	}
	if between != nil {
		between(p)
	}
	o, err := c.Execute(t.Context(), run, p)
	return p, o, err
}

func cleanupOfVolumes(t *testing.T, b *bed) {
	namespace, elsewhere := b.Namespace(t), b.Namespace(t)
	clusters := b.clusters(t, cleaner)
	c := kubernetes.NewCleanup(clusters, nextMonth)
	left := b.volume(t, namespace, nil)
	stays := []string{
		b.volume(t, namespace, func(v *corev1.PersistentVolume) { v.Annotations = map[string]string{kubernetes.KeepAnnotation: "true"} }),
		b.volume(t, namespace, func(v *corev1.PersistentVolume) { v.Spec.ClaimRef.UID = "" }), // reserved for a claim to come
	}
	b.volume(t, elsewhere, nil)
	if p, _, err := cleanup(t, kubernetes.NewCleanup(clusters, time.Now), namespace, `{"what": "volumes", "max": 9}`, nil); err != nil || !p.Noop || !strings.Contains(p.Summary, "unused for 168h") {
		t.Errorf("young: %+v, %v", p, err)
	}
	p, o, err := cleanup(t, c, namespace, `{"what": "volumes", "max": 1}`, nil)
	if err != nil || len(p.Changes) != 1 || p.Changes[0].Field != "PersistentVolume "+left || !strings.Contains(p.Changes[0].From, "was of claim data, unused since 20") || !strings.HasSuffix(o.Summary, ": "+left) {
		t.Errorf("%+v, %+v, %v", p, o, err)
	}
	got := b.volumes(t, namespace)
	slices.Sort(stays)
	if slices.Sort(got); !slices.Equal(got, stays) || len(b.volumes(t, elsewhere)) != 1 {
		t.Errorf("%v stay, want %v", got, stays)
	}
	if p, _, err := cleanup(t, c, namespace, `{"what": "volumes", "max": 1}`, nil); err != nil || !p.Noop {
		t.Errorf("again: %+v, %v", p, err)
	}
	b.volume(t, namespace, nil)
	b.volume(t, namespace, nil)
	if _, _, err := cleanup(t, c, namespace, `{"what": "volumes", "max": 1}`, nil); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "2 of the volumes") {
		t.Errorf("more than max: %v", err)
	}
	// Their namespace is often gone with the claims.
	b.volume(t, "gone-"+namespace, nil)
	if _, o, err := cleanup(t, c, "gone-"+namespace, `{"what": "volumes", "max": 1}`, nil); err != nil || !strings.Contains(o.Summary, "deleted 1") {
		t.Errorf("of a namespace that is gone: %+v, %v", o, err)
	}
}

// cleanupSpares what is not as it was planned any more.
func cleanupSpares(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	c := kubernetes.NewCleanup(b.clusters(t, cleaner), nextMonth)
	volumes := b.Client().CoreV1().PersistentVolumes()
	keep := func(name string) {
		must(volumes.Patch(t.Context(), name, types.MergePatchType, fmt.Appendf(nil, `{"metadata": {"annotations": {%q: "true"}}}`, kubernetes.KeepAnnotation), metav1.PatchOptions{}))(t)
	}
	gone := func(name string) {
		if err := volumes.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the volume to go", func() bool {
			_, err := volumes.Get(t.Context(), name, metav1.GetOptions{})
			return err != nil
		})
	}
	all := []string{b.volume(t, namespace, nil), b.volume(t, namespace, nil), b.volume(t, namespace, nil), b.volume(t, namespace, nil)}
	slices.Sort(all) // as a plan does
	const params = `{"what": "volumes", "olderThan": "1d", "max": 9}`
	_, o, err := cleanup(t, c, namespace, params, func(engine.Plan) {
		keep(all[1])
		gone(all[2])
		gone(all[3])
		b.volume(t, namespace, func(v *corev1.PersistentVolume) { v.Name = all[3] })
	})
	if err != nil || !strings.Contains(o.Summary, "deleted 1 of the volumes") || !strings.HasSuffix(o.Summary, ": "+all[0]+"; gone already: "+all[2]+", "+all[3]+"; spared, since they are not as they were: "+all[1]) {
		t.Errorf("%+v, %v", o, err)
	}
	got := b.volumes(t, namespace)
	if slices.Sort(got); !slices.Equal(got, []string{all[1], all[3]}) {
		t.Errorf("left are %v", got)
	}
	_, _, err = cleanup(t, c, namespace, params, func(engine.Plan) { keep(all[3]) })
	if remediators.ClassOf(err) != engine.ClassPlanChanged || len(b.volumes(t, namespace)) != 2 {
		t.Errorf("all are kept: %v", err)
	}
}

func cleanupOfBalancers(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	clusters := b.clusters(t, cleaner)
	c := kubernetes.NewCleanup(clusters, nextMonth)
	d := b.deployment(t, namespace, 1, nil)
	used := b.balancer(t, namespace, d.Name, nil)
	eventually(t, "an endpoint", func() bool { return slices.Equal(b.slices(t, namespace, used), []int{1}) })
	left := b.balancer(t, namespace, "nobody", nil)
	stays := []string{
		used,
		b.balancer(t, namespace, "nobody", func(s *corev1.Service) { s.Annotations = map[string]string{kubernetes.KeepAnnotation: "true"} }),
		b.balancer(t, namespace, "nobody", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP }),
		b.balancer(t, namespace, "", func(s *corev1.Service) { s.Spec.Selector = nil }), // whose endpoints are for somebody else to write
	}
	if p, _, err := cleanup(t, kubernetes.NewCleanup(clusters, time.Now), namespace, `{"what": "load-balancers", "max": 9}`, nil); err != nil || !p.Noop {
		t.Errorf("young: %+v, %v", p, err)
	}
	p, o, err := cleanup(t, c, namespace, `{"what": "load-balancers", "max": 9}`, nil)
	if err != nil || len(p.Changes) != 1 || p.Changes[0].Field != "Service "+left || !strings.HasSuffix(o.Summary, ": "+left) {
		t.Errorf("%+v, %+v, %v", p, o, err)
	}
	got := b.services(t, namespace)
	slices.Sort(stays)
	if slices.Sort(got); !slices.Equal(got, stays) {
		t.Errorf("%v stay, want %v", got, stays)
	}

	// Taking the last endpoint away begins its time anew, and a pod that comes ends it.
	before := time.Now().Truncate(time.Second)
	b.setReplicas(t, namespace, d.Name, 0)
	eventually(t, "no endpoint", func() bool { return slices.Equal(b.slices(t, namespace, used), []int{0}) })
	p, _, err = cleanup(t, c, namespace, `{"what": "load-balancers", "max": 9}`, func(p engine.Plan) {
		_, since, _ := strings.Cut(p.Changes[0].From, "unused since ")
		since, _, _ = strings.Cut(since, " ")
		if at, err := time.Parse(time.RFC3339, since); err != nil || at.Before(before) {
			t.Errorf("unused since %s, %v; want %s or later", since, err, before)
		}
		b.setReplicas(t, namespace, d.Name, 1)
		eventually(t, "an endpoint", func() bool { return slices.Equal(b.slices(t, namespace, used), []int{1}) })
	})
	if remediators.ClassOf(err) != engine.ClassPlanChanged || len(p.Changes) != 1 || !slices.Contains(b.services(t, namespace), used) {
		t.Errorf("used again: %+v, %v", p, err)
	}
}

func cleanupRefuses(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	c := kubernetes.NewCleanup(b.clusters(t, cleaner), nextMonth)
	for params, why := range map[string]string{
		`{"max": 1}`:                                                `what is ""`,
		`{"what": "pods", "max": 1}`:                                `what is "pods"`,
		`{"what": "volumes"}`:                                       "max is 0",
		`{"what": "volumes", "max": 51}`:                            "max is 51",
		`{"what": "volumes", "max": 1, "olderThan": "59m"}`:         "at least 1h0m0s",
		`{"what": "volumes", "max": 1, "olderThan": "-3d"}`:         "olderThan is",
		`{"what": "volumes", "max": 1, "olderThan": "999999999d"}`:  "olderThan is",
		`{"what": "volumes", "max": 1, "olderThan": "40000d"}`:      "olderThan is",
		`{"what": "volumes", "max": 1, "olderThan": null}`:          "null",
		`{"what": "volumes", "max": 1, "olderThan": "a long time"}`: "olderThan is",
	} {
		if _, _, err := cleanup(t, c, namespace, params, nil); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %s", params, err, why)
		}
	}
	if _, err := c.Plan(t.Context(), task("x", nodeTarget("node-1"), `{"what": "volumes", "max": 1}`)); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "want Namespace") {
		t.Errorf("a node: %v", err)
	}
}
