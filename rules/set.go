package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"time"

	"github.com/google/cel-go/common/types"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// Set is a compiled rule set. It implements [engine.RuleSet].
type Set struct {
	digest  string
	rules   []*rule
	byName  map[string]*engine.Rule
	budgets []engine.Budget
	index   index
}

var _ engine.RuleSet = (*Set)(nil)

func newSet(sources []engine.Source, rules []*rule, budgets []engine.Budget) *Set {
	s := &Set{
		digest: Digest(sources), rules: rules, budgets: budgets,
		byName: make(map[string]*engine.Rule, len(rules)), index: newIndex(rules),
	}
	for _, r := range rules {
		s.byName[r.rule.Name] = &r.rule
	}
	return s
}

// Digest identifies files by their names and texts, in any order: the SHA-256
// of each name and text, in the order of the names, each behind its length.
func Digest(files []engine.Source) string {
	h := sha256.New()
	for _, s := range canonical(files) {
		write(h, s.Name)
		write(h, s.Text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func write(h hash.Hash, s string) {
	// A hash never returns an error.
	_, _ = fmt.Fprintf(h, "%d:%s", len(s), s)
}

// Digest implements [engine.RuleSet].
func (s *Set) Digest() string { return s.digest }

// Rule implements [engine.RuleSet].
func (s *Set) Rule(name string) (*engine.Rule, bool) {
	r, ok := s.byName[name]
	return r, ok
}

// Rules are all rules, in the order written.
func (s *Set) Rules() []*engine.Rule {
	all := make([]*engine.Rule, len(s.rules))
	for i, r := range s.rules {
		all[i] = &r.rule
	}
	return all
}

// TargetKind is the kind, such as Deployment, that the target of a rule has, whatever
// the alert; empty outside Kubernetes, and for a rule that is not there.
func (s *Set) TargetKind(name string) string {
	for _, r := range s.rules {
		if r.rule.Name == name {
			return r.target.kind
		}
	}
	return ""
}

// Budgets implements [engine.RuleSet].
func (s *Set) Budgets() []engine.Budget { return slices.Clone(s.budgets) }

// Match implements [engine.RuleSet]. A label that an alert does not have counts
// as empty, as in Alertmanager.
func (s *Set) Match(a alert.Alert, now time.Time) []engine.Match {
	var matches []engine.Match
	scope := &engine.Scope{Alert: a, Now: now}
	for _, i := range s.index.candidates(a.Labels) {
		if m, ok := s.rules[i].match(scope); ok {
			matches = append(matches, m)
		}
	}
	return matches
}

func (r *rule) match(scope *engine.Scope) (engine.Match, bool) {
	if !r.takes(scope.Alert) {
		return engine.Match{}, false
	}
	m := engine.Match{Rule: &r.rule}
	if r.when != nil {
		v, err := r.when.eval(scope)
		if err != nil {
			m.Err = fmt.Errorf("rule %q: when: %w", r.rule.Name, err)
			return m, true
		}
		if v != types.True {
			return engine.Match{}, false
		}
	}
	t, err := r.target.render(scope)
	if err != nil {
		m.Err = fmt.Errorf("rule %q: %w", r.rule.Name, err)
		return m, true
	}
	m.Target = t
	if m.Group, err = r.group.render(scope); err != nil {
		m.Err = fmt.Errorf("rule %q: %w", r.rule.Name, err)
	}
	return m, true
}
