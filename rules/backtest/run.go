package backtest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// Candidate is a rule set to play. Set is nil for the rules of the recording.
type Candidate struct {
	Name string
	Set  engine.RuleSet
}

// Options are what [Run] needs. Source must be set, and Compile if the rules of
// a recording are to be played or compared with.
type Options struct {
	Source  Source
	Compile Compiler
	// Since and Until bound what is counted; zero is the source's own bound.
	Since, Until time.Time
	Rules        Candidate
	// Against are other rules for the same history; nil for no comparison.
	Against *Candidate
	// Mode replaces the mode of every rule of Rules; empty for as written.
	Mode engine.Mode
	// Assume is AssumeHistory if empty.
	Assume Assumption
	// ApproveAfter has somebody approve every plan so long after; 0 for nobody.
	ApproveAfter time.Duration
	// Progress is called now and then with the time that was reached.
	Progress func(at time.Time, inputs int)
	// Observe is told of every input of Rules and what followed from it.
	Observe func(at time.Time, in engine.Input, events []engine.Event) error
}

// side is one of the rule sets of a comparison at play.
type side struct {
	name     string
	mode     engine.Mode
	player   player
	tally    *tally
	sets     *sets
	set      engine.RuleSet
	replayed bool
	is       conditions
}

// Run plays a history and reports what followed. It is an error if nothing was
// recorded in the time that is asked for, which wraps [ErrEmpty], or if the
// recorded rules are asked for and there are none, which wraps [ErrNoRules].
func Run(ctx context.Context, o Options) (*Report, error) {
	var survey Survey
	if s, ok := o.Source.(Surveyor); ok {
		var err error
		if survey, err = s.Survey(ctx); err != nil {
			return nil, err
		}
	}
	sides := []*side{newSide(o, o.Rules, o.Mode, survey, o.Observe)}
	if o.Against != nil {
		sides = append(sides, newSide(o, *o.Against, "", survey, nil))
	}
	first, last, err := play(ctx, o, sides)
	if err != nil {
		return nil, err
	}
	if !o.Since.IsZero() && o.Since.After(first) {
		first = o.Since
	}
	if !o.Until.IsZero() {
		last = o.Until
	}
	for _, s := range sides {
		if err := s.player.finish(last); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for _, s := range sides {
		if s.set == nil && len(s.sets.compiled) == 0 {
			return nil, fmt.Errorf("%s: %w", o.Source.About().From, ErrNoRules)
		}
	}
	r := sides[0].report(first, last)
	r.Source = o.Source.About()
	if len(sides) == 2 {
		r.Against = &Difference{Rules: sides[1].name, Replayed: sides[1].replayed}
		r.Against.Changes, r.Against.PerRule = compare(sides[1].tally, sides[0].tally)
	}
	return r, nil
}

func newSide(o Options, c Candidate, mode engine.Mode, survey Survey, observe observer) *side {
	s := &side{
		name: c.Name, mode: mode, replayed: c.Set == nil && mode == "" && survey.Ticks,
		is: conditions{assume: cmp.Or(o.Assume, AssumeHistory), approveAfter: o.ApproveAfter, answered: survey.Answered},
	}
	sets := newSets(o.Compile, mode)
	s.sets = sets
	s.tally = newTally(o.Since, sets, o.Against != nil)
	tell := func(at time.Time, in engine.Input, events []engine.Event) error {
		if observe != nil {
			if err := observe(at, in, events); err != nil {
				return err
			}
		}
		return s.tally.observe(at, in, events)
	}
	if s.replayed {
		s.player = newReplay(sets, tell)
		return s
	}
	s.set = c.Set
	s.player = newRehearsal(sets, c.Set, s.is, &s.tally.read.LeftOut, tell)
	return s
}

// progressEvery is how many inputs lie between two calls of Progress.
const progressEvery = 10_000

// play reads the source once, for all sides, and returns the times of the first
// and the last input.
func play(ctx context.Context, o Options, sides []*side) (first, last time.Time, err error) {
	n, counted := 0, 0
	err = o.Source.Each(ctx, func(r Recorded) error {
		if !o.Until.IsZero() && r.At.After(o.Until) {
			return nil
		}
		if n == 0 {
			first = r.At
		}
		n, last = n+1, r.At
		if !r.At.Before(o.Since) {
			counted++
		}
		for _, s := range sides {
			s.tally.input(r)
			if err := s.player.feed(r); err != nil {
				return err
			}
		}
		if o.Progress != nil && n%progressEvery == 0 {
			o.Progress(r.At, n)
		}
		return nil
	})
	if err != nil {
		return first, last, err
	}
	if counted == 0 {
		return first, last, fmt.Errorf("%s: %w", o.Source.About().From, ErrEmpty)
	}
	return first, last, nil
}

// report makes the report of one side.
func (s *side) report(from, until time.Time) *Report {
	t := s.tally
	r := &Report{
		Rules: s.name, Mode: s.mode, From: from.UTC(), Until: until.UTC(), Replayed: s.replayed, Read: t.read, Acts: t.acts,
		PerRule: []Rule{},
	}
	if r.Acts == nil {
		r.Acts = []Act{}
	}
	if !s.replayed {
		r.Assumptions = assumptions(s.is)
	}
	line := newTimeline(from, until)
	unfinished := map[string]int{}
	for _, run := range t.runs {
		t.holds(until, run, "")
		unfinished[run.rule.name]++
	}
	all := newRuleTally("")
	for _, rule := range s.rules() {
		r.PerRule = append(r.PerRule, rule.report(unfinished[rule.name], line))
		all.add(rule)
	}
	r.All = all.report(len(t.runs), line)
	for name, n := range t.unmatched {
		r.Unmatched = append(r.Unmatched, Unmatched{Alert: name, Episodes: n})
	}
	slices.SortFunc(r.Unmatched, func(a, b Unmatched) int {
		return cmp.Or(cmp.Compare(b.Episodes, a.Episodes), cmp.Compare(a.Alert, b.Alert))
	})
	for _, e := range t.errors {
		r.Errors = append(r.Errors, *e)
	}
	slices.SortFunc(r.Errors, func(a, b RuleError) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), a.First.Compare(b.First), cmp.Compare(a.Reason, b.Reason))
	})
	for _, b := range t.budgets {
		r.Budgets = append(r.Budgets, b.Budget)
	}
	slices.SortFunc(r.Budgets, func(a, b Budget) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key)) })
	return r
}

// rules are those of the set in the order written, whether anything came of them
// or not, and behind them others that the recording had, by name.
func (s *side) rules() []*ruleTally {
	var names []string
	if s.set != nil {
		for _, rule := range rulesOf(withMode(s.set, s.mode)) {
			s.tally.rule(rule.Name).mode = rule.Mode
			names = append(names, rule.Name)
		}
	}
	var others []string
	for name := range s.tally.rules {
		if !slices.Contains(names, name) {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	list := make([]*ruleTally, 0, len(names)+len(others))
	for _, name := range append(names, others...) {
		list = append(list, s.tally.rule(name))
	}
	return list
}
