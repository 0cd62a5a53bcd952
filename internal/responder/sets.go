package responder

import (
	"fmt"
	"sync"

	"github.com/tripgen/paramedic/internal/engine"
)

// sets compiles the rule sets that a state names, and keeps them. A set is named
// by its digest, so one that was compiled stays right.
type sets struct {
	compile Compiler

	mu       sync.Mutex
	compiled map[string]engine.RuleSet
	// wanted is the set that this process may put in force: it is not compiled
	// anew when that is decided, while everything waits.
	wanted engine.RuleSet
}

func newSets(compile Compiler) *sets {
	return &sets{compile: compile, compiled: map[string]engine.RuleSet{}}
}

// add compiles a set and checks that it is the one that its name says.
func (s *sets) add(digest string, sources []engine.Source) error {
	if _, ok := s.Set(digest); ok || s.addWanted(digest) {
		return nil
	}
	set, err := s.compile(sources)
	if err != nil {
		return fmt.Errorf("rule set %s: %w", digest, err)
	}
	if set.Digest() != digest {
		return fmt.Errorf("rule set %s compiles to %s: it was made by a build that reads rules differently", digest, set.Digest())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.compiled[digest] = set
	return nil
}

func (s *sets) want(set engine.RuleSet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = set
}

// addWanted adds the wanted set, if it is the one of that name.
func (s *sets) addWanted(digest string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wanted == nil || s.wanted.Digest() != digest {
		return false
	}
	s.compiled[digest] = s.wanted
	return true
}

// Set implements engine.Sets.
func (s *sets) Set(digest string) (engine.RuleSet, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set, ok := s.compiled[digest]
	return set, ok
}

// keep forgets the sets that the state no longer names.
func (s *sets) keep(named map[string][]engine.Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for digest := range s.compiled {
		if _, ok := named[digest]; !ok {
			delete(s.compiled, digest)
		}
	}
}
