package rules

import (
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// What holds for a cost trigger that says nothing else: one budget for everything is
// critical once it is spent, one of a part of the whole before that.
const (
	builtinWarning      = 80
	builtinCritical     = 100
	builtinCriticalPart = 90
	maxShare            = 1000
)

func costShape() shape {
	return shape{
		what: "on.cost", fields: []string{"account", "by", "budget", "budgets", "warning", "critical", "labels"},
		required: []string{"account"},
	}
}

func (f *file) costTrigger(n *yaml.Node, t *Trigger) object {
	c := &CostTrigger{Warning: builtinWarning, Critical: builtinCritical}
	t.Cost = c
	before := len(*f.found)
	o, _ := f.object(n, costShape())
	f.constantText(o.get("account"), "account", &c.Account)
	f.constantText(o.get("by"), "by", &c.By)
	f.budgets(n, o, c)
	if c.By != "" {
		c.Critical = builtinCriticalPart
	}
	if v := o.get("warning"); v != nil {
		c.Warning = f.percent(v, "warning", maxShare)
	}
	if v := o.get("critical"); v != nil {
		c.Critical = f.percent(v, "critical", maxShare)
	}
	if !f.failedSince(before) && c.Warning >= c.Critical {
		f.errorf(n, "warning is %d%% and critical %d%%: a warning must come first", c.Warning, c.Critical)
	}
	return o
}

// budgets reads one budget, or one for each value of what the cost is divided by.
func (f *file) budgets(n *yaml.Node, o object, c *CostTrigger) {
	one, each := o.get("budget"), o.get("budgets")
	switch {
	case one != nil && each != nil:
		f.errorf(each, "there is a budget for all and one for each: write one of the two")
	case one != nil:
		c.Budget = f.amount(one, "budget")
	case each == nil:
		f.errorf(n, "there is no budget to compare the cost with: write budget: 1000, or, with by, budgets: {NAME: 1000}")
	case each.Kind != yaml.MappingNode || len(each.Content) == 0:
		f.errorf(each, "budgets is a mapping of what by divides the cost into, as {Azure Kubernetes Service: 500}, not %s", describe(each))
	case o.get("by") == nil:
		f.errorf(each, "budgets are for parts of the cost: say in by what it is divided by, as by: service")
	default:
		c.Budgets = map[string]float64{}
		for i := 0; i < len(each.Content); i += 2 {
			name := each.Content[i].Value
			for other := range c.Budgets {
				if strings.EqualFold(other, name) {
					f.errorf(each.Content[i], "%q has a budget already: upper and lower case are the same here", name)
				}
			}
			c.Budgets[name] = f.amount(each.Content[i+1], "the budget of "+name)
		}
	}
}

// amount reads an amount of money.
func (f *file) amount(n *yaml.Node, what string) float64 {
	amount, err := strconv.ParseFloat(n.Value, 64)
	if n.Kind != yaml.ScalarNode || err != nil || amount <= 0 || math.IsInf(amount, 0) {
		f.errorf(n, "%s is an amount of money above 0 in the account's currency, as 1000 or 99.50, not %s", what, describe(n))
		return 0
	}
	return amount
}
