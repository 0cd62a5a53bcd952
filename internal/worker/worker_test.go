package worker

import (
	"context"
	"errors"
	"fmt"
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

// TestPauseAtEveryPoint pauses at every point of a task's way. Up to the last
// look at the kill switch nothing may be executed.
func TestPauseAtEveryPoint(t *testing.T) {
	where := executeTask().Target
	for _, scope := range engine.Scopes("service-down", where) {
		plain := solo(t, fencedKind(), nil, nil).trace
		lastLook := slices.Index(plain, string(CallBefore)) - 1
		for n := range plain {
			s := solo(t, fencedKind(), nil, func(v *view, at int, _ string) error {
				if at == n {
					v.pause(scope)
				}
				return nil
			})
			if n >= lastLook {
				if s.world.target.effects != 1 || s.world.results[0].Outcome == nil {
					t.Errorf("paused at %s: not executed", s.at(n))
				}
				continue
			}
			if s.world.target.calls != 0 {
				t.Errorf("paused %s at %s: called", scope, s.at(n))
			}
			s.wantFailure(t, engine.ClassPaused, scope)
		}
	}
}

// TestPauseBeforeCallingAgain: the first call was lost and the pause comes right
// after the second was announced. It is not made, and nobody says that nothing
// was changed.
func TestPauseBeforeCallingAgain(t *testing.T) {
	s := solo(t, fencedKind(), nil, func(v *view, _ int, name string) error {
		switch name {
		case "execute.before":
			return remediators.UnknownOutcome("connection reset")
		case "claim.update.after":
			v.pause(engine.ScopeAll)
		}
		return nil
	})
	s.wantFailure(t, engine.ClassUnknown, "paused: all")
	calls := 0
	for _, name := range s.trace {
		if name == string(CallBefore) {
			calls++
		}
	}
	if calls != 1 {
		t.Errorf("%d calls, want only the first", calls)
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

func TestOtherPausesDoNotHold(t *testing.T) {
	s := solo(t, fencedKind(), nil, func(v *view, n int, _ string) error {
		if n == 0 {
			v.pause("rule/another")
			v.pause("cluster/korea")
			v.pause("target/http/place")
		}
		return nil
	})
	if s.world.target.effects != 1 {
		t.Errorf("%+v", s.world.results)
	}
}

// TestUnreadableKillSwitchHolds: while the pauses cannot be read nothing is
// executed, however long that takes.
func TestUnreadableKillSwitchHolds(t *testing.T) {
	for _, from := range []int{0, 1} { // the look before the claim, and that after it
		seen := 0
		s := solo(t, fencedKind(), nil, func(_ *view, _ int, name string) error {
			if name == "pauses.list.before" {
				if seen++; seen > from {
					return errInjected
				}
			}
			return nil
		})
		if s.world.target.calls != 0 {
			t.Error("called")
		}
		s.wantFailure(t, engine.ClassExpired, "to be started by")
		if seen < 10 {
			t.Errorf("only %d looks", seen)
		}
	}
}

func TestClasses(t *testing.T) {
	inExecute := func(errs ...error) func(*view, int, string) error {
		return func(_ *view, _ int, name string) error {
			if name == "execute.before" && len(errs) > 0 {
				err := errs[0]
				errs = errs[1:]
				return err
			}
			return nil
		}
	}
	inPlan := func(err error) func(*view, int, string) error {
		return func(_ *view, _ int, name string) error {
			if name == "plan.before" {
				return err
			}
			return nil
		}
	}
	observable := kind{name: "observable"}
	idempotent := kind{name: "idempotent", idempotent: true, blind: true}
	lost := remediators.UnknownOutcome("connection reset")
	for name, c := range map[string]struct {
		kind    kind
		change  func(*engine.Task)
		at      func(*view, int, string) error
		class   engine.Class // empty for an outcome
		message string
		calls   int
		dead    int
	}{
		"retryable":              {at: inExecute(remediators.Retryable(time.Minute, "busy")), class: engine.ClassRetryable, message: "busy"},
		"terminal":               {at: inExecute(remediators.Terminal("forbidden")), class: engine.ClassTerminal, message: "forbidden", dead: 1},
		"plan changed":           {at: inExecute(remediators.PlanChanged("conflict")), class: engine.ClassPlanChanged, message: "conflict"},
		"lost, fenced":           {at: inExecute(lost), calls: 1},
		"lost, idempotent":       {kind: idempotent, at: inExecute(lost), calls: 1},
		"lost, observable":       {kind: observable, at: inExecute(lost), class: engine.ClassUnknown, message: "may still be on its way", dead: 1},
		"lost, blind":            {kind: kind{blind: true}, at: inExecute(lost), class: engine.ClassUnknown, message: "connection reset", dead: 1},
		"unclassified":           {kind: kind{blind: true}, at: inExecute(errors.New("odd")), class: engine.ClassUnknown, message: "odd", dead: 1},
		"class of the engine's":  {kind: kind{blind: true}, at: inExecute(&remediators.Error{Class: engine.ClassPaused, Err: errInjected}), class: engine.ClassUnknown, dead: 1},
		"lost, then busy":        {at: inExecute(lost, remediators.Retryable(time.Minute, "busy")), calls: 1},
		"lost, then forbidden":   {at: inExecute(lost, remediators.Terminal("forbidden")), class: engine.ClassUnknown, message: "forbidden", dead: 1},
		"lost, then conflict":    {at: inExecute(lost, remediators.PlanChanged("conflict")), class: engine.ClassPlanChanged, message: "conflict"},
		"lost, then, idempotent": {kind: idempotent, at: inExecute(lost, remediators.PlanChanged("conflict")), class: engine.ClassUnknown, message: "conflict", dead: 1},
		"always lost":            {at: inExecute(slices.Repeat([]error{lost}, 50)...), class: engine.ClassUnknown, message: "called 4 times", dead: 1},
		"busy for ever after":    {at: inExecute(slices.Insert(slices.Repeat([]error{remediators.Retryable(0, "busy")}, 50), 0, lost)...), class: engine.ClassUnknown, message: "called 4 times", dead: 1},
		"plan retryable":         {at: inPlan(remediators.Retryable(0, "busy")), class: engine.ClassRetryable, message: "busy"},
		"plan gone":              {at: inPlan(remediators.Terminal("no such deployment")), class: engine.ClassTerminal, message: "no such", dead: 1},
		"plan unclassified":      {at: inPlan(errors.New("odd")), class: engine.ClassRetryable, message: "odd"},
		"plan differs": {change: func(t *engine.Task) { t.Plan.Summary = "restart something" },
			class: engine.ClassPlanChanged, message: `allowed was "restart something"`},
		"expired": {change: func(t *engine.Task) { t.NotAfter = time.Now().Add(-time.Second) },
			class: engine.ClassExpired, message: "to be started by"},
		"unknown action": {change: func(t *engine.Task) { t.Action = "test.other" },
			class: engine.ClassTerminal, message: "only test.restart", dead: 1},
		"unknown kind": {change: func(t *engine.Task) { t.Kind = "guess" },
			class: engine.ClassTerminal, message: `kind "guess"`, dead: 1},
		"no plan": {change: func(t *engine.Task) { t.Plan = nil },
			class: engine.ClassTerminal, message: "needs the plan", dead: 1},
		"another target": {change: func(t *engine.Task) { t.Target.Name = "other" },
			class: engine.ClassTerminal, message: "the plan's is", dead: 1},
		"no timeout": {change: func(t *engine.Task) { t.Timeout = 0 },
			class: engine.ClassTerminal, message: "timeout is 0s", dead: 1},
		"another group": {change: func(t *engine.Task) { t.Group = "japan" },
			class: engine.ClassTerminal, message: "group", dead: 1},
	} {
		t.Run(name, func(t *testing.T) {
			k := c.kind
			if k == (kind{}) {
				k = fencedKind()
			}
			s := solo(t, k, c.change, c.at)
			if err := s.check(k); err != nil {
				t.Error(err)
			}
			if c.class == "" {
				if s.world.results[0].Outcome == nil {
					t.Errorf("failure %+v, want an outcome", s.world.results[0].Failure)
				}
			} else {
				s.wantFailure(t, c.class, c.message)
			}
			if s.world.target.calls != c.calls {
				t.Errorf("%d calls reached the target, want %d", s.world.target.calls, c.calls)
			}
			if len(s.world.dead) != c.dead {
				t.Errorf("dead letters %q, want %d", s.world.dead, c.dead)
			}
		})
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

// TestNothingShows: the target cannot be read any more; a person is asked, but
// not at once.
func TestNothingShows(t *testing.T) {
	var begun time.Time
	s := solo(t, fencedKind(), nil, func(_ *view, n int, name string) error {
		if n == 0 {
			begun = time.Now()
		}
		if name == "execute.after" || name == "observe.before" {
			return errInjected
		}
		return nil
	})
	s.wantFailure(t, engine.ClassUnknown, "could not be observed")
	if took := s.world.results[0].At.Sub(begun); took < resolveWithin || took > resolveWithin+2*time.Minute {
		t.Errorf("asked a person after %v", took)
	}
}

func TestPanics(t *testing.T) {
	for name, want := range map[string]engine.Class{
		"execute.before": engine.ClassUnknown,
		"plan.before":    engine.ClassTerminal,
		"observe.before": engine.ClassUnknown,
	} {
		s := solo(t, kind{name: "blind", blind: true}, nil, func(_ *view, _ int, at string) error {
			if at == "execute.after" && name == "observe.before" {
				return errInjected
			}
			if at == name {
				panic("password is hunter2")
			}
			return nil
		})
		s.wantFailure(t, want, "panicked")
		if strings.Contains(fmt.Sprint(s.world.results, s.world.dead), "hunter2") {
			t.Errorf("%s: what the panic said went out", name)
		}
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

func TestPlanAndVerify(t *testing.T) {
	asPlan := func(t *engine.Task) { t.Kind, t.Plan = engine.TaskPlan, nil }
	asVerify := func(t *engine.Task) {
		t.Kind, t.Plan, t.Action, t.Deadline = engine.TaskVerify, nil, engine.VerifyAction, time.Now().Add(time.Minute)
	}
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
