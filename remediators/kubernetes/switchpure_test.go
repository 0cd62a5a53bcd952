package kubernetes

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// randomParams are parameters of which each is one of the texts, or, if that is empty,
// not there.
func randomParams(random *rand.Rand, of map[string][]string) string {
	var fields []string
	for name, values := range of {
		if value := values[random.IntN(len(values))]; value != "" {
			fields = append(fields, fmt.Sprintf("%q: %s", name, value))
		}
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// TestSwitchParams tries random parameters: what the schema says and what the action
// takes are the same.
func TestSwitchParams(t *testing.T) {
	t.Parallel()
	schema := remediatortest.Schema(t, json.RawMessage(switchSchema))
	random := rand.New(rand.NewPCG(3, 4))
	long := `"` + strings.Repeat("a", 64) + `"`
	values := []string{"", "", "", "", `"blue"`, `"blue"`, `"green"`, `"green"`, `""`, `"no colour"`, long, "null", "1"}
	accepted := 0
	for range 15_000 {
		params := randomParams(random, map[string][]string{
			"label":    {`"version"`, `"version"`, `"version"`, `"version"`, `"version"`, `"version"`, `"example.com/version"`, "", `""`, `"/version"`, `"-version"`, `"a b"`, long, "null"},
			"from":     values,
			"to":       values,
			"between":  {"", "", "", "", "", "", `["blue", "green"]`, `["blue", "blue"]`, `["blue"]`, `[]`, `["blue", "green", "red"]`, `["blue", ""]`, `["blue", null]`, "null", `"blue"`},
			"minReady": {"", "", "", "", "1", "30", "0", "-1", "10001", `"50%"`, `"100%"`, `"0%"`, `"101%"`, `"50"`, `""`, "1.5", "null", "true"},
			"more":     {"", "", "", "", "1"},
		})
		_, err := switchParamsOf(engine.Task{Params: json.RawMessage(params)})
		// A schema cannot compare two values.
		crossed := err != nil && strings.Contains(err.Error(), "from and to are both")
		if ok := remediatortest.Accepts(t, schema, params); ok != (err == nil) && !crossed {
			t.Fatalf("%s: schema says %t, the action %v", params, ok, err)
		}
		if err == nil {
			accepted++
		} else if remediators.ClassOf(err) != engine.ClassTerminal {
			t.Fatalf("%s: class %s", params, remediators.ClassOf(err))
		}
	}
	if accepted < 100 {
		t.Errorf("only %d of the parameters were good ones", accepted)
	}
}

func TestSwitchNeeded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		minReady  string
		now, want int
	}{
		{"", 3, 3},
		{"", 0, 1},
		{`, "minReady": 2`, 9, 2},
		{`, "minReady": 2`, 0, 2},
		{`, "minReady": "50%"`, 4, 2},
		{`, "minReady": "50%"`, 5, 3},
		{`, "minReady": "1%"`, 1, 1},
		{`, "minReady": "1%"`, 0, 1},
	} {
		p, err := switchParamsOf(engine.Task{Params: json.RawMessage(`{"label": "version", "to": "green"` + c.minReady + `}`)})
		if got := p.needed(c.now); err != nil || got != c.want {
			t.Errorf("%q of %d: %d, %v; want %d", c.minReady, c.now, got, err, c.want)
		}
	}
}

func somePod(name string, ready bool, ports ...string) corev1.Pod {
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}, Spec: corev1.PodSpec{Containers: []corev1.Container{{}}}}
	if ready {
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}
	for _, port := range ports {
		pod.Spec.Containers[0].Ports = append(pod.Spec.Containers[0].Ports, corev1.ContainerPort{Name: port, Protocol: corev1.ProtocolTCP})
	}
	return pod
}

func TestEnough(t *testing.T) {
	t.Parallel()
	s := &service{}
	s.Spec.Ports = []corev1.ServicePort{{TargetPort: intstr.FromInt32(80)}, {TargetPort: intstr.FromString("http"), Protocol: corev1.ProtocolTCP}}
	sidecar := somePod("s", true)
	always := corev1.ContainerRestartPolicyAlways
	sidecar.Spec.InitContainers = []corev1.Container{{RestartPolicy: &always, Ports: []corev1.ContainerPort{{Name: "http", Protocol: corev1.ProtocolTCP}}}}
	gone := sidecar.DeepCopy()
	gone.Spec.InitContainers[0].RestartPolicy = nil
	for name, c := range map[string]struct {
		pods   []corev1.Pod
		needed int
		want   int
		class  engine.Class
		why    string
	}{
		"all":               {pods: []corev1.Pod{somePod("a", true, "http"), somePod("b", true, "grpc", "http")}, needed: 2, want: 2},
		"more":              {pods: []corev1.Pod{somePod("a", true, "http"), somePod("b", true, "http")}, needed: 1, want: 2},
		"by a sidecar":      {pods: []corev1.Pod{sidecar}, needed: 1, want: 1},
		"a port that ended": {pods: []corev1.Pod{*gone}, needed: 1, class: engine.ClassTerminal, why: "no port named http"},
		"none":              {needed: 1, class: engine.ClassTerminal, why: "no such pod"},
		"too few":           {pods: []corev1.Pod{somePod("a", true, "http")}, needed: 2, class: engine.ClassTerminal, why: "1 pods, 1 of them ready, and 2 must be"},
		"not yet":           {pods: []corev1.Pod{somePod("a", true, "http"), somePod("b", false)}, needed: 2, class: engine.ClassRetryable, why: "1 of its 2 pods are ready, and 2 must be"},
		"another port":      {pods: []corev1.Pod{somePod("a", true, "grpc")}, needed: 1, class: engine.ClassTerminal, why: "no port named http"},
	} {
		got, err := enough(s, c.pods, "version=green", c.needed)
		if got != c.want || (err == nil) != (c.class == "") || err != nil && (remediators.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.why)) {
			t.Errorf("%s: %d, %v", name, got, err)
		}
	}
}

func TestEndpointsOf(t *testing.T) {
	t.Parallel()
	ready, waiting := somePod("a", true), somePod("b", false)
	ending := somePod("a", true)
	ending.DeletionTimestamp = &metav1.Time{}
	for name, c := range map[string]struct {
		pods []corev1.Pod
		are  endpoints
		want bool
	}{
		"all of them":             {[]corev1.Pod{ready}, endpoints{"a": true}, true},
		"one that is not ready":   {[]corev1.Pod{ready, waiting}, endpoints{"a": true, "b": false}, true},
		"one that has no address": {[]corev1.Pod{ready, waiting}, endpoints{"a": true}, true},
		"nobody is ready":         {[]corev1.Pod{waiting}, endpoints{"b": false}, true},
		"none yet":                {[]corev1.Pod{ready}, endpoints{}, false},
		"not ready yet":           {[]corev1.Pod{ready}, endpoints{"a": false}, false},
		"the old ones":            {[]corev1.Pod{ready}, endpoints{"old": true}, false},
		"an old one beside":       {[]corev1.Pod{ready}, endpoints{"a": true, "old": true}, false},
		"an old one that is not":  {[]corev1.Pod{ready}, endpoints{"a": true, "old": false}, false},
		"one that ends":           {[]corev1.Pod{ending}, endpoints{}, true},
	} {
		if got := c.are.of(c.pods); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestSwitchIsRead(t *testing.T) {
	t.Parallel()
	good := `{"uid": "u", "resourceVersion": "1", "label": "version", "from": "blue", "to": "green", "selector": {"version": "green"}, "needed": 1}`
	if _, err := decodeSwitched(json.RawMessage(good), named("x")); err != nil {
		t.Error(err)
	}
	for _, text := range []string{
		``, `null`, `{}`, `[]`, strings.Replace(good, `"u"`, `""`, 1), strings.Replace(good, `"blue"`, `""`, 1), strings.Replace(good, `: "green"}`, `: "red"}`, 1),
		strings.Replace(good, `"version"`, `"app"`, 1), strings.Replace(good, `: 1}`, `: 0}`, 1),
	} {
		if _, err := decodeSwitched(json.RawMessage(text), named("x")); remediators.ClassOf(err) != engine.ClassTerminal {
			t.Errorf("%s: %v", text, err)
		}
	}
}
