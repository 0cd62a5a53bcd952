package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// slowServer is an API server whose controllers lag behind, which the real ones do too
// seldom for a test. Answers are by method and the last part of the path.
func slowServer(t *testing.T, answer func(what string) string) Clusters {
	t.Helper()
	return at(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, answer(r.Method+" "+r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:])) // the client will notice
	}))
}

// TestSwitchWaitsForEndpoints: the Service is switched at once, where it leads to is not.
func TestSwitchWaitsForEndpoints(t *testing.T) {
	t.Parallel()
	var patched atomic.Bool
	var looks, lag atomic.Int64
	clusters := slowServer(t, func(what string) string {
		pod := func(uid string) string {
			return `{"metadata": {"name": "p", "uid": "` + uid + `"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}`
		}
		switch what {
		case "PATCH cart":
			patched.Store(true)
			fallthrough
		case "GET cart":
			version, marks := "blue", "{}"
			if patched.Load() {
				version, marks = "green", `{"`+TaskAnnotation+`": "x"}`
			}
			return `{"metadata": {"name": "cart", "namespace": "n", "uid": "u", "resourceVersion": "1", "annotations": ` + marks + `}, "spec": {"selector": {"version": "` + version + `"}}}`
		case "GET pods":
			return `{"items": [` + pod("green") + `]}`
		case "GET endpointslices":
			uid := "blue"
			if looks.Add(1) > lag.Load() {
				uid = "green"
			}
			return `{"items": [{"endpoints": [{"conditions": {"ready": true}, "targetRef": {"kind": "Pod", "uid": "` + uid + `"}}]}]}`
		}
		t.Errorf("asked for %s", what)
		return "{}"
	})
	s := NewSwitch(clusters)
	at := engine.Target{System: engine.SystemKubernetes, Cluster: "korea", Namespace: "n", Kind: kindService, Name: "cart"}
	run := engine.Task{ID: "x", Target: at, Params: json.RawMessage(`{"label": "version", "to": "green"}`)}
	p := engine.Plan{Target: at, Precondition: json.RawMessage(`{"uid": "u", "resourceVersion": "1", "label": "version", "from": "blue", "to": "green", "selector": {"version": "green"}, "needed": 1}`)}
	lag.Store(2)
	o, err := s.Execute(t.Context(), run, p)
	if err != nil || looks.Load() != 3 || !strings.Contains(o.Summary, "1 ready endpoints") {
		t.Errorf("%s, %v, after %d looks", o.Summary, err, looks.Load())
	}
	// Whoever runs out of time in between knows what it has done, and whoever observes it
	// waits on.
	lag.Store(1 << 40)
	patched.Store(false)
	for name, call := range map[engine.Class]func(context.Context) error{
		engine.ClassUnknown: func(ctx context.Context) error {
			_, err := s.Execute(ctx, run, p)
			return err
		},
		engine.ClassRetryable: func(ctx context.Context) error {
			patched.Store(true)
			_, err := s.Observe(ctx, run, p)
			return err
		},
	} {
		patched.Store(false)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		err := call(short)
		cancel()
		if err == nil || remediators.ClassOf(err) != name || !strings.Contains(err.Error(), "its selector is switched to version=green, but then") {
			t.Errorf("want class %s: %v", name, err)
		}
	}
}

// TestJobIsTheTasks: success is doubted that comes without the Job of the task.
func TestJobIsTheTasks(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		`{}`, `{"metadata": {"uid": "u"}}`, `{"metadata": {"uid": "u", "annotations": {"` + TaskAnnotation + `": "another"}}}`,
		`{"metadata": {"annotations": {"` + TaskAnnotation + `": "x"}}}`,
	} {
		clusters := slowServer(t, func(string) string { return answer })
		cron := &cronJob{}
		cron.Namespace, cron.Name, cron.Spec.JobTemplate = "n", "mend", json.RawMessage(`{"spec": {}}`)
		if _, err := clusters["korea"].createJob(t.Context(), cron, jobParams{}, "x", nil); err == nil || remediators.ClassOf(err) != engine.ClassUnknown {
			t.Errorf("%s: %v", answer, err)
		}
	}
}
