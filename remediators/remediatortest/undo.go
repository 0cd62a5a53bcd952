package remediatortest

import (
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// undone undoes an outcome, again where the target was written by its own
// controllers at the same moment.
func (s *suite) undone(t *testing.T, undoer remediators.Undoer, task engine.Task, o engine.Outcome) {
	t.Helper()
	for try := 1; ; try++ {
		err := s.watch(t).undo(t.Context(), undoer, task, o)
		if err == nil {
			return
		}
		if remediators.ClassOf(err) != engine.ClassRetryable || try == 20 {
			t.Fatalf("undo, try %d: %v (%s)", try, err, remediators.ClassOf(err))
		}
	}
}

func (s *suite) undoPutsBack(t *testing.T) {
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
	undo := s.complete(task, engine.TaskExecute)
	s.undone(t, undoer, undo, o)
	if after := scene.State(t); after != before {
		t.Errorf("undo left %s, before it was %s", after, before)
	}
	wantEffects(t, scene, 2)
	// Undoing does not unmake that it was done.
	s.seen(t, task, p)
	s.undone(t, undoer, undo, o)
	wantEffects(t, scene, 2)
}

func (s *suite) undoRefuses(t *testing.T) {
	undoer, ok := s.bench.Remediator.(remediators.Undoer)
	if !ok {
		return // nothing is promised
	}
	scene := s.bench.Fresh(t)
	task, _, o := s.applied(t, scene)
	scene.Change(t)
	changed := scene.State(t)
	err := s.watch(t).undo(t.Context(), undoer, s.complete(task, engine.TaskExecute), o)
	wantClass(t, err, engine.ClassPlanChanged, engine.ClassTerminal)
	if after := scene.State(t); after != changed {
		t.Errorf("undo made %s of %s, which was somebody else's", after, changed)
	}
	wantEffects(t, scene, 1)
}
