package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// stage is as much of an API server as a drain needs, where pods end when a test says so:
// the lab's end at once.
type stage struct {
	mu      sync.Mutex
	node    corev1.Node
	pods    []corev1.Pod
	evicted []string
}

func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var answer any
	switch name, eviction := strings.CutSuffix(r.URL.Path, "/eviction"); {
	case eviction:
		name = filepath.Base(name)
		for i := range s.pods {
			if s.pods[i].Name == name {
				s.pods[i].DeletionTimestamp = new(metav1.Now())
				s.evicted = append(s.evicted, name)
			}
		}
		answer = metav1.Status{Status: metav1.StatusSuccess}
	case r.Method == http.MethodPatch:
		if err := json.NewDecoder(r.Body).Decode(&s.node); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		answer = s.node
	case strings.HasSuffix(r.URL.Path, "/pods"):
		answer = corev1.PodList{Items: s.pods}
	case strings.HasSuffix(r.URL.Path, "/nodes"):
		ready := corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}}
		answer = corev1.NodeList{Items: []corev1.Node{
			{ObjectMeta: metav1.ObjectMeta{Name: "n"}, Status: ready}, {ObjectMeta: metav1.ObjectMeta{Name: "other"}, Status: ready},
		}}
	default:
		answer = s.node
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// end lets the pods go that are about to.
func (s *stage) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pods = slices.DeleteFunc(s.pods, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
}

// open starts it with pods on one node.
func open(t *testing.T, pods ...corev1.Pod) (*stage, Clusters) {
	t.Helper()
	s := &stage{node: corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", UID: "u", ResourceVersion: "1"}}, pods: pods}
	return s, at(t, s)
}

// at connects to what answers as an API server.
func at(t *testing.T, api http.Handler) Clusters {
	t.Helper()
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "k", "contexts": [{"name": "k", "context": {"cluster": "k"}}], "clusters": [{"name": "k", "cluster": {"server": %q}}]}`, server.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := Connect(ClusterConfig{Kubeconfig: file}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return Clusters{"korea": client}
}

func drainTask(params string) engine.Task {
	return engine.Task{ID: "t", Action: "kubernetes.drain", Params: json.RawMessage(params), Target: engine.Target{System: engine.SystemKubernetes, Cluster: "korea", Kind: kindNode, Name: "n"}}
}

// TestDrainWaitsForPodsToEnd: a worker that dies once all evictions are accepted has kept
// which pods they were, and whoever observes it waits for these alone.
func TestDrainWaitsForPodsToEnd(t *testing.T) {
	t.Parallel()
	s, clusters := open(t, podOf("a"), podOf("b", ending), podOf("c", daemonic))
	ctx, die := context.WithCancel(t.Context())
	run := drainTask(``)
	dying := NewDrain(clusters, func(time.Duration) <-chan time.Time { die(); return nil })
	p, err := dying.Plan(t.Context(), run)
	if err != nil || !strings.Contains(p.Summary, "evict 1 pods") {
		t.Fatalf("%+v, %v", p, err)
	}
	s.evicted, s.pods[0].DeletionTimestamp = nil, nil // what the stage made of the rehearsal
	var kept json.RawMessage
	_, err = dying.Execute(remediators.WithKeeper(ctx, func(k json.RawMessage) error { kept = k; return nil }), run, p)
	if remediators.ClassOf(err) != engine.ClassUnknown || string(kept) != `{"pods":["uid of a","uid of b"]}` || !slices.Equal(s.evicted, []string{"a"}) {
		t.Fatalf("%v, kept %s, evicted %v", err, kept, s.evicted)
	}

	// Another one comes, and is nobody's business here.
	s.pods = append(s.pods, podOf("late"))
	looks := 0
	waiting := NewDrain(clusters, func(time.Duration) <-chan time.Time {
		if looks++; looks == 3 {
			s.end()
		}
		now := make(chan time.Time, 1)
		now <- time.Time{}
		return now
	})
	effect, err := waiting.Observe(remediators.WithCheckpoint(t.Context(), kept), run, p)
	if effect != engine.Applied || err != nil || looks != 3 {
		t.Errorf("%s, %v after %d looks", effect, err, looks)
	}
	// Without what was kept, a pod that is left says that it has to be gone on with.
	if effect, err = waiting.Observe(t.Context(), run, p); effect != engine.Unknown || err != nil {
		t.Errorf("%s, %v", effect, err)
	}
	s.pods = []corev1.Pod{podOf("a", ending)}
	ctx, die = context.WithCancel(t.Context())
	dying = NewDrain(clusters, func(time.Duration) <-chan time.Time { die(); return nil })
	if _, err = dying.Observe(ctx, run, p); remediators.ClassOf(err) != engine.ClassRetryable || !strings.Contains(err.Error(), "1 of its pods are still ending") {
		t.Errorf("while they end: %v", err)
	}
	if effect, err := waiting.Observe(remediators.WithCheckpoint(t.Context(), json.RawMessage(`[]`)), run, p); effect != engine.Unknown || err != nil {
		t.Errorf("another version's: %s, %v", effect, err)
	}
}

// TestDrainStopsAtMaxPods also where they come while it is at work.
func TestDrainStopsAtMaxPods(t *testing.T) {
	t.Parallel()
	s, clusters := open(t, podOf("a"))
	run := drainTask(`{"maxPods": 2}`)
	more := 0
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	d := NewDrain(clusters, func(time.Duration) <-chan time.Time {
		s.end()
		if more++; more == 9 {
			stop() // or it would never end
		}
		s.pods = append(s.pods, podOf(fmt.Sprint("late", more)))
		now := make(chan time.Time, 1)
		now <- time.Time{}
		return now
	})
	seen := nodeSeen{precondition: precondition{UID: "u", ResourceVersion: "1"}}
	raw, err := seen.encode()
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Execute(ctx, run, engine.Plan{Target: run.Target, Precondition: raw})
	if remediators.ClassOf(err) != engine.ClassUnknown || !strings.Contains(err.Error(), "2 of its pods are evicted") || !slices.Equal(s.evicted, []string{"a", "late1"}) {
		t.Errorf("%v, evicted %v", err, s.evicted)
	}
}

func TestTheLastNodesStayOpen(t *testing.T) {
	t.Parallel()
	s, clusters := open(t)
	run := drainTask(`{"minReadyNodes": 2}`)
	for _, action := range []remediators.Remediator{NewDrain(clusters, time.After), NewCordon(clusters)} {
		if _, err := action.Plan(t.Context(), run); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "of the others 1 are ready") {
			t.Errorf("%s: %v", action.Spec().Name, err)
		}
		ok := drainTask(``)
		p, err := action.Plan(t.Context(), ok)
		if err != nil {
			t.Errorf("%s: %v", action.Spec().Name, err)
		}
		s.node = corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", UID: "u", ResourceVersion: "1"}}
		// It may have become the last one since.
		if _, err := action.Execute(t.Context(), run, p); remediators.ClassOf(err) != engine.ClassTerminal || s.node.Spec.Unschedulable {
			t.Errorf("%s: %v", action.Spec().Name, err)
		}
	}
}

// TestARemovalIsOfWhatWasSeen: what is written between the look and the deletion is not
// deleted, since the API server is told what was seen.
func TestARemovalIsOfWhatWasSeen(t *testing.T) {
	t.Parallel()
	now := time.Now()
	v := corev1.PersistentVolume{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: kindVolume},
		ObjectMeta: metav1.ObjectMeta{Name: "v", UID: "u", ResourceVersion: "7"},
		Spec:       corev1.PersistentVolumeSpec{PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain, ClaimRef: &corev1.ObjectReference{Namespace: "shop"}},
		Status:     corev1.PersistentVolumeStatus{Phase: corev1.VolumeReleased, LastPhaseTransitionTime: new(metav1.NewTime(now.Add(-time.Hour * 1000)))},
	}
	var mu sync.Mutex
	asked := 0
	clusters := at(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if r.Method != http.MethodDelete {
			_ = json.NewEncoder(w).Encode(v)
			return
		}
		var said metav1.DeleteOptions
		if err := json.NewDecoder(r.Body).Decode(&said); err != nil || said.Preconditions == nil || *said.Preconditions.UID != "u" || *said.Preconditions.ResourceVersion != v.ResourceVersion || len(said.DryRun) > 0 {
			t.Errorf("%+v, %v", said, err)
		}
		asked++
		v.ResourceVersion, v.Annotations = "8", map[string]string{KeepAnnotation: "true"}
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonConflict, Code: http.StatusConflict})
	}))
	run := engine.Task{ID: "t", Action: "kubernetes.cleanup", Params: json.RawMessage(`{"what": "volumes", "max": 1}`)}
	p := engine.Plan{
		Target:       engine.Target{System: engine.SystemKubernetes, Cluster: "korea", Kind: kindNamespace, Name: "shop"},
		Precondition: json.RawMessage(`{"left": [{"name": "v", "uid": "u"}]}`),
	}
	if _, err := NewCleanup(clusters, func() time.Time { return now }).Execute(t.Context(), run, p); remediators.ClassOf(err) != engine.ClassPlanChanged || asked != 1 {
		t.Errorf("%v, asked %d times", err, asked)
	}
}
