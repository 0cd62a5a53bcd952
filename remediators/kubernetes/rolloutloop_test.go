package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// script is an API server whose only workload is a StatefulSet. It is for what
// takes too long on a real one; all else is tried there.
type script struct {
	mu sync.Mutex
	// mute makes a watch be accepted and then say nothing.
	mute     bool
	lists    int
	watches  int
	set      appsv1.StatefulSet
	revision appsv1.ControllerRevision
	// later is the workload's generation when it is read alone.
	later int64
}

func newScript(began time.Time) *script {
	labels := map[string]string{"app": "store"}
	s := &script{set: appsv1.StatefulSet{
		TypeMeta:   metav1.TypeMeta{Kind: "StatefulSet", APIVersion: "apps/v1"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "store", UID: "u", Generation: 2, ResourceVersion: "7"},
		Spec:       appsv1.StatefulSetSpec{Replicas: new(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: labels}},
		Status: appsv1.StatefulSetStatus{
			ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 1, AvailableReplicas: 1, CurrentRevision: "store-a", UpdateRevision: "store-b",
		},
	}}
	s.revision = appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "n", Name: "store-b", UID: "r", CreationTimestamp: metav1.NewTime(began.Add(-time.Hour)), Labels: labels,
			OwnerReferences: []metav1.OwnerReference{{Kind: "StatefulSet", Name: "store", UID: "u", Controller: new(true)}},
			// It has been rolled out before.
			ManagedFields: []metav1.ManagedFieldsEntry{
				{Time: new(metav1.NewTime(began)), FieldsV1: metav1.NewFieldsV1(`{"f:revision":{}}`)},
				{Time: new(metav1.NewTime(began.Add(time.Minute))), FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{}}`)},
			},
		},
		Revision: 3,
	}
	s.revision.Data.Raw = []byte(`{"spec":{"template":{"spec":{"containers":[{"image":"i"}]}}}}`)
	return s
}

// RoundTrip implements [http.RoundTripper].
func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var answer any
	switch {
	case r.URL.Query().Get("watch") != "":
		s.watches++
		return s.stream(r)
	case strings.HasSuffix(r.URL.Path, "/controllerrevisions"):
		answer = appsv1.ControllerRevisionList{Items: []appsv1.ControllerRevision{s.revision}}
	case strings.HasSuffix(r.URL.Path, "/store"):
		again := s.set
		again.Generation += s.later
		answer = again
	default:
		s.lists++
		answer = appsv1.StatefulSetList{
			TypeMeta: metav1.TypeMeta{Kind: "StatefulSetList", APIVersion: "apps/v1"},
			ListMeta: metav1.ListMeta{ResourceVersion: "7"}, Items: []appsv1.StatefulSet{s.set},
		}
	}
	body, err := json.Marshal(answer)
	return respond(r, io.NopCloser(strings.NewReader(string(body)))), err
}

// stream is a watch that never says anything, until the time that it is asked for
// is over, if then.
func (s *script) stream(r *http.Request) (*http.Response, error) {
	body, end := io.Pipe()
	after := time.Hour * 24
	if !s.mute {
		var seconds int
		if _, err := fmt.Sscan(r.URL.Query().Get("timeoutSeconds"), &seconds); err != nil {
			return nil, err
		}
		after = time.Duration(seconds) * time.Second
	}
	// The transport owns it, as a real one does.
	timer := time.AfterFunc(after, func() { _ = end.Close() })
	context.AfterFunc(r.Context(), func() {
		timer.Stop()
		_ = end.CloseWithError(r.Context().Err())
	})
	return respond(r, body), nil
}

func respond(r *http.Request, body io.ReadCloser) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body, Request: r}
}

func (s *script) client(t *testing.T) *Client {
	t.Helper()
	c, err := newClient(&rest.Config{Host: "https://kubernetes.invalid", QPS: 50, Burst: 100}, &http.Client{Transport: s, Timeout: 15 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// told is what a watch of the script says, each with the time since the beginning.
type told struct {
	states []RolloutState
	syncs  []SyncState
	at     []time.Duration
}

// follow watches for so long. Nothing else happens meanwhile.
func (s *script) follow(t *testing.T, d time.Duration) *told {
	t.Helper()
	begin, all := time.Now(), &told{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done, client := make(chan error, 1), s.client(t)
	go func() {
		done <- client.WatchRollouts(ctx, WatchOptions{
			Kind: kindStatefulSet, OnSync: func(s SyncState) { all.syncs = append(all.syncs, s) },
		}, func(s RolloutState) error {
			all.states, all.at = append(all.states, s), append(all.at, time.Since(begin))
			return nil
		})
	}()
	<-time.After(d)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	return all
}

func TestStuckByTimeAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(time.Now().Add(-4 * time.Minute))
		all := s.follow(t, 24*time.Hour)
		if len(all.states) != 2 || all.states[0].Phase != RolloutStarted || all.states[1].Phase != RolloutStuck || all.states[1].Rollout != "r/3" {
			t.Fatalf("told %+v", all.states)
		}
		if all.at[0] != 0 || all.at[1] != 6*time.Minute {
			t.Errorf("told at %v, want at once and 10m after it began", all.at)
		}
		if want := "not complete 10m0s after it began: 1 of 2 replicas are updated"; all.states[1].Reason != want {
			t.Errorf("reason %q, want %q", all.states[1].Reason, want)
		}
		if len(all.syncs) != 1 || !all.syncs[0].Current {
			t.Errorf("told of %+v", all.syncs)
		}
		// A watch lasts 5 to 10 minutes, and nothing is listed in between.
		if s.lists != 1 || s.watches < 24*60/10 || s.watches > 24*60/5+1 {
			t.Errorf("%d lists, %d watches", s.lists, s.watches)
		}
	})
}

// TestHistoryOfLater has a rollout begin between the list and the look at the
// history, which may then be of either.
func TestHistoryOfLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(time.Now())
		s.later = 1
		if all := s.follow(t, time.Hour); len(all.states) != 0 || len(all.syncs) != 1 {
			t.Errorf("told %+v, %+v", all.states, all.syncs)
		}
	})
}

// TestDeadWatchEnds has the other end of a watch disappear without a word.
func TestDeadWatchEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(time.Now())
		s.mute = true
		s.follow(t, 2*time.Hour)
		if s.watches < 10 {
			t.Errorf("%d watches within two hours", s.watches)
		}
	})
}

func TestWatchNeedsRights(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		options WatchOptions
		want    string
	}{
		{WatchOptions{}, "controllerrevisions,replicasets:list daemonsets,statefulsets:get,list,watch deployments:list,watch"},
		{WatchOptions{Kind: kindDeployment}, "deployments:list,watch replicasets:list"},
		{WatchOptions{Kind: kindDaemonSet}, "controllerrevisions:list daemonsets:get,list,watch"},
	} {
		var got []string
		for _, r := range ClusterRole("x", c.options).Rules {
			got = append(got, strings.Join(r.Resources, ",")+":"+strings.Join(r.Verbs, ","))
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%+v needs %s, want %s", c.options, text, c.want)
		}
	}
	if _, err := (WatchOptions{Kind: "deployment"}).checked(); remediators.ClassOf(err) != engine.ClassTerminal {
		t.Errorf("a kind in small: %v", err)
	}
}
