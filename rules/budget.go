package rules

import (
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// fleetBudget is the name of the budget that counts everything where none is
// written.
const fleetBudget = "fleet"

func builtinBudget() engine.Budget {
	return engine.Budget{Name: fleetBudget, Rate: engine.Rate{Count: 20, Per: 10 * time.Minute}}
}

func budgetShape() shape {
	return shape{what: "a budget", fields: []string{"name", "by", "limit", "concurrent"}, required: []string{"name"}}
}

// budget is a written budget. unlimited says that its limit is off.
type budget struct {
	engine.Budget
	unlimited bool
}

func (c *compiler) budget(f *file, n *yaml.Node) {
	before := len(*f.found)
	o, ok := f.object(n, budgetShape())
	if !ok {
		return
	}
	var b budget
	if b.Name, ok = f.name(o.get("name"), "the budget's name"); !ok {
		return
	}
	if v := o.get("limit"); v != nil {
		b.unlimited = isOff(v)
		if !b.unlimited {
			b.Rate, _ = f.rate(v, "limit")
		}
	}
	if v := o.get("concurrent"); v != nil {
		b.Concurrent = f.number(v, "concurrent", 1, maxCount)
	}
	if v := o.get("by"); v != nil {
		c.budgetKey(f, v, &b)
	}
	switch {
	case f.failedSince(before):
		return
	case b.Name == fleetBudget && b.Key != nil:
		f.errorf(n, "the budget %q counts everything: give one with by another name", fleetBudget)
	case b.unlimited && b.Name != fleetBudget:
		f.errorf(n, "only the limit of the budget %q can be off: leave out the others", fleetBudget)
	case b.Rate == (engine.Rate{}) && b.Concurrent == 0 && !b.unlimited:
		f.errorf(n, "the budget %q bounds nothing: give it a limit, as 20/10m, or concurrent", b.Name)
	case c.taken(c.budgetNames, f, n, "budget", b.Name):
	default:
		c.budgets = append(c.budgets, b)
	}
}

func (c *compiler) budgetKey(f *file, n *yaml.Node, b *budget) {
	if s, ok := f.text(n, "by"); !ok || !hasExpression(s) {
		if ok {
			f.errorf(n, "by has no ${...} in it, so that it does not divide anything: name what differs, as ${target.namespace}, or leave it out")
		}
		return
	}
	t, ok := c.places.budget.textTemplate(f.scalar(n))
	if !ok {
		return
	}
	name := b.Name
	b.Key = func(scope engine.Scope) (string, error) {
		key, err := t.text(&scope)
		if err != nil {
			return "", fmt.Errorf("budget %q: by: %w", name, err)
		}
		return key, nil
	}
}

// allBudgets are the written ones, and that of the fleet unless a limit over
// everything is written.
func (c *compiler) allBudgets() []engine.Budget {
	var all []engine.Budget
	bounded := slices.ContainsFunc(c.budgets, func(b budget) bool {
		return b.unlimited || b.Key == nil && b.Rate.Count > 0
	})
	named := false
	for _, b := range c.budgets {
		if b.Name == fleetBudget && !bounded {
			// It has concurrent only.
			b.Rate = builtinBudget().Rate
			named = true
		}
		if b.Rate.Count > 0 || b.Concurrent > 0 {
			all = append(all, b.Budget)
		}
	}
	if !bounded && !named {
		all = append([]engine.Budget{builtinBudget()}, all...)
	}
	return all
}
