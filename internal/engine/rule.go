package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// Mode is how far a rule is trusted.
type Mode string

// The ladder of trust, lowest first.
const (
	// ModeObserve records the match and does nothing.
	ModeObserve Mode = "observe"
	// ModeShadow also plans, judges the guards, and says what it would have done.
	ModeShadow Mode = "shadow"
	// ModeApprove waits for a person before it acts.
	ModeApprove Mode = "approve"
	// ModeAuto acts.
	ModeAuto Mode = "auto"
)

// Acts reports whether a rule in this mode may change a target.
func (m Mode) Acts() bool { return m == ModeApprove || m == ModeAuto }

// RuleSet is a compiled set of rules. It is immutable and pure.
type RuleSet interface {
	// Digest is content-addressed: equal digests decide equally.
	Digest() string
	// Match returns the rules that an alert sets off, in the order written. A
	// rule whose condition or target cannot be evaluated is returned with its
	// error: whether it matches is not known.
	Match(a alert.Alert, now time.Time) []Match
	// Rule returns a rule by its name.
	Rule(name string) (*Rule, bool)
	// Budgets are counted over all rules of the set.
	Budgets() []Budget
}

// Match is one rule that an alert sets off.
type Match struct {
	Rule   *Rule
	Target Target
	// Group is what the rule's groupBy gives: alerts of one rule and group join
	// one run, whatever their targets. Without a groupBy it is empty, and those
	// of one rule and target join.
	Group string
	Err   error
}

// check reports a match that nothing can be done with.
func (m Match) check() error {
	switch {
	case m.Err != nil:
		return m.Err
	case m.Rule.Mode == ModeObserve:
		return nil
	case len(m.Rule.Attempts) == 0:
		return fmt.Errorf("rule %s has nothing to try", m.Rule.Name)
	}
	for _, a := range m.Rule.Attempts {
		if len(a.Do) == 0 && !a.looks() {
			return fmt.Errorf("rule %s: attempt %q has nothing to do", m.Rule.Name, a.Name)
		}
	}
	return m.Target.Validate()
}

// Source is one file of a rule set, as read.
type Source struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Rule is one compiled rule.
type Rule struct {
	Name   string
	Mode   Mode
	Guards Guards
	// Unless holds a run while any of them is at work.
	Unless   []Inhibitor
	Attempts []Attempt
	// Restore says that what an attempt did stays only while an alert of the run
	// fires, and is put back then, the last action first. It implies Undo, and is
	// for attempts whose actions can all be put back.
	Restore   bool
	Otherwise []Routing
	Report    []Routing
	// Asked says that the rule's alerts tell that something is due, and not that
	// something is wrong: they do not resolve by being dealt with. A rung that
	// only looks, and finds all in order, is done with them; of other alerts it goes
	// on looking while they fire.
	Asked bool
	// GroupOf names the worker group that works on a target, whatever is done
	// there: empty leaves it to each action's own, as nil does for all. It is how
	// this process is configured, not part of the rules: a rule set's digest says
	// nothing of it, and each task says what it gave.
	GroupOf func(Target) string
}

// workers is the group that takes an action of a group on a target.
func (r *Rule) workers(own string, t Target) string {
	if r.GroupOf != nil {
		if group := r.GroupOf(t); group != "" {
			return group
		}
	}
	return own
}

// firstToAct is the first rung that does anything.
func (r *Rule) firstToAct() int {
	return slices.IndexFunc(r.Attempts, func(a Attempt) bool { return len(a.Do) > 0 })
}

// undoes reports whether a rung puts back what it did when it fails.
func (r *Rule) undoes(attempt int) bool { return r.Restore || r.Attempts[attempt].Undo }

// Routing is a route as a rule states it.
type Routing struct {
	Reporter string
	// To renders where in the reporter; nil is the reporter's own choice.
	To func(Scope) (string, error)
}

// Route names a reporter and says where in it: {slack: "#ops"}.
type Route struct {
	Reporter string `json:"reporter"`
	To       string `json:"to,omitempty"`
}

// Inhibitor is another alert, or another rule at work, that holds a rule's
// runs. Either Rule or Alert is set.
type Inhibitor struct {
	// Text is how the rule states it, for reasons.
	Text string
	// Rule holds while that rule has a run at work whose mode may act.
	Rule string
	// Alert reports whether a firing alert, other, holds a run that began with
	// own. AlertName is the only name that such an alert can have, empty if it
	// can have any.
	Alert     func(own, other alert.Alert) bool
	AlertName string
}

// Guards hold a run back. The zero value of each turns it off.
type Guards struct {
	// Cooldown is the least time between actions of a rule on a target in
	// different runs.
	Cooldown time.Duration
	// Limits bound the attempts of a rule on a target.
	Limits []Rate
	// Freshness is the greatest age of the newest sign that the alert fires.
	Freshness time.Duration
	// Flap holds while one alerting series began as many episodes as this.
	Flap Rate
	// Breaker moves the rule to approve after so many uncured runs in a row.
	Breaker int
	// Relapse is how long after a run its ladder is continued by the next.
	Relapse time.Duration
	// Approval is how long a person's answer is waited for: until the alert
	// resolves if zero.
	Approval time.Duration
	// Windows are times at which the rule's runs are held, or the only ones at
	// which they are not.
	Windows []Window
	// Concurrent bounds how many targets the rule may have under repair.
	Concurrent int
	// MinHealthy is what an action must leave of the target's healthy instances.
	MinHealthy Share
	// HoldDown is the least time between what any other run did on a target of the
	// run and its actions. It counts from that run's end.
	HoldDown time.Duration
	// Requires are other rules, and how they must stand.
	Requires []Requirement
}

// WindowEffect is what a window does to runs.
type WindowEffect string

// The effects of a window.
const (
	// WindowHold holds runs while the window is open.
	WindowHold WindowEffect = "hold"
	// WindowAllow holds runs while no window of this effect is open.
	WindowAllow WindowEffect = "allow"
)

// Window is a time that comes again and again.
type Window struct {
	Name   string
	Effect WindowEffect
	// Open reports whether the window is open, and when that next changes: zero
	// for never. It is pure.
	Open func(at time.Time) (open bool, until time.Time)
}

// Share is a part of a target's instances: so many, or so many of a hundred,
// rounded up. At most one is set; the zero value turns the guard off.
type Share struct {
	Count   int
	Percent int
}

// Of is how many of total the share is.
func (s Share) Of(total int) int {
	if s.Percent > 0 {
		return (total*s.Percent + 99) / 100
	}
	return s.Count
}

// RuleState is how a rule stands.
type RuleState string

// The states that a rule can be required to be in.
const (
	// RuleIdle: it has no run at work whose mode may act.
	RuleIdle RuleState = "idle"
	// RuleCured: it is idle, and the last of its runs that acted cured, stands or
	// was restored.
	RuleCured RuleState = "cured"
	// RuleTrusted: its breaker has not turned it down.
	RuleTrusted RuleState = "trusted"
)

// Requirement is a rule and the state that it must be in.
type Requirement struct {
	Rule  string
	State RuleState
}

// Rate is so many in any window of so long. The zero value means no bound.
type Rate struct {
	Count int           `json:"count"`
	Per   time.Duration `json:"per"`
}

// Budget bounds the attempts of all rules together.
type Budget struct {
	Name string
	// Key separates the counts: nil counts everything as one.
	Key func(Scope) (string, error)
	// Rate bounds how many may start; zero means no bound.
	Rate Rate
	// Concurrent bounds how many targets may be under repair; zero means no
	// bound.
	Concurrent int
}

// Attempt is one rung of a rule's ladder. One that does nothing only verifies: no
// guard is asked, as nothing is changed, and if it fails the next rung is tried.
type Attempt struct {
	Name string
	// Mode replaces the rule's, if not empty.
	Mode Mode
	// Check is what must hold, at one look, right before the first action.
	Check []Probe
	Do    []Action
	// Group is the worker group that takes the probes of an attempt that does
	// nothing; for others it is that of the first action. From, if not empty, names
	// the group that takes them instead, so that they look from where its workers are.
	Group, From string
	// Undo says whether the actions that were done are put back, the last one
	// first, when the attempt fails. A rule's Restore implies it.
	Undo bool
	// Verify decides whether the attempt cured.
	Verify Verify
	// Retries is how often an action may be tried again after a retryable
	// failure; Backoff is the first delay, doubled each time, with jitter.
	Retries int
	Backoff time.Duration
	// Timeout bounds one call of a remediator.
	Timeout time.Duration
}

// timeout bounds one call of an action's remediator.
func (a *Attempt) timeout(action int) time.Duration {
	if own := a.Do[action].Timeout; own > 0 {
		return own
	}
	return a.Timeout
}

// looks reports whether the attempt has anything to verify.
func (a *Attempt) looks() bool { return len(a.Verify.Probes) > 0 || a.Verify.AlertResolved }

// lookers is the worker group that takes a rung's probes of a target.
func (r *Rule) lookers(a *Attempt, t Target) string {
	if a.From != "" {
		return VerifyGroup(a.From)
	}
	own := a.Group
	if len(a.Do) > 0 {
		own = a.Do[0].Group
	}
	return VerifyGroup(r.workers(own, t))
}

// Action is one call of a remediator.
type Action struct {
	// Name is the remediator's, such as kubernetes.restart.
	Name string
	// Group is the worker group that it goes to, unless the target's cluster has
	// one of its own.
	Group string
	// Target gives what it works on; nil means the run's target.
	Target func(Scope) (Target, error)
	// Timeout bounds one call of its remediator; zero means as the attempt says.
	Timeout time.Duration
	// Undoable says that its remediator can put the effect back.
	Undoable bool
	// Params renders the parameters.
	Params func(Scope) (json.RawMessage, error)
}

// Verify says when an attempt has cured.
type Verify struct {
	Probes []Probe
	// AlertResolved demands that every alert of the run has resolved.
	AlertResolved bool
	// Within bounds the wait; Stable is how long all must hold together.
	Within, Stable time.Duration
}

// Probe is one reading of the world that a worker takes.
type Probe struct {
	Kind   string
	Params func(Scope) (json.RawMessage, error)
	// Target gives what it looks at; nil means the run's target.
	Target func(Scope) (Target, error)
}

// Scope is what an expression of a rule can see.
type Scope struct {
	Alert  alert.Alert
	Target Target
	// Run and Attempt are zero while rules are matched.
	Run     RunScope
	Attempt AttemptScope
	Now     time.Time
}

// RunScope is the part of a run that an expression can see.
type RunScope struct {
	ID        string
	Rule      string
	StartedAt time.Time
}

// AttemptScope is the part of an attempt that an expression can see. Number
// counts from 1.
type AttemptScope struct {
	Name   string
	Number int
}
