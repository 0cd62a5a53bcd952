package worker

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tripgen/paramedic/internal/engine"
)

// fault is what happens at one point.
type fault int

const (
	none  fault = iota
	crash       // the process dies
	fail        // the step fails; at an ".after" point it was done nevertheless
)

func (f fault) String() string { return [...]string{"none", "crash", "fail"}[f] }

// schedule says what happens at which of the points that the workers pass,
// counted through over all of them.
type schedule map[int]fault

// story is one task's way through one or more lives of a worker.
type story struct {
	world *world
	trace []string
	lives int
}

// live lets workers, one after another's crash, do a task under a schedule.
func live(t *testing.T, k kind, s schedule) story {
	t.Helper()
	return liveWith(t, k, executeTask, s)
}

func liveWith(t *testing.T, k kind, task func() engine.Task, s schedule) story {
	t.Helper()
	var st story
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		st.world = newWorld(cancel)
		st.world.enqueue(t, task())
		for st.lives = 1; ctx.Err() == nil; st.lives++ {
			if st.lives > 20 {
				t.Fatalf("%s: not done after %d lives: %v", k.name, st.lives, st.trace)
			}
			v := &view{world: st.world, name: fmt.Sprintf("worker-%d", st.lives), kind: k}
			v.at = func(_ int, name string) error {
				n := len(st.trace)
				st.trace = append(st.trace, name)
				switch s[n] {
				case crash:
					runtime.Goexit()
				case fail:
					return errInjected
				case none:
				}
				return nil
			}
			if err := v.worker(t).Run(ctx); err != nil {
				t.Error(err)
			}
		}
	})
	return st
}

// check holds a story to the promises, whatever happened in it.
func (s story) check(k kind) error {
	w := s.world
	var errs []error
	report := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(w.results) == 0 {
		return errors.New("no result")
	}
	for _, r := range w.results[1:] {
		if !reflect.DeepEqual(r, w.results[0]) {
			report("two results differ: %+v and %+v", w.results[0], r)
		}
	}
	r := w.results[0]
	effects := w.target.effects
	if effects > 1 && !k.idempotent {
		report("%d effects", effects)
	}
	switch {
	case r.Outcome != nil && effects == 0:
		report("outcome %+v, but no effect", r.Outcome)
	case r.Outcome == nil && r.Failure == nil:
		report("result says nothing: %+v", r)
	case r.Failure != nil && r.Failure.Class != engine.ClassUnknown && effects != 0:
		report("%s promises no change, but there were %d: %s", r.Failure.Class, effects, r.Failure.Message)
	case r.Failure != nil && r.Failure.Class == engine.ClassUnknown && len(w.dead) == 0:
		report("unknown, but no dead letter")
	}
	if w.target.calls > mostCalls {
		report("%d calls", w.target.calls)
	}
	for _, m := range w.messages {
		if !m.gone {
			report("the task is still in the queue")
		}
	}
	return errors.Join(errs...)
}

func (s story) unknown() bool {
	f := s.world.results[0].Failure
	return f != nil && f.Class == engine.ClassUnknown
}

// TestCrashAnywhere kills the worker at every point of a task's way, starts
// another, and does so again at every point of what follows.
func TestCrashAnywhere(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			runs := 0
			for i := 0; ; i++ {
				one := live(t, k, schedule{i: crash})
				if len(one.trace) <= i {
					break
				}
				for j := i + 1; ; j++ {
					s := live(t, k, schedule{i: crash, j: crash})
					runs++
					if err := s.check(k); err != nil {
						t.Fatalf("killed at %s: %v\n%s", s.at(i, j), err, strings.Join(s.trace, "\n"))
					}
					if (k.fenced || k.idempotent) && s.world.results[0].Outcome == nil {
						t.Fatalf("killed at %s: %+v", s.at(i, j), s.world.results[0].Failure)
					}
					if len(s.trace) <= j {
						break
					}
				}
			}
			t.Logf("%d ways to die", runs)
		})
	}
}

// TestFailAnywhere lets every step fail, done or not done, and crashes or fails
// once more at every point of what follows.
func TestFailAnywhere(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			runs := 0
			for i := 0; ; i++ {
				one := live(t, k, schedule{i: fail})
				if len(one.trace) <= i {
					break
				}
				for _, second := range []fault{fail, crash} {
					for j := i + 1; ; j++ {
						s := live(t, k, schedule{i: fail, j: second})
						runs++
						if err := s.check(k); err != nil {
							t.Fatalf("fail, %s at %s: %v\n%s", second, s.at(i, j), err, strings.Join(s.trace, "\n"))
						}
						if k.fenced && s.unknown() {
							t.Fatalf("fail, %s at %s: %+v", second, s.at(i, j), s.world.results[0].Failure)
						}
						if len(s.trace) <= j {
							break
						}
					}
				}
			}
			t.Logf("%d ways to fail", runs)
		})
	}
}

func (s story) at(points ...int) string {
	var names []string
	for _, n := range points {
		if n < len(s.trace) {
			names = append(names, fmt.Sprintf("%d %s", n, s.trace[n]))
		}
	}
	return strings.Join(names, " and ")
}

// TestUnknownOnlyWhereUnknowable shows which crashes end with a person: only those
// between the announcement of a call and the record of its outcome.
func TestUnknownOnlyWhereUnknowable(t *testing.T) {
	k := kind{name: "blind", blind: true}
	for i := 0; ; i++ {
		s := live(t, k, schedule{i: crash})
		if len(s.trace) <= i {
			break
		}
		before := s.trace[:i+1]
		announced := slices.Contains(before, "claim.create.after")
		recorded := slices.Contains(before, "claim.update.after")
		if want := announced && !recorded; s.unknown() != want {
			t.Errorf("killed at %s: unknown is %v, want %v", s.at(i), s.unknown(), want)
		}
	}
}

// TestKeptIsKnown shows that a long change which a call has kept something of never
// ends with a person, wherever the worker dies, and dies again.
func TestKeptIsKnown(t *testing.T) {
	k := kind{name: "long", blind: true, long: true}
	const stored = "worker.keep.after"
	if s := live(t, k, nil); !slices.Contains(s.trace, stored) || s.unknown() {
		t.Fatalf("nothing was kept: %v", s.trace)
	}
	for i := 0; ; i++ {
		one := live(t, k, schedule{i: crash})
		if len(one.trace) <= i {
			break
		}
		if !slices.Contains(one.trace[:i+1], stored) {
			continue
		}
		for j := i + 1; ; j++ {
			s := live(t, k, schedule{i: crash, j: crash})
			if s.unknown() || s.world.target.effects != 1 {
				t.Errorf("killed at %s: %+v", s.at(i, j), s.world.results[0])
			}
			if len(s.trace) <= j {
				break
			}
		}
	}
}
