package worker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

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
		"plan differs": {
			change: func(t *engine.Task) { t.Plan.Summary = "restart something" },
			class:  engine.ClassPlanChanged, message: `allowed was "restart something"`,
		},
		"expired": {
			change: func(t *engine.Task) { t.NotAfter = time.Now().Add(-time.Second) },
			class:  engine.ClassExpired, message: "to be started by",
		},
		"unknown action": {
			change: func(t *engine.Task) { t.Action = "test.other" },
			class:  engine.ClassTerminal, message: "only test.restart", dead: 1,
		},
		"unknown kind": {
			change: func(t *engine.Task) { t.Kind = "guess" },
			class:  engine.ClassTerminal, message: `kind "guess"`, dead: 1,
		},
		"no plan": {
			change: func(t *engine.Task) { t.Plan = nil },
			class:  engine.ClassTerminal, message: "needs the plan", dead: 1,
		},
		"another target": {
			change: func(t *engine.Task) { t.Target.Name = "other" },
			class:  engine.ClassTerminal, message: "the plan's is", dead: 1,
		},
		"no timeout": {
			change: func(t *engine.Task) { t.Timeout = 0 },
			class:  engine.ClassTerminal, message: "timeout is 0s", dead: 1,
		},
		"another group": {
			change: func(t *engine.Task) { t.Group = "japan" },
			class:  engine.ClassTerminal, message: "group", dead: 1,
		},
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
