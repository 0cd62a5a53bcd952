package conformance

import (
	"context"
	"errors"
	"fmt"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
)

func refusesWithoutPlan(ctx context.Context, s *stand) (string, error) {
	t, err := s.toExecute(ctx)
	if err != nil {
		return "", err
	}
	t.Plan = nil
	r, err := s.ask(ctx, t)
	if err == nil {
		err = failedAs(r, engine.ClassTerminal)
	}
	return "", errors.Join(err, s.changed(t, 0))
}

// buriesNonsense demands that what is no task goes among the dead letters, with a
// reason, and that the worker goes on.
func buriesNonsense(ctx context.Context, s *stand) (string, error) {
	last, err := s.hub.DeadLast(ctx)
	if err != nil {
		return "", err
	}
	var reason string
	for _, nonsense := range []string{`{"id": "half a`, `{"kind":"plan"}`, `[1]`, ``} {
		if err := s.send(ctx, s.Action, []byte(nonsense)); err != nil {
			return "", err
		}
		m, err := s.buried(ctx, last+1)
		switch {
		case err != nil:
			return "", fmt.Errorf("%s: no dead letter: %w", nonsense, err)
		case m.Subject != "dead."+s.Group+"."+s.Action || string(m.Data) != nonsense:
			return "", fmt.Errorf("%s: the dead letter is %s on %s", nonsense, m.Data, m.Subject)
		case m.Meta[bus.MetaReason] == "":
			return "", fmt.Errorf("%s: the dead letter has no reason: the header Paramedic-Meta is missing", nonsense)
		}
		last, reason = m.Seq, m.Meta[bus.MetaReason]
		if err := s.gone(ctx); err != nil {
			return "", err
		}
	}
	_, _, err = s.fresh(ctx)
	return reason, err
}

// buried is the dead letter from a sequence on.
func (s *stand) buried(ctx context.Context, from uint64) (bus.Msg, error) {
	ctx, cancel := s.worker.while(ctx, answerWithin)
	defer cancel()
	r, err := s.hub.Dead(ctx, from)
	if err != nil {
		return bus.Msg{}, err
	}
	defer r.Close()
	m, err := r.Next(ctx)
	if err != nil {
		return bus.Msg{}, errors.Join(err, s.worker.failure())
	}
	return m, nil
}

// leavesOthersActions demands that a task of an action that the worker does not
// have is not taken from those who may have it, and does not keep it from others.
func leavesOthersActions(ctx context.Context, s *stand) (string, error) {
	t := s.task(engine.TaskPlan, s.Params[0])
	t.Action = "conformance.unknown"
	if err := s.publish(ctx, t); err != nil {
		return "", err
	}
	if r, err := s.next(ctx, quiet); err == nil {
		return "", fmt.Errorf("it answered %+v, where another worker may know the action", r)
	}
	left, err := s.hub.WorkLeft(ctx, s.Group)
	if err != nil {
		return "", err
	}
	if left != 1 {
		return "", fmt.Errorf("the task was taken out of the queue without an answer: %d are left", left)
	}
	own := s.task(engine.TaskPlan, s.Params[0])
	if err := s.publish(ctx, own); err != nil {
		return "", err
	}
	r, err := s.next(ctx, answerWithin)
	if err == nil && r.Task != own.ID {
		err = fmt.Errorf("an answer to task %q", r.Task)
	}
	return "it leaves it to others, and goes on", err
}
