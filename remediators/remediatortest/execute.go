package remediatortest

import (
	"context"
	"sync"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

func (s *suite) executesOnce(t *testing.T) {
	scene := s.bench.Fresh(t)
	task, p := s.planned(t, scene)
	if s.spec.Fenced {
		wantEffect(t, s.watch(t).observe(t.Context(), task, p), engine.NotApplied)
	} else {
		wantEffect(t, s.watch(t).observe(t.Context(), task, p), engine.NotApplied, engine.Unknown)
	}
	task, p, o := s.applied(t, scene)
	if o.Summary == "" {
		t.Error("the outcome has no summary")
	}
	wantEffects(t, scene, 1)
	s.seen(t, task, p)
}

// seen observes a task that was applied.
func (s *suite) seen(t *testing.T, task engine.Task, p engine.Plan) {
	t.Helper()
	if s.spec.Fenced {
		wantEffect(t, s.watch(t).observe(t.Context(), task, p), engine.Applied)
	} else {
		wantEffect(t, s.watch(t).observe(t.Context(), task, p), engine.Applied, engine.Unknown)
	}
}

// toldFromOthers has two tasks change one target, and a third that never did.
func (s *suite) toldFromOthers(t *testing.T) {
	scene := s.bench.Fresh(t)
	idle, idlePlan := s.planned(t, scene)
	first, firstPlan, _ := s.applied(t, scene)
	wantEffect(t, s.watch(t).observe(t.Context(), idle, idlePlan), engine.NotApplied, engine.Unknown)
	second, secondPlan, _ := s.applied(t, scene)
	wantEffects(t, scene, 2)
	s.seen(t, first, firstPlan)
	s.seen(t, second, secondPlan)
	wantEffect(t, s.watch(t).observe(t.Context(), idle, idlePlan), engine.NotApplied, engine.Unknown)
}

func (s *suite) stalePlan(t *testing.T) {
	if !s.spec.Fenced {
		return // nothing is promised
	}
	scene := s.bench.Fresh(t)
	task, p := s.planned(t, scene)
	scene.Change(t)
	_, err := s.watch(t).execute(call(t), task, p)
	wantClass(t, err, engine.ClassPlanChanged, engine.ClassTerminal)
	wantEffects(t, scene, 0)
	wantEffect(t, s.watch(t).observe(t.Context(), task, p), engine.NotApplied, engine.Unknown)
}

// twiceAtOnce is what two workers do that both hold a task.
func (s *suite) twiceAtOnce(t *testing.T) {
	if !s.spec.Fenced {
		return // nothing is promised
	}
	scene := s.bench.Fresh(t)
	const workers = 4
	for try := 1; ; try++ {
		task, p := s.planned(t, scene)
		var errs [workers]error
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { _, errs[i] = s.watch(t).execute(call(t), task, p) })
		}
		all.Wait()
		effects := scene.Effects(t)
		if effects > 1 {
			t.Fatalf("%d workers with one task changed the target %d times", workers, effects)
		}
		for _, err := range errs {
			if err == nil && effects == 0 {
				t.Error("a worker was told that it had changed the target, which was not")
			}
			if err != nil && effects == 1 && remediators.ClassOf(err) != engine.ClassUnknown {
				t.Errorf("a worker was told that the task had changed nothing, which it had: %v", err)
			}
		}
		if effects == 1 {
			s.seen(t, task, p)
			return
		}
		if try == 20 {
			t.Fatalf("none of %d tries got through: %v", try, errs)
		}
	}
}

func (s *suite) cancelled(t *testing.T) {
	scene := s.bench.Fresh(t)
	task, p := s.planned(t, scene)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.watch(t).execute(ctx, task, p)
	wantClass(t, err, engine.ClassRetryable)
	wantEffects(t, scene, 0)
}
