package remediators_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// action is a remediator that is only looked at.
type action struct{ spec remediators.Spec }

func (a action) Spec() remediators.Spec { return a.spec }

func (action) Plan(context.Context, engine.Task) (engine.Plan, error) { return engine.Plan{}, nil }

func (action) Execute(context.Context, engine.Task, engine.Plan) (engine.Outcome, error) {
	return engine.Outcome{}, nil
}

func (action) Observe(context.Context, engine.Task, engine.Plan) (engine.Effect, error) {
	return engine.Unknown, nil
}

// picky has its own word on each task.
type picky struct{ action }

func (picky) IdempotentFor(t engine.Task) bool { return string(t.Params) == `"again"` }

func TestErrorsSayWhatMayBeDone(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	for _, c := range []struct {
		err   error
		class engine.Class
		after time.Duration
	}{
		{remediators.Retryable(time.Minute, "%s: %w", "x", cause), engine.ClassRetryable, time.Minute},
		{remediators.Terminal("%s: %w", "x", cause), engine.ClassTerminal, 0},
		{remediators.UnknownOutcome("%s: %w", "x", cause), engine.ClassUnknown, 0},
		{remediators.PlanChanged("%s: %w", "x", cause), engine.ClassPlanChanged, 0},
		{fmt.Errorf("x: %w", cause), engine.ClassUnknown, 0},
		{fmt.Errorf("x: %w", remediators.Retryable(time.Second, "%w", cause)), engine.ClassRetryable, time.Second},
	} {
		if got := remediators.ClassOf(c.err); got != c.class {
			t.Errorf("%v is %s, want %s", c.err, got, c.class)
		}
		f := remediators.Failure(c.err)
		if f.Class != c.class || f.RetryAfter != c.after || f.Message != "x: cause" {
			t.Errorf("failure %+v, want %s after %v", f, c.class, c.after)
		}
		if !errors.Is(c.err, cause) {
			t.Errorf("%v has lost its cause", c.err)
		}
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	a, b := action{remediators.Spec{Name: "a.b"}}, action{remediators.Spec{Name: "a.a"}}
	r, err := remediators.NewRegistry(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a.a", "a.b"}; !slices.Equal(r.Names(), want) {
		t.Errorf("names %v, want %v", r.Names(), want)
	}
	if specs := r.Specs(); len(specs) != 2 || specs[0].Name != "a.a" {
		t.Errorf("specs %+v", specs)
	}
	if got, ok := r.Get("a.b"); !ok || got.Spec().Name != "a.b" {
		t.Errorf("a.b is %v", got)
	}
	if _, ok := r.Get("a"); ok {
		t.Error("a part of a name is known")
	}
	if _, err := remediators.NewRegistry(a, b, a); err == nil || !strings.Contains(err.Error(), `"a.b" is registered twice`) {
		t.Errorf("two of one name: %v", err)
	}
	if _, err := remediators.NewRegistry(action{}); err == nil {
		t.Error("one without a name")
	}
}

func TestIdempotent(t *testing.T) {
	t.Parallel()
	again := engine.Task{Params: json.RawMessage(`"again"`)}
	sure := remediators.Spec{Idempotent: true}
	for _, c := range []struct {
		r    remediators.Remediator
		task engine.Task
		want bool
	}{
		{action{}, again, false},
		{action{sure}, engine.Task{}, true},
		{picky{}, again, true},
		{picky{}, engine.Task{}, false},
		{picky{action{sure}}, engine.Task{}, false},
	} {
		if got := remediators.Idempotent(c.r, c.task); got != c.want {
			t.Errorf("%+v of %s: %t", c.r, c.task.Params, got)
		}
	}
}

func TestCheckpoint(t *testing.T) {
	t.Parallel()
	if err := remediators.Checkpoint(t.Context(), json.RawMessage(`1`)); !errors.Is(err, remediators.ErrNotKept) {
		t.Errorf("nobody listens, but %v", err)
	}
	var kept []string
	full := errors.New("full")
	ctx := remediators.WithKeeper(t.Context(), func(k json.RawMessage) error {
		kept = append(kept, string(k))
		if len(kept) > 1 {
			return full
		}
		return nil
	})
	if err := remediators.Checkpoint(ctx, json.RawMessage(`1`)); err != nil {
		t.Error(err)
	}
	if err := remediators.Checkpoint(ctx, json.RawMessage(`2`)); !errors.Is(err, full) || !slices.Equal(kept, []string{"1", "2"}) {
		t.Errorf("%v after %v", err, kept)
	}
	if got := remediators.CheckpointOf(ctx); got != nil {
		t.Errorf("a keeper gives %s", got)
	}
	if got := remediators.CheckpointOf(remediators.WithCheckpoint(t.Context(), json.RawMessage(`3`))); string(got) != "3" {
		t.Errorf("got %s", got)
	}
}
