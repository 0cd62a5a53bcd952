package simulation

import (
	"slices"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// forgetOwnTargets has every action work on the run's target.
func forgetOwnTargets(a *engine.Attempt) {
	a.Do = slices.Clone(a.Do)
	for i := range a.Do {
		a.Do[i].Target = nil
	}
}

// altered gives rule sets that were changed behind the observer's back.
type altered struct {
	engine.Sets
	rule   func(*engine.Rule)
	match  func(*engine.Match)
	budget func(*engine.Budget)
}

func (t altered) Set(digest string) (engine.RuleSet, bool) {
	set, ok := t.Sets.Set(digest)
	return alteredSet{set, t}, ok
}

type alteredSet struct {
	engine.RuleSet
	by altered
}

func (s alteredSet) Rule(name string) (*engine.Rule, bool) {
	rule, ok := s.RuleSet.Rule(name)
	if !ok {
		return nil, false
	}
	return s.alter(rule), true
}

func (s alteredSet) alter(rule *engine.Rule) *engine.Rule {
	c := *rule
	c.Attempts = slices.Clone(rule.Attempts)
	if s.by.rule != nil {
		s.by.rule(&c)
	}
	return &c
}

func (s alteredSet) Match(a alert.Alert, now time.Time) []engine.Match {
	found := s.RuleSet.Match(a, now)
	for i := range found {
		found[i].Rule = s.alter(found[i].Rule)
		if s.by.match != nil {
			s.by.match(&found[i])
		}
	}
	return found
}

func (s alteredSet) Budgets() []engine.Budget {
	all := slices.Clone(s.RuleSet.Budgets())
	for i := range all {
		if s.by.budget != nil {
			s.by.budget(&all[i])
		}
	}
	return all
}

func (t altered) into(s *shell) {
	s.advance = func(sets engine.Sets, st *engine.State, at time.Time, in engine.Input) ([]engine.Event, error) {
		by := t
		by.Sets = sets
		return engine.Advance(by, st, at, in)
	}
}

// when is into for the steps of one kind only.
func (t altered) when(is func(engine.Step) bool) func(*shell) {
	return func(s *shell) {
		s.advance = advanceBy(func(sets engine.Sets, st *engine.State, at time.Time, step engine.Step) []engine.Event {
			if is(step) {
				by := t
				by.Sets = sets
				sets = by
			}
			return engine.Decide(sets, st, at, step)
		})
	}
}

// forResolves changes the rules that the engine gets when an alert resolves.
func forResolves(change func(*engine.Rule)) func(*shell) {
	return altered{rule: change}.when(func(s engine.Step) bool { return s.Alert != nil && s.Alert.Alert.Status == alert.Resolved })
}

// forCommands changes those that it gets when a person says something.
func forCommands(change func(*engine.Rule)) func(*shell) {
	return altered{rule: change}.when(func(s engine.Step) bool { return s.Command != nil })
}

// byRules changes the rules that the engine gets.
func byRules(change func(*engine.Rule)) func(*shell) { return altered{rule: change}.into }

func eachAttempt(change func(*engine.Attempt)) func(*shell) {
	return byRules(func(r *engine.Rule) {
		for i := range r.Attempts {
			change(&r.Attempts[i])
		}
	})
}

func trustAll(r *engine.Rule) {
	r.Mode = engine.ModeAuto
	for i := range r.Attempts {
		r.Attempts[i].Mode = engine.ModeAuto
	}
}

func onlyWindows(effect engine.WindowEffect) func(*engine.Rule) {
	return func(r *engine.Rule) {
		r.Guards.Windows = slices.DeleteFunc(slices.Clone(r.Guards.Windows), func(w engine.Window) bool { return w.Effect != effect })
	}
}

func requireIdle(r *engine.Rule) {
	r.Guards.Requires = slices.Clone(r.Guards.Requires)
	for i := range r.Guards.Requires {
		r.Guards.Requires[i].State = engine.RuleIdle
	}
}

func forgetUnless(what func(engine.Inhibitor) bool) func(*engine.Rule) {
	return func(r *engine.Rule) { r.Unless = slices.DeleteFunc(slices.Clone(r.Unless), what) }
}
