package ruletest

import (
	"context"
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/engine/rehearsal"
)

// mostMoments bounds what may follow in one test.
const mostMoments = 20_000

// stage is one test being played.
type stage struct {
	file     *file
	test     *test
	play     *rehearsal.Stage
	recorder *recorder
	sets     sets
	// repeats are when each firing is notified of next; zero for never.
	repeats []time.Duration
	written time.Duration // when the last event that the test writes has come
	// undone are the events that could not be done.
	undone []Failure
}

// sets are the rule sets of a test, by digest.
type sets map[string]engine.RuleSet

// Set implements engine.Sets.
func (s sets) Set(digest string) (engine.RuleSet, bool) {
	set, ok := s[digest]
	return set, ok
}

func (s sets) rule(digest, name string) (*engine.Rule, bool) {
	set, ok := s[digest]
	if !ok {
		return nil, false
	}
	return set.Rule(name)
}

// play plays a test until it is over.
func play(ctx context.Context, f *file, t *test, r *reached) (*stage, error) {
	s := &stage{file: f, test: t, sets: sets{}, repeats: make([]time.Duration, len(t.alerts))}
	s.recorder = newRecorder(t.start, s.sets.rule, r)
	s.play = rehearsal.New(rehearsal.Options{
		Sets: s.sets, Record: true, Observe: s.observe,
		Worker: &worker{start: t.start, world: t.world, used: make([]int, len(t.world)), rung: s.recorder.rung},
	}, t.start)
	s.play.At(t.start, engine.Input{Rules: s.inForce(f.rules)})
	for i, fire := range t.alerts {
		s.fire(i, fire)
	}
	for _, e := range t.events {
		s.happen(e)
		s.written = max(s.written, e.at)
	}
	err := s.run(ctx)
	return s, err
}

func (s *stage) observe(at time.Time, _ engine.Input, events []engine.Event) error {
	s.recorder.take(at, events)
	if len(s.recorder.timeline) > mostMoments {
		return fmt.Errorf("more than %d events followed by %s: say with until when the test is over", mostMoments, written(at.Sub(s.test.start)))
	}
	return nil
}

// inForce makes rules known and gives the input that puts them in force.
func (s *stage) inForce(f *ruleFiles) *engine.NewRules {
	var set engine.RuleSet = f.set
	if s.test.mode != "" {
		set = as(f.set, s.test.mode)
	}
	s.sets[set.Digest()] = set
	return &engine.NewRules{Digest: set.Digest(), Sources: f.sources}
}

func (s *stage) time(since time.Duration) time.Time { return s.test.start.Add(since) }

func (s *stage) notify(a alert.Alert, at time.Duration) {
	s.play.At(s.time(at), engine.Input{Delivery: &alert.Delivery{
		ID: "test", Source: a.Source, ReceivedAt: s.time(at), Alerts: []alert.Alert{a},
	}})
}

func (s *stage) fire(number int, f firing) {
	s.notify(f.alert, f.begins)
	s.written = max(s.written, f.begins)
	for _, at := range f.again {
		s.notify(f.alert, at)
		s.written = max(s.written, at)
	}
	if f.repeat > 0 {
		s.repeats[number] = f.begins + f.repeat
	}
	if f.ends != nil {
		over := f.alert
		over.Status, over.EndsAt = alert.Resolved, s.time(*f.ends)
		s.notify(over, *f.ends)
		s.written = max(s.written, *f.ends)
	}
}

// run plays until the test's end.
func (s *stage) run(ctx context.Context) error {
	end := max(latest, s.written+time.Hour)
	if s.test.until != nil {
		end = *s.test.until
	}
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("stopped: %w", err)
		}
		due, ok := s.next()
		if !ok || due > end {
			return s.play.Run(s.time(min(end, max(due, s.written))))
		}
		if err := s.play.Run(s.time(due)); err != nil {
			return err
		}
		if s.test.until == nil && due >= s.written && s.play.State().Active() == 0 {
			return nil
		}
	}
}

// next is when something is due, repeats included, which it puts on the stage.
func (s *stage) next() (time.Duration, bool) {
	at, ok := s.play.Next()
	due := at.Sub(s.test.start)
	first := -1
	for i, repeat := range s.repeats {
		if repeat > 0 && (first < 0 || repeat < s.repeats[first]) {
			first = i
		}
	}
	if first < 0 || ok && s.repeats[first] > due {
		return due, ok
	}
	f := s.test.alerts[first]
	due = s.repeats[first]
	s.repeats[first] += f.repeat
	if !f.at(due) {
		s.repeats[first] = 0
		return s.next()
	}
	s.notify(f.alert, due)
	return due, true
}

// happen puts an event on the stage.
func (s *stage) happen(e event) {
	at := s.time(e.at)
	command := func(verb engine.Verb) {
		s.play.At(at, engine.Input{Command: &engine.Command{Verb: verb, Scope: e.what, By: e.by, Reason: e.reason}})
	}
	switch e.kind {
	case eventPause:
		command(engine.Pause)
	case eventResume:
		command(engine.Resume)
	case eventRules:
		s.play.Then(at, func() (engine.Input, bool, error) { return engine.Input{Rules: s.inForce(e.rules)}, true, nil })
	case eventRestart:
		s.play.Then(at, func() (engine.Input, bool, error) { return engine.Input{}, false, s.play.Restart() })
	default:
		s.play.Then(at, func() (engine.Input, bool, error) {
			c, missing := s.command(e)
			if missing != "" {
				s.undone = append(s.undone, Failure{File: s.file.path, Line: e.line, Message: fmt.Sprintf("%s at %s: %s", e.kind, written(e.at), missing)})
				return engine.Input{}, false, nil
			}
			return engine.Input{Command: c}, true, nil
		})
	}
}

// command finds the run that a person means, or says why there is none.
func (s *stage) command(e event) (c *engine.Command, missing string) {
	var fits, others []*engine.Run
	for _, r := range s.play.State().ActiveRuns() {
		switch {
		case r.Rule != e.what || e.on != "" && !like(targetOf(r).String(), e.on):
		case e.kind == eventCancel || r.Phase == engine.PhaseApproval:
			fits = append(fits, r)
		default:
			others = append(others, r)
		}
	}
	switch {
	case len(fits) == 1:
		r := fits[0]
		return &engine.Command{Verb: engine.Verb(e.kind), By: e.by, Reason: e.reason, Run: r.ID, Plan: r.PlanDigest()}, ""
	case len(fits) > 1:
		return nil, fmt.Sprintf("rule %s has %d such runs then: say with on which target is meant", e.what, len(fits))
	case len(others) > 0:
		return nil, fmt.Sprintf("the run of rule %s on %s does not wait for an answer then: it is %s", e.what, targetOf(others[0]), others[0].Phase)
	}
	return nil, "rule " + e.what + " has no active run then"
}

func targetOf(r *engine.Run) engine.Target {
	if r.Canonical() {
		return r.Target
	}
	return r.Stated
}
