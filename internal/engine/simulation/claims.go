package simulation

import (
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

type claimState int

const (
	started claimState = iota + 1
	released
	done
)

// claim is the record of an execute task: who announced a call, or how it ended.
type claim struct {
	state    claimState
	revision int
	calls    int
	at       time.Time
	plan     engine.Plan
	result   engine.Result
}

// readClaim is a copy of what is stored; nil for nothing.
func (w *world) readClaim(task string) *claim {
	stored := w.claims[task]
	if stored != nil {
		c := *stored
		stored = &c
	}
	return w.shell.claimed(stored)
}

// writeClaim replaces a claim, if it is still the one that was read.
func (w *world) writeClaim(task string, prior *claim, next claim) (*claim, bool) {
	want, have := 0, 0
	if prior != nil {
		want = prior.revision
	}
	if stored := w.claims[task]; stored != nil {
		have = stored.revision
	}
	if !w.shell.wins(want, have) {
		return nil, false
	}
	next.revision, next.at = have+1, w.now
	w.claims[task] = &next
	c := next
	return &c, true
}
