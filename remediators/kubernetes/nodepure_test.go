package kubernetes

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// TestNodeParams tries random parameters: what the schemas say and what the actions take
// are the same.
func TestNodeParams(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for name, c := range map[string]struct {
		schema json.RawMessage
		values map[string][]string
		takes  func(engine.Task) error
		differ string // what a schema cannot say
	}{
		"evict": {
			(&Evict{}).Spec().Params,
			map[string][]string{"pod": {`"a"`, `""`, "1", "null"}, "daemonSet": {"true", "false", "null", `"true"`}, "force": {"", "", "", "", "true"}},
			func(t engine.Task) error { _, err := evictParamsOf(t); return err }, "",
		},
		"cordon": {
			(&Cordon{}).Spec().Params,
			map[string][]string{"minReadyNodes": {"0", "1", "1000", "1001", "null", "1.5", `"1"`}, "taint": {"", "", "", "", "true"}},
			func(t engine.Task) error { _, err := cordonParamsOf(t); return err }, "",
		},
		"drain": {
			(&Drain{}).Spec().Params,
			map[string][]string{"minReadyNodes": {"0", "1", "1001", "null"}, "maxPods": {"0", "1", "500", "501", "-1", "null", "1.5"}, "deleteEmptyDirData": {"true", "false", "null", "1"}, "force": {"", "", "", "", "true"}},
			func(t engine.Task) error { _, err := drainParamsOf(t); return err }, "",
		},
		"cleanup": {
			(&Cleanup{}).Spec().Params,
			map[string][]string{
				"what": {`"volumes"`, `"load-balancers"`, `"volumes"`, `"pods"`, "null"}, "max": {"1", "50", "51", "0", "null", "3"},
				"olderThan": {`"1h"`, `"14d"`, `"36h30m"`, `"1.5h"`, `"-3d"`, `"d"`, `""`, `"1w"`, "null", "3", `"59m"`, `"99999999d"`}, "kind": {"", "", "", "", "true"},
			},
			func(t engine.Task) error { _, err := cleanupParamsOf(t); return err }, "olderThan is",
		},
	} {
		schema := remediatortest.Schema(t, c.schema)
		took := 0
		for range 3000 {
			var fields []string
			for field, values := range c.values {
				if v := values[random.IntN(len(values))]; v != "" && random.IntN(3) > 0 {
					fields = append(fields, fmt.Sprintf("%q: %s", field, v))
				}
			}
			params := "{" + strings.Join(fields, ", ") + "}"
			err := c.takes(engine.Task{ID: "t", Action: name, Params: json.RawMessage(params)})
			crossed := c.differ != "" && err != nil && strings.Contains(err.Error(), c.differ)
			if ok := remediatortest.Accepts(t, schema, params); ok != (err == nil) && !crossed {
				t.Fatalf("%s: %s: schema says %t, the action %v", name, params, ok, err)
			}
			if err == nil {
				took++
			} else if remediators.ClassOf(err) != engine.ClassTerminal {
				t.Fatalf("%s: %s: class %s", name, params, remediators.ClassOf(err))
			}
		}
		if took < 20 {
			t.Errorf("%s: only %d of the parameters were good ones", name, took)
		}
	}
}

func podOf(name string, change ...func(*corev1.Pod)) corev1.Pod {
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid of " + name), OwnerReferences: []metav1.OwnerReference{
		{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "x", Controller: new(true)},
	}}}
	for _, c := range change {
		c(&pod)
	}
	return pod
}

func daemonic(p *corev1.Pod) { p.OwnerReferences[0].Kind = kindDaemonSet }
func alone(p *corev1.Pod)    { p.OwnerReferences = nil }
func done(p *corev1.Pod)     { p.Status.Phase = corev1.PodSucceeded }
func mirror(p *corev1.Pod)   { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} }
func ending(p *corev1.Pod)   { p.DeletionTimestamp = new(metav1.Now()) }
func scratch(p *corev1.Pod) {
	p.Spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
}

func TestDrainSortsPods(t *testing.T) {
	t.Parallel()
	for want, pods := range map[string][]corev1.Pod{
		"evict":   {podOf("a"), podOf("b", done), podOf("c", alone, done), podOf("d", scratch, done), podOf("e", daemonic, done)},
		"leave":   {podOf("a", mirror), podOf("b", daemonic), podOf("c", daemonic, scratch), podOf("d", daemonic, ending), podOf("e", mirror, alone)},
		"leaving": {podOf("a", ending), podOf("b", alone, ending), podOf("c", scratch, ending)},
		"refused": {podOf("a", alone), podOf("b", scratch), podOf("c", alone, scratch)},
	} {
		for i := range pods {
			d := sortPods(pods[i:i+1], false)
			got := "leave"
			switch {
			case len(d.evict) == 1:
				got = "evict"
			case len(d.leaving) == 1:
				got = "leaving"
			case len(d.refused) == 1:
				got = "refused"
			}
			if got != want || d.gone() != (want == "leave") {
				t.Errorf("%s: %s, want %s", pods[i].Name, got, want)
			}
		}
	}
	if d := sortPods([]corev1.Pod{podOf("b", scratch), podOf("a")}, true); len(d.evict) != 2 || d.evict[0].Name != "a" {
		t.Errorf("%+v", d)
	}
	other := podOf("z")
	other.Namespace = "mail"
	d := sortPods([]corev1.Pod{podOf("b"), other, podOf("a")}, false)
	if got := fmt.Sprint(d.changes()); got != "[{pods in namespace mail 1 on the node evicted} {pods in namespace shop 2 on the node evicted}]" {
		t.Error(got)
	}
	if d.check(engine.Target{Name: "n"}, 3) != nil || d.check(engine.Target{Name: "n"}, 2) == nil {
		t.Error("more than maxPods")
	}
}

func TestTakesPods(t *testing.T) {
	t.Parallel()
	open := func(change func(*corev1.Node)) *corev1.Node {
		n := &corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{
			{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse}, {Type: corev1.NodeReady, Status: corev1.ConditionTrue},
		}}}
		change(n)
		return n
	}
	taint := func(e corev1.TaintEffect) func(*corev1.Node) {
		return func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: "x", Effect: e}} }
	}
	for i, c := range []struct {
		n    *corev1.Node
		want bool
	}{
		{open(func(*corev1.Node) {}), true},
		{open(taint(corev1.TaintEffectPreferNoSchedule)), true},
		{open(taint(corev1.TaintEffectNoSchedule)), false},
		{open(taint(corev1.TaintEffectNoExecute)), false},
		{open(func(n *corev1.Node) { n.Spec.Unschedulable = true }), false},
		{open(func(n *corev1.Node) { n.DeletionTimestamp = new(metav1.Now()) }), false},
		{open(func(n *corev1.Node) { n.Status.Conditions[1].Status = corev1.ConditionUnknown }), false},
		{open(func(n *corev1.Node) { n.Status.Conditions = nil }), false},
	} {
		if got := takesPods(c.n); got != c.want {
			t.Errorf("%d: %t", i, got)
		}
	}
}

func TestLeftovers(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 17, 0, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) *metav1.Time { return new(metav1.NewTime(now.Add(-d))) }
	volume := func(change func(*corev1.PersistentVolume)) leftover {
		v := &corev1.PersistentVolume{
			Spec:   corev1.PersistentVolumeSpec{PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain, ClaimRef: &corev1.ObjectReference{Name: "data"}},
			Status: corev1.PersistentVolumeStatus{Phase: corev1.VolumeReleased, LastPhaseTransitionTime: ago(48 * time.Hour)},
		}
		change(v)
		return ofVolume(v)
	}
	written := func(d time.Duration) []metav1.ManagedFieldsEntry {
		return []metav1.ManagedFieldsEntry{{Time: ago(200 * time.Hour)}, {Time: ago(d)}, {}}
	}
	service := func(change func(*corev1.Service, *discoveryv1.EndpointSlice)) leftover {
		old := metav1.ObjectMeta{Name: "s", CreationTimestamp: *ago(1000 * time.Hour), ManagedFields: written(48 * time.Hour)}
		s, slice := &corev1.Service{ObjectMeta: old, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer}}, &discoveryv1.EndpointSlice{ObjectMeta: old}
		slice.Labels = map[string]string{discoveryv1.LabelServiceName: "s"}
		change(s, slice)
		other := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{discoveryv1.LabelServiceName: "other"}}, Endpoints: []discoveryv1.Endpoint{{}}}
		return ofService(s, []discoveryv1.EndpointSlice{*slice, *other})
	}
	for name, c := range map[string]struct {
		l    leftover
		left bool
	}{
		"volume":        {volume(func(*corev1.PersistentVolume) {}), true},
		"just so old":   {volume(func(v *corev1.PersistentVolume) { v.Status.LastPhaseTransitionTime = ago(24 * time.Hour) }), true},
		"young":         {volume(func(v *corev1.PersistentVolume) { v.Status.LastPhaseTransitionTime = ago(23 * time.Hour) }), false},
		"in the future": {volume(func(v *corev1.PersistentVolume) { v.Status.LastPhaseTransitionTime = ago(-48 * time.Hour) }), false},
		"timeless":      {volume(func(v *corev1.PersistentVolume) { v.Status.LastPhaseTransitionTime = nil }), false},
		"bound":         {volume(func(v *corev1.PersistentVolume) { v.Status.Phase = corev1.VolumeBound }), false},
		"failed":        {volume(func(v *corev1.PersistentVolume) { v.Status.Phase = corev1.VolumeFailed }), false},
		"deleted by itself": {volume(func(v *corev1.PersistentVolume) {
			v.Spec.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimDelete
		}), false},
		"kept":           {volume(func(v *corev1.PersistentVolume) { v.Annotations = map[string]string{KeepAnnotation: "true"} }), false},
		"not kept":       {volume(func(v *corev1.PersistentVolume) { v.Annotations = map[string]string{KeepAnnotation: "false"} }), true},
		"on its way out": {volume(func(v *corev1.PersistentVolume) { v.DeletionTimestamp = ago(0) }), false},

		"service":          {service(func(*corev1.Service, *discoveryv1.EndpointSlice) {}), true},
		"no load balancer": {service(func(s *corev1.Service, _ *discoveryv1.EndpointSlice) { s.Spec.Type = corev1.ServiceTypeNodePort }), false},
		"an endpoint":      {service(func(_ *corev1.Service, e *discoveryv1.EndpointSlice) { e.Endpoints = []discoveryv1.Endpoint{{}} }), false},
		"one that is not well": {service(func(_ *corev1.Service, e *discoveryv1.EndpointSlice) {
			e.Endpoints = []discoveryv1.Endpoint{{Conditions: discoveryv1.EndpointConditions{Ready: new(false)}}}
		}), false},
		"no slice":            {service(func(_ *corev1.Service, e *discoveryv1.EndpointSlice) { e.Labels = nil }), false},
		"just made":           {service(func(s *corev1.Service, _ *discoveryv1.EndpointSlice) { s.CreationTimestamp = *ago(0) }), false},
		"just written":        {service(func(s *corev1.Service, _ *discoveryv1.EndpointSlice) { s.ManagedFields = written(0) }), false},
		"slice just written":  {service(func(_ *corev1.Service, e *discoveryv1.EndpointSlice) { e.ManagedFields = written(time.Hour) }), false},
		"does not tell":       {service(func(s *corev1.Service, _ *discoveryv1.EndpointSlice) { s.ManagedFields = nil }), false},
		"slice does not tell": {service(func(_ *corev1.Service, e *discoveryv1.EndpointSlice) { e.ManagedFields = nil }), false},
	} {
		if got := c.l.isLeft(24*time.Hour, now); got != c.left {
			t.Errorf("%s: %t, %+v", name, got, c.l)
		}
	}
}
