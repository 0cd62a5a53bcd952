package remediatortest

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// callTimeout bounds one call, as a task's Timeout does.
const callTimeout = 20 * time.Second

// suite is one run of the suite.
type suite struct {
	subject Subject
	proxy   proxy
	bench   Bench
	spec    remediators.Spec
	ids     atomic.Int64
}

// Run tries everything that [remediators.Remediator] promises.
func Run(t *testing.T, subject Subject) {
	t.Helper()
	s := &suite{subject: subject, proxy: newProxy(t, subject)}
	s.bench = subject.Open(t, s.proxy.end())
	s.spec = s.bench.Remediator.Spec()
	for _, c := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"spec is sane", s.specIsSane},
		{"unknown parameters are refused", s.unknownParameters},
		{"plan changes nothing and is repeatable", s.planIsRepeatable},
		{"a missing target is terminal", s.missingTarget},
		{"another system is terminal", s.anotherSystem},
		{"executes once and observes it", s.executesOnce},
		{"a task is told from others", s.toldFromOthers},
		{"a cancelled call sends nothing", s.cancelled},
		{"an unreachable target is retryable", s.unreachable},
		{"answers are classified", s.answers},
		{"a stranger's success is doubted", s.strangersSuccess},
		{"a lost request", s.lostRequest},
		{"a lost answer", s.lostAnswer},
		{"a call sent twice", s.sentTwice},
		{"a stale plan is refused", s.stalePlan},
		{"a late call is refused", s.lateCall},
		{"the same task twice at once", s.twiceAtOnce},
		{"killed while the target makes the change", s.killed},
		{"undo puts back", s.undoes(s.undoPutsBack)},
		{"undo puts back once", s.undoes(s.undoOnce)},
		{"undo refuses what was changed since", s.undoes(s.undoRefuses)},
		{"the same undo four times at once", s.undoes(s.undoAtOnce)},
		{"a lost undo", s.undoes(s.undoLost)},
		{"a late undo is refused", s.undoes(s.undoLate)},
	} {
		t.Run(c.name, c.run)
	}
}

func (s *suite) watch(t *testing.T) watched {
	return watched{t: t, inner: s.bench.Remediator, secrets: s.subject.Secrets}
}

// task completes a scene's task as one to execute, with an id of its own.
func (s *suite) task(scene Scene) engine.Task { return s.complete(scene.Task, engine.TaskExecute) }

func (s *suite) complete(task engine.Task, kind engine.TaskKind) engine.Task {
	n := s.ids.Add(1)
	task.Kind, task.Action, task.Timeout = kind, s.spec.Name, callTimeout
	task.Run, task.Rule, task.Group = fmt.Sprintf("run-%d", n), "conformance", "default"
	task.ID = fmt.Sprintf("%s/0/%s/%s/%d", task.Run, s.spec.Name, kind, n)
	return task
}

// planned plans a scene's task, which must be possible, again where the target's own
// controllers are still at what was done before.
func (s *suite) planned(t *testing.T, scene Scene) (engine.Task, engine.Plan) {
	t.Helper()
	task := s.task(scene)
	pause := time.NewTicker(100 * time.Millisecond)
	defer pause.Stop()
	for try := 1; ; try++ {
		p, err := s.watch(t).plan(t.Context(), task)
		if err == nil {
			task.Target, task.Plan = p.Target, &p
			return task, p
		}
		if remediators.ClassOf(err) != engine.ClassRetryable || try == 100 {
			t.Fatalf("plan, try %d: %v (%s)", try, err, remediators.ClassOf(err))
		}
		<-pause.C
	}
}

// applied plans and executes a scene's task, again where the target was written
// by its own controllers at the same moment. Where there is nothing to do, somebody
// else's hand makes that there is.
func (s *suite) applied(t *testing.T, scene Scene) (engine.Task, engine.Plan, engine.Outcome) {
	t.Helper()
	task, p := s.planned(t, scene)
	if p.Noop {
		scene.Change(t)
		task, p = s.planned(t, scene)
	}
	for try := 1; ; try++ {
		o, err := s.watch(t).execute(t.Context(), task, p)
		if err == nil {
			return task, p, o
		}
		if c := remediators.ClassOf(err); c != engine.ClassRetryable && c != engine.ClassPlanChanged || try == 20 {
			t.Fatalf("execute, try %d: %v (%s)", try, err, remediators.ClassOf(err))
		}
		if p, err = s.watch(t).plan(t.Context(), task); err != nil {
			t.Fatalf("plan again: %v", err)
		}
		task.Plan = &p
	}
}

// idempotent says whether the task may be executed again in any case.
func (s *suite) idempotent(task engine.Task) bool {
	return remediators.Idempotent(s.bench.Remediator, task)
}

// call is one call's context.
func call(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	t.Cleanup(cancel)
	return ctx
}

func wantEffects(t *testing.T, scene Scene, want int) {
	t.Helper()
	if got := scene.Effects(t); got != want {
		t.Errorf("the target was changed %d times, want %d", got, want)
	}
}

func wantClass(t *testing.T, err error, want ...engine.Class) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one of class %v", want)
	} else if got := remediators.ClassOf(err); !slices.Contains(want, got) {
		t.Errorf("error %q has class %s, want %v", err, got, want)
	}
}

func wantEffect(t *testing.T, got engine.Effect, want ...engine.Effect) {
	t.Helper()
	if !slices.Contains(want, got) {
		t.Errorf("Observe says %s, want %v", got, want)
	}
}
