package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// try is one thing that a worker must do right.
type try struct {
	name string
	do   func(ctx context.Context, s *stand) (detail string, err error)
}

// tries are in an order in which a worker that fails one has a chance at the
// next. The last leaves a task in the queue.
func tries() []try {
	return []try{
		{"plan", plans},
		{"plan, with fields that are not known yet", ignoresUnknownFields},
		{"execute", executes},
		{"execute, delivered twice", executesOnce},
		{"execute, with a plan that no longer holds", refusesAnotherPlan},
		{"undo", undoes},
		{"deadline that has passed", refusesLate},
		{"kill switch", obeysTheKillSwitch},
		{"crash after the claim, before the change", crashBeforeTheChange},
		{"crash after the change, before it is told", crashAfterTheChange},
		{"crash after the result, before the acknowledgement", crashBeforeTheAck},
		{"bad task: execute without a plan", refusesWithoutPlan},
		{"bad task: no JSON", buriesNonsense},
		{"bad task: an action that it does not know", leavesOthersActions},
	}
}

// fresh is a plan that would change something, and the task that asked for it.
func (s *stand) fresh(ctx context.Context) (engine.Task, engine.Plan, error) {
	for _, params := range s.Params {
		t := s.task(engine.TaskPlan, params)
		r, err := s.ask(ctx, t)
		if err != nil {
			return t, engine.Plan{}, err
		}
		p, err := planned(r)
		if err != nil || !p.Noop {
			return t, p, err
		}
	}
	return engine.Task{}, engine.Plan{}, errors.New("nothing would change with any of the parameters: give others, such that one always would")
}

// toExecute is a task to carry out a fresh plan.
func (s *stand) toExecute(ctx context.Context) (engine.Task, error) {
	t, p, err := s.fresh(ctx)
	if err != nil {
		return t, err
	}
	x := s.task(engine.TaskExecute, t.Params)
	x.Plan, x.Target = &p, p.Target
	return x, nil
}

func plans(ctx context.Context, s *stand) (string, error) {
	t, p, err := s.fresh(ctx)
	if err != nil {
		return "", err
	}
	if _, err := s.claimOf(ctx, t); err == nil {
		return "", errors.New("it claimed a task that only reads")
	}
	return p.Summary, s.changed(t, 0)
}

func ignoresUnknownFields(ctx context.Context, s *stand) (string, error) {
	t, p, err := s.fresh(ctx)
	if err != nil {
		return "", err
	}
	u := s.task(engine.TaskPlan, t.Params)
	data, err := json.Marshal(struct {
		engine.Order
		Later map[string]any `json:"fieldOfALaterVersion"`
	}{u.Order(), map[string]any{"a": []int{1}}})
	if err != nil {
		return "", fmt.Errorf("encode a task: %w", err)
	}
	if err := s.send(ctx, s.Action, data); err != nil {
		return "", err
	}
	r, err := s.answer(ctx, u)
	if err != nil {
		return "", err
	}
	again, err := planned(r)
	if err == nil && again.Digest() != p.Digest() {
		err = fmt.Errorf("it plans %q, and without those fields %q", again.Summary, p.Summary)
	}
	return "", err
}

func executes(ctx context.Context, s *stand) (string, error) {
	t, err := s.toExecute(ctx)
	if err != nil {
		return "", err
	}
	r, err := s.ask(ctx, t)
	if err == nil {
		err = did(r)
	}
	if err != nil {
		return "", err
	}
	return r.Outcome.Summary, errors.Join(s.settled(ctx, t, r), s.changed(t, 1))
}

func executesOnce(ctx context.Context, s *stand) (string, error) {
	t, err := s.toExecute(ctx)
	if err != nil {
		return "", err
	}
	first, err := s.ask(ctx, t)
	if err == nil {
		err = did(first)
	}
	if err != nil {
		return "", err
	}
	return "", errors.Join(s.again(ctx, t, first), s.changed(t, 1))
}

func refusesAnotherPlan(ctx context.Context, s *stand) (string, error) {
	t, err := s.toExecute(ctx)
	if err != nil {
		return "", err
	}
	t.Plan.Summary = "something else: " + t.Plan.Summary
	r, err := s.ask(ctx, t)
	if err == nil {
		err = failedAs(r, engine.ClassPlanChanged)
	}
	if err != nil {
		return "", err
	}
	return "", errors.Join(s.settled(ctx, t, r), s.changed(t, 0))
}

func undoes(ctx context.Context, s *stand) (string, error) {
	done, err := s.toExecute(ctx)
	if err != nil {
		return "", err
	}
	r, err := s.ask(ctx, done)
	if err == nil {
		err = did(r)
	}
	if err != nil {
		return "", err
	}
	t := s.task(engine.TaskUndo, done.Params)
	t.Target, t.Plan, t.Outcome, t.Undoes = done.Target, done.Plan, r.Outcome, done.ID
	back, err := s.ask(ctx, t)
	if err != nil {
		return "", err
	}
	if back.Failure != nil && back.Failure.Class == engine.ClassTerminal {
		return "", skipped("it says that it cannot: " + back.Failure.Message)
	}
	if err := did(back); err != nil {
		return "", err
	}
	err = s.again(ctx, t, back)
	// What was put back would change again.
	anew := s.task(engine.TaskPlan, done.Params)
	r, askErr := s.ask(ctx, anew)
	if askErr == nil && r.Plan != nil && r.Plan.Noop != done.Plan.Noop {
		err = errors.Join(err, errors.New("what was put back is not as it was: the same action would change nothing"))
	}
	return back.Outcome.Summary, errors.Join(err, askErr, s.settled(ctx, t, back), s.changed(t, 1))
}

func refusesLate(ctx context.Context, s *stand) (string, error) {
	t, err := s.toExecute(ctx)
	if err != nil {
		return "", err
	}
	plan := s.task(engine.TaskPlan, t.Params)
	for _, late := range []engine.Task{plan, t} {
		late.NotAfter = s.Now().Add(-time.Second)
		r, err := s.ask(ctx, late)
		if err == nil {
			err = failedAs(r, engine.ClassExpired)
		}
		if err == nil {
			err = s.changed(late, 0)
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", late.Kind, err)
		}
	}
	return "", nil
}

func obeysTheKillSwitch(ctx context.Context, s *stand) (string, error) {
	t, err := s.toExecute(ctx)
	if err != nil {
		return "", err
	}
	for _, scope := range t.Order().Scopes {
		paused := s.task(engine.TaskExecute, t.Params)
		paused.Target, paused.Plan = t.Target, t.Plan
		if err := s.hub.Pauses().Put(ctx, scope, []byte("{}")); err != nil {
			return "", err
		}
		r, err := s.ask(ctx, paused)
		if err == nil {
			err = failedAs(r, engine.ClassPaused)
		}
		err = errors.Join(err, s.hub.Pauses().Delete(ctx, scope), s.changed(paused, 0))
		if err != nil {
			return "", fmt.Errorf("pause of %s: %w", scope, err)
		}
	}
	r, err := s.ask(ctx, t)
	if err == nil {
		err = did(r)
	}
	if err != nil {
		return "", fmt.Errorf("after the pauses were lifted: %w", err)
	}
	return "", s.changed(t, 1)
}
