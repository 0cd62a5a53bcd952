package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Check looks once at each of the task's probes, all at the same time and within
// t.Timeout, and reports whether every one holds now. The checks are in the order
// of the task's probes.
//
// A check that could not be made is never passed. Where every probe that answered
// holds, and others failed with an error of package remediators that is terminal
// or retryable, that error is returned, terminal ones before the rest: it says
// whether to look again. Anything else is a check that does not hold.
func (w *Watcher) Check(ctx context.Context, t engine.Task) (bool, []engine.Check, error) {
	probers, err := w.find(t, engine.TaskCheck)
	if err != nil {
		return false, nil, err
	}
	if t.Timeout <= 0 {
		return false, nil, remediators.Terminal("check task %s: timeout is %v, want more than 0", t.ID, t.Timeout)
	}
	bounded, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	answers := w.round(bounded, t, probers)
	checks := checksOf(answers)
	if err := ended(ctx, t); err != nil {
		return false, checks, err
	}
	if allOK(checks) {
		return true, checks, nil
	}
	return false, checks, couldNotAsk(answers)
}

// couldNotAsk is the error that stands for a look at which nothing was seen not
// to hold: nil if something was.
func couldNotAsk(answers []answer) error {
	var terminal, retryable error
	for _, a := range answers {
		class := engine.ClassUnknown
		if _, ok := errors.AsType[*remediators.Error](a.err); ok {
			class = remediators.ClassOf(a.err)
		}
		switch {
		case a.check.OK:
		case class == engine.ClassTerminal:
			terminal = errors.Join(terminal, fmt.Errorf("probe %s: %w", a.check.Kind, a.err))
		case class == engine.ClassRetryable:
			retryable = errors.Join(retryable, fmt.Errorf("probe %s: %w", a.check.Kind, a.err))
		default:
			return nil
		}
	}
	if terminal != nil {
		return terminal
	}
	return retryable
}
