package trigger

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tripgen/paramedic/rules"
)

// CostEvery is how often costs are asked for: providers bring them up to date a few
// times a day, and bound how often they may be asked for.
const CostEvery = 24 * time.Hour

// The severities of the alerts of a cost trigger.
const (
	severityWarning  = "warning"
	severityCritical = "critical"
)

// withoutValue is what is told of the costs of what has no such value: no such tag.
const withoutValue = "none"

// cost runs a trigger of that kind.
type cost struct {
	parts
	trigger  rules.Trigger
	accounts Accounts
}

// spending is what was spent of one budget.
type spending struct {
	// of is the value of the dimension; empty for all together.
	of            string
	spent, budget float64
	currency      string
}

// spendings are what a trigger's budgets are compared with. Of a dimension's values
// that have no budget, nothing is said; one of which nothing is heard has cost
// nothing.
func spendings(t *rules.CostTrigger, c Costs) []spending {
	if t.By == "" {
		return []spending{{spent: c.Total, budget: t.Budget, currency: c.Currency}}
	}
	var all []spending
	if len(t.Budgets) > 0 {
		for _, of := range slices.Sorted(maps.Keys(t.Budgets)) {
			all = append(all, spending{of, spentBy(c, of), t.Budgets[of], c.Currency})
		}
		return all
	}
	for _, of := range slices.Sorted(maps.Keys(c.By)) {
		all = append(all, spending{of, c.By[of], t.Budget, c.Currency})
	}
	return all
}

// spentBy finds the costs of a value whatever its case is: providers differ in it
// from month to month.
func spentBy(c Costs, of string) float64 {
	sum := 0.0
	for name, spent := range c.By {
		if strings.EqualFold(name, of) {
			sum += spent
		}
	}
	return sum
}

// severity is what a share of the budget calls for; empty for nothing.
func (s spending) severity(t *rules.CostTrigger) string {
	switch share := s.spent / s.budget * 100; {
	case share >= float64(t.Critical):
		return severityCritical
	case share >= float64(t.Warning):
		return severityWarning
	}
	return ""
}

// judgeCost decides what follows from what was spent. A greater severity is a new
// firing, so that rules for it are set off; so is a lesser one, in a new month.
func judgeCost(t rules.Trigger, r Record, s spending, now time.Time) (Record, bool) {
	severity := s.severity(t.Cost)
	switch {
	case severity == "" && r.Firing():
		return r.resolved(now, now), true
	case severity == "", r.Firing() && r.Alert.Severity == severity:
		return r, false
	}
	identity := map[string]string{"account": t.Cost.Account}
	of := ""
	if t.Cost.By != "" {
		name := cmp.Or(s.of, withoutValue)
		identity[costLabel(t.Cost.By)] = name
		of = " for " + name
	}
	a := newAlert(t, identity, map[string]string{"severity": severity}, map[string]string{
		"summary": fmt.Sprintf("%s %s were spent this month%s, which is %.0f%% of the budget of %s",
			amount(s.spent), s.currency, of, s.spent/s.budget*100, amount(s.budget)),
	})
	return r.raised(a, now, now), true
}

func amount(of float64) string { return strconv.FormatFloat(of, 'f', 2, 64) }

// costLabel is the label that a dimension's value is told in.
func costLabel(by string) string {
	_, tag, isTag := strings.Cut(by, ":")
	if isTag {
		by = tag
	}
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, by)
}

// step asks once a day.
func (c *cost) step(ctx context.Context, now time.Time) (time.Time, error) {
	e, err := c.book.load(ctx, key(c.trigger, baseline))
	if err != nil {
		return time.Time{}, err
	}
	if due := e.record.Tick.Add(CostEvery); due.After(now) {
		return earlier(due, now.Add(time.Hour)), nil
	}
	t := c.trigger.Cost
	costs, err := c.accounts.Costs(ctx, t.Account, t.By)
	if err != nil {
		return time.Time{}, fmt.Errorf("costs of account %s: %w", t.Account, err)
	}
	for _, s := range spendings(t, costs) {
		series := "all"
		if t.By != "" {
			series = "by " + strings.ToLower(s.of)
		}
		_, err := c.book.change(ctx, key(c.trigger, series), func(r Record) (Record, bool) {
			return judgeCost(c.trigger, r, s, now)
		})
		if err != nil {
			return time.Time{}, err
		}
	}
	if err := c.settle(ctx, t, costs, now); err != nil {
		return time.Time{}, err
	}
	// Last, so that a look that was cut short is made again.
	_, err = c.book.change(ctx, key(c.trigger, baseline), func(r Record) (Record, bool) {
		r.Tick = now.UTC()
		return r, true
	})
	if err != nil {
		return time.Time{}, err
	}
	return now.Add(time.Hour), nil
}

// settle resolves the alerts of values of which nothing is heard any more: in a new
// month they have cost nothing yet.
func (c *cost) settle(ctx context.Context, t *rules.CostTrigger, costs Costs, now time.Time) error {
	heard := map[string]bool{}
	for _, s := range spendings(t, costs) {
		heard[key(c.trigger, "by "+strings.ToLower(s.of))] = true
		heard[key(c.trigger, "all")] = t.By == ""
	}
	keys, err := c.book.keys(ctx, c.trigger)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if heard[k] || k == key(c.trigger, baseline) {
			continue
		}
		if err := c.book.remove(ctx, k, now); err != nil {
			return err
		}
	}
	return nil
}
