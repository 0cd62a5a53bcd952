package remediatortest

import (
	"context"
	"sync"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// undoing is a task that undoes another, with an id of its own.
func (s *suite) undoing(task engine.Task, p engine.Plan, o engine.Outcome) engine.Task {
	undo := s.complete(task, engine.TaskUndo)
	undo.Undoes, undo.Plan, undo.Outcome = task.ID, &p, &o
	return undo
}

// undone undoes a task, again where the target was written by its own controllers
// at the same moment.
func (s *suite) undone(t *testing.T, undoer remediators.Undoer, undo engine.Task) {
	t.Helper()
	for try := 1; ; try++ {
		err := s.watch(t).undo(call(t), undoer, undo)
		if err == nil {
			return
		}
		if remediators.ClassOf(err) != engine.ClassRetryable || try == 20 {
			t.Fatalf("undo, try %d: %v (%s)", try, err, remediators.ClassOf(err))
		}
	}
}

// undoes runs a test of what an Undoer promises, on a target that a task has
// changed.
func (s *suite) undoes(test func(t *testing.T, undoer remediators.Undoer, scene Scene, undo engine.Task, before string)) func(*testing.T) {
	return func(t *testing.T) {
		undoer, ok := s.bench.Remediator.(remediators.Undoer)
		if !ok {
			return // nothing is promised
		}
		scene := s.bench.Fresh(t)
		before := scene.State(t)
		task, p, o := s.applied(t, scene)
		if scene.State(t) == before {
			t.Fatal("the action left the target's state as it was, so this proves nothing")
		}
		test(t, undoer, scene, s.undoing(task, p, o), before)
	}
}

func wantState(t *testing.T, scene Scene, want string) {
	t.Helper()
	if got := scene.State(t); got != want {
		t.Errorf("the target is %q, want %q", got, want)
	}
}

// undoPutsBack undoes, again as a redelivered task does, and again as another
// undo task of the same one does.
func (s *suite) undoPutsBack(t *testing.T, undoer remediators.Undoer, scene Scene, undo engine.Task, before string) {
	s.undone(t, undoer, undo)
	wantState(t, scene, before)
	wantEffects(t, scene, 2)
	// Undoing does not unmake that it was done.
	executed := undo
	executed.ID, executed.Kind = undo.Undoes, engine.TaskExecute
	s.seen(t, executed, *undo.Plan)

	s.undone(t, undoer, undo)
	s.undone(t, undoer, s.undoing(executed, *undo.Plan, *undo.Outcome))
	wantState(t, scene, before)
	wantEffects(t, scene, 2)
}

// undoOnce undoes what was done anew after it had been undone: that is another
// task's, and stays.
func (s *suite) undoOnce(t *testing.T, undoer remediators.Undoer, scene Scene, undo engine.Task, _ string) {
	if !s.spec.Fenced {
		return // nothing on the target tells the one from the other
	}
	s.undone(t, undoer, undo)
	s.applied(t, scene)
	anew := scene.State(t)
	s.undone(t, undoer, undo)
	wantState(t, scene, anew)
	wantEffects(t, scene, 3)
}

func (s *suite) undoRefuses(t *testing.T, undoer remediators.Undoer, scene Scene, undo engine.Task, _ string) {
	scene.Change(t)
	changed := scene.State(t)
	err := s.watch(t).undo(call(t), undoer, undo)
	wantClass(t, err, engine.ClassPlanChanged)
	wantState(t, scene, changed)
	wantEffects(t, scene, 1)
}

// undoAtOnce is what several workers do that all hold one undo task.
func (s *suite) undoAtOnce(t *testing.T, undoer remediators.Undoer, scene Scene, undo engine.Task, before string) {
	var errs [4]error
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = s.watch(t).undo(call(t), undoer, undo) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			wantClass(t, err, engine.ClassRetryable, engine.ClassUnknown)
		}
	}
	s.undone(t, undoer, undo)
	wantState(t, scene, before)
	if s.spec.Fenced { // or else each may have written the same
		wantEffects(t, scene, 2)
	}
}

// undoLost loses the request of an undo, and then the answer to one: neither says
// that nothing was changed, and calling again puts it back once.
func (s *suite) undoLost(t *testing.T, undoer remediators.Undoer, scene Scene, undo engine.Task, before string) {
	s.proxy.set(fault{kind: loseRequest})
	wantClass(t, s.watch(t).undo(call(t), undoer, undo), engine.ClassUnknown)
	wantEffects(t, scene, 1)
	s.proxy.set(fault{kind: loseAnswer})
	if err := s.watch(t).undo(call(t), undoer, undo); err != nil {
		wantClass(t, err, engine.ClassUnknown)
	}
	s.undone(t, undoer, undo)
	wantState(t, scene, before)
	wantEffects(t, scene, 2)
}

// undoLate holds the undo of a worker that was stopped, lets another put back, and
// has somebody else do the same anew before the first one's call arrives.
func (s *suite) undoLate(t *testing.T, undoer remediators.Undoer, scene Scene, undo engine.Task, _ string) {
	if !s.spec.Fenced {
		return // nothing is promised
	}
	held := newHeld()
	t.Cleanup(held.release)
	s.proxy.set(fault{kind: hold, held: held})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	late := make(chan error, 1)
	go func() { late <- s.watch(t).undo(ctx, undoer, undo) }()
	<-held.arrived
	cancel()
	wantClass(t, <-late, engine.ClassUnknown)
	s.undone(t, undoer, undo)
	s.applied(t, scene)
	anew := scene.State(t)
	held.release()
	<-held.done
	wantState(t, scene, anew)
	wantEffects(t, scene, 3)
}
