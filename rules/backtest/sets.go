package backtest

import (
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// Compiler turns the text of a rule set into its compiled form.
type Compiler func(sources []engine.Source) (engine.RuleSet, error)

// sets are the compiled rule sets of one play, by digest.
type sets struct {
	compile  Compiler
	mode     engine.Mode
	compiled map[string]engine.RuleSet
}

func newSets(compile Compiler, mode engine.Mode) *sets {
	return &sets{compile: compile, mode: mode, compiled: map[string]engine.RuleSet{}}
}

// Set implements engine.Sets.
func (s *sets) Set(digest string) (engine.RuleSet, bool) {
	set, ok := s.compiled[digest]
	return set, ok
}

// add takes a set that is compiled already.
func (s *sets) add(digest string, set engine.RuleSet) {
	s.compiled[digest] = withMode(set, s.mode)
}

// learn compiles a recorded set. It must be the one that its name says.
func (s *sets) learn(n *engine.NewRules) error {
	if _, ok := s.compiled[n.Digest]; ok {
		return nil
	}
	if s.compile == nil {
		return fmt.Errorf("the recorded rule set %s cannot be compiled here", n.Digest)
	}
	set, err := s.compile(n.Sources)
	if err != nil {
		return fmt.Errorf("the recorded rule set %s: %w", n.Digest, err)
	}
	if set.Digest() != n.Digest {
		return fmt.Errorf("the recorded rule set %s compiles to %s: it was made by a build that reads rules differently", n.Digest, set.Digest())
	}
	s.add(n.Digest, set)
	return nil
}

// moded is a rule set whose rules have another mode. Rungs that say less than
// the mode keep what they say.
type moded struct {
	engine.RuleSet
	mode  engine.Mode
	rules map[string]*engine.Rule
}

func withMode(set engine.RuleSet, mode engine.Mode) engine.RuleSet {
	if mode == "" {
		return set
	}
	return &moded{RuleSet: set, mode: mode, rules: map[string]*engine.Rule{}}
}

// Digest implements engine.RuleSet: another mode decides otherwise.
func (m *moded) Digest() string { return m.RuleSet.Digest() + " in mode " + string(m.mode) }

// Rule implements engine.RuleSet.
func (m *moded) Rule(name string) (*engine.Rule, bool) {
	r, ok := m.RuleSet.Rule(name)
	if !ok {
		return nil, false
	}
	return m.adapt(r), true
}

// Match implements engine.RuleSet.
func (m *moded) Match(a alert.Alert, now time.Time) []engine.Match {
	found := m.RuleSet.Match(a, now)
	for i := range found {
		found[i].Rule = m.adapt(found[i].Rule)
	}
	return found
}

// Rules lists what the set lists.
func (m *moded) Rules() []*engine.Rule {
	all := rulesOf(m.RuleSet)
	for i, r := range all {
		all[i] = m.adapt(r)
	}
	return all
}

// Asked is what the set says.
func (m *moded) Asked(rule string) bool { return asked(m.RuleSet, rule) }

// adapt changes a rule's mode. A rule that has nothing to try can only observe.
func (m *moded) adapt(r *engine.Rule) *engine.Rule {
	if len(r.Attempts) == 0 {
		return r
	}
	changed, ok := m.rules[r.Name]
	if !ok {
		c := *r
		c.Mode = m.mode
		changed = &c
		m.rules[r.Name] = changed
	}
	return changed
}

// rulesOf lists a set's rules in the order written, if it can list them. The
// slice is the caller's.
func rulesOf(set engine.RuleSet) []*engine.Rule {
	if s, ok := set.(interface{ Rules() []*engine.Rule }); ok {
		return append([]*engine.Rule(nil), s.Rules()...)
	}
	return nil
}

// asked reports whether a rule is set off by alerts that tell of no trouble, such
// as those of a schedule, if the set can tell.
func asked(set engine.RuleSet, rule string) bool {
	s, ok := set.(interface{ Asked(rule string) bool })
	return ok && s.Asked(rule)
}
