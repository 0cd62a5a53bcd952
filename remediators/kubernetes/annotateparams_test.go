package kubernetes

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// TestAnnotateParams holds the schema and the code to the same cases.
func TestAnnotateParams(t *testing.T) {
	t.Parallel()
	schema := remediatortest.Schema(t, json.RawMessage(annotateSchema))
	many := func(n int) string {
		var pairs []string
		for i := range n {
			pairs = append(pairs, fmt.Sprintf(`"k%d": "v"`, i))
		}
		return `{"annotations": {` + strings.Join(pairs, ", ") + `}}`
	}
	long := func(n int) string { return `{"annotations": {"a": "` + strings.Repeat("é", n) + `"}}` }
	for params, want := range map[string]bool{
		`{"annotations": {"on-call": "kim"}}`:                          true,
		`{"annotations": {"example.com/on-call": "kim", "old": null}}`: true,
		`{"annotations": {"example.com/On_Call.1": ""}}`:               true,
		`{"annotations": {"notkubernetes.io/x": "1"}}`:                 true,
		`{"annotations": {"kubernetes.io.example.com/x": "1"}}`:        true,
		`{"annotations": {"` + strings.Repeat("a", 63) + `": "1"}}`:    true,
		many(20):   true,
		long(4096): true,

		``:                      false,
		`{}`:                    false,
		`{"annotations": {}}`:   false,
		`{"annotations": null}`: false,
		`{"annotations": []}`:   false,
		`{"annotations": {"a": "b"}, "labels": {"c": "d"}}`:                   false,
		`{"annotations": {"paramedic.dev/task": "1"}}`:                        false,
		`{"annotations": {"kubernetes.io/x": "1"}}`:                           false,
		`{"annotations": {"deployment.kubernetes.io/revision": "1"}}`:         false,
		`{"annotations": {"kubectl.kubernetes.io/restartedAt": null}}`:        false,
		`{"annotations": {"x.k8s.io/y": "1"}}`:                                false,
		`{"annotations": {"Kubernetes.io/x": "1"}}`:                           false,
		`{"annotations": {"a b": "1"}}`:                                       false,
		`{"annotations": {"a/b/c": "1"}}`:                                     false,
		`{"annotations": {"": "1"}}`:                                          false,
		`{"annotations": {"-a": "1"}}`:                                        false,
		`{"annotations": {"a\n": "1"}}`:                                       false,
		`{"annotations": {"` + strings.Repeat("a", 64) + `": "1"}}`:           false,
		`{"annotations": {"` + strings.Repeat("a.", 140) + `example/b": ""}}`: true, // the API server knows
		`{"annotations": {"` + strings.Repeat("a.", 160) + `example/b": ""}}`: false,
		`{"annotations": {"a": 1}}`:                                           false,
		`{"annotations": {"a": true}}`:                                        false,
		many(21):                                                              false,
		long(4097):                                                            false,
	} {
		if params != `` {
			if got := remediatortest.Accepts(t, schema, params); got != want {
				t.Errorf("the schema says %t of %.80s", got, params)
			}
		}
		wanted, err := annotateParamsOf(engine.Task{Params: json.RawMessage(params)})
		if (err == nil) != want || err == nil && len(wanted) == 0 {
			t.Errorf("the action says %v of %.80s", err, params)
		}
		if err != nil && remediators.ClassOf(err) != engine.ClassTerminal {
			t.Errorf("%.80s: class %s", params, remediators.ClassOf(err))
		}
	}
}

func TestPlanAnnotate(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	m := &metav1.ObjectMeta{UID: "u", ResourceVersion: "1", Generation: 7, Annotations: map[string]string{"old": "1", "same": "2", "gone": "3"}}
	at := engine.Target{System: engine.SystemKubernetes, Cluster: "korea", Kind: "Node", Name: "n"}
	p, made, err := planAnnotate(at, m, map[string]*string{"old": text("x"), "new": text("y"), "same": text("2"), "gone": nil, "never": nil})
	if err != nil || p.Noop {
		t.Fatalf("%+v: %v", p, err)
	}
	if want := "annotate Node n in korea: set new, old; remove gone"; p.Summary != want {
		t.Errorf("summary %q, want %q", p.Summary, want)
	}
	if got := fmt.Sprint(p.Changes); got != `[{metadata.annotations[gone] "3" none} {metadata.annotations[new] none "y"} {metadata.annotations[old] "1" "x"}]` {
		t.Errorf("changes %s", got)
	}
	if got := fmt.Sprint(made.annotations); got != "map[gone:<nil> new:y old:x]" {
		t.Errorf("writes %s", got)
	}
	done, err := decodeAnnotations(p.Precondition, at)
	if err != nil || done.Generation != 0 {
		t.Errorf("%+v: %v: a generation would prove what it cannot", done, err)
	}
	if got := fmt.Sprint(done.written(true)); got != "map[gone:3 new:<nil> old:1]" {
		t.Errorf("puts back %s", got)
	}
	if p, _, err := planAnnotate(at, m, map[string]*string{"same": text("2"), "never": nil}); err != nil || !p.Noop || len(p.Changes) != 0 {
		t.Errorf("%+v: %v", p, err)
	}
	// What a plan leaves out of a long value still tells it from another.
	long := strings.Repeat("x", 300)
	if a, b := shown(text(long+"a")), shown(text(long+"b")); a == b || len(a) > 300 {
		t.Errorf("%s and %s", a, b)
	}
	for _, raw := range []string{``, `{}`, `{"uid": "u"}`, `{"values": {"a": {}}}`} {
		if _, err := decodeAnnotations(json.RawMessage(raw), at); remediators.ClassOf(err) != engine.ClassTerminal {
			t.Errorf("%q: %v", raw, err)
		}
	}
}
