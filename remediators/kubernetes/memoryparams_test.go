package kubernetes

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// TestMemoryParams holds the schema and the code to the same cases.
func TestMemoryParams(t *testing.T) {
	t.Parallel()
	schema := remediatortest.Schema(t, json.RawMessage(memorySchema))
	random := rand.New(rand.NewPCG(3, 4))
	pick := func(values ...string) string { return values[random.IntN(len(values))] }
	accepted, raised := 0, 0
	for range 50_000 {
		var fields []string
		for name, value := range map[string]string{
			"factor": pick("", "2", "1", "1.0001", "16", "16.1", "0", "-2", `"2"`, "null", "1.5", "2"),
			"max": pick("", `"2Gi"`, `"512Mi"`, `"1.5Gi"`, `"0"`, `"0Gi"`, `"-1Gi"`, `"2GB"`, `"1e9"`, `"5"`, `"2g"`, `"2Gi "`, `"2.1234Gi"`, "2", "null",
				`"999999999999999T"`, `"1000k"`, `"2G"`, `"4Gi\n"`),
			"container": pick("", "", "", `"main"`, `"a"`, `""`, `"Main"`, `"-a"`, `"a-"`, `"a.b"`, "null", "1", `"`+strings.Repeat("a", 63)+`"`, `"`+strings.Repeat("a", 64)+`"`),
			"requests":  pick("", "", "true", "false", "null", `"yes"`),
			"how":       pick("", "", `"auto"`, `"inPlace"`, `"rollout"`, `"both"`, `""`, "null"),
			"odd":       pick("", "", "", "", "1"),
		} {
			if value != "" {
				fields = append(fields, fmt.Sprintf("%q: %s", name, value))
			}
		}
		params := "{" + strings.Join(fields, ", ") + "}"
		p, err := memoryParamsOf(engine.Task{Params: json.RawMessage(params)})
		if ok := remediatortest.Accepts(t, schema, params); ok != (err == nil) {
			t.Fatalf("%s: schema says %t, the action %v", params, ok, err)
		}
		if err != nil {
			if remediators.ClassOf(err) != engine.ClassTerminal {
				t.Fatalf("%s: class %s", params, remediators.ClassOf(err))
			}
			continue
		}
		accepted++
		limit := random.Int64N(1<<random.IntN(33)) + 1
		request := limit - []int64{0, 1, random.Int64N(limit), random.Int64N(limit)}[random.IntN(4)]
		if request == 0 {
			continue
		}
		to := p.raisedLimit(limit)
		if to > p.most || to > limit && float64(to) >= float64(limit)*p.Factor+mebibyte {
			t.Fatalf("%s: limit from %d to %d", params, limit, to)
		}
		if to <= limit {
			if limit < p.most {
				t.Fatalf("%s: limit from %d to %d, below max", params, limit, to)
			}
			continue
		}
		raised++
		got := raisedRequest(request, limit, to)
		if got < request || got > to || (got == to) != (request == limit) {
			t.Fatalf("%s: request from %d to %d with a limit from %d to %d", params, request, got, limit, to)
		}
	}
	if accepted < 500 || raised < 300 {
		t.Errorf("only %d of the parameters were good ones, and %d raised something", accepted, raised)
	}
	for _, raw := range []string{``, `[]`, `null`, `{}`, `"x"`} {
		if _, err := memoryParamsOf(engine.Task{Params: json.RawMessage(raw)}); remediators.ClassOf(err) != engine.ClassTerminal {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestRaises(t *testing.T) {
	t.Parallel()
	const mi = mebibyte
	for _, c := range []struct {
		limit, request int64
		factor         float64
		most           int64
		to, requestTo  int64
	}{
		{256 * mi, 128 * mi, 2, 1024 * mi, 512 * mi, 256 * mi},
		{256 * mi, 256 * mi, 1.1, 1024 * mi, 282 * mi, 282 * mi},
		{256 * mi, 128 * mi, 8, 300 * mi, 300 * mi, 150 * mi},
		{256*mi + 1, 256 * mi, 1.001, 1024 * mi, 257 * mi, 257*mi - 2},
		{1000, 999, 2, 1024 * mi, 1 * mi, 1*mi - 1049},
	} {
		p := memoryParams{Factor: c.factor, most: c.most}
		to := p.raisedLimit(c.limit)
		if got := raisedRequest(c.request, c.limit, to); to != c.to || got != c.requestTo {
			t.Errorf("%+v: to %d, request %d", c, to, got)
		}
	}
}

func TestResizeState(t *testing.T) {
	t.Parallel()
	amount := func(s string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(s)}
	}
	by := func(task string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: hand(task), Subresource: "resize"}
	}
	seen := resized{Name: "p", UID: "u", Generation: 3, Containers: []raise{{Container: "main", LimitFrom: "1Gi", LimitTo: "2Gi"}}}
	for name, c := range map[string]struct {
		change func(*corev1.Pod)
		want   podState
	}{
		"as planned":                {func(*corev1.Pod) {}, podAsPlanned},
		"another of its name":       {func(p *corev1.Pod) { p.UID = "v" }, podGone},
		"being deleted":             {func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} }, podGone},
		"somebody's":                {func(p *corev1.Pod) { p.Generation = 4 }, podForeign},
		"somebody's, of that value": {func(p *corev1.Pod) { p.Generation = 4; p.Spec.Containers[0].Resources.Limits = amount("2Gi") }, podForeign},
		"ours": {func(p *corev1.Pod) {
			p.Generation, p.ManagedFields = 4, []metav1.ManagedFieldsEntry{by("t")}
			p.Spec.Containers[0].Resources.Limits = amount("2048Mi")
		}, podOurs},
		"ours in part": {func(p *corev1.Pod) {
			p.Generation, p.ManagedFields = 5, []metav1.ManagedFieldsEntry{by("t")}
			p.Spec.Containers[0].Resources.Limits = amount("3Gi")
		}, podForeign},
		"another task's": {func(p *corev1.Pod) {
			p.Generation, p.ManagedFields = 4, []metav1.ManagedFieldsEntry{by("s")}
			p.Spec.Containers[0].Resources.Limits = amount("2Gi")
		}, podForeign},
		"not by a resize": {func(p *corev1.Pod) {
			p.Generation, p.ManagedFields = 4, []metav1.ManagedFieldsEntry{{Manager: hand("t")}}
			p.Spec.Containers[0].Resources.Limits = amount("2Gi")
		}, podForeign},
		"put back": {func(p *corev1.Pod) {
			p.Generation, p.ManagedFields = 5, []metav1.ManagedFieldsEntry{by("t" + undoSuffix)}
		}, podBack},
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "u", Generation: 3}, Spec: corev1.PodSpec{Containers: []corev1.Container{
			{Name: "main", Resources: corev1.ResourceRequirements{Limits: amount("1Gi")}},
		}}}
		c.change(pod)
		if got := (resizing{task: "t"}).state(pod, seen); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if got := (resizing{task: "t"}).state(nil, seen); got != podGone {
		t.Errorf("not there: %d", got)
	}
	if n := len(hand(strings.Repeat("long/", 100))); n > 128 {
		t.Errorf("a field manager of %d characters", n)
	}
}

// TestClusterWithoutResizeAndAutoscaler asks an API server of an older cluster: it
// answers 404 in plain text where it serves nothing.
func TestClusterWithoutResizeAndAutoscaler(t *testing.T) {
	t.Parallel()
	const resources = `"resources": {"limits": {"memory": "256Mi"}, "requests": {"memory": "128Mi"}}`
	answers := map[string]string{
		"GET /apis/apps/v1/namespaces/n/deployments/d": `{"metadata": {"name": "d", "namespace": "n", "uid": "d1", "resourceVersion": "7"}, "spec": {"replicas": 1,
			"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {"containers": [{"name": "main", ` + resources + `}]}}}}`,
		"GET /apis/apps/v1/namespaces/n/replicasets": `{"items": [{"metadata": {"uid": "r1", "ownerReferences": [{"controller": true, "uid": "d1"}]}}]}`,
		"GET /api/v1/namespaces/n/pods": `{"items": [{"metadata": {"name": "p", "namespace": "n", "uid": "p1", "generation": 1, "ownerReferences": [{"controller": true, "uid": "r1"}]},
			"spec": {"containers": [{"name": "main", ` + resources + `}]}}]}`,
		"GET /api/v1/namespaces/n/limitranges":           `{"items": []}`,
		"GET /api/v1/namespaces/n/resourcequotas":        `{"items": []}`,
		"PATCH /apis/apps/v1/namespaces/n/deployments/d": `{"metadata": {"name": "d", "namespace": "n", "annotations": {"paramedic.dev/task": "t"}}}`,
	}
	client := answering(t, func(request string) (int, string) {
		if answer, ok := answers[request]; ok {
			return http.StatusOK, answer
		}
		return 0, ""
	})
	m := NewMemory(Clusters{"old": client})
	at := engine.Target{System: engine.SystemKubernetes, Cluster: "old", Namespace: "n", Kind: "Deployment", Name: "d"}
	p, err := m.Plan(t.Context(), engine.Task{ID: "t", Target: at, Params: json.RawMessage(`{"factor": 2, "max": "1Gi"}`)})
	if err != nil || !strings.HasSuffix(p.Summary, "main from 256Mi to 512Mi; not in place, since this cluster does not serve pods/resize") {
		t.Errorf("%+v: %v", p, err)
	}
	_, err = m.Plan(t.Context(), engine.Task{ID: "t", Target: at, Params: json.RawMessage(`{"factor": 2, "max": "1Gi", "how": "inPlace"}`)})
	if remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "does not serve pods/resize") {
		t.Error(err)
	}
}

// TestInRange judges what a LimitRange lets through.
func TestInRange(t *testing.T) {
	t.Parallel()
	list := func(s string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(s)}
	}
	w := fromDeployment(&appsv1.Deployment{})
	pod := &corev1.PodSpec{Containers: []corev1.Container{
		{Name: "a", Resources: corev1.ResourceRequirements{Limits: list("600Mi"), Requests: list("200Mi")}},
		{Name: "b", Resources: corev1.ResourceRequirements{Limits: list("500Mi"), Requests: list("500Mi")}},
	}}
	for name, c := range map[string]struct {
		item corev1.LimitRangeItem
		want string
	}{
		"container, enough":     {corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Max: list("600Mi")}, ""},
		"container, too few":    {corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Max: list("599Mi")}, "a container at most 599Mi, and a would have 600Mi"},
		"pod, enough":           {corev1.LimitRangeItem{Type: corev1.LimitTypePod, Max: list("1100Mi")}, ""},
		"pod, too few":          {corev1.LimitRangeItem{Type: corev1.LimitTypePod, Max: list("1Gi")}, "a pod at most 1Gi, and these would have 1100Mi"},
		"ratio, enough":         {corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, MaxLimitRequestRatio: list("3")}, ""},
		"ratio, too much":       {corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, MaxLimitRequestRatio: list("2")}, "at most 2 times the request"},
		"pod's ratio, enough":   {corev1.LimitRangeItem{Type: corev1.LimitTypePod, MaxLimitRequestRatio: list("1.6")}, ""},
		"pod's ratio, too much": {corev1.LimitRangeItem{Type: corev1.LimitTypePod, MaxLimitRequestRatio: list("1.5")}, "a limit of at most 1500m times the request, and these would have 1100Mi and 700Mi"},
		"claims":                {corev1.LimitRangeItem{Type: corev1.LimitTypePersistentVolumeClaim, Max: list("1Mi")}, ""},
	} {
		err := inRange(&corev1.LimitRange{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{c.item}}}, w, pod)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMemoryFits compares what pods need that become larger with what a quota leaves.
func TestMemoryFits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		hard, seen, used string
		rollout          bool
		wanted, atOnce   int32
		class            engine.Class
		says             string
	}{
		{name: "room", hard: "limits.memory=1Gi", used: "limits.memory=512Mi", wanted: 2, atOnce: 1},
		{name: "none in place", hard: "limits.memory=1023Mi", used: "limits.memory=512Mi", wanted: 2, class: engine.ClassTerminal, says: "leaves 511Mi of limits.memory, and 512Mi are needed"},
		{name: "of others", hard: "pods=2 services=1", used: "pods=2 services=1", wanted: 2, rollout: true, atOnce: 1},
		{name: "one more at a time", hard: "limits.memory=1279Mi", used: "limits.memory=512Mi", wanted: 2, rollout: true, class: engine.ClassTerminal, says: "leaves 767Mi of limits.memory, and 1Gi are needed"},
		{name: "one more pod at a time", hard: "pods=2", used: "pods=2", wanted: 2, rollout: true, class: engine.ClassTerminal, says: "leaves 0 of pods, and 1 are needed"},
		{name: "of none", hard: "pods=2", used: "pods=2", rollout: true},
		{name: "not counted yet", hard: "limits.memory=9Gi", used: "pods=1", wanted: 2, class: engine.ClassRetryable, says: "too new for limits.memory"},
		{name: "judged by an older number", hard: "limits.memory=9Gi", seen: "limits.memory=8Gi", used: "limits.memory=1Gi", wanted: 2, class: engine.ClassRetryable, says: "too new"},
		{name: "nothing is said of a request", hard: "requests.cpu=1", used: "requests.cpu=0", rollout: true, atOnce: 1, wanted: 2, class: engine.ClassTerminal, says: "container main says nothing"},
		{name: "nothing is said of a request, in place", hard: "requests.cpu=1", used: "requests.cpu=0", wanted: 2},
	} {
		q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "team"}}
		q.Spec.Hard, q.Status.Hard, q.Status.Used = amounts(c.hard), amounts(c.hard), amounts(c.used)
		if c.seen != "" {
			q.Status.Hard = amounts(c.seen)
		}
		w := &workload{kind: kindDeployment, meta: metav1.ObjectMeta{Namespace: "n", Name: "shop"}, health: health{seen: true, wanted: c.wanted, atOnce: c.atOnce}}
		w.pods.Spec = pod(container("main", "memory=128Mi", "memory=256Mi"))
		was := w.pods.Spec
		err := raising(w, &was, pod(container("main", "memory=256Mi", "memory=512Mi")), c.rollout).fit(q)
		if (err == nil) != (c.class == "") || err != nil && (remediators.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "n/team")) {
			t.Errorf("%s: %v (%s), want %q (%s)", c.name, err, remediators.ClassOf(err), c.says, c.class)
		}
	}
}
