package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// Sets gives the compiled rule sets that a state names.
type Sets interface {
	// Set returns the rule set of that digest.
	Set(digest string) (RuleSet, bool)
}

// Step is the part of an input that is decided at once. Exactly one field is
// set.
type Step struct {
	Alert   *AlertStep
	Result  *Result
	Command *Command
	Rules   *NewRules
	// Wake is the run whose time has come.
	Wake string
	// Prune forgets what is old.
	Prune bool
}

// AlertStep is one alert and the delivery that brought it.
type AlertStep struct {
	Delivery string
	Received time.Time
	Alert    alert.Alert
}

// Steps takes an input apart. A tick has no steps of its own.
func Steps(in Input) []Step {
	switch {
	case in.Delivery != nil:
		steps := make([]Step, len(in.Delivery.Alerts))
		for i, a := range in.Delivery.Alerts {
			steps[i].Alert = &AlertStep{Delivery: in.Delivery.ID, Received: in.Delivery.ReceivedAt, Alert: a}
		}
		return steps
	case in.Result != nil:
		return []Step{{Result: in.Result}}
	case in.Command != nil:
		return []Step{{Command: in.Command}}
	case in.Rules != nil:
		return []Step{{Rules: in.Rules}}
	}
	return nil
}

// Due is the next step that time alone asks for, if any. Heard is up to when
// INBOX is known to be decided: an answer that is late only because the engine
// was away stands in INBOX, and must not be given up before it is read.
func Due(st *State, at, heard time.Time) (Step, bool) {
	if run, wake, ok := st.index.alarms.next(st); ok && !wake.After(at) {
		return Step{Wake: run}, true
	}
	if run, wake, ok := st.index.deadlines.next(st); ok && !wake.After(heard) {
		return Step{Wake: run}, true
	}
	if at.Sub(st.PrunedAt) >= pruneEvery {
		return Step{Prune: true}, true
	}
	return Step{}, false
}

// Decide returns what follows from one step, without changing the state.
func Decide(sets Sets, st *State, at time.Time, step Step) []Event {
	d := &decider{sets: sets, st: st, at: at}
	switch {
	case step.Alert != nil:
		d.alert(*step.Alert)
	case step.Result != nil:
		d.result(*step.Result)
	case step.Command != nil:
		d.command(*step.Command)
	case step.Rules != nil:
		d.emit(RulesLoaded{Digest: step.Rules.Digest, Sources: step.Rules.Sources})
	case step.Wake != "":
		d.wake(step.Wake)
	case step.Prune:
		d.emit(Pruned{Before: at.Add(-Retention)})
	}
	return d.events
}

// Advance decides an input step by step, and all that is due with it, and folds
// what follows into the state. If it returns an error, the state is no longer
// to be used. The time must not run backwards.
func Advance(sets Sets, st *State, at time.Time, in Input) ([]Event, error) {
	var all []Event
	err := AdvanceEach(sets, st, at, in, func(events []Event) error {
		all = append(all, events...)
		return nil
	})
	return all, err
}

// AdvanceEach is Advance for whoever must not hold all that follows at once:
// each is called with what follows from every single step, already folded. Its
// error ends the advance. Deciding an input again after only a part of what
// follows from it was kept is safe: every step finds what was done already.
func AdvanceEach(sets Sets, st *State, at time.Time, in Input, each func([]Event) error) error {
	if at.Before(st.At) {
		at = st.At
	}
	take := func(step Step) error {
		events := Decide(sets, st, at, step)
		for _, ev := range events {
			if err := st.Apply(at, ev); err != nil {
				return err
			}
		}
		if len(events) == 0 {
			return nil
		}
		return each(events)
	}
	for _, step := range Steps(in) {
		if err := take(step); err != nil {
			return err
		}
	}
	heard := in.heard(at)
	wakes := map[string]int{}
	for step, due := Due(st, at, heard); due; step, due = Due(st, at, heard) {
		if wakes[step.Wake]++; wakes[step.Wake] > mostWakes {
			return fmt.Errorf("run %s in phase %s is due again and again at %s", step.Wake, st.Runs[step.Wake].Phase, at)
		}
		if err := take(step); err != nil {
			return err
		}
	}
	return nil
}

// mostWakes bounds the wakes of one run at one time. A ladder has less rungs
// than this; a decision that makes no progress has not.
const mostWakes = 1000

// heard is up to when the input says that INBOX was decided. Nothing but a tick
// says so.
func (in Input) heard(at time.Time) time.Time {
	switch {
	case in.Tick == nil:
		return time.Time{}
	case in.Tick.At.IsZero():
		return at
	}
	return earlier(in.Tick.At, at)
}

// decider collects what follows from one step. While it decides about a run, it
// has a copy of it, which each event is folded into, so that a chain of
// conclusions about one run sees its own links.
type decider struct {
	sets   Sets
	st     *State
	at     time.Time
	events []Event
	run    *Run
	// resolving is the episode whose resolve is being decided, opening the one whose
	// beginning is: the state does not know of either yet.
	resolving, opening alert.EpisodeID
	// reopens says that the episode fires anew: what rules were done with is over.
	reopens bool
	// supposed says that the run is only supposed: the state does not know it.
	supposed bool
}

func (d *decider) emit(ev Event) {
	d.events = append(d.events, ev)
	if d.run != nil {
		d.run.apply(ev, d.at)
	}
}

// about makes r the run that is decided about.
func (d *decider) about(r *Run) { d.run = r.clone() }

// rule finds the rule that the run began with.
func (d *decider) rule() (*Rule, error) {
	set, ok := d.sets.Set(d.run.RuleSet)
	if !ok {
		return nil, fmt.Errorf("rule set %s, which the run began with, is not available", d.run.RuleSet)
	}
	rule, ok := set.Rule(d.run.Rule)
	if !ok {
		return nil, fmt.Errorf("rule set %s has no rule %q", d.run.RuleSet, d.run.Rule)
	}
	return rule, nil
}

// firing reports whether any alert of the run still fires.
func (d *decider) firing() bool {
	for _, id := range d.run.Episodes {
		if id == d.resolving {
			continue
		}
		if id == d.opening {
			return true
		}
		if ep := d.st.Episodes[id]; ep != nil && ep.Firing() {
			return true
		}
	}
	return false
}

// resolvedAt is when the last alert of the run resolved.
func (d *decider) resolvedAt() time.Time {
	var last time.Time
	for _, id := range d.run.Episodes {
		if id == d.resolving {
			return d.at
		}
		if ep := d.st.Episodes[id]; ep != nil {
			last = later(last, ep.ResolvedAt)
		}
	}
	return last
}

func (d *decider) end(o RunFinal, format string, args ...any) {
	d.emit(RunEnded{Run: d.run.ID, Outcome: o, Reason: fmt.Sprintf(format, args...)})
}

// endAsking ends the run and tells people, as the rule's otherwise says.
func (d *decider) endAsking(rule *Rule, o RunFinal, format string, args ...any) {
	d.end(o, format, args...)
	d.escalate(rule, fmt.Sprintf(format, args...))
}

// withoutRule ends a run whose rule cannot be had. A repeat of its alert starts
// one under the rules in force.
func (d *decider) withoutRule(err error) {
	switch u := d.run.Undoing; {
	case u != nil:
		d.endAsking(nil, Uncured, "%s; what it did is not all put back: %v", u.Reason, err)
		return
	case d.run.Standing:
		d.endAsking(nil, Uncured, "what it did is not put back: %v", err)
		return
	}
	left := ""
	if d.run.lasting() > 0 {
		left = "; what its attempt did is left as it is"
	}
	d.endAsking(nil, HeldBack, "%v%s", err, left)
}

func (d *decider) escalate(rule *Rule, reason string) {
	var routes []Route
	if rule != nil {
		var err error
		if routes, err = render(rule.Otherwise, d.scope(rule)); err != nil {
			reason = fmt.Sprintf("%s; told where the reporter would by itself, since %v", reason, err)
		}
	}
	d.emit(Escalated{Run: d.run.ID, Routes: routes, Reason: reason})
}

// render gives the routes of a run. One whose place cannot be told leads where
// its reporter would by itself: people must hear of it.
func render(routings []Routing, scope Scope) ([]Route, error) {
	var routes []Route
	var errs []error
	for _, r := range routings {
		route := Route{Reporter: r.Reporter}
		if r.To != nil {
			to, err := r.To(scope)
			if err != nil {
				to = ""
				errs = append(errs, fmt.Errorf("reporter %s: %w", r.Reporter, err))
			}
			route.To = to
		}
		routes = append(routes, route)
	}
	return routes, errors.Join(errs...)
}
