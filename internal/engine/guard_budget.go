package engine

import "fmt"

func (d *decider) budgets(rule *Rule) ([]Spend, verdict) {
	set, ok := d.sets.Set(d.run.RuleSet)
	if !ok {
		return nil, verdict{guard: GuardBudget, reason: "the budgets cannot be judged: the run's rule set is not available"}
	}
	var spends []Spend
	for _, b := range set.Budgets() {
		sp, v := d.budget(rule, b)
		if v.held() {
			return nil, v
		}
		spends = append(spends, sp...)
	}
	return spends, verdict{}
}

// budget judges one of them, and returns what the attempt would count against: once
// for each part of the budget that the run's targets belong to.
func (d *decider) budget(rule *Rule, b Budget) ([]Spend, verdict) {
	var spends []Spend
	for _, t := range d.run.Targets() {
		sp := Spend{Budget: b.Name}
		if b.Key != nil {
			scope := d.scope(rule)
			scope.Target = t
			key, err := b.Key(scope)
			if err != nil {
				return nil, verdict{guard: GuardBudget, reason: fmt.Sprintf("budget %s cannot be judged: %v", b.Name, err), until: d.at.Add(holdAgain)}
			}
			sp.Key = key
		}
		if v := d.spendable(b, sp); v.held() {
			return nil, v
		}
		spends = with(spends, sp)
	}
	return spends, verdict{}
}

// spendable judges one count against a budget.
func (d *decider) spendable(b Budget, sp Spend) verdict {
	times := d.st.Spent[spendKey(sp)]
	if until, full := d.full(times, b.Rate); full {
		return verdict{
			guard: GuardBudget, until: until,
			reason: fmt.Sprintf("budget %s is spent: %d attempts within %s", label(sp), d.within(times, b.Rate.Per), b.Rate.Per),
		}
	}
	if b.Concurrent == 0 {
		return verdict{}
	}
	if n := d.underRepair(sp); n >= b.Concurrent {
		return verdict{
			guard: GuardBudget, until: d.at.Add(waitAtMost), waits: waitBudget(sp),
			reason: fmt.Sprintf("budget %s is spent: %d targets are under repair", label(sp), n),
		}
	}
	return verdict{}
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
	for target, id := range d.st.index.holders {
		r := d.st.Runs[id]
		if id == d.run.ID || target != r.Target.String() {
			continue // what a run has beside its own target is part of the same repair
		}
		for _, other := range r.Spends {
			if other == sp {
				n++
			}
		}
	}
	return n
}

// fewAtOnce counts the targets that the rule has under repair. A run that has
// its target takes no further place.
func (d *decider) fewAtOnce(rule *Rule) verdict {
	most := rule.Guards.Concurrent
	if n := d.st.index.holding[rule.Name]; most > 0 && n >= most && !d.run.Holds() {
		return verdict{
			guard: GuardConcurrent, until: d.at.Add(waitAtMost), waits: waitRule(rule.Name),
			reason: fmt.Sprintf("the rule has %d targets under repair, and may have %d", n, most),
		}
	}
	return verdict{}
}
