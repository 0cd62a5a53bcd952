package lab

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const pollInterval = 25 * time.Millisecond

// finalError ends a poll.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }
func (e *finalError) Unwrap() error { return e.err }

// final marks an error that no waiting will mend.
func final(err error) error { return &finalError{err} }

// poll calls the condition until it returns nil or a final error. If the context ends first, the error says so and
// why the condition last failed.
func poll(ctx context.Context, condition func(context.Context) error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	var last error
	for {
		err := condition(ctx)
		var end *finalError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &end):
			return end.err
		case ctx.Err() == nil || last == nil:
			last = err // an error of a call that the ending context cut short would hide the reason
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last: %w", context.Cause(ctx), last)
		case <-ticker.C:
		}
	}
}
