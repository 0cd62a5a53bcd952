package worker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// solo lets one worker do the task that change makes of executeTask, with at
// called at every point.
func solo(t *testing.T, k kind, change func(*engine.Task), at func(v *view, n int, name string) error) story {
	t.Helper()
	var st story
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		st.world = newWorld(cancel)
		task := executeTask()
		if change != nil {
			change(&task)
		}
		st.world.enqueue(t, task)
		v := &view{world: st.world, name: "solo", kind: k}
		if at != nil {
			v.at = func(n int, name string) error { return at(v, n, name) }
		}
		if err := v.worker(t).Run(ctx); err != nil {
			t.Error(err)
		}
		st.trace = v.trace
	})
	return st
}

func fencedKind() kind { return kind{name: "fenced", fenced: true} }

// wantFailure reports a story that did not end with one failure of that class
// and message.
func (s story) wantFailure(t *testing.T, class engine.Class, message string) {
	t.Helper()
	if len(s.world.results) != 1 {
		t.Fatalf("%d results, want 1", len(s.world.results))
	}
	f := s.world.results[0].Failure
	if f == nil || f.Class != class || !strings.Contains(f.Message, message) {
		t.Errorf("failure %+v, want %s with %q", f, class, message)
	}
}

func TestOrder(t *testing.T) {
	s := solo(t, fencedKind(), nil, nil)
	if err := s.check(fencedKind()); err != nil {
		t.Error(err)
	}
	want := []string{
		"claim.get.before", // there is none
		"pauses.list.before", "pauses.list.after",
		"plan.before", "plan.after",
		"claim.create.before", "claim.create.after",
		"pauses.list.before", "pauses.list.after",
		"worker.call.before", "execute.before", "execute.after", "worker.call.after",
		"claim.update.before", "claim.update.after",
		"worker.result.before", "inbox.publish.before", "inbox.publish.after", "worker.result.after",
		"worker.ack.before", "queue.ack.before", "queue.ack.after", "worker.ack.after",
	}
	if !slices.Equal(s.trace, want) {
		t.Errorf("passed\n%s\nwant\n%s", strings.Join(s.trace, "\n"), strings.Join(want, "\n"))
	}
	if r := s.world.results[0]; r.Worker != "solo" || r.Task != executeTask().ID || r.At.IsZero() || r.Observed {
		t.Errorf("result %+v", r)
	}
	if len(s.world.dead) != 0 {
		t.Errorf("dead letters %v", s.world.dead)
	}
}

// TestStale: between the announcement of a call and the call, the process stands
// still for so long that others may take the call to have ended. It is not made
// under that announcement.
func TestStale(t *testing.T) {
	for _, announced := range []string{"claim.create.after", "claim.update.after"} {
		stood, called := false, false
		s := solo(t, fencedKind(), nil, func(_ *view, _ int, name string) error {
			switch {
			case name == announced && !stood:
				stood = true
				<-time.After(testTimeout * 3 / 4)
			case name == "execute.before" && !called:
				called = true
				if announced == "claim.update.after" {
					return remediators.UnknownOutcome("connection reset")
				}
			}
			return nil
		})
		if err := s.check(fencedKind()); err != nil {
			t.Error(err)
		}
		if s.world.results[0].Outcome == nil || s.world.messages[0].deliveries != 2 || s.world.target.calls != 1 {
			t.Errorf("stood still at %s: %d deliveries, %d calls, %+v",
				announced, s.world.messages[0].deliveries, s.world.target.calls, s.world.results)
		}
	}
}

// TestNothingToDo: a plan that changes nothing is not executed.
func TestNothingToDo(t *testing.T) {
	s := solo(t, kind{name: "noop", noop: true}, func(t *engine.Task) { t.Plan.Noop = true }, nil)
	if r := s.world.results[0]; r.Outcome == nil || s.world.target.calls != 0 {
		t.Errorf("result %+v after %d calls", r, s.world.target.calls)
	}
}

// TestLandedThoughLost: the call's effect shows although its answer was lost.
func TestLandedThoughLost(t *testing.T) {
	s := solo(t, kind{name: "observable"}, nil, func(_ *view, _ int, name string) error {
		if name == "execute.after" {
			return remediators.UnknownOutcome("timeout")
		}
		return nil
	})
	if r := s.world.results[0]; r.Outcome == nil || !r.Observed || s.world.target.effects != 1 {
		t.Errorf("result %+v after %d effects", r, s.world.target.effects)
	}
}

func TestBrokenClaim(t *testing.T) {
	for _, value := range []string{"{", "{}", `{"state":"started"}`, `{"state":"done"}`, `{"state":"dreaming"}`} {
		s := solo(t, fencedKind(), nil, func(v *view, n int, _ string) error {
			if n == 0 {
				v.mu.Lock()
				defer v.mu.Unlock()
				v.revision++
				v.claims[executeTask().ID] = stored{[]byte(value), v.revision}
			}
			return nil
		})
		s.wantFailure(t, engine.ClassUnknown, "cannot be read")
		if s.world.target.calls != 0 {
			t.Errorf("%s: called", value)
		}
	}
}

func TestPlanCheckAndVerify(t *testing.T) {
	asPlan := func(t *engine.Task) { t.Kind, t.Plan = engine.TaskPlan, nil }
	asVerify := func(t *engine.Task) {
		t.Kind, t.Plan, t.Action, t.Deadline = engine.TaskVerify, nil, engine.VerifyAction, time.Now().Add(time.Minute)
	}
	asCheck := func(t *engine.Task) { t.Kind, t.Plan, t.Action = engine.TaskCheck, nil, engine.VerifyAction }
	failing := func(at string, err error) func(*view, int, string) error {
		return func(_ *view, _ int, name string) error {
			if name == at {
				return err
			}
			return nil
		}
	}
	if r := solo(t, fencedKind(), asPlan, nil).world.results[0]; r.Plan == nil || r.Plan.Target != executeTask().Target {
		t.Errorf("plan: %+v", r)
	}
	if r := solo(t, fencedKind(), asVerify, nil).world.results[0]; !r.Verified || len(r.Checks) != 1 {
		t.Errorf("verify: %+v", r)
	}
	if r := solo(t, fencedKind(), asCheck, nil).world.results[0]; !r.Verified || len(r.Checks) != 1 {
		t.Errorf("check: %+v", r)
	}
	solo(t, fencedKind(), asCheck, failing("check.before", errors.New("odd"))).wantFailure(t, engine.ClassRetryable, "odd")
	solo(t, fencedKind(), asCheck, failing("check.before", remediators.Terminal("no such probe"))).wantFailure(t, engine.ClassTerminal, "no such probe")
	solo(t, fencedKind(), asPlan, failing("plan.before", errors.New("odd"))).wantFailure(t, engine.ClassRetryable, "odd")
	solo(t, fencedKind(), asPlan, failing("plan.before", remediators.Terminal("gone"))).wantFailure(t, engine.ClassTerminal, "gone")
	solo(t, fencedKind(), asVerify, failing("verify.before", errors.New("odd"))).wantFailure(t, engine.ClassRetryable, "odd")
	late := func(t *engine.Task) { asPlan(t); t.NotAfter = time.Now().Add(-time.Second) }
	solo(t, fencedKind(), late, nil).wantFailure(t, engine.ClassExpired, "")
	endless := func(t *engine.Task) { asVerify(t); t.Deadline = time.Time{} }
	solo(t, fencedKind(), endless, nil).wantFailure(t, engine.ClassTerminal, "deadline")
}

// TestUndecodable: what is no task goes to the dead letters, and is given up
// only once it is there.
func TestUndecodable(t *testing.T) {
	for _, body := range []string{"", "{", `[]`, `{"id":""}`, `{"id":"a b"}`, `{"id":"` + strings.Repeat("x", 600) + `"}`} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w := newWorld(cancel)
			w.enqueueRaw("work.korea.test.restart", []byte(body))
			failures := 3
			v := &view{world: w, name: "solo", at: func(_ int, name string) error {
				if name == "dead.publish.before" && failures > 0 {
					failures--
					return errInjected
				}
				return nil
			}}
			if err := v.worker(t).Run(ctx); err != nil {
				t.Error(err)
			}
			if len(w.dead) != 1 || !strings.HasPrefix(w.dead[0], "korea test.restart undecodable/") {
				t.Errorf("%s: dead letters %q", body, w.dead)
			}
			if w.messages[0].termed == "" || w.messages[0].deliveries != 4 {
				t.Errorf("%s: %+v", body, w.messages[0])
			}
		})
	}
}
