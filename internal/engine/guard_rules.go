package engine

import (
	"fmt"
	"slices"

	"github.com/tripgen/paramedic/internal/alert"
)

// uninhibited judges what the rule's unless names: other alerts and other rules.
func (d *decider) uninhibited(rule *Rule) verdict {
	for _, in := range rule.Unless {
		var reason, waits string
		if in.Rule != "" {
			if n := d.atWork(in.Rule); n > 0 {
				reason, waits = fmt.Sprintf("%s: it has %s", in.Text, runs(n)), waitRule(in.Rule)
			}
		} else if ep := d.inhibiting(in); ep != "" {
			reason, waits = fmt.Sprintf("%s: %s fires", in.Text, ep), waitAlerts(in.AlertName)
		}
		if reason != "" {
			return verdict{guard: GuardUnless, reason: reason, until: d.at.Add(waitAtMost), waits: waits}
		}
	}
	return verdict{}
}

// inhibiting is the firing episode that holds the run; of several the first by
// its name, so that a replay names the same.
func (d *decider) inhibiting(in Inhibitor) alert.EpisodeID {
	var first alert.EpisodeID
	look := func(episodes map[alert.EpisodeID]*Episode) {
		for id, ep := range episodes {
			if first != "" && id > first || id == d.resolving {
				continue
			}
			// A run's own alerts are what it is for.
			if in.Alert(d.run.Alert, ep.Alert) && !slices.Contains(d.run.Episodes, id) {
				first = id
			}
		}
	}
	if in.AlertName != "" {
		look(d.st.index.firing[in.AlertName])
		return first
	}
	for _, episodes := range d.st.index.firing {
		look(episodes)
	}
	return first
}

// atWork counts the runs of a rule at work whose mode may act, but for this one.
func (d *decider) atWork(rule string) int {
	n := d.st.index.acting[rule]
	if rule == d.run.Rule && d.run.atWork() && !d.supposed {
		n--
	}
	return n
}

func runs(n int) string {
	if n == 1 {
		return "1 active run"
	}
	return fmt.Sprintf("%d active runs", n)
}

// required judges how other rules stand.
func (d *decider) required(rule *Rule) verdict {
	for _, r := range rule.Guards.Requires {
		if reason := d.lacks(r); reason != "" {
			return verdict{
				guard: GuardRequires, until: d.at.Add(waitAtMost), waits: waitRule(r.Rule),
				reason: fmt.Sprintf("rule %s must be %s: %s", r.Rule, r.State, reason),
			}
		}
	}
	return verdict{}
}

// lacks says why a requirement is not met.
func (d *decider) lacks(r Requirement) string {
	switch r.State {
	case RuleIdle:
		if n := d.atWork(r.Rule); n > 0 {
			return "it has " + runs(n)
		}
		return ""
	case RuleCured:
		if n := d.atWork(r.Rule); n > 0 {
			return "it has " + runs(n)
		}
		last, known := d.st.Last[r.Rule]
		switch {
		case !known:
			return "no run of it that acted is remembered"
		case last.Outcome != Cured && last.Outcome != Restored:
			return fmt.Sprintf("its last run that acted, %s, ended %s", last.Run, last.Outcome)
		}
		return ""
	case RuleTrusted:
		return d.distrust(r.Rule)
	}
	return fmt.Sprintf("this build knows no state %q", r.State)
}

// distrust says why a rule is not trusted.
func (d *decider) distrust(name string) string {
	set, ok := d.sets.Set(d.run.RuleSet)
	if !ok {
		return "the run's rule set is not available"
	}
	rule, ok := set.Rule(name)
	if !ok {
		return "the rule set has no such rule"
	}
	if n := d.st.Uncured[name]; rule.Guards.Breaker > 0 && n >= rule.Guards.Breaker {
		return fmt.Sprintf("its last %d runs that acted did not cure, and its breaker is at %d", n, rule.Guards.Breaker)
	}
	return ""
}
