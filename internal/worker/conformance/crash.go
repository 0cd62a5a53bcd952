package conformance

import (
	"context"
	"errors"
	"fmt"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
)

// claims begins the subjects of the group's claims.
func (s *stand) claims() string { return "$KV." + bus.ClaimsBucket(s.Group) + "." }

// crash has the worker killed at a message while it executes a task, and returns
// what it answers once it was started again.
func (s *stand) crash(ctx context.Context, at *trap) (engine.Task, engine.Result, error) {
	t, err := s.toExecute(ctx)
	if err != nil {
		return t, engine.Result{}, err
	}
	s.relay.set(at)
	if err := s.publish(ctx, t); err != nil {
		return t, engine.Result{}, err
	}
	waiting, cancel := s.worker.while(ctx, answerWithin)
	defer cancel()
	if err := at.await(waiting); err != nil {
		return t, engine.Result{}, err
	}
	r, err := s.answer(ctx, t)
	return t, r, err
}

// told describes an answer that follows a crash: found out, or honestly unknown.
func told(r engine.Result) (string, error) {
	if r.Failure != nil {
		if r.Failure.Class != engine.ClassUnknown {
			return "", fmt.Errorf("it says %s (%s), which promises that nothing was changed", r.Failure.Class, r.Failure.Message)
		}
		return "it says that it does not know: a person is asked", nil
	}
	if err := did(r); err != nil {
		return "", err
	}
	if r.Observed {
		return "it found the change", nil
	}
	return "it did it", nil
}

func crashBeforeTheChange(ctx context.Context, s *stand) (string, error) {
	t, r, err := s.crash(ctx, &trap{subject: s.claims(), nth: 1, stored: true})
	if err != nil {
		return "", err
	}
	detail, err := told(r)
	switch {
	case err != nil:
		return "", err
	case r.Failure != nil:
		return detail, s.changed(t, 0)
	case r.Observed:
		return "", errors.New("it says that it found a change that was never made")
	}
	return detail, errors.Join(s.settled(ctx, t, r), s.changed(t, 1))
}

// crashAfterTheChange kills the worker when it is about to say in the claim how
// the task ended: by then the change was made.
func crashAfterTheChange(ctx context.Context, s *stand) (string, error) {
	t, r, err := s.crash(ctx, &trap{subject: s.claims(), nth: 2})
	if err != nil {
		return "", err
	}
	detail, err := told(r)
	if err == nil && r.Failure == nil && !r.Observed {
		err = errors.New("it does not say that it found the change instead of making it: observed is not set")
	}
	return detail, errors.Join(err, s.settled(ctx, t, r), s.changed(t, 1))
}

func crashBeforeTheAck(ctx context.Context, s *stand) (string, error) {
	t, first, err := s.crash(ctx, &trap{subject: "inbox." + bus.ResultKind(s.Group), nth: 1, stored: true})
	if err == nil {
		err = did(first)
	}
	if err != nil {
		return "", err
	}
	return "", errors.Join(s.settled(ctx, t, first), s.changed(t, 1))
}
