package alert

import "errors"

// What is never assigned is no state.
var (
	ErrFine   = errors.New("fine")
	Sentinel  = errors.New("not named as one")
)
