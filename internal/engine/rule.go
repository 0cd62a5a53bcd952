package engine

import (
	"encoding/json"
	"fmt"
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
	Err    error
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
		if len(a.Do) == 0 {
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
	Name      string
	Mode      Mode
	Guards    Guards
	Attempts  []Attempt
	Otherwise []Route
	Report    []Route
}

// Route names a reporter and says where in it: {slack: "#ops"}.
type Route struct {
	Reporter string `json:"reporter"`
	To       string `json:"to,omitempty"`
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

// Attempt is one rung of a rule's ladder.
type Attempt struct {
	Name string
	// Mode replaces the rule's, if not empty.
	Mode Mode
	Do   []Action
	// Verify decides whether the attempt cured.
	Verify Verify
	// Retries is how often an action may be tried again after a retryable
	// failure; Backoff is the first delay, doubled each time, with jitter.
	Retries int
	Backoff time.Duration
	// Timeout bounds one call of a remediator.
	Timeout time.Duration
}

// Action is one call of a remediator.
type Action struct {
	// Name is the remediator's, such as kubernetes.restart.
	Name string
	// Group is the worker group that it goes to.
	Group string
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
