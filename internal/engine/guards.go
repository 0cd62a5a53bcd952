package engine

import (
	"fmt"
	"slices"
	"time"
)

// The guards, by the names that the ledger gives them.
const (
	GuardPaused    = "paused"
	GuardFreshness = "freshness"
	GuardFlap      = "flap"
	GuardBusy      = "busy"
	GuardCooldown  = "cooldown"
	GuardLimit     = "limit"
	GuardBudget    = "budget"
)

const (
	// holdAgain rounds the time at which a counted guard is judged again up, so
	// that a storm of held runs does not wake once for every count that ends.
	holdAgain = 5 * time.Second
	// pauseAgain is when a run is judged again that a worker found paused and the
	// engine does not: the pause ended on the way, or its command is yet to come.
	pauseAgain = 30 * time.Second
	// holdAtMost bounds a hold whose end nobody can tell.
	holdAtMost = 24 * time.Hour
)

// verdict is one guard's no; the zero value is a yes.
type verdict struct {
	guard, reason string
	until         time.Time
}

func (v verdict) held() bool { return v.guard != "" }

// hold records a no. The run is judged again when the guard may let it pass, and
// no later than its alert becomes too old to act on.
func (d *decider) hold(guard, reason string, until time.Time) {
	latest := d.at.Add(holdAtMost)
	if rule, err := d.rule(); err == nil && rule.Guards.Freshness > 0 {
		latest = later(d.evidence().Add(rule.Guards.Freshness), d.at.Add(time.Second))
	}
	if until.IsZero() || until.After(latest) {
		until = latest
	}
	d.emit(RunHeld{Run: d.run.ID, Guard: guard, Reason: reason, Until: until})
}

// evidence is the newest sign that the trouble goes on.
func (d *decider) evidence() time.Time {
	newest := d.run.Evidence
	for _, id := range d.run.Episodes {
		if ep := d.st.Episodes[id]; ep != nil && ep.Firing() {
			newest = later(newest, ep.LastFiring)
		}
	}
	return newest
}

// guards judges all of them, the cheapest reason first, and returns what the
// attempt would spend of the budgets. An attempt that was allowed before is
// judged again, but counts only once.
func (d *decider) guards(rule *Rule) ([]Spend, verdict) {
	checks := []func(*Rule) verdict{d.fresh, d.unpaused, d.free}
	if !d.run.Allowed {
		checks = append(checks, d.calm, d.cool, d.withinLimits)
	}
	for _, check := range checks {
		if v := check(rule); v.held() {
			return nil, v
		}
	}
	if d.run.Allowed {
		return nil, verdict{}
	}
	return d.budgets(rule)
}

func (d *decider) fresh(rule *Rule) verdict {
	most := rule.Guards.Freshness
	if age := d.at.Sub(d.evidence()); most > 0 && age >= most {
		return verdict{GuardFreshness, fmt.Sprintf("the newest sign that the alert fires is %s old, the rule allows %s", age.Round(time.Second), most), time.Time{}}
	}
	return verdict{}
}

func (d *decider) unpaused(rule *Rule) verdict {
	for _, scope := range Scopes(rule.Name, d.run.Target) {
		if p, ok := d.st.Paused[scope]; ok {
			return verdict{GuardPaused, fmt.Sprintf("%s is paused by %s: %s", scope, p.By, p.Reason), time.Time{}}
		}
	}
	return verdict{}
}

func (d *decider) free(*Rule) verdict {
	if other, ok := d.st.index.holders[d.run.Target.String()]; ok && other != d.run.ID {
		return verdict{GuardBusy, fmt.Sprintf("run %s of rule %s is at work on %s", other, d.st.Runs[other].Rule, d.run.Target), time.Time{}}
	}
	return verdict{}
}

func (d *decider) calm(rule *Rule) verdict {
	flap := rule.Guards.Flap
	if flap.Count == 0 {
		return verdict{}
	}
	for _, id := range d.run.Episodes {
		ep := d.st.Episodes[id]
		if ep == nil {
			continue
		}
		series := d.st.Series[ep.Alert.Series()]
		if series == nil {
			continue
		}
		if until, full := d.full(series.Opens, flap); full {
			return verdict{GuardFlap, fmt.Sprintf("the alert flaps: it began %d times within %s", d.within(series.Opens, flap.Per), flap.Per), until}
		}
	}
	return verdict{}
}

func (d *decider) cool(rule *Rule) verdict {
	past := d.st.Past[pastKey(rule.Name, d.run.Target)]
	if past == nil {
		return verdict{}
	}
	for _, a := range slices.Backward(past.Actions) {
		if a.Run == d.run.ID {
			continue // the rungs of one run do not wait for each other
		}
		if until := a.At.Add(rule.Guards.Cooldown); d.at.Before(until) {
			return verdict{GuardCooldown, fmt.Sprintf("run %s acted on this target at %s, the cooldown is %s", a.Run, a.At.UTC().Format(time.TimeOnly), rule.Guards.Cooldown), until}
		}
		break
	}
	return verdict{}
}

func (d *decider) withinLimits(rule *Rule) verdict {
	past := d.st.Past[pastKey(rule.Name, d.run.Target)]
	if past == nil {
		return verdict{}
	}
	times := make([]time.Time, len(past.Actions))
	for i, a := range past.Actions {
		times[i] = a.At
	}
	for _, limit := range rule.Guards.Limits {
		if until, full := d.full(times, limit); full {
			return verdict{GuardLimit, fmt.Sprintf("the rule acted on this target %d times within %s, the limit is %d", d.within(times, limit.Per), limit.Per, limit.Count), until}
		}
	}
	return verdict{}
}

func (d *decider) budgets(rule *Rule) ([]Spend, verdict) {
	set, ok := d.sets.Set(d.run.RuleSet)
	if !ok {
		return nil, verdict{GuardBudget, "the budgets cannot be judged: the run's rule set is not available", time.Time{}}
	}
	var spends []Spend
	for _, b := range set.Budgets() {
		sp := Spend{Budget: b.Name}
		if b.Key != nil {
			key, err := b.Key(d.scope(rule))
			if err != nil {
				return nil, verdict{GuardBudget, fmt.Sprintf("budget %s cannot be judged: %v", b.Name, err), d.at.Add(holdAgain)}
			}
			sp.Key = key
		}
		times := d.st.Spent[spendKey(sp)]
		if until, full := d.full(times, b.Rate); full {
			return nil, verdict{GuardBudget, fmt.Sprintf("budget %s is spent: %d attempts within %s", label(sp), d.within(times, b.Rate.Per), b.Rate.Per), until}
		}
		if n := d.underRepair(sp); b.Concurrent > 0 && n >= b.Concurrent {
			return nil, verdict{GuardBudget, fmt.Sprintf("budget %s is spent: %d targets are under repair", label(sp), n), d.at.Add(holdAgain)}
		}
		spends = append(spends, sp)
	}
	return spends, verdict{}
}

func label(sp Spend) string {
	if sp.Key == "" {
		return sp.Budget
	}
	return sp.Budget + " of " + sp.Key
}

// underRepair counts the runs that hold their target and counted against sp.
func (d *decider) underRepair(sp Spend) int {
	n := 0
	for _, id := range d.st.index.holders {
		for _, other := range d.st.Runs[id].Spends {
			if other == sp && id != d.run.ID {
				n++
			}
		}
	}
	return n
}

// within counts the times of the last so long.
func (d *decider) within(times []time.Time, per time.Duration) int {
	n := 0
	for _, t := range times {
		if d.at.Sub(t) < per {
			n++
		}
	}
	return n
}

// full reports whether a rate allows no more now, and when it will again.
func (d *decider) full(times []time.Time, r Rate) (time.Time, bool) {
	if r.Count == 0 || d.within(times, r.Per) < r.Count {
		return time.Time{}, false
	}
	// Times are in order: this one must leave the window.
	leaves := times[len(times)-r.Count].Add(r.Per)
	return leaves.Add(holdAgain).Truncate(holdAgain), true
}
