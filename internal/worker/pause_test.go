package worker

import (
	"slices"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

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
