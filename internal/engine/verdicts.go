package engine

import (
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// Verdict is what one guard says of a run.
type Verdict struct {
	Guard string `json:"guard"`
	// Held says that it would hold the run, until Until if that can be told.
	// Unknown says that it cannot be judged. Reason says why of both.
	Held    bool      `json:"held,omitempty"`
	Unknown bool      `json:"unknown,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Until   time.Time `json:"until,omitzero"`
}

// Verdicts judges every guard of a rule for a run that an alert would start now,
// not only up to the first that would hold it. The target is taken as canonical;
// with plans, theirs is. Every budget of the rules in force has a verdict of its
// own. It is pure, and changes nothing in the state.
func Verdicts(sets Sets, st *State, at time.Time, rule *Rule, target Target, a alert.Alert, plans []Plan) []Verdict {
	d := suppose(sets, st, at, rule, target, a, plans)
	var all []Verdict
	for _, g := range append(d.standing(), d.counted()...) {
		all = append(all, of(g.name, g.judge(rule)))
	}
	all = append(all, d.everyBudget(rule)...)
	if rule.Guards.MinHealthy != (Share{}) && len(plans) == 0 {
		return append(all, Verdict{Guard: GuardMinHealthy, Unknown: true, Reason: "only a plan tells how healthy the target is"})
	}
	return append(all, of(GuardMinHealthy, d.healthy(rule)))
}

// suppose is a decider about a run that the state does not know.
func suppose(sets Sets, st *State, at time.Time, rule *Rule, target Target, a alert.Alert, plans []Plan) *decider {
	d := &decider{sets: sets, st: st, at: at, supposed: true}
	d.run = newRun(RunStarted{Rule: rule.Name, RuleSet: st.RuleSet, Mode: rule.Mode, Target: target, Episode: a.Episode(), Alert: a}, at)
	d.run.Target, d.run.Plans, d.run.PlannedAt = target, plans, at
	if first := rule.firstToAct(); first >= 0 && len(plans) > 0 {
		for i, a := range rule.Attempts[first].Do[:min(len(plans), len(rule.Attempts[first].Do))] {
			if a.Target == nil {
				d.run.Target = plans[i].Target
				break
			}
		}
	}
	// The alert is taken as one that has just come.
	d.run.Evidence = at
	return d
}

func of(name string, v verdict) Verdict {
	return Verdict{Guard: name, Held: v.held(), Reason: v.reason, Until: v.until}
}

func (d *decider) everyBudget(rule *Rule) []Verdict {
	set, ok := d.sets.Set(d.run.RuleSet)
	if !ok {
		return []Verdict{{Guard: GuardBudget, Unknown: true, Reason: "no rules are loaded, and so no budgets"}}
	}
	var all []Verdict
	for _, b := range set.Budgets() {
		_, v := d.budget(rule, b)
		all = append(all, of(GuardBudget, v))
	}
	if len(all) == 0 {
		all = append(all, Verdict{Guard: GuardBudget})
	}
	return all
}
