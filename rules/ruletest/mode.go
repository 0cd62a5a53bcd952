package ruletest

import (
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

// moded is a rule set whose rules are all trusted alike.
type moded struct {
	*rules.Set
	mode  engine.Mode
	rules map[string]*engine.Rule
}

// as gives every rule of a set another mode.
func as(set *rules.Set, mode engine.Mode) engine.RuleSet {
	m := &moded{Set: set, mode: mode, rules: map[string]*engine.Rule{}}
	for _, r := range set.Rules() {
		other := *r
		other.Mode = mode
		m.rules[r.Name] = &other
	}
	return m
}

// Digest implements engine.RuleSet.
func (m *moded) Digest() string { return m.Set.Digest() + "-" + string(m.mode) }

// Rule implements engine.RuleSet.
func (m *moded) Rule(name string) (*engine.Rule, bool) {
	r, ok := m.rules[name]
	return r, ok
}

// Match implements engine.RuleSet.
func (m *moded) Match(a alert.Alert, now time.Time) []engine.Match {
	matches := m.Set.Match(a, now)
	for i := range matches {
		matches[i].Rule = m.rules[matches[i].Rule.Name]
	}
	return matches
}
