package remediators

import (
	"errors"
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// Error is a failure of which the remediator knows what it means. Its class
// alone decides what the worker and the engine do.
type Error struct {
	Class      engine.Class
	RetryAfter time.Duration
	Err        error
}

// Error implements error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Retryable says that nothing was changed and trying again after delay may
// help. A zero delay leaves it to the rule's backoff.
func Retryable(delay time.Duration, format string, args ...any) error {
	return &Error{Class: engine.ClassRetryable, RetryAfter: delay, Err: fmt.Errorf(format, args...)}
}

// Terminal says that nothing was changed and trying again will not help.
func Terminal(format string, args ...any) error {
	return &Error{Class: engine.ClassTerminal, Err: fmt.Errorf(format, args...)}
}

// UnknownOutcome says that the target may have been changed or not.
func UnknownOutcome(format string, args ...any) error {
	return &Error{Class: engine.ClassUnknown, Err: fmt.Errorf(format, args...)}
}

// PlanChanged says that nothing was changed, since the target is no longer as
// the plan saw it.
func PlanChanged(format string, args ...any) error {
	return &Error{Class: engine.ClassPlanChanged, Err: fmt.Errorf(format, args...)}
}

// ClassOf tells the class of an error. One that no remediator classified is
// unknown: nobody said that nothing was changed.
func ClassOf(err error) engine.Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return engine.ClassUnknown
}

// Failure turns an error into what a result carries.
func Failure(err error) *engine.Failure {
	f := &engine.Failure{Class: ClassOf(err), Message: err.Error()}
	if e, ok := errors.AsType[*Error](err); ok {
		f.RetryAfter = e.RetryAfter
	}
	return f
}
