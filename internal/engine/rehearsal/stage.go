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
}

// Stage is one rehearsal.
type Stage struct {
	o       Options
	st      *engine.State
	now     time.Time
	pending pending
	added   int
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
// come in the order in which they were added, and before what only time brings.
func (s *Stage) At(at time.Time, in engine.Input) {
	s.added++
	heap.Push(&s.pending, scheduled{at: at, order: s.added, in: in})
}

// Run plays everything that is due until a time, that time included.
func (s *Stage) Run(until time.Time) error {
	for {
		in, at, ok := s.next(until)
		if !ok {
			break
		}
		if at.After(s.now) {
			s.now = at
		}
		if err := s.take(in); err != nil {
			return err
		}
	}
	if until.After(s.now) {
		s.now = until
	}
	return nil
}

// next is what comes first: an input, or the engine's own wake.
func (s *Stage) next(until time.Time) (engine.Input, time.Time, bool) {
	wake := s.st.NextWake()
	if len(s.pending) > 0 {
		if first := s.pending[0]; !first.at.After(until) && (wake.IsZero() || !wake.Before(first.at)) {
			heap.Pop(&s.pending)
			return first.in, first.at, true
		}
	}
	if wake.IsZero() || wake.After(until) {
		return engine.Input{}, time.Time{}, false
	}
	return engine.Input{Tick: &engine.Tick{}}, wake, true
}

func (s *Stage) take(in engine.Input) error {
	events, err := engine.Advance(s.o.Sets, s.st, s.now, in)
	if err != nil {
		return fmt.Errorf("at %s: %w", s.now.Format(time.RFC3339), err)
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
			s.At(answer.At, engine.Input{Result: &answer})
		}
	}
	return nil
}

// scheduled is an input that is yet to come.
type scheduled struct {
	at    time.Time
	order int
	in    engine.Input
}

// pending is a heap of them.
type pending []scheduled

func (p pending) Len() int { return len(p) }
func (p pending) Less(i, j int) bool {
	if !p[i].at.Equal(p[j].at) {
		return p[i].at.Before(p[j].at)
	}
	return p[i].order < p[j].order
}
func (p pending) Swap(i, j int) { p[i], p[j] = p[j], p[i] }

// Push and Pop implement heap.Interface.
func (p *pending) Push(x any) { *p = append(*p, x.(scheduled)) } //nolint:forcetypeassert,errcheck // heap.Push is only called with a scheduled

func (p *pending) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}
