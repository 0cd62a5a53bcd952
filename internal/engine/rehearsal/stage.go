// Package rehearsal runs the production engine over virtual time: no bus, no
// clock, no waiting. Rule tests and backtests are rehearsals.
//
// A [Stage] is fed with inputs at their times and plays whatever is due between
// them: the engine's own wakes, and the answers of a [Worker] that only pretends
// to work. The same inputs and the same worker give the same events, always.
//
// A stage is not safe for concurrent use; stages share nothing.
package rehearsal

import (
	"container/heap"
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// Worker answers the tasks that the engine issues.
type Worker interface {
	// Do says what is answered to a task that was issued at that time, and how
	// long after. A task that is not ok is never answered.
	Do(at time.Time, t engine.Task) (answer engine.Result, after time.Duration, ok bool)
}

// Options are what a stage needs. Observe may be nil.
type Options struct {
	Sets   engine.Sets
	Worker Worker
	// Observe is told of every input and what followed from it, if anything did.
	// Its error ends the rehearsal.
	Observe func(at time.Time, in engine.Input, events []engine.Event) error
	// Record keeps what is decided in the ledger's form, for Restart.
	Record bool
}

// Stage is one rehearsal.
type Stage struct {
	o       Options
	st      *engine.State
	now     time.Time
	pending pending
	added   int
	ledger  []record
}

// New begins a rehearsal, at a time, with an engine that knows nothing.
func New(o Options, start time.Time) *Stage {
	return &Stage{o: o, st: engine.NewState(), now: start}
}

// State is the engine's. It must not be changed.
func (s *Stage) State() *engine.State { return s.st }

// Now is the virtual time.
func (s *Stage) Now() time.Time { return s.now }

// At has an input come at a time, or now if that has passed. Inputs of one time
// come in the order in which they were added, then workers' answers, then what
// Then adds, and at last what only time brings.
func (s *Stage) At(at time.Time, in engine.Input) {
	s.schedule(at, scheduled{in: in})
}

// Then calls next at a time, behind the inputs and answers of that time. It may
// look at the state, and gives the input that comes there, if any. Its error ends
// the rehearsal.
func (s *Stage) Then(at time.Time, next func() (in engine.Input, ok bool, err error)) {
	s.schedule(at, scheduled{rank: rankThen, next: next})
}

func (s *Stage) schedule(at time.Time, what scheduled) {
	s.added++
	what.at, what.order = at, s.added
	heap.Push(&s.pending, what)
}

// Next is when something is due: an input, an answer, or the engine's own wake.
func (s *Stage) Next() (time.Time, bool) {
	next := s.st.NextWake()
	if len(s.pending) > 0 && (next.IsZero() || s.pending[0].at.Before(next)) {
		next = s.pending[0].at
	}
	return next, !next.IsZero()
}

// Run plays everything that is due until a time, that time included.
func (s *Stage) Run(until time.Time) error {
	for {
		what, ok := s.next(until)
		if !ok {
			break
		}
		if what.at.After(s.now) {
			s.now = what.at
		}
		if what.next != nil {
			in, comes, err := what.next()
			if err != nil {
				return err
			}
			if !comes {
				continue
			}
			what.in = in
		}
		if err := s.take(what.in); err != nil {
			return err
		}
	}
	if until.After(s.now) {
		s.now = until
	}
	return nil
}

// next is what comes first: something scheduled, or the engine's own wake.
func (s *Stage) next(until time.Time) (scheduled, bool) {
	wake := s.st.NextWake()
	if len(s.pending) > 0 {
		if first := s.pending[0]; !first.at.After(until) && (wake.IsZero() || !wake.Before(first.at)) {
			heap.Pop(&s.pending)
			return first, true
		}
	}
	if wake.IsZero() || wake.After(until) {
		return scheduled{}, false
	}
	return scheduled{at: wake, in: engine.Input{Tick: &engine.Tick{}}}, true
}

func (s *Stage) take(in engine.Input) error {
	events, err := engine.Advance(s.o.Sets, s.st, s.now, in)
	if err != nil {
		return fmt.Errorf("at %s: %w", s.now.Format(time.RFC3339), err)
	}
	if err := s.record(events); err != nil {
		return err
	}
	if len(events) > 0 && s.o.Observe != nil {
		if err := s.o.Observe(s.now, in, events); err != nil {
			return err
		}
	}
	for _, ev := range events {
		issued, ok := ev.(engine.TaskIssued)
		if !ok {
			continue
		}
		if answer, after, ok := s.o.Worker.Do(s.now, issued.Task); ok {
			answer.Task, answer.At = issued.Task.ID, s.now.Add(after)
			s.schedule(answer.At, scheduled{rank: rankAnswer, in: engine.Input{Result: &answer}})
		}
	}
	return nil
}
