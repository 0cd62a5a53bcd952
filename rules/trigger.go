package rules

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/calendar"
)

// TriggerSource begins the source of every alert that a trigger raises; the
// trigger's kind follows. Such an alert has the label alertname with the name of
// the rule that the trigger belongs to, and only that rule takes it.
const TriggerSource = "trigger/"

// labelAlertName is the label that names an alert.
const labelAlertName = "alertname"

// TriggerKind is what sets a rule off, other than alerts of sources.
type TriggerKind string

// The kinds of trigger.
const (
	TriggerSchedule TriggerKind = "schedule"
	TriggerProbe    TriggerKind = "probe"
	TriggerRollout  TriggerKind = "rollout"
	TriggerCost     TriggerKind = "cost"
	TriggerManual   TriggerKind = "manual"
)

// Trigger raises the alerts of one rule. The field of its Kind is set.
type Trigger struct {
	Rule string
	Kind TriggerKind
	// Labels are put on the alerts that it raises; never nil.
	Labels map[string]string

	Schedule *ScheduleTrigger
	Probe    *ProbeTrigger
	Rollout  *RolloutTrigger
	Cost     *CostTrigger
	Manual   *ManualTrigger
}

// Source is that of the alerts that the trigger raises.
func (t Trigger) Source() string { return TriggerSource + string(t.Kind) }

// Asked reports whether the trigger's alerts tell of no trouble that doing something
// ends: somebody asked for something, at a time of day or otherwise, or it is told
// what has happened. Such an alert does not resolve because it was dealt with, and
// a new one takes the place of the one before.
func (t Trigger) Asked() bool {
	switch t.Kind {
	case TriggerSchedule, TriggerCost, TriggerManual:
		return true
	case TriggerRollout:
		return t.Rollout.Phase != RolloutStuck
	case TriggerProbe:
	}
	return false
}

// ScheduleTrigger raises an alert at each start.
type ScheduleTrigger struct {
	// Cron, Timezone and Restore are as written; Timezone is UTC by default.
	Cron, Timezone, Restore string
	// Once says what becomes of starts at which nobody was there: one is made up
	// for, or none.
	Once bool
	// Starts is when an alert is raised, and Restores when it is resolved. A
	// schedule without restore has a zero Restores.
	Starts, Restores calendar.Schedule
}

// ProbeTrigger raises an alert after so many failures in a row, and resolves it
// after so many successes.
type ProbeTrigger struct {
	Every, Timeout      time.Duration
	Failures, Successes int
	// Kind and Params are of the probe that is taken.
	Kind   string
	Params json.RawMessage
}

// RolloutPhase is how far a rollout is.
type RolloutPhase string

// The phases of a rollout that can set a rule off.
const (
	RolloutStarted  RolloutPhase = "started"
	RolloutComplete RolloutPhase = "complete"
	RolloutStuck    RolloutPhase = "stuck"
)

// RolloutTrigger raises an alert when a workload comes to a phase of a rollout.
// An empty Kind or Name is any.
type RolloutTrigger struct {
	Cluster, Namespace, Kind, Name string
	Phase                          RolloutPhase
}

// CostTrigger raises an alert when what was spent crosses a share of a budget.
type CostTrigger struct {
	Account string
	// By is what the cost is divided by, such as service; empty for all together.
	By string
	// Budget is in the account's currency, of all or of each value; 0 where there
	// are Budgets, which are by value, in upper or lower case alike.
	Budget  float64
	Budgets map[string]float64
	// Warning and Critical are shares of the budget, of a hundred.
	Warning, Critical int
}

// ManualTrigger raises an alert when a person asks for it.
type ManualTrigger struct {
	// Inputs are the labels that the person must give.
	Inputs []string
}

// Triggers are those of all rules, in the order written.
func (s *Set) Triggers() []Trigger {
	var all []Trigger
	for _, r := range s.rules {
		if r.trigger != nil {
			all = append(all, *r.trigger)
		}
	}
	return all
}

// Asked reports whether a rule has a trigger whose alerts are [Trigger.Asked].
func (s *Set) Asked(name string) bool {
	return slices.ContainsFunc(s.rules, func(r *rule) bool { return r.rule.Name == name && r.asked() })
}

// Runnable reports the rules whose triggers are of none of these kinds. A set
// with such a rule can be checked and tested, and must not be served: the rule
// would wait for ever.
func (s *Set) Runnable(kinds []string) error {
	var missing []string
	for _, t := range s.Triggers() {
		if !slices.Contains(kinds, string(t.Kind)) {
			missing = append(missing, fmt.Sprintf("%s (on.%s)", t.Rule, t.Kind))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("this build cannot run the triggers of %s: take these rules out, or use a build that has them", strings.Join(missing, ", "))
}

// takes reports whether an alert is the rule's own, if it has a trigger, or else
// fits its matchers.
func (r *rule) takes(a alert.Alert) bool {
	if r.trigger != nil {
		return a.Source == r.trigger.Source() && a.Labels[labelAlertName] == r.rule.Name
	}
	return !strings.HasPrefix(a.Source, TriggerSource) && fitsAll(r.matchers, a)
}
