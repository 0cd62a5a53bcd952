package report

import (
	"context"
	"errors"
	"time"
)

// Reporter tells one party. It is called by one goroutine, in the order of the ledger.
type Reporter interface {
	// Name is unique among the reporters of a Dispatcher, and stays the same over restarts: progress goes by it.
	Name() string
	// Report delivers a notice and returns nil only when it has arrived. It may be called again with a notice that
	// arrived before. Any error is tried again but a [Permanent] one, no sooner than a [Delayed] one asks. It returns
	// soon after ctx ends. Errors must not hold secrets; they are logged.
	Report(ctx context.Context, n Notice) error
}

// Permanent marks an error that trying again cannot mend: the notice is dead.
func Permanent(err error) error { return &permanentError{err} }

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Delayed marks an error after which the receiver wants to be left alone for so long. The Dispatcher waits that long,
// but at most five minutes.
func Delayed(err error, by time.Duration) error { return &delayedError{err, by} }

type delayedError struct {
	err error
	by  time.Duration
}

func (e *delayedError) Error() string { return e.err.Error() }
func (e *delayedError) Unwrap() error { return e.err }

func isPermanent(err error) bool {
	_, ok := errors.AsType[*permanentError](err)
	return ok
}

// delay is what the error asks for; 0 if nothing.
func delay(err error) time.Duration {
	if e, ok := errors.AsType[*delayedError](err); ok {
		return max(0, e.by)
	}
	return 0
}
