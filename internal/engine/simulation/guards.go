package simulation

import (
	"slices"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

func (o *observer) rule(run *seenRun) *engine.Rule {
	r, _ := o.w.rules.sets[run.set].Rule(run.rule)
	return r
}

// mode is what a run may do on its rung, counted anew.
func (o *observer) mode(run *seenRun) engine.Mode {
	rule := o.rule(run)
	trust := map[engine.Mode]int{engine.ModeObserve: 0, engine.ModeShadow: 1, engine.ModeApprove: 2, engine.ModeAuto: 3}
	mode := rule.Mode
	if m := rule.Attempts[run.attempt].Mode; m != "" && trust[m] < trust[mode] {
		mode = m
	}
	if b := rule.Guards.Breaker; mode == engine.ModeAuto && b > 0 && o.uncured[run.rule] >= b {
		return engine.ModeApprove
	}
	return mode
}

// allow checks the guards of an attempt that is let through.
func (o *observer) allow(r record, e engine.RunAllowed) {
	run := o.runs[e.Run]
	rule, mode := o.rule(run), o.mode(run)
	if !mode.Acts() {
		o.w.violate("run %s is allowed to act in mode %s", run.id, mode)
	}
	if mode == engine.ModeApprove && !o.known.approved[run.id+e.Plan] {
		o.w.violate("run %s is allowed without approval of plan %s", run.id, e.Plan)
	}
	for _, t := range run.targets() {
		if holder, held := o.holders[t]; held && holder != run.id {
			o.w.violate("run %s takes %s, which run %s has", run.id, t, holder)
		}
	}
	for _, p := range run.plans {
		if !p.Noop && !leavesHealthy(rule.Guards.MinHealthy, p.Health) {
			o.w.violate("run %s is allowed with a plan that leaves too little healthy: %+v", run.id, p.Health)
		}
	}
	o.settled(r, run, rule)
	o.hold(run)
	o.touches(r, run)
	run.held, run.groups = true, groupsOf(run)
	o.allowed = append(o.allowed, allowance{r.at, run.id, run.rule, run.target, run.groups})

	o.counted(run, rule, r.at)
	o.mendsWhatStands(run)
	if n, most := o.underRepair(run.rule)-o.restored(run.rule), rule.Guards.Concurrent; most > 0 && n > most {
		o.w.violate("rule %s has %d targets under repair, it may have %d", run.rule, n, most)
	}
	o.budgeted(run.groups, r.at)
	if flap := rule.Guards.Flap; flap.Count > 0 {
		for _, id := range run.episodes {
			s := seriesOf(id)
			if n := within(o.opens[s], r.at, flap.Per); n >= flap.Count {
				o.w.violate("run %s is allowed while its alert flaps: %d starts within %s", run.id, n, flap.Per)
			}
		}
	}
}

// counted checks cooldown and limits, this attempt included.
func (o *observer) counted(run *seenRun, rule *engine.Rule, at time.Time) {
	var mine []time.Time
	for _, a := range o.allowed {
		if a.rule != run.rule || a.target != run.target {
			continue
		}
		mine = append(mine, a.at)
		if a.run != run.id && at.Sub(a.at) < rule.Guards.Cooldown {
			o.w.violate("run %s is allowed %s after run %s, the cooldown is %s", run.id, at.Sub(a.at), a.run, rule.Guards.Cooldown)
		}
	}
	for _, limit := range rule.Guards.Limits {
		if n := within(mine, at, limit.Per); n > limit.Count {
			o.w.violate("rule %s acted %d times on %s within %s, the limit is %d", run.rule, n, run.target, limit.Per, limit.Count)
		}
	}
}

// groupsOf are the groups that the targets of a run are in.
func groupsOf(run *seenRun) []string {
	var all []string
	for _, t := range run.targets() {
		group, _ := groupOf(engine.Scope{Target: service(strings.TrimPrefix(t, "http/"))})
		if !slices.Contains(all, group) {
			all = append(all, group)
		}
	}
	return all
}

// budgeted checks the budgets, this attempt included.
func (o *observer) budgeted(groups []string, at time.Time) {
	fleet, byGroup := o.w.rules.budgets[0], o.w.rules.budgets[1]
	var all []time.Time
	mine := map[string][]time.Time{}
	for _, a := range o.allowed {
		all = append(all, a.at)
		for _, group := range a.groups {
			mine[group] = append(mine[group], a.at)
		}
	}
	if n := within(all, at, fleet.Rate.Per); n > fleet.Rate.Count {
		o.w.violate("%d attempts within %s, the budget is %d", n, fleet.Rate.Per, fleet.Rate.Count)
	}
	for _, group := range groups {
		if n := within(mine[group], at, byGroup.Rate.Per); n > byGroup.Rate.Count {
			o.w.violate("%d attempts in group %s within %s, the budget is %d", n, group, byGroup.Rate.Per, byGroup.Rate.Count)
		}
		if held := o.holding(func(r *seenRun) bool { return slices.Contains(r.groups, group) }); held > byGroup.Concurrent {
			o.w.violate("%d targets of group %s are under repair, the budget is %d", held, group, byGroup.Concurrent)
		}
	}
}

func within(times []time.Time, at time.Time, per time.Duration) int {
	n := 0
	for _, t := range times {
		if at.Sub(t) < per {
			n++
		}
	}
	return n
}
