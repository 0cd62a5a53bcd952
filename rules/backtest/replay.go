package backtest

import (
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// player takes one history through one engine.
type player interface {
	// feed plays everything up to an input, and the input.
	feed(r Recorded) error
	// finish plays what time alone still brings until then.
	finish(until time.Time) error
	state() *engine.State
}

// observer is told of every input from which something followed.
type observer func(at time.Time, in engine.Input, events []engine.Event) error

// replay decides every recorded input at its recorded time, and nothing else.
type replay struct {
	sets    *sets
	st      *engine.State
	observe observer
}

func newReplay(s *sets, observe observer) *replay {
	return &replay{sets: s, st: engine.NewState(), observe: observe}
}

func (p *replay) state() *engine.State { return p.st }

func (p *replay) feed(r Recorded) error {
	if r.Input.Rules != nil {
		if err := p.sets.learn(r.Input.Rules); err != nil {
			return err
		}
	}
	at := r.At
	if at.Before(p.st.At) {
		at = p.st.At
	}
	events, err := engine.Advance(p.sets, p.st, at, r.Input)
	if err != nil {
		return fmt.Errorf("at %s: %w", at.Format(time.RFC3339), err)
	}
	if len(events) == 0 {
		return nil
	}
	return p.observe(at, r.Input, events)
}

// finish has nothing to do: what the recording does not hold did not happen.
func (p *replay) finish(time.Time) error { return nil }
