package kubernetes

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

func TestScaleFrom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		params  string
		current int32
		want    int32 // 0: refused
	}{
		{`{"factor": 2, "max": 30}`, 8, 16},
		{`{"factor": 2, "max": 30}`, 16, 30},
		{`{"factor": 2, "max": 30}`, 30, 0},
		{`{"factor": 2, "max": 30}`, 31, 0},
		{`{"factor": 2, "max": 30}`, 0, 0},
		{`{"factor": 1.1, "max": 30}`, 10, 11},
		{`{"factor": 1.1, "max": 30}`, 1, 2},
		{`{"factor": 2, "max": 30, "allowDown": true}`, 31, 30},
		{`{"factor": 0.5, "max": 30, "allowDown": true}`, 9, 5},
		{`{"factor": 0.5, "max": 30, "allowDown": true}`, 1, 0},
		{`{"factor": 0.9, "max": 30, "allowDown": true}`, 3, 0},
		{`{"factor": 1e300, "max": 30}`, 3, 30},
		{`{"step": 3}`, 2, 5},
		{`{"step": 3, "max": 4}`, 2, 4},
		{`{"step": 1, "min": 6}`, 2, 6},
		{`{"step": 10000}`, 9999, 10000},
		{`{"step": -2, "allowDown": true}`, 5, 3},
		{`{"step": -9, "allowDown": true}`, 5, 1},
		{`{"step": -1, "allowDown": true}`, 1, 0},
		{`{"step": -1, "allowDown": true, "min": 4}`, 3, 0},
		{`{"replicas": 2}`, 1, 2},
		{`{"replicas": 2}`, 2, 2},
		{`{"replicas": 2}`, 0, 0},
		{`{"replicas": 2}`, 3, 0},
		{`{"replicas": 2, "allowDown": true}`, 3, 2},
		{`{"replicas": 2, "allowDown": true, "min": 4}`, 9, 4},
	} {
		p, err := scaleParamsOf(engine.Task{Params: json.RawMessage(c.params)})
		if err != nil {
			t.Errorf("%s: %v", c.params, err)
			continue
		}
		got, err := p.from(c.current)
		if got != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("%s from %d: %d, %v; want %d", c.params, c.current, got, err, c.want)
		}
		if err != nil && remediators.ClassOf(err) != engine.ClassTerminal {
			t.Errorf("%s from %d: class %s", c.params, c.current, remediators.ClassOf(err))
		}
	}
}

// TestScaleProperties tries random parameters: what the schema says and what the
// action takes are the same, and no number ever leaves its bounds or goes the way
// that was not meant.
func TestScaleProperties(t *testing.T) {
	t.Parallel()
	schema := remediatortest.Schema(t, json.RawMessage(scaleSchema))
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(values ...string) string { return values[random.IntN(len(values))] }
	accepted, stopped := 0, 0
	for range 30_000 {
		var fields []string
		for name, value := range map[string]string{
			"factor": pick("", "", "2", "1", "0", "0.5", "-1", "1.5", `"2"`), "step": pick("", "", "1", "-1", "0", "5", "-3", "1.5", "20000"),
			"replicas": pick("", "", "", "0", "3", "-1", "20000", "null", "1.5"),
			"min":      pick("", "", "", "1", "1", "3", "3", "0", "-1", "null"), "max": pick("", "30", "30", "4", "4", "0", "20000", "null"), "allowDown": pick("", "true", "true", "false", "false", "null"),
		} {
			if value != "" {
				fields = append(fields, fmt.Sprintf("%q: %s", name, value))
			}
		}
		params := "{" + strings.Join(fields, ", ") + "}"
		p, err := scaleParamsOf(engine.Task{Params: json.RawMessage(params)})
		// A schema cannot compare two values.
		crossed := err != nil && strings.Contains(err.Error(), "is more than max")
		if ok := remediatortest.Accepts(t, schema, params); ok != (err == nil) && !crossed {
			t.Fatalf("%s: schema says %t, the action %v", params, ok, err)
		}
		if err != nil {
			continue
		}
		accepted++
		current := random.Int32N(40)
		to, err := p.from(current)
		if err != nil {
			continue
		}
		if to == 0 && current > 0 && p.Replicas != nil && *p.Replicas == 0 {
			stopped++
			continue
		}
		switch {
		case p.Replicas != nil && to == current:
		case to == current, to < 1, p.Min != nil && to < *p.Min, p.Max != nil && to > *p.Max:
			t.Fatalf("%s: from %d to %d", params, current, to)
		case to < current && !p.AllowDown, to > current && p.down():
			t.Fatalf("%s: from %d to %d, the wrong way", params, current, to)
		}
	}
	if accepted < 100 || stopped < 10 {
		t.Errorf("only %d of the parameters were good ones, and %d stopped something", accepted, stopped)
	}
}

// What is scaled to nothing can be put back, and its plan says what is taken away.
func TestScaleToNothing(t *testing.T) {
	t.Parallel()
	zero := scaleParams{Replicas: new(int32), AllowDown: true}
	to, err := zero.from(3)
	if to != 0 || err != nil {
		t.Fatalf("from 3 to %d: %v", to, err)
	}
	if to, err := zero.from(0); to != 0 || err != nil {
		t.Errorf("from 0 to %d: %v", to, err)
	}
	three := int32(3)
	w := &workload{kind: kindDeployment, replicas: &three, health: health{seen: true, wanted: 3, available: 3}}
	p, err := planScale("korea", w, zero)
	if err != nil || p.Noop || p.Health.Disrupts != 3 || !strings.Contains(p.Summary, "from 3 to 0 replicas") {
		t.Errorf("%+v, %v", p, err)
	}
	w.replicas = new(int32)
	if p, err = planScale("korea", w, zero); err != nil || !p.Noop || len(p.Changes) != 0 || !strings.Contains(p.Summary, "has 0 replicas already") {
		t.Errorf("%+v, %v", p, err)
	}
	done := scaled{UID: "u", From: &three}
	w.meta.UID = "u"
	w.meta.Annotations = map[string]string{TaskAnnotation: "t"}
	if back, err := done.isBack(&w.meta, w.replicas, "t"); back || err != nil {
		t.Errorf("cannot be put back: %t, %v", back, err)
	}
}

func TestRolloutStopped(t *testing.T) {
	t.Parallel()
	for detail, p := range map[string]progress{
		"none are left":              {generation: 4, observed: 4},
		"3 replicas are wanted":      {generation: 4, observed: 4, wanted: 3, total: 3},
		"generation 3, not yet 4":    {generation: 4, observed: 3},
		"2 replicas are still there": {generation: 4, observed: 4, total: 2},
	} {
		if ok, got := p.stopped(); ok != (detail == "none are left") || !strings.Contains(got, detail) {
			t.Errorf("%+v: %t, %s", p, ok, got)
		}
	}
}

func TestRolloutProgress(t *testing.T) {
	t.Parallel()
	good := progress{generation: 4, observed: 4, wanted: 3, total: 3, updated: 3, available: 3}
	if ok, detail := good.complete(); !ok {
		t.Errorf("%+v: %s", good, detail)
	}
	for want, spoil := range map[string]func(*progress){
		"generation 3, not yet 4":     func(p *progress) { p.observed = 3 },
		"2 of 3 replicas are updated": func(p *progress) { p.updated = 2 },
		"1 replicas too many":         func(p *progress) { p.total = 4 },
		"2 of 3 replicas are avail":   func(p *progress) { p.available = 2 },
		"no replicas are wanted":      func(p *progress) { *p = progress{generation: 4, observed: 4} },
		"has not ended the rollout":   func(p *progress) { p.open = true },
		"for some reason":             func(p *progress) { p.stuck = "for some reason" },
	} {
		p := good
		spoil(&p)
		if ok, detail := p.complete(); ok || !strings.Contains(detail, want) {
			t.Errorf("%+v: %t, %q; want %q", p, ok, detail, want)
		}
	}
	// The condition of the last rollout says nothing of one not yet begun.
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Generation: 2},
		Status: appsv1.DeploymentStatus{ObservedGeneration: 1, Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded"},
		}},
	}
	if p := deploymentProgress(d); p.stuck != "" {
		t.Errorf("stuck before it was seen: %s", p.stuck)
	}
	d.Status.ObservedGeneration = 2
	if p := deploymentProgress(d); !strings.Contains(p.stuck, "ProgressDeadlineExceeded") {
		t.Errorf("not stuck: %+v", p)
	}
	d.Spec.Paused, d.Status.Conditions = true, nil
	if p := deploymentProgress(d); !strings.Contains(p.stuck, "paused") {
		t.Errorf("not paused: %+v", p)
	}
}

func TestSameObject(t *testing.T) {
	t.Parallel()
	owner := &metav1.OwnerReference{Kind: "DaemonSet", UID: "old"}
	err := sameObject(owner, &metav1.ObjectMeta{Namespace: "n", Name: "agent", UID: "new"})
	if remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "DaemonSet n/agent is another one") {
		t.Errorf("another object of the owner's name: %v", err)
	}
	if err := sameObject(owner, &metav1.ObjectMeta{UID: "old"}); err != nil {
		t.Error(err)
	}
}

func TestMarks(t *testing.T) {
	t.Parallel()
	var m marks
	for i := range maxMarks + 4 {
		m = m.add(fmt.Sprintf("task %d, with \"quotes\"", i))
		annotations := map[string]string{}
		for name, value := range m.annotations() {
			annotations[name] = fmt.Sprint(value)
		}
		if read := marksOf(annotations); !slices.Equal(read, m) {
			t.Fatalf("read %q, written %q", read, m)
		}
	}
	if len(m) != maxMarks || !m.has(`task 4, with "quotes"`) || m.has(`task 3, with "quotes"`) {
		t.Errorf("four tasks too many leave %q", m)
	}
	if got := marksOf(map[string]string{TaskAnnotation: "a", EarlierAnnotation: "edited by hand"}); !slices.Equal(got, marks{"a"}) {
		t.Errorf("a broken annotation reads as %q", got)
	}
	if got := marksOf(map[string]string{EarlierAnnotation: `["a"]`}); got != nil {
		t.Errorf("without the latest: %q", got)
	}
}

func TestPreconditionMustBeWhole(t *testing.T) {
	t.Parallel()
	for _, text := range []string{``, `{}`, `null`, `{"uid": "u"}`, `{"resourceVersion": "1"}`, `[]`} {
		if _, err := decodePrecondition(engine.Plan{Precondition: json.RawMessage(text)}); remediators.ClassOf(err) != engine.ClassTerminal {
			t.Errorf("precondition %s: %v", text, err)
		}
	}
}

func TestClusterRole(t *testing.T) {
	t.Parallel()
	role := ClusterRole("paramedic", &Restart{}, &Scale{}, &Rollout{}, &Restart{})
	want := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"limitranges", "resourcequotas"}, Verbs: []string{"list"}},
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}},
		{APIGroups: []string{"apps"}, Resources: []string{"daemonsets", "deployments", "statefulsets"}, Verbs: []string{"get", "patch"}},
		{APIGroups: []string{"apps"}, Resources: []string{"replicasets"}, Verbs: []string{"get"}},
		{APIGroups: []string{"autoscaling"}, Resources: []string{"horizontalpodautoscalers"}, Verbs: []string{"get", "list", "patch"}},
		{APIGroups: []string{"keda.sh"}, Resources: []string{"scaledobjects"}, Verbs: []string{"get", "list", "patch"}},
		{APIGroups: []string{"policy"}, Resources: []string{"poddisruptionbudgets"}, Verbs: []string{"list"}},
	}
	if !reflect.DeepEqual(role.Rules, want) {
		t.Errorf("rules %+v", role.Rules)
	}
}

func TestConnectSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	garbage := filepath.Join(folder, "garbage")
	if err := os.WriteFile(garbage, []byte("users: [{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		config ClusterConfig
		want   string
	}{
		{ClusterConfig{Kubeconfig: filepath.Join(folder, "none")}, "none"},
		{ClusterConfig{Kubeconfig: garbage, Context: "korea"}, `context "korea"`},
		{ClusterConfig{InCluster: true, Context: "korea"}, "excludes"},
	} {
		if _, err := Connect(c.config, "test"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.config, err)
		}
	}
}
