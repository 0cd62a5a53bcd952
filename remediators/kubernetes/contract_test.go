package kubernetes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// answering connects to an API server that answers each request, named METHOD PATH, as it
// is told; a status of 0 is 404 in plain text, as of what is not served at all.
func answering(t *testing.T, answer func(request string) (status int, body string)) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, body := answer(r.Method + " " + r.URL.Path)
		if status == 0 {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if _, err := w.Write([]byte(body)); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: k, contexts: [{name: k, context: {cluster: k}}], clusters: [{name: k, cluster: {server: %q}}]}`, server.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := Connect(ClusterConfig{Kubeconfig: file}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// TestDrainCheckpointOfNothing takes a checkpoint that names no pod for no proof that all
// are gone.
func TestDrainCheckpointOfNothing(t *testing.T) {
	t.Parallel()
	client := answering(t, func(string) (int, string) { return http.StatusOK, `{"items": []}` })
	d := NewDrain(Clusters{"c": client}, nil)
	p := engine.Plan{Target: engine.Target{System: engine.SystemKubernetes, Cluster: "c", Kind: kindNode, Name: "n"}}
	for _, checkpoint := range []string{`{}`, `{"pods": []}`, `{"uid": "1"}`, `null`, `3`} {
		ctx := remediators.WithCheckpoint(t.Context(), json.RawMessage(checkpoint))
		if effect, err := d.Observe(ctx, engine.Task{ID: "t"}, p); effect != engine.Unknown || err != nil {
			t.Errorf("%s: %s, %v", checkpoint, effect, err)
		}
	}
}

// TestJobReplacedWhileObserved sees a Job make place for another one of its name: that
// the task's ran to its end, nobody can tell.
func TestJobReplacedWhileObserved(t *testing.T) {
	t.Parallel()
	const job = `{"metadata": {"name": "j", "namespace": "n", "uid": "u%d", "annotations": {"paramedic.dev/task": "t"}}}`
	reads := 0
	client := answering(t, func(string) (int, string) { reads++; return http.StatusOK, fmt.Sprintf(job, min(reads, 2)) })
	p := engine.Plan{
		Target:       engine.Target{System: engine.SystemKubernetes, Cluster: "c", Namespace: "n", Kind: kindCronJob, Name: "j"},
		Precondition: json.RawMessage(`{"uid": "c", "template": "x", "since": "1"}`),
	}
	if effect, err := NewJob(Clusters{"c": client}).Observe(t.Context(), engine.Task{ID: "t"}, p); effect != engine.Unknown || err != nil || reads != 2 {
		t.Errorf("%s, %v after %d reads", effect, err, reads)
	}
}

// TestResizeRefusedButMade has something on the way send each resize twice, so that the
// second is refused for the first: also after the last try it is looked whose a pod is.
func TestResizeRefusedButMade(t *testing.T) {
	t.Parallel()
	const pod = `{"metadata": {"name": "p", "namespace": "n", "uid": "u", "generation": 1, "resourceVersion": "%d", "managedFields": [%s]},
		"spec": {"containers": [{"name": "main", "resources": {"limits": {"memory": "2Gi"}}}]}}`
	tries := 0
	client := answering(t, func(request string) (int, string) {
		ours := ""
		if tries == writeTries {
			ours = fmt.Sprintf(`{"manager": %q, "subresource": "resize"}`, hand("t"))
		}
		if request == "GET /api/v1/namespaces/n/pods/p" {
			return http.StatusOK, fmt.Sprintf(pod, tries, ours)
		}
		tries++
		return http.StatusConflict, `{"kind": "Status", "status": "Failure", "reason": "Conflict", "code": 409}`
	})
	w := &workload{kind: kindDeployment, meta: metav1.ObjectMeta{Namespace: "n", Name: "d"}}
	seen := resized{Name: "p", UID: "u", Generation: 1, Containers: []raise{{Container: "main", LimitFrom: "1Gi", LimitTo: "2Gi"}}}
	end, err := resizing{client: client, w: w, pods: []resized{seen}, task: "t"}.one(t.Context(), seen, podAsPlanned)
	if end != podOurs || err != nil || tries != writeTries {
		t.Errorf("%d, %v after %d tries", end, err, tries)
	}
}

// TestIsBack puts back only what still is as its task has left it.
func TestIsBack(t *testing.T) {
	t.Parallel()
	now := metav1.Now()
	for _, c := range []struct {
		name, uid string
		marks     marks
		deleted   *metav1.Time
		changed   string
		back      bool
		class     engine.Class
	}{
		{name: "as it was left", uid: "u", marks: marks{"t"}},
		{name: "with others since", uid: "u", marks: marks{"z", "t"}},
		{name: "back", uid: "u", marks: marks{"t#undo", "t"}, changed: "it differs", back: true},
		{name: "another one", uid: "v", marks: marks{"t#undo"}, class: engine.ClassTerminal},
		{name: "on its way out", uid: "u", marks: marks{"t#undo"}, deleted: &now, class: engine.ClassTerminal},
		{name: "changed", uid: "u", marks: marks{"t"}, changed: "it differs", class: engine.ClassPlanChanged},
		{name: "forgotten", uid: "u", marks: marks{"z"}, class: engine.ClassPlanChanged},
	} {
		m := &metav1.ObjectMeta{UID: types.UID(c.uid), DeletionTimestamp: c.deleted, Annotations: map[string]string{}}
		for key, value := range c.marks[1:].add(c.marks[0]).annotations() {
			m.Annotations[key] = fmt.Sprint(value)
		}
		back, err := isBack(m, "u", "t", "Deployment n/d is not put back", c.changed)
		if back != c.back || (err == nil) != (c.class == "") || err != nil && remediators.ClassOf(err) != c.class {
			t.Errorf("%s: %t, %v", c.name, back, err)
		}
	}
}

// TestEvictBetweenTwoReads has the pod of a StatefulSet end between two reads of one plan:
// it comes back under its name.
func TestEvictBetweenTwoReads(t *testing.T) {
	t.Parallel()
	reads := 0
	client := answering(t, func(request string) (int, string) {
		switch {
		case request == "GET /apis/apps/v1/namespaces/n/statefulsets/s":
			return http.StatusOK, `{"metadata": {"name": "s", "namespace": "n", "uid": "s"}, "spec": {"replicas": 1}}`
		case reads == 0:
			reads++
			return http.StatusOK, `{"metadata": {"name": "s-0", "namespace": "n", "uid": "p"}}`
		}
		return http.StatusNotFound, `{"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}`
	})
	at := engine.Target{System: engine.SystemKubernetes, Cluster: "c", Namespace: "n", Kind: kindStatefulSet, Name: "s"}
	_, err := NewEvict(Clusters{"c": client}).Plan(t.Context(), engine.Task{ID: "t", Target: at, Params: json.RawMessage(`{"pod": "s-0"}`)})
	if remediators.ClassOf(err) != engine.ClassRetryable || reads != 1 {
		t.Errorf("%v (%s) after %d reads", err, remediators.ClassOf(err), reads)
	}
}
