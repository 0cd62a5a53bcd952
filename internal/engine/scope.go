package engine

import (
	"fmt"
	"strings"
)

// ScopeAll is the kill switch's widest scope: everything.
const ScopeAll = "all"

// The prefixes of the narrower scopes.
const (
	scopeRule    = "rule/"
	scopeCluster = "cluster/"
	scopeTarget  = "target/"
)

// ParseScope checks a kill switch's scope: "all", "rule/NAME", "cluster/NAME"
// or "target/CANONICAL-TARGET".
func ParseScope(s string) error {
	if s == ScopeAll {
		return nil
	}
	for _, p := range []string{scopeRule, scopeCluster, scopeTarget} {
		if rest, ok := strings.CutPrefix(s, p); ok && rest != "" {
			return nil
		}
	}
	return fmt.Errorf("scope %q: want all, rule/NAME, cluster/NAME or target/TARGET", s)
}

// Scopes are the kill switch's scopes that stop a rule's action on a target,
// widest first.
func Scopes(rule string, t Target) []string {
	all := []string{ScopeAll, scopeRule + rule}
	if t.Cluster != "" {
		all = append(all, scopeCluster+t.Cluster)
	}
	return append(all, scopeTarget+t.String())
}
