package kubernetes

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestPhasesGoForward holds for any order of what a cluster may show.
func TestPhasesGoForward(t *testing.T) {
	t.Parallel()
	const deadline = 10 * time.Minute
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 0))
		kind := []string{kindDeployment, kindStatefulSet, kindDaemonSet}[r.IntN(3)]
		current := &tracked{template: "t"}
		var number int64
		now := begin
		for range 40 {
			now = now.Add(time.Duration(r.IntN(5)) * time.Minute)
			if current.revision == nil || r.IntN(8) == 0 {
				number++
				current.revision = &revision{uid: "r", name: "x", number: number, began: now.Add(-time.Duration(r.IntN(30)) * time.Minute)}
			}
			current.sight = anySight(r, kind)
			current.history = current.sight.history()
			if r.IntN(8) == 0 {
				current.history = "another"
			}
			was := current.state
			next := current.next(now, deadline)
			same := was.Rollout == next.Rollout
			switch {
			case same && next.Phase.rank() < was.Phase.rank():
				t.Fatalf("seed %d: %s comes after %s", seed, next.Phase, was.Phase)
			case same && was.Phase == RolloutComplete && next.Reason != was.Reason:
				t.Fatalf("seed %d: complete changed to %+v", seed, next)
			case foreign(current) && (same && !next.same(was) || !same && next.Phase != RolloutStarted):
				t.Fatalf("seed %d: judged by numbers of something else: %+v", seed, next)
			case next.Phase == RolloutStuck && next.Reason == "":
				t.Fatalf("seed %d: stuck for no reason", seed)
			case !current.due.IsZero() && (next.Phase != RolloutStarted || !current.due.After(now)):
				t.Fatalf("seed %d: %+v of a %s is due at %v", seed, next, kind, current.due)
			}
			current.state = next
		}
	}
}

// foreign says that the sight's numbers are not of the revision.
func foreign(t *tracked) bool {
	p := t.sight.progress
	return p.observed < p.generation || t.history == "another" || t.sight.template != t.template
}

func anySight(r *rand.Rand, kind string) sight {
	few := func() int32 { return r.Int32N(4) }
	s := sight{owner: owner{kind: kind}, hint: "1", template: "t", progress: progress{
		generation: 2, observed: 2 - int64(r.IntN(6)/5), wanted: few(), total: few(), updated: few(), available: few(), open: r.IntN(2) == 0,
	}}
	if r.IntN(4) == 0 {
		s.halted = "held"
	}
	if kind == kindDeployment {
		s.progressing = appsv1.DeploymentCondition{
			Type:    appsv1.DeploymentProgressing,
			Reason:  []string{"NewReplicaSetAvailable", "ProgressDeadlineExceeded", "ReplicaSetUpdated"}[r.IntN(3)],
			Status:  []corev1.ConditionStatus{corev1.ConditionTrue, corev1.ConditionFalse}[r.IntN(2)],
			Message: []string{`ReplicaSet "x" ...`, `ReplicaSet "y" ...`}[r.IntN(2)],
		}
		if r.IntN(4) == 0 {
			s.template = "another"
		}
	}
	return s
}

// TestHeldUpGetsItsTime has somebody hold a rollout up for hours and let it go on.
func TestHeldUpGetsItsTime(t *testing.T) {
	t.Parallel()
	const deadline = 10 * time.Minute
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := sight{owner: owner{kind: kindStatefulSet}, halted: "partition", progress: progress{wanted: 2, updated: 1, total: 2, available: 2}}
	current := &tracked{sight: s, history: s.history(), revision: &revision{uid: "r", number: 2, began: begin}}
	at := func(after time.Duration, halted string, want RolloutPhase, due time.Duration) {
		t.Helper()
		current.sight.halted = halted
		current.state = current.next(begin.Add(after), deadline)
		if current.state.Phase != want || due != 0 && !current.due.Equal(begin.Add(due)) {
			t.Errorf("after %v: %+v, due at %v", after, current.state, current.due)
		}
	}
	at(0, "partition", RolloutStarted, 0)
	at(5*time.Hour, "partition", RolloutStarted, 0)
	at(6*time.Hour, "", RolloutStarted, 6*time.Hour+deadline)
	at(6*time.Hour+deadline-1, "", RolloutStarted, 6*time.Hour+deadline)
	at(6*time.Hour+deadline, "", RolloutStuck, 0)
}

// TestDeploymentStuck holds what a Deployment's condition says against whom it names.
func TestDeploymentStuck(t *testing.T) {
	t.Parallel()
	const deadline = 10 * time.Minute
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	condition := func(status corev1.ConditionStatus, reason, name string) appsv1.DeploymentCondition {
		return appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: status, Reason: reason, Message: "ReplicaSet " + strconv.Quote(name) + " ..."}
	}
	timedOut := condition(corev1.ConditionFalse, "ProgressDeadlineExceeded", "x")
	for name, c := range map[string]struct {
		condition appsv1.DeploymentCondition
		failure   string
		patience  time.Duration
		age       time.Duration
		want      RolloutPhase
		reason    string
	}{
		"timed out":                  {condition: timedOut, want: RolloutStuck, reason: `ProgressDeadlineExceeded: ReplicaSet "x" ...`},
		"with a reason":              {condition: timedOut, failure: "quota", want: RolloutStuck, reason: `ProgressDeadlineExceeded: ReplicaSet "x" ... quota`},
		"on its way":                 {condition: condition(corev1.ConditionTrue, "ReplicaSetUpdated", "x"), age: time.Hour, want: RolloutStarted},
		"another timed out":          {condition: condition(corev1.ConditionFalse, "ProgressDeadlineExceeded", "y"), age: time.Minute, want: RolloutStarted},
		"lost sight of":              {condition: condition(corev1.ConditionTrue, "NewReplicaSetAvailable", "y"), age: deadline, want: RolloutStuck, reason: "not complete 10m0s after it began: 1 of 2 replicas are updated"},
		"lost sight of, more time":   {condition: condition(corev1.ConditionTrue, "NewReplicaSetAvailable", "y"), patience: time.Hour, age: 59 * time.Minute, want: RolloutStarted},
		"without a progressDeadline": {age: 24 * time.Hour, want: RolloutStarted},
	} {
		s := sight{
			owner: owner{kind: kindDeployment}, progressing: c.condition, failure: c.failure, patience: c.patience,
			progress: progress{wanted: 2, updated: 1, total: 2, available: 2},
		}
		v := s.judge(&revision{name: "x"}, begin, begin.Add(c.age), deadline)
		if v.phase != c.want || v.reason != c.reason {
			t.Errorf("%s: %+v, want %s, %q", name, v, c.want, c.reason)
		}
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	created := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	of := owner{kind: kindDeployment, uid: "u"}
	by := func(uid string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{UID: "other"}, {UID: "u", Controller: new(uid == "u")}}
	}
	for name, c := range map[string]struct {
		text string
		by   []metav1.OwnerReference
		want int64 // 0: is no entry
	}{
		"counted":      {`{"metadata": {"annotations": {"deployment.kubernetes.io/revision": "12"}}, "spec": {"template": {"x": 1}}}`, by("u"), 12},
		"not yet":      {`{"metadata": {}, "spec": {"template": {}}}`, by("u"), 0},
		"no number":    {`{"metadata": {"annotations": {"deployment.kubernetes.io/revision": "v2"}}}`, by("u"), 0},
		"not its":      {`{"metadata": {"annotations": {"deployment.kubernetes.io/revision": "1"}}}`, by("other"), 0},
		"nobody's":     {`{"metadata": {"annotations": {"deployment.kubernetes.io/revision": "1"}}}`, nil, 0},
		"other fields": {`{"metadata": {"annotations": {"deployment.kubernetes.io/revision": "3"}}, "spec": {"template": {"a": {"newer": true}}}}`, by("u"), 3},
	} {
		var r record
		if err := json.Unmarshal([]byte(c.text), &r); err != nil {
			t.Fatal(err)
		}
		r.OwnerReferences, r.CreationTimestamp = c.by, created
		got, ok := r.revision(of)
		if ok != (c.want != 0) || ok && (got.number != c.want || len(got.template) == 0) {
			t.Errorf("%s: %+v, %t; want number %d", name, got, ok, c.want)
		}
	}
}
