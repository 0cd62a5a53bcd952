package backtest

import (
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// tally counts what followed from a history. It reads events and nothing else.
type tally struct {
	// from is the beginning of what counts.
	from     time.Time
	sets     engine.Sets
	read     Read
	rules    map[string]*ruleTally
	runs     map[string]*runTally
	episodes map[alert.EpisodeID]*episodeTally
	// newest leads from a series to its newest episode, which ends older ones.
	newest    map[string]alert.EpisodeID
	unmatched map[string]int
	errors    map[[2]string]*RuleError
	budgets   map[engine.Spend]*budgetTally
	acts      []Act
	// held is kept for a difference only.
	held map[doing]heldBy
}

// episodeTally is one firing.
type episodeTally struct {
	name      string
	opened    time.Time
	unmatched bool
	rules     []*taken
}

// taken is a rule that is for a firing, and whether it has acted for it.
type taken struct {
	rule  *ruleTally
	acted bool
}

func newTally(from time.Time, s engine.Sets, difference bool) *tally {
	t := &tally{
		from: from, sets: s, rules: map[string]*ruleTally{}, runs: map[string]*runTally{},
		episodes: map[alert.EpisodeID]*episodeTally{}, newest: map[string]alert.EpisodeID{}, unmatched: map[string]int{},
		errors: map[[2]string]*RuleError{}, budgets: map[engine.Spend]*budgetTally{},
	}
	if difference {
		t.held = map[doing]heldBy{}
	}
	return t
}

// counts reports whether a time is part of what is reported.
func (t *tally) counts(at time.Time) bool { return !at.Before(t.from) }

// input counts what is read.
func (t *tally) input(r Recorded) {
	if !t.counts(r.At) {
		return
	}
	t.read.Inputs++
	if d := r.Input.Delivery; d != nil {
		t.read.Deliveries++
		t.read.Samples += len(d.Alerts)
	}
}

func (t *tally) rule(name string) *ruleTally {
	r := t.rules[name]
	if r == nil {
		r = newRuleTally(name)
		t.rules[name] = r
	}
	return r
}

// observe is an observer.
func (t *tally) observe(at time.Time, _ engine.Input, events []engine.Event) error {
	for _, ev := range events {
		t.event(at, ev)
	}
	// What is told of a run stands behind its end.
	for _, ev := range events {
		switch e := ev.(type) {
		case engine.RunEnded:
			delete(t.runs, e.Run)
		case engine.RunMerged:
			delete(t.runs, e.Run)
		}
	}
	return nil
}

func (t *tally) event(at time.Time, ev engine.Event) {
	if id, ok := engine.RunOf(ev); ok {
		if start, ok := ev.(engine.RunStarted); ok {
			t.started(at, start)
		} else if r := t.runs[id]; r != nil {
			t.run(at, r, ev)
		}
		return
	}
	switch e := ev.(type) {
	case engine.AlertOpened:
		t.opened(at, e.Episode, e.Alert)
	case engine.AlertReopened:
		if t.episodes[e.Episode] == nil {
			t.episodes[e.Episode] = &episodeTally{opened: at}
		}
	case engine.AlertResolved:
		t.resolved(at, e.Episode)
	case engine.AlertUnmatched:
		if ep := t.episodes[e.Episode]; ep != nil && !ep.unmatched {
			ep.unmatched = true
			if t.counts(at) {
				t.unmatched[ep.name]++
			}
		}
	case engine.RuleFailed:
		t.failed(at, e)
	}
}

func (t *tally) opened(at time.Time, id alert.EpisodeID, a alert.Alert) {
	series := a.Series()
	if older, ok := t.newest[series]; ok {
		t.closed(older)
	}
	t.newest[series] = id
	t.episodes[id] = &episodeTally{name: a.Name, opened: at}
	if t.counts(at) {
		t.read.Episodes++
	}
}

// resolved is the end of a firing that was seen.
func (t *tally) resolved(at time.Time, id alert.EpisodeID) {
	ep := t.episodes[id]
	if ep == nil {
		return
	}
	if t.counts(at) {
		for _, took := range ep.rules {
			took.rule.resolved(at.Sub(ep.opened), took.acted)
		}
	}
	t.closed(id)
}

// closed forgets a firing. The last one of a series may still stand in newest:
// series are few.
func (t *tally) closed(id alert.EpisodeID) {
	if ep := t.episodes[id]; ep != nil {
		for _, took := range ep.rules {
			took.rule.open--
		}
		delete(t.episodes, id)
	}
}

// takes notes that a rule is for a firing.
func (t *tally) takes(at time.Time, r *ruleTally, id alert.EpisodeID) {
	ep := t.episodes[id]
	if ep == nil {
		return
	}
	for _, took := range ep.rules {
		if took.rule == r {
			return
		}
	}
	ep.rules = append(ep.rules, &taken{rule: r})
	r.open++
	if t.counts(at) {
		r.episodes++
		r.bucket(at).Episodes++
	}
}

func (t *tally) failed(at time.Time, e engine.RuleFailed) {
	if !t.counts(at) {
		return
	}
	t.rule(e.Rule)
	key := [2]string{e.Rule, e.Reason}
	if t.errors[key] == nil {
		t.errors[key] = &RuleError{Rule: e.Rule, Reason: e.Reason, First: at}
	}
	t.errors[key].Times++
}

// shadowed reads what a shadow rule says that it would have done. The engine
// says it in words only.
func shadowed(reason string) (plan, guard string) {
	if plan, ok := strings.CutPrefix(reason, "would have: "); ok {
		return plan, ""
	}
	if held, ok := strings.CutPrefix(reason, "would have been held by "); ok {
		guard, _, _ = strings.Cut(held, ": ")
		return "", guard
	}
	return "", ""
}
