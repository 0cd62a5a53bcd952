package kubernetes

import (
	"encoding/json"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// TestScaleMinimum tries what becomes of an autoscaler's least number, which is raised
// from what there is and lowered from itself.
func TestScaleMinimum(t *testing.T) {
	t.Parallel()
	hpa := func(least, most int32) autoscaler { return autoscaler{kind: kindPodAutoscaler, min: &least, max: most} }
	keda := func(least, idle *int32, annotations map[string]string) autoscaler {
		return autoscaler{kind: kindScaledObject, min: least, max: 10, idle: idle, meta: metav1.ObjectMeta{Annotations: annotations}}
	}
	zero, two, six := int32(0), int32(2), int32(6)
	for _, c := range []struct {
		name     string
		params   string
		replicas int32
		auto     autoscaler
		want     int32
		why      string // of a refusal
	}{
		{"twice what there is", `{"factor": 2, "max": 30}`, 8, hpa(2, 40), 16, ""},
		{"twice what there will be", `{"factor": 2, "max": 30}`, 2, hpa(8, 40), 16, ""},
		{"up to the rule's max", `{"factor": 2, "max": 30}`, 20, hpa(2, 40), 30, ""},
		{"up to the autoscaler's max", `{"factor": 2, "max": 30}`, 8, hpa(2, 10), 10, ""},
		{"at the autoscaler's max", `{"factor": 2, "max": 30}`, 10, hpa(2, 10), 0, "already at max"},
		{"above the autoscaler's max", `{"step": 1}`, 12, hpa(2, 10), 0, "already at max"},
		{"at the rule's max", `{"factor": 2, "max": 8}`, 8, hpa(2, 10), 0, "already at max 8"},
		{"more than the rule's max", `{"factor": 2, "max": 6, "allowDown": true}`, 8, hpa(2, 10), 0, "does not lower"},
		{"a step down", `{"step": -2, "allowDown": true}`, 8, hpa(5, 10), 3, ""},
		{"half", `{"factor": 0.5, "max": 30, "allowDown": true}`, 8, hpa(4, 10), 2, ""},
		{"down from one", `{"step": -1, "allowDown": true}`, 8, hpa(1, 10), 0, "already at min 1"},
		{"so many", `{"replicas": 3}`, 8, hpa(1, 10), 3, ""},
		{"as many", `{"replicas": 3}`, 8, hpa(3, 10), 3, ""},
		{"fewer, unsaid", `{"replicas": 2}`, 8, hpa(3, 10), 0, "allowDown"},
		{"fewer", `{"replicas": 2, "allowDown": true}`, 8, hpa(3, 10), 2, ""},
		{"too many", `{"replicas": 11}`, 8, hpa(3, 10), 0, "at most 10"},
		{"none", `{"replicas": 0, "allowDown": true}`, 8, hpa(3, 10), 0, "kubernetes.scale-to-zero"},
		{"switched off", `{"step": 1}`, 0, hpa(1, 10), 0, "somebody meant"},
		{"none is written", `{"factor": 2, "max": 30}`, 3, keda(nil, nil, nil), 6, ""},
		{"KEDA's own zero", `{"step": 2}`, 0, keda(nil, nil, nil), 2, ""},
		{"KEDA's own zero, exactly", `{"replicas": 2}`, 0, keda(&zero, nil, nil), 2, ""},
		{"nothing to lower", `{"step": -1, "allowDown": true}`, 3, keda(nil, nil, nil), 0, "would be raised"},
		{"idle", `{"step": 2}`, 0, keda(&two, &zero, nil), 0, "idleReplicaCount"},
		{"not idle", `{"step": 2}`, 3, keda(&two, &zero, nil), 5, ""},
		{"down to idle", `{"step": -4, "allowDown": true}`, 6, keda(&six, &two, nil), 0, "its least must be more"},
		{"paused", `{"step": 1}`, 3, keda(&two, nil, map[string]string{pausedAnnotation: "true"}), 0, "is paused"},
		{"paused oddly", `{"step": 1}`, 3, keda(&two, nil, map[string]string{pausedAnnotation: "sure"}), 0, "is paused"},
		{"not paused", `{"step": 1}`, 3, keda(&two, nil, map[string]string{pausedAnnotation: "false"}), 4, ""},
		{"paused at a number", `{"step": 1}`, 3, keda(&two, nil, map[string]string{pausedReplicasAnnotation: "3"}), 0, "is paused"},
		{"may not grow", `{"step": 1}`, 3, keda(&two, nil, map[string]string{pausedOutAnnotation: "true"}), 0, "may not scale out"},
		{"may shrink", `{"step": -1, "allowDown": true}`, 3, keda(&two, nil, map[string]string{pausedOutAnnotation: "true"}), 1, ""},
	} {
		p, err := scaleParamsOf(engine.Task{Params: json.RawMessage(c.params)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.minimum(c.replicas, &c.auto)
		if c.why == "" && (err != nil || got != c.want) || c.why != "" && (err == nil || !strings.Contains(err.Error(), c.why)) {
			t.Errorf("%s: %d, %v; want %d, %q", c.name, got, err, c.want, c.why)
		}
	}
}

// TestAutoscalerOf finds the one that has the say.
func TestAutoscalerOf(t *testing.T) {
	t.Parallel()
	w := &workload{kind: kindDeployment, meta: metav1.ObjectMeta{Namespace: "n", Name: "shop"}}
	hpa := func(name, kind, of string, owner types.UID) autoscalingv2.HorizontalPodAutoscaler {
		h := autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: name}}
		h.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{Kind: kind, Name: of}
		if owner != "" {
			h.OwnerReferences = []metav1.OwnerReference{{APIVersion: "keda.sh/v1alpha1", Kind: kindScaledObject, Name: "q", UID: owner, Controller: new(true)}}
		}
		return h
	}
	keda := func(name, kind, of, hpaName string) scaledObject {
		s := scaledObject{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}}
		s.Spec.ScaleTargetRef.Kind, s.Spec.ScaleTargetRef.Name, s.Status.HPAName = kind, of, hpaName
		return s
	}
	type hpas = []autoscalingv2.HorizontalPodAutoscaler
	type kedas = []scaledObject
	for _, c := range []struct {
		name string
		own  hpas
		keda kedas
		want string // or what the error says
	}{
		{"none", hpas{hpa("a", kindDeployment, "cart", ""), hpa("b", kindStatefulSet, "shop", "")}, kedas{keda("q", "", "cart", ""), keda("r", kindStatefulSet, "shop", "")}, ""},
		{"one", hpas{hpa("a", kindDeployment, "shop", "")}, nil, "HorizontalPodAutoscaler /a"},
		{"KEDA", nil, kedas{keda("q", "", "shop", "")}, "ScaledObject /q"},
		{"KEDA's own", hpas{hpa("keda-hpa-q", kindDeployment, "shop", "q")}, kedas{keda("q", kindDeployment, "shop", "")}, "ScaledObject /q"},
		{"handed over to KEDA", hpas{hpa("a", kindDeployment, "shop", "")}, kedas{keda("q", "", "shop", "a")}, "ScaledObject /q"},
		{"two of one kind", hpas{hpa("a", kindDeployment, "shop", ""), hpa("b", kindDeployment, "shop", "")}, nil, "HorizontalPodAutoscaler a and HorizontalPodAutoscaler b"},
		{"two of KEDA", nil, kedas{keda("q", "", "shop", ""), keda("r", "", "shop", "")}, "ScaledObject q and ScaledObject r"},
		{"one of each", hpas{hpa("a", kindDeployment, "shop", "")}, kedas{keda("q", "", "shop", "b")}, "ScaledObject q and HorizontalPodAutoscaler a"},
		{"of another owner", hpas{hpa("a", kindDeployment, "shop", "gone")}, nil, "which ScaledObject q made"},
	} {
		a, err := autoscalers{c.own, c.keda}.of(w)
		got := ""
		switch {
		case err != nil:
			got = err.Error()
		case a != nil:
			got = a.String()
		}
		if !strings.Contains(got, c.want) || c.want == "" && got != "" || err != nil && remediators.ClassOf(err) != engine.ClassTerminal {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestScalingOf reads back what a plan's changes say, and nothing else.
func TestScalingOf(t *testing.T) {
	t.Parallel()
	at := engine.Target{System: engine.SystemKubernetes, Cluster: "korea", Namespace: "n", Kind: kindDeployment, Name: "shop"}
	least := int32(2)
	a := &autoscaler{kind: kindScaledObject, meta: metav1.ObjectMeta{Namespace: "n", Name: "q"}, min: &least, max: 9}
	for _, s := range []scaling{{ownLever(at), &least, 5}, {a.lever("korea"), &least, 5}, {a.lever("korea"), nil, 5}} {
		got, err := scalingOf(engine.Plan{Target: at, Changes: []engine.Change{s.change()}})
		if err != nil || got.lever != s.lever || number(got.from) != number(s.from) || got.to != s.to {
			t.Errorf("%+v, %v; want %+v", got, err, s)
		}
	}
	for _, c := range []engine.Change{
		{Field: "spec.replicas", From: "", To: "5"},
		{Field: "spec.replicas", From: "2", To: ""},
		{Field: "spec.replicas", From: "2", To: "99999999999"},
		{Field: "spec.paused", From: "2", To: "5"},
		{Field: "ScaledObject q: spec.maxReplicaCount", From: "2", To: "5"},
		{Field: "ScaledObject : spec.minReplicaCount", From: "2", To: "5"},
		{Field: "Secret q: spec.minReplicas", From: "2", To: "5"},
	} {
		if got, err := scalingOf(engine.Plan{Target: at, Changes: []engine.Change{c}}); remediators.ClassOf(err) != engine.ClassTerminal {
			t.Errorf("%+v is read as %+v, %v", c, got, err)
		}
	}
	if _, err := scalingOf(engine.Plan{Target: at}); err == nil {
		t.Error("no change is one")
	}
}

// TestDisruptionBudget holds scaling down to what the disruption controller would say.
func TestDisruptionBudget(t *testing.T) {
	t.Parallel()
	number, percent := func(n int) *intstr.IntOrString { return new(intstr.FromInt(n)) }, func(s string) *intstr.IntOrString { return new(intstr.FromString(s)) }
	for _, c := range []struct {
		name                string
		least, unavailable  *intstr.IntOrString
		wanted, well, to    int32
		blind               bool
		others, othersWell  int32
		refused, unobserved bool
	}{
		{name: "enough", least: number(3), wanted: 5, well: 5, to: 3},
		{name: "too few", least: number(3), wanted: 5, well: 5, to: 2, refused: true},
		{name: "to nothing", least: number(1), wanted: 5, well: 5, to: 0, refused: true},
		{name: "sick ones go first", least: number(3), wanted: 5, well: 3, to: 3},
		{name: "sick ones stay", least: number(3), wanted: 5, well: 4, to: 3, blind: true, refused: true},
		{name: "a share of the new number", least: percent("100%"), wanted: 5, well: 5, to: 2},
		{name: "a share rounded up", least: percent("50%"), wanted: 5, well: 3, to: 3, blind: true, refused: true},
		{name: "unavailable of the new number", unavailable: number(1), wanted: 5, well: 5, to: 2},
		{name: "too many unavailable", unavailable: number(0), wanted: 5, well: 4, to: 3, blind: true, refused: true},
		{name: "unavailable in percent", unavailable: percent("50%"), wanted: 6, well: 4, to: 4, blind: true},
		{name: "to nothing, by unavailable", unavailable: number(1), wanted: 5, well: 5, to: 0},
		{name: "others make up", least: number(3), wanted: 5, well: 5, to: 1, others: 4, othersWell: 4},
		{name: "others do not", least: number(6), wanted: 5, well: 5, to: 1, others: 4, othersWell: 4, refused: true},
		{name: "not yet seen", least: number(1), wanted: 5, well: 5, to: 4, unobserved: true, refused: true},
		{name: "of nothing"},
	} {
		b := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: "budget", Generation: 2}}
		b.Spec.MinAvailable, b.Spec.MaxUnavailable = c.least, c.unavailable
		b.Status = policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 2, ExpectedPods: c.wanted + c.others, CurrentHealthy: c.well + c.othersWell}
		want := engine.ClassTerminal
		if c.unobserved {
			b.Status.ObservedGeneration, want = 1, engine.ClassRetryable
		}
		w := &workload{kind: kindDeployment, replicas: &c.wanted, health: health{seen: true, wanted: c.wanted, available: c.well, blind: c.blind}}
		err := leavesEnough(b, w, c.to)
		if (err != nil) != c.refused || err != nil && (remediators.ClassOf(err) != want || !strings.Contains(err.Error(), "PodDisruptionBudget budget")) {
			t.Errorf("%s: %v, want refused %t", c.name, err, c.refused)
		}
		w.health.seen = false
		if err := leavesEnough(b, w, c.to); remediators.ClassOf(err) != engine.ClassRetryable {
			t.Errorf("%s, of a workload that its controller has yet to see: %v", c.name, err)
		}
		w.health.seen, b.Status.ObservedGeneration = true, 2
		b.Status.Conditions = []metav1.Condition{{Type: policyv1.DisruptionAllowedCondition, Reason: policyv1.SyncFailedReason, Message: "no scale"}}
		if err := leavesEnough(b, w, c.to); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "no scale") {
			t.Errorf("%s, of a budget that its controller cannot judge: %v", c.name, err)
		}
	}
}

// TestExceptions holds the schema and the action to the same cases.
func TestExceptions(t *testing.T) {
	t.Parallel()
	schema := remediatortest.Schema(t, json.RawMessage(exceptionsSchema))
	long := strings.Repeat("a", 254)
	for params, want := range map[string]bool{
		`{}`: true, `{"except": ["cart"]}`: true, `{"except": ["cart.v2", "9"]}`: true, `{"exceptLabels": "tier=critical"}`: true,
		`{"exceptLabels": "tier in (a, b),!temporary"}`: true, `{"except": ["cart"], "exceptLabels": "a"}`: true,
		`{"except": null}`: false, `{"exceptLabels": null}`: false, `{"except": []}`: false, `{"except": "cart"}`: false, `{"except": ["Cart"]}`: false, `{"except": [""]}`: false, `{"except": ["a_b"]}`: false,
		`{"except": ["` + long + `"]}`: false, `{"exceptLabels": ""}`: false, `{"exceptLabels": " "}`: false, `{"exceptLabels": 1}`: false,
		`{"only": ["cart"]}`: false, `{"except": ["cart/"]}`: false, `{"except": ["-cart"]}`: false, `{"except": [1]}`: false,
		`{"except": ["a` + strings.Repeat(`","a`, 200) + `"]}`: false,
	} {
		_, err := exceptionsOf(engine.Task{Params: json.RawMessage(params)})
		if ok := remediatortest.Accepts(t, schema, params); ok != want || (err == nil) != want {
			t.Errorf("%.80s: schema says %t, the action %v; want %t", params, ok, err, want)
		}
		if err != nil && remediators.ClassOf(err) != engine.ClassTerminal {
			t.Errorf("%.80s: %v", params, err)
		}
	}
	if e, err := exceptionsOf(engine.Task{}); err != nil || e.why(&metav1.ObjectMeta{Name: "cart", Annotations: map[string]string{KeepRunningAnnotation: "False"}}) != "" {
		t.Errorf("%+v, %v", e, err)
	}
	// A schema cannot read a selector.
	if _, err := exceptionsOf(engine.Task{Params: json.RawMessage(`{"exceptLabels": "a in b"}`)}); remediators.ClassOf(err) != engine.ClassTerminal {
		t.Error(err)
	}
}
