package remediators

import "github.com/tripgen/paramedic/internal/engine"

// IdempotentFor is implemented by a remediator that can promise only for some
// of its parameters that executing twice is the same as once, as an HTTP
// request can for PUT but not for POST.
type IdempotentFor interface {
	// IdempotentFor says whether Execute may be called again for the very same
	// task. It reads nothing but t, and is false where in doubt.
	IdempotentFor(t engine.Task) bool
}

// Idempotent says whether a task whose outcome nobody saw may simply be
// executed again: by the remediator's word on this task if it has one, else by
// its Spec.
func Idempotent(r Remediator, t engine.Task) bool {
	if each, ok := r.(IdempotentFor); ok {
		return each.IdempotentFor(t)
	}
	return r.Spec().Idempotent
}
