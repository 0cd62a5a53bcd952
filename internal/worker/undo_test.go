package worker

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// TestUndoWhateverHappens kills the worker, or lets a step fail, done or not
// done, at every pair of points of an undo. It is always put back, once, and
// nobody is asked.
func TestUndoWhateverHappens(t *testing.T) {
	k := kind{name: "blind", blind: true}
	for _, first := range []fault{crash, fail} {
		for _, second := range []fault{crash, fail} {
			t.Run(first.String()+", "+second.String(), func(t *testing.T) {
				runs, again := 0, 0
				for i := 0; ; i++ {
					if one := liveWith(t, k, undoTask, schedule{i: first}); len(one.trace) <= i {
						break
					}
					for j := i + 1; ; j++ {
						s := liveWith(t, k, undoTask, schedule{i: first, j: second})
						runs++
						if err := s.check(k); err != nil {
							t.Fatalf("at %s: %v\n%s", s.at(i, j), err, strings.Join(s.trace, "\n"))
						}
						if r := s.world.results[0]; r.Outcome == nil || r.Outcome.Summary != "put back: restarted place-service" {
							t.Fatalf("at %s: %+v %+v", s.at(i, j), r, r.Failure)
						}
						if s.world.target.calls > 1 {
							again++
						}
						if slices.ContainsFunc(s.trace, func(p string) bool { return strings.HasPrefix(p, "observe") || strings.HasPrefix(p, "plan") }) {
							t.Fatalf("an undo was observed or planned:\n%s", strings.Join(s.trace, "\n"))
						}
						if len(s.trace) <= j {
							break
						}
					}
				}
				t.Logf("%d ways; in %d Undo was called again", runs, again)
				if again == 0 {
					t.Error("Undo was never called again")
				}
			})
		}
	}
}

// TestStoppedWorkerAndUndo: a worker that was stopped goes on while another one
// has the task.
func TestStoppedWorkerAndUndo(t *testing.T) {
	k := kind{name: "blind", blind: true}
	runs := 0
	for i := 0; ; i++ {
		if _, first := (stop{kind: k, task: undoTask, i: i}).run(t); len(first) <= i {
			break
		}
		for n := 0; ; n++ {
			j, dies := n/2, n%2 == 1
			s, first := stop{kind: k, task: undoTask, i: i, j: j, dies: dies}.run(t)
			runs++
			if err := s.check(k); err != nil || s.world.results[0].Outcome == nil {
				t.Fatalf("woken at %s of the second, stopped at %s: %v, %+v", s.at(j), first[i], err, s.world.results[0].Failure)
			}
			if len(s.trace) <= j {
				break
			}
		}
	}
	t.Logf("%d ways to be stopped", runs)
}

// TestUndoWaitsForTheOther: while a call that another worker announced may be
// under way, none is made beside it.
func TestUndoWaitsForTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := newWorld(cancel)
		task := undoTask()
		task.Timeout = 5 * time.Minute
		w.enqueue(t, task)
		began := time.Now()
		other, err := json.Marshal(claim{State: started, Worker: "other", At: began, Since: began, Calls: 1, Plan: task.Plan})
		if err != nil {
			t.Fatal(err)
		}
		v := &view{world: w, name: "solo", kind: fencedKind()}
		if _, err := v.put(task.ID, other, 0); err != nil {
			t.Fatal(err)
		}
		var called time.Duration
		v.at = func(_ int, name string) error {
			if name == "undo.before" {
				called = time.Since(began)
			}
			return nil
		}
		if err := v.worker(t).Run(ctx); err != nil {
			t.Error(err)
		}
		if called < task.Timeout || called > task.Timeout+time.Minute || w.target.effects != 1 {
			t.Errorf("called after %v, %d effects; the other's call may take %v", called, w.target.effects, task.Timeout)
		}
	})
}

func TestUndoClasses(t *testing.T) {
	lost := remediators.UnknownOutcome("connection reset")
	for name, c := range map[string]struct {
		kind    kind
		change  func(*engine.Task)
		errs    []error
		class   engine.Class // empty for an outcome
		message string
		calls   int // that reached the target
		dead    int
	}{
		"done":                  {calls: 1},
		"retryable":             {errs: []error{remediators.Retryable(time.Minute, "busy")}, class: engine.ClassRetryable, message: "busy"},
		"terminal":              {errs: []error{remediators.Terminal("forbidden")}, class: engine.ClassTerminal, message: "forbidden", dead: 1},
		"changed since":         {errs: []error{remediators.PlanChanged("it has 7 replicas")}, class: engine.ClassPlanChanged, message: "7 replicas"},
		"lost":                  {errs: []error{lost}, calls: 1},
		"unclassified":          {errs: []error{errors.New("odd")}, calls: 1},
		"lost, then busy":       {errs: []error{lost, remediators.Retryable(time.Second, "busy")}, calls: 1},
		"lost, then changed":    {errs: []error{lost, remediators.PlanChanged("it has 7 replicas")}, class: engine.ClassUnknown, message: "7 replicas", dead: 1},
		"lost, then forbidden":  {errs: []error{lost, remediators.Terminal("forbidden")}, class: engine.ClassUnknown, message: "forbidden", dead: 1},
		"always lost":           {errs: slices.Repeat([]error{lost}, 50), class: engine.ClassUnknown, message: "called 4 times", dead: 1},
		"class of the engine's": {errs: slices.Repeat([]error{&remediators.Error{Class: engine.ClassPaused, Err: errInjected}}, 50), class: engine.ClassUnknown, dead: 1},
		"no undo":               {kind: kind{permanent: true}, class: engine.ClassTerminal, message: "test.restart does cannot be put back", dead: 1},
		"no such action":        {change: func(t *engine.Task) { t.Action = "test.other" }, class: engine.ClassTerminal, message: "no such remediator", dead: 1},
		"of nothing":            {change: func(t *engine.Task) { t.Undoes = "" }, class: engine.ClassTerminal, message: "id of the task that it undoes", dead: 1},
		"no outcome":            {change: func(t *engine.Task) { t.Outcome = nil }, class: engine.ClassTerminal, message: "needs the outcome", dead: 1},
		"no plan":               {change: func(t *engine.Task) { t.Plan = nil }, class: engine.ClassTerminal, message: "needs the plan", dead: 1},
		"expired":               {change: func(t *engine.Task) { t.NotAfter = time.Now().Add(-time.Second) }, class: engine.ClassExpired, message: "to be started by"},
	} {
		t.Run(name, func(t *testing.T) {
			errs := c.errs
			s := solo(t, c.kind, func(task *engine.Task) {
				if *task = undoTask(); c.change != nil {
					c.change(task)
				}
			}, func(_ *view, _ int, name string) error {
				if name != "undo.before" || len(errs) == 0 {
					return nil
				}
				err := errs[0]
				errs = errs[1:]
				return err
			})
			if err := s.check(c.kind); err != nil {
				t.Error(err)
			}
			if c.class != "" {
				s.wantFailure(t, c.class, c.message)
			} else if s.world.results[0].Outcome == nil {
				t.Errorf("failure %+v, want an outcome", s.world.results[0].Failure)
			}
			if s.world.target.calls != c.calls || len(s.world.dead) != c.dead {
				t.Errorf("%d calls reached the target, want %d; dead letters %q, want %d", s.world.target.calls, c.calls, s.world.dead, c.dead)
			}
		})
	}
}

// TestPausedUndo pauses at every point: up to the last look nothing is called,
// and afterwards it is put back.
func TestPausedUndo(t *testing.T) {
	asUndo := func(task *engine.Task) { *task = undoTask() }
	plain := solo(t, fencedKind(), asUndo, nil).trace
	lastLook := slices.Index(plain, string(CallBefore)) - 1
	for n := range plain {
		s := solo(t, fencedKind(), asUndo, func(v *view, at int, _ string) error {
			if at == n {
				v.pause("rule/service-down")
			}
			return nil
		})
		if n < lastLook {
			s.wantFailure(t, engine.ClassPaused, "rule/service-down")
		}
		if called := s.world.target.calls == 1; called != (n >= lastLook) {
			t.Errorf("paused at %s: called is %t", s.at(n), called)
		}
	}
}
