package ruletest

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tripgen/paramedic/internal/engine"
)

// What coverage counts.
const (
	PartRules    = "rules"
	PartAttempts = "attempts"
	PartGuards   = "guards"
)

// Parts are what coverage counts.
func Parts() []string { return []string{PartRules, PartAttempts, PartGuards} }

// Coverage is how much of the rules the tests reached.
type Coverage struct {
	Items []Item `json:"items"`
}

// Item is one thing that tests can reach: a rule that is set off, an attempt that
// acts (or, in a mode that does not act, is planned; or looks, if that is all that it
// does), a guard that holds.
type Item struct {
	// Part is one of [Parts].
	Part string `json:"part"`
	// File and Line are where the rule is written.
	File string `json:"file"`
	Line int    `json:"line"`
	Rule string `json:"rule"`
	// Name is the attempt's or the guard's; empty for a rule.
	Name    string `json:"name,omitempty"`
	Reached bool   `json:"reached"`
}

// String is the item in one line.
func (i Item) String() string {
	where := fmt.Sprintf("%s:%d: rule %s", i.File, i.Line, i.Rule)
	switch i.Part {
	case PartAttempts:
		return where + ": attempt " + i.Name + " never acted"
	case PartGuards:
		return where + ": guard " + i.Name + " never held"
	}
	return where + ": never set off"
}

// Count is how many items of a part were reached, of how many; of all parts if it
// is empty.
func (c Coverage) Count(part string) (reached, all int) {
	for _, i := range c.Items {
		if part != "" && i.Part != part {
			continue
		}
		all++
		if i.Reached {
			reached++
		}
	}
	return reached, all
}

// Percent is how much of a part was reached, rounded down: 100 if there is nothing.
func (c Coverage) Percent(part string) int {
	reached, all := c.Count(part)
	if all == 0 {
		return 100
	}
	return reached * 100 / all
}

// Missed are the items that no test reached.
func (c Coverage) Missed() []Item {
	return slices.DeleteFunc(slices.Clone(c.Items), func(i Item) bool { return i.Reached })
}

// and joins what several files of tests reached.
func (c Coverage) and(other Coverage) Coverage {
	joined := Coverage{Items: slices.Clone(c.Items)}
	for _, i := range other.Items {
		same := slices.IndexFunc(joined.Items, func(j Item) bool {
			return i.Part == j.Part && i.File == j.File && i.Rule == j.Rule && i.Name == j.Name
		})
		if same < 0 {
			joined.Items = append(joined.Items, i)
			continue
		}
		joined.Items[same].Reached = joined.Items[same].Reached || i.Reached
	}
	slices.SortStableFunc(joined.Items, func(a, b Item) int { return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line)) })
	return joined
}

// reached is what the tests of one file came to.
type reached struct {
	rules, planned, acted, held map[string]bool
}

func newReached() *reached {
	return &reached{rules: map[string]bool{}, planned: map[string]bool{}, acted: map[string]bool{}, held: map[string]bool{}}
}

func rungOf(rule, attempt string) string { return rule + "/" + attempt }

func guardOf(rule, guard string) string { return rule + "/" + guard }

// coverage compares what was reached with what there is.
func coverage(f *ruleFiles, r *reached) Coverage {
	var c Coverage
	budgets := len(f.set.Budgets()) > 0
	for _, d := range f.set.Provenance() {
		rule, ok := f.set.Rule(d.Rule)
		if !ok {
			continue
		}
		add := func(part, name string, reached bool) {
			c.Items = append(c.Items, Item{Part: part, File: d.File, Line: d.Line, Rule: d.Rule, Name: name, Reached: reached})
		}
		add(PartRules, "", r.rules[d.Rule])
		for _, a := range rule.Attempts {
			rung := rungOf(d.Rule, a.Name)
			acts := rule.Mode.Acts() && (a.Mode == "" || a.Mode.Acts())
			add(PartAttempts, a.Name, r.acted[rung] || !acts && r.planned[rung])
		}
		if rule.Mode == engine.ModeObserve {
			continue
		}
		for _, name := range guardsOn(rule, budgets) {
			add(PartGuards, name, r.held[guardOf(d.Rule, name)])
		}
	}
	return c
}

// guardsOn are the guards that a rule has on and that can hold it, but for those
// that every rule has.
func guardsOn(r *engine.Rule, budgets bool) []string {
	g := r.Guards
	var on []string
	for _, guard := range []struct {
		name string
		is   bool
	}{
		{engine.GuardFreshness, g.Freshness > 0},
		{engine.GuardFlap, g.Flap.Count > 0},
		{engine.GuardCooldown, g.Cooldown > 0},
		{engine.GuardHoldDown, g.HoldDown > 0},
		{engine.GuardLimit, len(g.Limits) > 0},
		{engine.GuardBudget, budgets},
		{engine.GuardWindow, len(g.Windows) > 0},
		{engine.GuardUnless, len(r.Unless) > 0},
		{engine.GuardRequires, len(g.Requires) > 0},
		{engine.GuardConcurrent, g.Concurrent > 0},
		{engine.GuardMinHealthy, g.MinHealthy != engine.Share{}},
	} {
		if guard.is {
			on = append(on, guard.name)
		}
	}
	return on
}
